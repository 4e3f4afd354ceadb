"""`provider_data` of a send, for business numbers: names and values are those of the Cloud API.

https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
"""

from unifyport.providers.contract.fields import ProviderField

PROVIDER_DATA = (
    ProviderField(
        "template",
        "object",
        "an approved template: `name`, `language` (`en_US` or `{code}`), `components` with the parameters",
        content=True,
    ),
    ProviderField(
        "interactive",
        "object",
        "`type` (`button`, `list`, `flow`, ...), `action`, `header`, `footer`; the body is message.text",
        content=True,
    ),
    ProviderField("location", "object", "`latitude`, `longitude`, `name`, `address`", content=True),
    ProviderField("preview_url", "boolean", "show a preview of the first link of a text"),
    ProviderField("send_as", "string", "of an image: `sticker` (WebP)"),
)
CONTENTS = tuple(field.name for field in PROVIDER_DATA if field.content)
