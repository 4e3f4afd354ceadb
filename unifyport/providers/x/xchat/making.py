"""Messages and changes, encrypted and signed by `chat_xdk`: pure computing, called in a thread.

The library mints the id of each message and puts it under the signature, so what was made is what is sent, as
often as it takes.
"""

import base64
import uuid
from collections.abc import Sequence
from typing import Any

import attrs
from chat_xdk import Chat, SendPayload

from unifyport.protocols.xchat import (
    MessageEvent,
    MessageEventDetail,
    MessageEventSignature,
    ReadMark,
    encode_event,
)

from .made import ActionSignature, Deletion, Encoded, GroupCreation, KeyChange, WrappedKey
from .records import Message
from .transport import PublicKey
from .vault import OwnKeys

_SIGNATURE_VERSION = "7"


@attrs.frozen
class Key:
    """The key of a conversation that encrypts."""

    conversation: str
    version: int
    raw: bytes = attrs.field(repr=False)

    @property
    def given(self) -> dict[str, Any]:
        return {"conversation_key": self.raw, "conversation_key_version": str(self.version)}


@attrs.frozen
class File:
    """An uploaded file of a message. `kind`: one of `contents.IMAGE` and its like."""

    media_hash: str
    kind: int
    name: str
    size: int
    width: int = 0
    height: int = 0
    duration_ms: int | None = None

    @property
    def given(self) -> dict[str, Any]:
        found = {
            "attachment_type": "media",
            "media_hash_key": self.media_hash,
            "media_type": self.kind,
            "width": self.width,
            "height": self.height,
            "filename": self.name,
            "filesize_bytes": self.size,
        }
        return found if self.duration_ms is None else {**found, "duration_millis": self.duration_ms}


class Making:
    """What one account makes. Raises `ValueError` for what the library refuses."""

    def __init__(self, own: OwnKeys) -> None:
        self._me = own.user_id
        self._version = str(own.version)
        self._chat = Chat()
        self._chat.import_keys(own.blob, self._version)
        self._chat.set_identity(own.user_id, self._version)

    def text(self, key: Key, text: str, files: Sequence[File] = ()) -> Encoded:
        attachments = [file.given for file in files] or None
        made = self._chat.encrypt_message(key.conversation, text, attachments=attachments, **key.given)
        return _encoded(made, key)

    def reply(self, key: Key, text: str, quoted: Message, files: Sequence[File] = ()) -> Encoded:
        """With the quoted event inside, where its key is that of the reply; else with its text alone."""
        attachments = [file.given for file in files] or None
        if quoted.event and quoted.version == key.version:
            made = self._chat.encrypt_reply(
                key.conversation, text, quoted.event, attachments=attachments, **key.given
            )
        else:
            made = self._chat.encrypt_reply(
                key.conversation,
                text,
                reply_to_sequence_id=str(quoted.sequence),
                reply_to_sender_id=int(quoted.sender),
                reply_to_text=quoted.text,
                attachments=attachments,
                **key.given,
            )
        return _encoded(made, key)

    def reaction(self, key: Key, sequence: int, emoji: str, removed: bool) -> Encoded:
        make = self._chat.encrypt_remove_reaction if removed else self._chat.encrypt_add_reaction
        made = make(
            None,
            emoji,
            conversation_id=key.conversation,
            target_message_sequence_id=str(sequence),
            **key.given,
        )
        return _encoded(made, key)

    def edit(self, key: Key, sequence: int, text: str) -> Encoded:
        made = self._chat.encrypt_edit(
            updated_text=text,
            conversation_id=key.conversation,
            target_message_sequence_id=str(sequence),
            **key.given,
        )
        return _encoded(made, key)

    def deletion(self, conversation: str, sequences: Sequence[int]) -> Deletion:
        """For all participants."""
        ids = [str(each) for each in sequences]
        signed = self._chat.prepare_message_delete(conversation, ids, True)
        return Deletion(list(sequences), True, _signature(signed))

    def key_change(self, conversation: str, keys: Sequence[PublicKey]) -> KeyChange:
        """A new key, wrapped for each of `keys`, whose bindings were verified."""
        return _key_change(
            self._chat.prepare_conversation_key_change(_given(keys), conversation_id=conversation)
        )

    def group(self, group: str, title: str, keys: Sequence[PublicKey]) -> GroupCreation:
        members = [key.user_id for key in keys]
        made = self._chat.prepare_group_create(_given(keys), group, members, [self._me], title=title)
        return GroupCreation(_key_change(made), members, [self._me], title)

    def read_mark(self, conversation: str, sequence: int, now_ms: int) -> str:
        """A signed event that marks a conversation as read up to an event."""
        id_ = str(uuid.uuid4())
        line = f"MarkConversationReadEvent,{id_},{self._me},{conversation},{sequence},{now_ms}"
        signature = base64.b64encode(self._chat.sign(line.encode())).decode()
        event = MessageEvent(
            message_id=id_,
            sender_id=self._me,
            conversation_id=conversation,
            created_at_msec=str(now_ms),
            detail=MessageEventDetail(read=ReadMark(str(sequence), now_ms)),
            signature=MessageEventSignature(signature, self._version, _SIGNATURE_VERSION),
        )
        return encode_event(event)


def _given(keys: Sequence[PublicKey]) -> list[dict[str, str]]:
    return [
        {"user_id": key.user_id, "public_key": key.identity, "key_version": str(key.version)} for key in keys
    ]


def _encoded(made: SendPayload, key: Key) -> Encoded:
    return Encoded(
        made.message_id, key.conversation, made.encrypted_content, made.encoded_event_signature, key.version
    )


def _signature(signed: dict[str, Any]) -> ActionSignature:
    return ActionSignature(
        signed["message_id"],
        signed["encoded_message_event_detail"],
        signed["signature"],
        signed["signature_version"],
        signed["public_key_version"],
        signed.get("signature_payload") or "",
    )


def _key_change(made: dict[str, Any]) -> KeyChange:
    return KeyChange(
        made["conversation_id"],
        int(made["conversation_key_version"]),
        bytes(made["conversation_key"]),
        [
            WrappedKey(each["user_id"], each["encrypted_key"], each["public_key_version"])
            for each in made["participant_keys"]
        ],
        [_signature(each) for each in made["action_signatures"]],
    )
