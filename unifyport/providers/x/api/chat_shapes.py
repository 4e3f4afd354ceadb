"""Answers and bodies of XChat's calls (https://docs.x.com/x-api/chat/get-chat-conversations)."""

from typing import Any

import msgspec
from msgspec import Struct

from ..xchat.made import ActionSignature, KeyChange


class KeyRow(Struct):
    public_key: str = ""
    signing_public_key: str = ""
    identity_public_key_signature: str = ""
    public_key_version: str | int = ""
    user_id: str = ""
    id: str = ""
    juicebox_config: Any = None


class SentEvent(Struct):
    encoded_message_event: str = ""


class ChatEvent(Struct):
    encoded_event: str = ""


class PageMeta(Struct):
    conversation_key_events: list[str] = []
    has_more: bool = False
    next_token: str | None = None


class EventPage(Struct):
    """A page of a conversation's events, the newest first."""

    data: list[ChatEvent] = []
    meta: PageMeta = msgspec.field(default_factory=PageMeta)


class Listed(Struct):
    id: str = ""
    updated_at: str = ""
    member_ids: list[str] = []
    participant_ids: list[str] = []


class ConversationPage(Struct):
    data: list[Listed] = []
    meta: PageMeta = msgspec.field(default_factory=PageMeta)


class Upload(Struct):
    session_id: str
    media_hash_key: str


class NewGroup(Struct):
    conversation_id: str


def key_change_body(change: KeyChange) -> dict[str, Any]:
    return {
        "conversation_key_version": str(change.version),
        "conversation_participant_keys": [
            {
                "user_id": each.user_id,
                "encrypted_conversation_key": each.encrypted,
                "public_key_version": each.public_key_version,
            }
            for each in change.wrapped
        ],
        "action_signatures": [signature_body(each) for each in change.signatures],
    }


def signature_body(action: ActionSignature) -> dict[str, Any]:
    return {
        "message_id": action.message_id,
        "encoded_message_event_detail": action.detail,
        "message_event_signature": {
            "signature": action.signature,
            "public_key_version": action.public_key_version,
            "signature_version": action.signature_version,
        },
    }
