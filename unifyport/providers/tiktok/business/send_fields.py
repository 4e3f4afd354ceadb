"""`provider_data` of a send, for business accounts: names and values are those of the API.

https://business-api.tiktok.com/portal/docs?id=1832184403754242
"""

from unifyport.providers.contract.fields import ProviderField

PROVIDER_DATA = (
    ProviderField(
        "template",
        "object",
        "a question card: `type` (`QA_BUTTON_CARD` or `QA_LINK_CARD`), `title` (up to 40 characters),"
        " `buttons` (1 to 3 of `{title, id}`, titles up to 20 or 40 characters)",
        content=True,
    ),
    ProviderField("share_post", "object", "`item_id`: a post of the business account", content=True),
)
CONTENTS = tuple(field.name for field in PROVIDER_DATA if field.content)
