"""Events of webhooks: one row of `READERS` for each that has more to say than its name.

Every other event, such as those about posts, comments, automatic messages or the authorization of the app, is
`provider.event` under TikTok's name, with the item.
https://business-api.tiktok.com/portal/docs?id=1832190670631937
"""

from collections.abc import Callable
from typing import Any

import msgspec

from unifyport.model.inbound import PlatformEvent, ProviderEvent, raw_key
from unifyport.model.times import rfc3339

from . import shapes
from .items import Item, customer
from .messages import message_events, place_of, time_of

Reader = Callable[[Item], list[ProviderEvent]]


def platform_event(item: Item) -> list[ProviderEvent]:
    return [PlatformEvent(raw_key("tiktok", item.business, item.raw), item.event, item.at)]


def _about_a_conversation(details: Callable[[Item], dict[str, Any]]) -> Reader:
    def read(item: Item) -> list[ProviderEvent]:
        head = msgspec.convert(item.content, shapes.Head)
        chat, who = place_of(item, head)
        at = time_of(item, head)
        key = raw_key("tiktok", item.business, item.raw)
        return [PlatformEvent(key, item.event, at, chat, who, details=details(item))]

    return read


def _read_until(item: Item) -> dict[str, Any]:
    """The customer has seen every message that was sent up to this time; TikTok names no message."""
    read = msgspec.convert(item.content.get("read"), shapes.Read)
    return {"read_until": rfc3339(read.last_read_timestamp)}


def _referral(item: Item) -> dict[str, Any]:
    referral = item.content.get("referral")
    return {"referral": referral} if isinstance(referral, dict) else {}


def _without_content(item: Item) -> list[ProviderEvent]:
    """A customer in the EEA, Switzerland or the United Kingdom wrote: TikTok says neither who nor what."""
    head = msgspec.convert(item.content, shapes.Head)
    key = raw_key("tiktok", item.business, item.raw)
    return [PlatformEvent(key, item.event, time_of(item, head), details={"content_withheld": True})]


def _comment(item: Item) -> list[ProviderEvent]:
    """A comment that TikTok takes for a question of a buyer. It is in no conversation yet."""
    head = msgspec.convert(item.content, shapes.Head)
    who = customer(str(head.from_user.id), head.from_, str(head.unique_identifier))
    names = ("comment_id", "comment_text")
    details = {name: str(item.content[name]) for name in names if name in item.content}
    key = raw_key("tiktok", item.business, item.raw)
    return [PlatformEvent(key, item.event, time_of(item, head), None, who, details=details)]


READERS: dict[str, Reader] = {
    "im_receive_msg": message_events,
    "im_send_msg": message_events,
    "im_mark_read_msg": _about_a_conversation(_read_until),
    "im_referral_msg": _about_a_conversation(_referral),
    "im_receive_msg_eu": _without_content,
    "im_receive_high_intent_comment": _comment,
}
