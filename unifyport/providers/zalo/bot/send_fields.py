"""`provider_data` of a send, for bots: names and values are those of the Bot Platform.

https://bot.zaloplatforms.com/docs/apis/sendMessage
"""

from unifyport.providers.contract.fields import ProviderField

PROVIDER_DATA = (
    ProviderField(
        "photo", "string", "public https URL of a picture; its caption is message.text", content=True
    ),
    ProviderField("sticker", "string", "id of a sticker", content=True),
    ProviderField("voice_url", "string", "public https URL of an AAC file; to a person only", content=True),
    ProviderField(
        "text_styles", "array", "of a text: `{start, len, st}` each; places count in UTF-16 units, as at Zalo"
    ),
)
CONTENTS = tuple(field.name for field in PROVIDER_DATA if field.content)
