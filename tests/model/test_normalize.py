"""Every public event in its standard form, field by field as the contract's event reference has them."""

from typing import Any

import pytest

from unifyport.model.event import EventType
from unifyport.model.inbound import (
    Attachment,
    Content,
    Conversation,
    ConversationChanged,
    ConversationHistory,
    ConversationMoved,
    ConversationRemoved,
    GroupChanged,
    HistorySynced,
    JoinRequested,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MoveReason,
    PastMessage,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    Sender,
    Status,
    StatusChanged,
)
from unifyport.model.normalize import announce, normalize
from unifyport.model.unit import Announcement

CHAT, MEI, AT = Conversation("c1", "user", "Mei"), Sender("u1", name="Mei"), 1_780_790_400_000
TIME = "2026-06-07T00:00:00Z"
CONVERSATION = {"id": "c1", "type": "user", "title": "Mei"}
SENDER = {"id": "u1", "type": "user", "name": "Mei"}

FILES = [
    Attachment("video", "F", duration_ms=4200, url="https://g/media/t"),
    Attachment("video", "G"),
]
TABLE: list[tuple[ProviderEvent, str, dict[str, Any]]] = [
    (
        MessageReceived(b"", CHAT, MEI, Content("m1", "video", "", FILES), AT),
        "message.received",
        {
            "conversation": CONVERSATION,
            "sender": SENDER,
            "message": {
                "id": "m1",
                "type": "video",
                "text": "",
                "attachments": [
                    {
                        "type": "video",
                        "duration_ms": 4200,
                        "url": "https://g/media/t",
                        "metadata": {"provider_file_id": "F"},
                    },
                    {"type": "video", "metadata": {"provider_file_id": "G", "is_big_file": True}},
                ],
                "direction": "inbound",
                "sent_at": TIME,
            },
            "event": {"kind": "message_received"},
        },
    ),
    (
        MessageEdited(b"", CHAT, MEI, Content("m1", "text", "new"), AT),
        "message.updated",
        {
            "conversation": CONVERSATION,
            "sender": SENDER,
            "message": {"id": "m1", "type": "text", "text": "new"},
            "event": {"kind": "message_updated"},
        },
    ),
    (
        MessageDeleted(b"", CHAT, "m1", AT),
        "message.deleted",
        {"conversation": CONVERSATION, "message": {"id": "m1"}, "event": {"kind": "message_deleted"}},
    ),
    (
        ReactionChanged(b"", CHAT, MEI, "r1", "m1", "👍", AT),
        "message.reaction",
        {
            "conversation": CONVERSATION,
            "sender": SENDER,
            "message": {"id": "r1", "target_message_id": "m1"},
            "event": {"kind": "message_reaction", "reaction": "👍"},
        },
    ),
    (
        StatusChanged(b"", CHAT, ["m1"], Status.READ, AT),
        "message.read",
        {
            "conversation": CONVERSATION,
            "message": {"id": "m1", "ids": ["m1"], "read_at": TIME},
            "read_at": TIME,
            "event": {"kind": "message_read"},
        },
    ),
    (
        StatusChanged(b"", CHAT, ["m1"], Status.DELIVERED, AT),
        "message.delivered",
        {
            "conversation": CONVERSATION,
            "message": {"id": "m1", "ids": ["m1"], "delivered_at": TIME},
            "delivered_at": TIME,
            "event": {"kind": "message_delivered"},
        },
    ),
    (
        StatusChanged(b"", CHAT, ["m1"], Status.FAILED, AT),
        "message.status.updated",
        {
            "conversation": CONVERSATION,
            "message": {"id": "m1", "status": "failed"},
            "event": {"kind": "message_status_updated"},
        },
    ),
    (
        ConversationChanged(b"", CHAT, {"pinned": True}, AT),
        "conversation.updated",
        {
            "conversation": CONVERSATION,
            "pinned": True,
            "event": {"kind": "conversation_updated", "pinned": True},
        },
    ),
    (
        ConversationMoved(b"", CHAT, "c0", MoveReason.MIGRATED, "migrate_to_chat_id", AT),
        "conversation.updated",
        {
            "conversation": CONVERSATION,
            "previous_id": "c0",
            "reason": "migrated",
            "event": {"kind": "conversation_updated", "previous_id": "c0", "reason": "migrated"},
        },
    ),
    (
        ConversationMoved(b"", CHAT, "c1", MoveReason.USER_ID_CHANGED, "user_changed_user_id", AT),
        "provider.event",
        {
            "conversation": CONVERSATION,
            "event": {"kind": "provider_event", "name": "user_changed_user_id", "reason": "user_id_changed"},
        },
    ),
    (
        PlatformEvent(b"", "message_echo", AT, CHAT, MEI, Content("m1", "text", "hi"), "outbound"),
        "provider.event",
        {
            "conversation": CONVERSATION,
            "sender": SENDER,
            "message": {"id": "m1", "type": "text", "text": "hi", "direction": "outbound", "sent_at": TIME},
            "event": {"kind": "provider_event", "name": "message_echo"},
        },
    ),
    (
        ConversationRemoved(b"", CHAT, False, True, AT),
        "conversation.deleted",
        {
            "conversation": CONVERSATION,
            "delete_media": True,
            "event": {"kind": "conversation_deleted", "delete_media": True},
        },
    ),
    (
        ConversationRemoved(b"", CHAT, True, False, AT),
        "conversation.cleared",
        {
            "conversation": CONVERSATION,
            "delete_media": False,
            "event": {"kind": "conversation_cleared", "delete_media": False},
        },
    ),
    (
        ConversationHistory(b"", CHAT, [PastMessage(Content("m1", "text", "Hello"), MEI, "inbound", AT)], AT),
        "conversation.history",
        {
            "conversation": CONVERSATION,
            "messages": [
                {
                    "id": "m1",
                    "type": "text",
                    "text": "Hello",
                    "direction": "inbound",
                    "sent_at": TIME,
                    "sender": SENDER,
                }
            ],
            "event": {"kind": "conversation_history"},
        },
    ),
    (
        HistorySynced(b"", 12, 340, AT),
        "account.history.synced",
        {"summary": {"conversations": 12, "messages": 340}, "event": {"kind": "account_history_synced"}},
    ),
    (
        GroupChanged(b"", CHAT, "u9", [{"kind": "renamed", "name": "Ops 2"}], AT),
        "group.updated",
        {
            "conversation": CONVERSATION,
            "actor": {"id": "u9"},
            "changes": [{"kind": "renamed", "name": "Ops 2"}],
            "event": {"kind": "group_updated"},
        },
    ),
    (
        JoinRequested(b"", CHAT, "u7", "invite_link", AT),
        "group.join_request",
        {
            "conversation": CONVERSATION,
            "requester": {"id": "u7"},
            "request_method": "invite_link",
            "event": {"kind": "group_join_request"},
        },
    ),
]
ACCOUNT_EVENTS = {
    "account.status.updated": "account_status",
    "account.started": "account_started",
    "account.auth.required": "account_auth_status",
    "account.auth.succeeded": "account_auth_status",
    "account.auth.failed": "account_auth_status",
}


@pytest.mark.parametrize(("event", "name", "data"), TABLE, ids=[row[1] for row in TABLE])
def test_standard_form(event: ProviderEvent, name: str, data: dict[str, Any]) -> None:
    standard = normalize(event)[0]
    assert (standard.type, standard.data, standard.occurred_at) == (name, data, AT)


def test_every_public_event_has_one() -> None:
    for name, kind in ACCOUNT_EVENTS.items():
        standard = announce(Announcement(name, {"auth_status": "authorized"}, AT))
        assert standard.data == {"auth_status": "authorized", "event": {"kind": kind}}
    assert {row[1] for row in TABLE} | set(ACCOUNT_EVENTS) == {str(name) for name in EventType}
