"""`provider_data` of a send, for business numbers: names and values are those of the Cloud API.

https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
"""

from unifyport.providers.contract.fields import Names, ProviderField


def _names(names: str, **inside: Names) -> Names:
    return {**dict.fromkeys(names.split()), **inside}


_TEMPLATE = _names(
    "name",
    language=_names("code policy"),
    components=_names("type sub_type index parameters cards"),
)
_INTERACTIVE = _names(
    "type",
    header=_names("type text sub_text image video document gif"),
    body=_names("text"),
    footer=_names("text"),
    action=_names(
        "name button parameters cards catalog_id product_retailer_id mode",
        buttons=_names("type id title", reply=_names("id title")),
        sections=_names(
            "title", rows=_names("id title description"), product_items=_names("product_retailer_id")
        ),
    ),
)

PROVIDER_DATA = (
    ProviderField(
        "template",
        "object",
        "an approved template: `name`, `language` (`en_US` or `{code}`), `components` with the parameters",
        content=True,
        names=_TEMPLATE,
    ),
    ProviderField(
        "interactive",
        "object",
        "`type` (`button`, `list`, `flow`, ...), `action`, `header`, `footer`; the body is message.text",
        content=True,
        names=_INTERACTIVE,
    ),
    ProviderField("location", "object", "`latitude`, `longitude`, `name`, `address`", content=True),
    ProviderField("preview_url", "boolean", "show a preview of the first link of a text"),
    ProviderField("send_as", "string", "of an image: `sticker` (WebP)"),
)
CONTENTS = tuple(field.name for field in PROVIDER_DATA if field.content)
