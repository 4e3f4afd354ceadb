"""`provider_data` of a send, for Official Accounts: names and values are those of the API.

https://docs.zaloplatforms.com/docs/OA, messages.
"""

from unifyport.providers.contract.fields import ProviderField

PROVIDER_DATA = (
    ProviderField("sticker", "string", "`attachment_id` of a sticker", content=True),
    ProviderField(
        "attachment",
        "object",
        "an attachment as it is: `type` and `payload`, such as the template `request_user_info`",
        content=True,
    ),
    ProviderField("width", "integer", "of an image that is a GIF, in pixels; required"),
    ProviderField("height", "integer", "of an image that is a GIF, in pixels; required"),
)
CONTENTS = tuple(field.name for field in PROVIDER_DATA if field.content)
