"""Entities of a text, between the platform's objects and the names that events and the Bot API use.

`ENTITIES` has a row for each kind of the platform. Offsets count in UTF-16 units on both sides here.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from telethon.tl import types

from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.fields import invalid

ENTITIES: dict[type, str] = {
    types.MessageEntityUnknown: "unknown",
    types.MessageEntityMention: "mention",
    types.MessageEntityHashtag: "hashtag",
    types.MessageEntityBotCommand: "bot_command",
    types.MessageEntityUrl: "url",
    types.MessageEntityEmail: "email",
    types.MessageEntityBold: "bold",
    types.MessageEntityItalic: "italic",
    types.MessageEntityCode: "code",
    types.MessageEntityPre: "pre",
    types.MessageEntityTextUrl: "text_link",
    types.MessageEntityMentionName: "text_mention",
    types.InputMessageEntityMentionName: "text_mention",
    types.MessageEntityPhone: "phone_number",
    types.MessageEntityCashtag: "cashtag",
    types.MessageEntityUnderline: "underline",
    types.MessageEntityStrike: "strikethrough",
    types.MessageEntityBankCard: "bank_card",
    types.MessageEntitySpoiler: "spoiler",
    types.MessageEntityCustomEmoji: "custom_emoji",
    types.MessageEntityBlockquote: "blockquote",
    types.MessageEntityFormattedDate: "date_time",
    types.MessageEntityDiffInsert: "diff_insert",
    types.MessageEntityDiffReplace: "diff_replace",
    types.MessageEntityDiffDelete: "diff_delete",
}


def shown(entities: Iterable[Any] | None, user: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Entities as the Bot API shows them. `user`: the `User` of an id."""
    return [_shown(entity, user) for entity in entities or ()]


def _shown(entity: Any, user: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": ENTITIES.get(type(entity), "unknown"),
        "offset": entity.offset,
        "length": entity.length,
    }
    match entity:
        case types.MessageEntityTextUrl(url=url):
            found["url"] = url
        case types.MessageEntityMentionName(user_id=user_id):
            found["user"] = user(user_id)
        case types.MessageEntityPre(language=str(language)) if language:
            found["language"] = language
        case types.MessageEntityCustomEmoji(document_id=document_id):
            found["custom_emoji_id"] = str(document_id)
        case types.MessageEntityBlockquote(collapsed=True):
            found["type"] = "expandable_blockquote"
        case types.MessageEntityFormattedDate(date=date) if date is not None:
            found["unix_time"] = int(date.timestamp())
    return found


_PLAIN: dict[str, type] = {
    name: kind
    for kind, name in ENTITIES.items()
    if name
    in "mention hashtag bot_command url email bold italic code phone_number cashtag underline strikethrough"
    " spoiler".split()
}


def rendered(field: str, entities: Iterable[Mapping[str, Any]], users: Mapping[int, Any]) -> list[Any]:
    """Entities of a caller as the platform takes them. `users`: the `InputUser` of each id that
    `mentioned_users` finds. Raises `Rejected`.
    """
    return [_rendered(f"{field}[{place}]", entity, users) for place, entity in enumerate(entities)]


def _rendered(field: str, entity: Mapping[str, Any], users: Mapping[int, Any]) -> Any:
    name, offset, length = entity.get("type"), entity["offset"], entity["length"]
    match name:
        case str() if name in _PLAIN:
            return _PLAIN[name](offset, length)
        case "pre":
            return types.MessageEntityPre(offset, length, str(entity.get("language") or ""))
        case "text_link" if isinstance(entity.get("url"), str):
            return types.MessageEntityTextUrl(offset, length, entity["url"])
        case "text_mention":
            user = _user_id(entity)
            if user in users:
                return types.InputMessageEntityMentionName(offset, length, users[user])
            raise Rejected(
                "contact_not_reachable", f"provider_data.{field}: this account has not met that user"
            )
        case "custom_emoji":
            id_ = str(entity.get("custom_emoji_id"))
            if id_.isascii() and id_.isdigit() and len(id_) < 20:
                return types.MessageEntityCustomEmoji(offset, length, int(id_))
        case "blockquote" | "expandable_blockquote":
            return types.MessageEntityBlockquote(offset, length, collapsed=name != "blockquote")
    raise invalid(field, "is no entity that Telegram takes, or lacks a field")


def _user_id(entity: Mapping[str, Any]) -> int:
    user = entity.get("user")
    id_ = user.get("id") if isinstance(user, Mapping) else entity.get("user_id")
    text = str(id_)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def mentioned_users(entities: Iterable[Mapping[str, Any]]) -> set[int]:
    """The users that entities name, who must be known before these are rendered."""
    return {id_ for entity in entities if entity.get("type") == "text_mention" and (id_ := _user_id(entity))}
