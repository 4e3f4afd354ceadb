"""Events of `GET /2/dm_events`, by which a gap is filled
(https://docs.x.com/x-api/direct-messages/lookup/integrate).

They are the only place where messages of groups of the older kind, and people who join or leave, appear.
"""

from collections.abc import Mapping

import msgspec

from unifyport.model.inbound import (
    GroupChanged,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
)

from . import shapes
from .items import instant, message_key
from .kinds import of_event
from .people import Users, conversation, sender

_CHANGES = {"ParticipantsJoin": "member_added", "ParticipantsLeave": "member_removed"}
# What is asked for; `sender_id` and `participant_ids` come with the expansions of that name.
QUERY = {
    "dm_event.fields": "id,text,event_type,created_at,dm_conversation_id,attachments,entities",
    "expansions": "sender_id,participant_ids,attachments.media_keys",
    "user.fields": "id,name,username",
    "media.fields": "media_key,type,url,variants,duration_ms",
}


def read_event(raw: bytes, me: str, users: Users, media: Mapping[str, shapes.Media]) -> ProviderEvent:
    """Raises `DecodeError` or `ValueError`."""
    event = msgspec.json.decode(raw, type=shapes.DmEvent)
    key, at = message_key(me, event.id), instant(event.created_at)
    chat = conversation(me, event.dm_conversation_id, users)
    who = None if event.sender_id is None else sender(event.sender_id, users)
    if event.event_type in _CHANGES:
        ids = event.participant_ids or []
        actor = event.sender_id or (ids[0] if ids else "")
        change = {"kind": _CHANGES[event.event_type], "member_ids": ids}
        return GroupChanged(key, chat, actor, [change], at)
    if event.event_type != "MessageCreate":
        return PlatformEvent(key, event.event_type, at, chat, who)
    if who is None:
        raise ValueError("no sender")
    keys = (event.attachments.media_keys if event.attachments is not None else None) or []
    content = of_event(event, [media[each] for each in keys if each in media], keys)
    if who.id != me:
        return MessageReceived(key, chat, who, content, at)
    return PlatformEvent(
        key,
        "message_echo",
        at,
        chat,
        who,
        content,
        direction="outbound",
        details={"change": "sent"},
    )
