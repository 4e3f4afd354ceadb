"""TikTok's webhooks -> provider events. Pure.

One request is one event of one business account:
`{"client_key", "event", "create_time", "user_openid", "content"}`, with `content` as JSON in a string
(https://business-api.tiktok.com/portal/docs?id=1832190670631937). An app has one address for all business
accounts that have authorized it; `user_openid` says which it is.
"""

from unifyport.model.inbound import ProviderEvent, Reported, Unparsed, raw_key
from unifyport.providers.contract.ingress import Addressed

from .events import READERS, platform_event
from .items import Item, read_item
from .messages import place_of, read_core, time_of


def parse_webhook(body: bytes, identity: str) -> list[Addressed]:
    """The events of a webhook. What names no business account is addressed to `identity`. Never raises."""
    try:
        item = read_item(body)
    except Exception as error:
        return [Addressed(identity, _unparsed(identity, body, error), body)]
    try:
        events = READERS.get(item.event, platform_event)(item)
    except Exception as error:
        events = [_unreadable(item, error)]
    for event in events:
        if isinstance(event, Reported):
            event.provider_data = item.provider_data()
    return [Addressed(item.business, event, body, _time_of(event)) for event in events]


def _unparsed(identity: str, raw: bytes, error: Exception) -> Unparsed:
    return Unparsed(raw_key("tiktok", identity, raw), raw, f"parse: {type(error).__name__}")


def _unreadable(item: Item, error: Exception) -> ProviderEvent:
    """An item that could not be read. A customer's message is also emitted, if its core could be read."""
    event = _unparsed(item.business, item.raw, error)
    if item.event != "im_receive_msg":
        return event
    try:
        message = read_core(item)
        chat, who = place_of(item, message)
        at = time_of(item, message)
    except Exception:
        return event
    if message.message_id and str(message.from_user.id) != item.business:
        event.key = item.key("message", str(message.message_id))
        event.conversation, event.sender, event.sent_at = chat, who, at
        event.message_id = str(message.message_id)
    return event


def _time_of(event: ProviderEvent) -> int | None:
    for name in ("sent_at", "at"):
        if hasattr(event, name):
            at: int | None = getattr(event, name)
            return at
    return None
