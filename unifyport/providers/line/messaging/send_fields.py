"""`provider_data` of a send, for LINE Official Accounts: values are those of the Messaging API.

https://developers.line.biz/en/reference/messaging-api/#message-objects
"""

from unifyport.providers.contract.fields import ProviderField

PROVIDER_DATA = (
    ProviderField("sticker", "object", "`packageId`, `stickerId`", content=True),
    ProviderField(
        "flex",
        "object",
        "a Flex Message: `contents` (a `bubble` or `carousel`), `altText`; message.text may be the alt text",
        content=True,
    ),
    ProviderField(
        "template",
        "object",
        "`template` (`buttons`, `confirm`, `carousel`, `image_carousel`), `altText` as of `flex`",
        content=True,
    ),
    ProviderField(
        "imagemap",
        "object",
        "`baseUrl`, `baseSize`, `actions`, `video`, `altText` as of `flex`",
        content=True,
    ),
    ProviderField("location", "object", "`title`, `address`, `latitude`, `longitude`", content=True),
    ProviderField("coupon", "object", "`couponId`, `deliveryTag`", content=True),
    ProviderField("quick_reply", "object", "`items`: up to 13 buttons below the message"),
    ProviderField("sender", "object", "another `name` and `iconUrl` beside the message"),
    ProviderField("emojis", "array", "of a text: LINE emojis, each `index` of a `$`, `productId`, `emojiId`"),
    ProviderField("quote_token", "string", "of a text or sticker: quote the message of this token"),
    ProviderField("preview_image_url", "string", "of an image or a video: https URL of its preview"),
    ProviderField("duration", "integer", "of audio: milliseconds"),
    ProviderField("tracking_id", "string", "of a video to a user: comes back when it was played"),
    ProviderField("rich_menu", "string", "of a message to a user: id of the rich menu to show; empty: none"),
    ProviderField("notification_disabled", "boolean", "the message makes no sound"),
    ProviderField("custom_aggregation_units", "array", "name of the unit that statistics count it in"),
)
CONTENTS = tuple(field.name for field in PROVIDER_DATA if field.content)
