"""Webhooks of Official Accounts -> provider events. Pure.

https://docs.zaloplatforms.com/docs/OA/webhook. A request holds one event. The account that it is about is the
sender, the recipient or `oa_id`, depending on the event.
"""

from typing import Any

import msgspec

from unifyport.model.inbound import ProviderEvent, Reported, Unparsed, raw_key
from unifyport.model.json_text import decode_object, without_nulls
from unifyport.model.provider_data import Redactions, provider_data
from unifyport.providers.contract.ingress import Addressed

from ..items import milliseconds
from .events import Item, event_of
from .shapes import Envelope

# URLs of files, which open without a credential. A link's own URL stays: the customer chose it.
_FILES = frozenset({"thumbnail", "url"})
REDACTIONS: Redactions = {"payload": _FILES, "info": frozenset({"avatar"})}
_LINKS: Redactions = {"payload": frozenset({"thumbnail"})}
_CORE = ("event_name", "timestamp", "oa_id", "sender", "recipient")
_BY_ACCOUNT = frozenset({"user_received_message", "user_seen_message"})


def parse_webhook(body: bytes, identity: str) -> list[Addressed]:
    """The event of a webhook. Never raises."""
    oa, at = identity, None
    try:
        item = decode_object(body)
        whole = without_nulls(item)
        envelope = _envelope(whole)
        oa, at = _account_of(envelope, identity), milliseconds(envelope.timestamp)
        event: ProviderEvent = event_of(Item(envelope, whole, body, oa, at))
        if isinstance(event, Reported):
            redactions = _LINKS if envelope.event_name.endswith(("_link", "_business_card")) else REDACTIONS
            event.provider_data = provider_data(item, body, redactions)
    except Exception as error:
        event = Unparsed(raw_key("zalo", oa, body), body, f"parse: {type(error).__name__}")
    return [Addressed(oa, event, body, at)]


def _envelope(whole: dict[str, Any]) -> Envelope:
    """Raises `ValidationError` if the event's name, its time, or a side cannot be read."""
    try:
        return msgspec.convert(whole, Envelope)
    except msgspec.ValidationError:
        return msgspec.convert({name: whole[name] for name in _CORE if name in whole}, Envelope)


def _account_of(told: Envelope, identity: str) -> str:
    """The account that an event is about; the one in the path where the event names it, or names none."""
    named = [str(told.oa_id), told.sender.id, told.recipient.id]
    if identity in filter(None, named) or not any(named):
        return identity
    if told.oa_id:
        return str(told.oa_id)
    by_account = told.event_name.startswith("oa_") or told.event_name in _BY_ACCOUNT
    return (told.sender.id if by_account else told.recipient.id) or identity
