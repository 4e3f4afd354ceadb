"""`<receipt>` stanzas: what became of our messages, and what the owner did on another device. Pure but for
the draft.
"""

from unifyport.model.inbound import (
    Conversation,
    ConversationChanged,
    PlatformEvent,
    ProviderEvent,
    Status,
    StatusChanged,
    dedupe_key,
)
from unifyport.protocols.binary_node import Jid, Node

from . import people
from .records import Draft
from .stanzas import Head, message_ids, receipt_participants

RETRY = "retry"
_STATUSES = {"": Status.DELIVERED, "inactive": Status.DELIVERED, "read": Status.READ}
_PLAYED, _READ_HERE = "played", ("read-self", "played-self")


async def events_of(
    draft: Draft, node: Node, head: Head, chat: Conversation, account: str
) -> list[ProviderEvent]:
    """One event for each message and member."""
    kind = node.get("type")
    if head.from_me:
        if kind in _READ_HERE:
            key = dedupe_key("whatsapp", account, kind, chat.id, head.id)
            return [ConversationChanged(key, chat, {"read": True}, head.at)]
        return []
    if kind not in _STATUSES and kind != _PLAYED:
        return []
    found: list[ProviderEvent] = []
    several = receipt_participants(node) if head.group else []
    each = several or [(id_, head.sender, head.at) for id_ in message_ids(node)]
    for id_, member, at in each:
        found.append(await _event(draft, head, chat, (account, kind, id_), member=member, at=at or head.at))
    return found


async def _event(
    draft: Draft, head: Head, chat: Conversation, place: tuple[str, str, str], *, member: Jid, at: int
) -> ProviderEvent:
    account, kind, id_ = place
    who = (await people.person(draft, member)).sender()
    key = dedupe_key("whatsapp", account, "receipt", kind, who.id, id_)
    if kind == _PLAYED:
        event = PlatformEvent(key, "played", at, chat, who)
        event.details = {"message_id": id_}
        return event
    participant = who if head.group else None
    return StatusChanged(key, chat, [id_], _STATUSES[kind], at, client_ref=id_, participant=participant)
