"""`provider_data` of a send, for personal accounts."""

from unifyport.providers.contract.fields import ProviderField

PROVIDER_DATA = (
    ProviderField(
        "styles",
        "array",
        "styles of a text: `{style, offset, length}` in characters; `style` is `bold`, `italic`, `underline`,"
        " `strikethrough`, `red`, `orange`, `yellow`, `green`, `small`, `big`, `unordered_list` or"
        " `ordered_list`",
    ),
    ProviderField(
        "sticker",
        "object",
        "a sticker of Zalo's catalogue: `id`, `cateId` and `type`, as a received one has them",
        content=True,
        names={"id": None, "cateId": None, "type": None},
    ),
)
