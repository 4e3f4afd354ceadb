"""`provider_data` of a send, for bots: names and values are the Bot API's.

https://core.telegram.org/bots/api#available-methods. Objects go to Telegram as they are; `sent_kinds.py`
checks those that are the message itself.
"""

from unifyport.providers.contract.fields import ProviderField

from . import send_objects

PROVIDER_DATA = (
    ProviderField(
        "parse_mode", "string", "`Markdown`, `MarkdownV2` or `HTML`: how text and caption are marked up"
    ),
    ProviderField(
        "entities",
        "array",
        "parts of the text or caption with a meaning; offsets in code points, as in events",
        names=send_objects.ENTITIES,
    ),
    ProviderField("message_thread_id", "integer,string", "the topic: `thread_id` of events"),
    ProviderField("direct_messages_topic_id", "integer,string", "the topic of direct messages to a channel"),
    ProviderField("disable_notification", "boolean", "send without a sound"),
    ProviderField("protect_content", "boolean", "forbid forwarding and saving"),
    ProviderField("allow_paid_broadcast", "boolean", "up to 1,000 messages a second, for a fee in Stars"),
    ProviderField("message_effect_id", "string", "an effect, in private chats"),
    ProviderField(
        "suggested_post_parameters",
        "object",
        "suggest the message as a post of a channel",
        names=send_objects.SUGGESTED_POST_PARAMETERS,
    ),
    ProviderField(
        "reply_parameters",
        "object",
        "more of the reply that `reply_to` begins: `quote`, `chat_id`, ...",
        names=send_objects.REPLY_PARAMETERS,
    ),
    ProviderField(
        "reply_markup",
        "object",
        "`inline_keyboard`, `keyboard`, `remove_keyboard` or `force_reply`",
        names=send_objects.REPLY_MARKUP,
    ),
    ProviderField("link_preview_options", "object", "of a text", names=send_objects.LINK_PREVIEW_OPTIONS),
    ProviderField("send_as", "string", "of a file: `sticker`, `animation`, `video_note` or `voice`"),
    ProviderField("show_caption_above_media", "boolean", "of photos, videos, animations"),
    ProviderField("has_spoiler", "boolean", "of photos, videos, animations"),
    ProviderField("width", "integer", "of videos, animations"),
    ProviderField("height", "integer", "of videos, animations"),
    ProviderField("duration", "integer", "seconds; of videos, animations, audio, voice, video notes"),
    ProviderField("length", "integer", "diameter of a video note"),
    ProviderField("supports_streaming", "boolean", "of videos"),
    ProviderField("performer", "string", "of audio"),
    ProviderField("title", "string", "of audio"),
    ProviderField("emoji", "string", "of stickers"),
    ProviderField("disable_content_type_detection", "boolean", "of documents"),
    ProviderField(
        "location", "object", "`latitude`, `longitude`; with `live_period` a live location", content=True
    ),
    ProviderField("venue", "object", "`latitude`, `longitude`, `title`, `address`", content=True),
    ProviderField(
        "poll",
        "object",
        "`question`, `options` (texts or objects), and what `sendPoll` takes",
        content=True,
        names=send_objects.POLL,
    ),
    ProviderField("dice", "object", "`emoji`", content=True),
    ProviderField(
        "album",
        "array",
        "2 to 10 `{type, caption}` with `file_key`, `url`, or `media` (https URL or file_id for Telegram)",
        content=True,
    ),
    ProviderField(
        "checklist",
        "object",
        "`title`, `tasks`; in chats of a business connection",
        content=True,
        names=send_objects.CHECKLIST,
    ),
    ProviderField("rich_message", "object", "`markdown` or `html` or `blocks`", content=True),
    ProviderField("invoice", "object", "what `sendInvoice` takes", content=True, names=send_objects.INVOICE),
)
CONTENTS = tuple(field.name for field in PROVIDER_DATA if field.content)

_EVERY_MESSAGE = (
    "message_thread_id",
    "direct_messages_topic_id",
    "disable_notification",
    "protect_content",
    "allow_paid_broadcast",
    "message_effect_id",
    "suggested_post_parameters",
    "reply_markup",
)
_NOT_OF = {
    "sendMediaGroup": {"suggested_post_parameters", "reply_markup"},
    "sendPoll": {"direct_messages_topic_id", "suggested_post_parameters"},
    "sendChecklist": {
        "message_thread_id",
        "direct_messages_topic_id",
        "allow_paid_broadcast",
        "suggested_post_parameters",
    },
}
_ALSO_OF = {
    "sendMessage": ("link_preview_options",),
    "sendPhoto": ("show_caption_above_media", "has_spoiler"),
    "sendVideo": (
        "show_caption_above_media",
        "has_spoiler",
        "width",
        "height",
        "duration",
        "supports_streaming",
    ),
    "sendAnimation": ("show_caption_above_media", "has_spoiler", "width", "height", "duration"),
    "sendAudio": ("duration", "performer", "title"),
    "sendVoice": ("duration",),
    "sendVideoNote": ("duration", "length"),
    "sendSticker": ("emoji",),
    "sendDocument": ("disable_content_type_detection",),
}
# Fields that are rendered by rules of their own.
_RENDERED = {"parse_mode", "entities", "reply_parameters", "send_as", *CONTENTS}
OPTIONS = frozenset(field.name for field in PROVIDER_DATA) - _RENDERED


def options_of(method: str) -> frozenset[str]:
    """The options that a method takes as they are."""
    return frozenset(_EVERY_MESSAGE) - _NOT_OF.get(method, set()) | set(_ALSO_OF.get(method, ()))
