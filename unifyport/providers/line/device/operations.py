"""Operations -> provider events. Pure, and never raises: an operation that cannot be read costs itself only.

    operation                             parameters                       event
    ----------------------------------    -----------------------------    ----------------------------------
    26 RECEIVE_MESSAGE                    message                          MessageReceived
    25 SEND_MESSAGE                       message                          `message_echo`
    55 NOTIFIED_READ_MESSAGE              chat, reader, message            StatusChanged, read up to there
    65 NOTIFIED_DESTROY_MESSAGE           chat, message                    MessageDeleted
    64 DESTROY_MESSAGE                    chat, message                    `message_echo`, deleted
    140 NOTIFIED_SEND_REACTION            message, {chatMid, curr}, who    ReactionChanged
    139 SEND_REACTION                     message, {chatMid, curr}         `message_echo`, reaction
    40 SEND_CHAT_CHECKED                  chat, message                    ConversationChanged, read
    41 SEND_CHAT_REMOVED                  chat                             ConversationRemoved
    130, 60: others join                  chat, who                        GroupChanged, member_added
    128, 61: others leave                 chat, who                        GroupChanged, member_removed
    133 NOTIFIED_DELETE_OTHER_FROM_CHAT   chat, by whom, who               GroupChanged, member_removed
    129, 127, 132: the account itself     chat[, who]                      GroupChanged
    of `SILENT`                                                            Ignored
    any other                                                              provider.event under its name

Who reacted is told in two ways by public code: the third parameter (linejs), or, as that one may name the
observer, the chat in a chat of two (https://github.com/beeper/line). An actor that neither tells is not
invented.

An operation of the account's own with the `req_seq` of one of our calls is the echo of that call (`ECHOES`):
the connector settles it and does not come here. Sources: `OpType` in `line.thrift` and `example/_event` of
https://github.com/evex-dev/linejs, `pkg/connector/sync.go` of https://github.com/beeper/line.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from attrs import frozen

from unifyport.model.inbound import (
    Content,
    Conversation,
    ConversationChanged,
    ConversationRemoved,
    GroupChanged,
    Ignored,
    MessageDeleted,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    Reported,
    Sender,
    Status,
    StatusChanged,
    Unparsed,
    dedupe_key,
    raw_key,
)

from .chats import chat_of, conversation_of, id_of, message_key_of, time_of
from .items import item_of
from .kinds import CHAT_EVENT, content_of
from .structures import Message, Operation

# MessageReactionType -> the emoji that LINE's pictures show.
REACTIONS = {2: "👍", 3: "❤️", 4: "😆", 5: "😮", 6: "😢", 7: "😱"}
# Operations of the account itself that a call can cause: compared with our own calls by `req_seq`.
ECHOES = frozenset({6, 7, 25, 40, 41, 64, 127, 132, 139})
# Operations after which the name and the key of a chat are forgotten; the first parameter names it.
CHANGED_CHATS = frozenset({60, 61, 121, 122, 124, 126, 127, 128, 129, 130, 132, 133})
# Operations about keys of Letter Sealing: nothing is done, as LINE refuses a message under an old key.
CHANGED_KEYS = frozenset({66, 67, 72, 73, 74, 75, 76, 77, 143})
# Operations after which the name of a user is forgotten.
CHANGED_CONTACTS = frozenset({4, 5, 6, 7, 49})
# Without an event: ends of lists, typing, settings, previews, state between devices.
SILENT = frozenset({0, 36, 42, 45, 46, 47, 48, 53, 62, 91, 118, 119, 136, 137, 138, 145, 152}) | CHANGED_KEYS
NAMES = {
    4: "add_contact",
    5: "notified_add_contact",
    6: "block_contact",
    7: "unblock_contact",
    49: "update_contact",
    50: "notified_received_call",
    51: "cancel_call",
    121: "update_chat",
    122: "notified_update_chat",
    123: "invite_into_chat",
    124: "notified_invite_into_chat",
    126: "notified_cancel_chat_invitation",
    142: "failed_delivery_message",
}


@frozen
class Read:
    """An operation that is being read. `content`: of its message, where a caller has made it (opened, or
    given up).
    """

    operation: Operation
    account: str
    content: Content | None = None

    @property
    def key(self) -> bytes:
        """Of the operation; of what it holds, where it stands for a message of a chat's history."""
        if self.operation.revision is None:
            return raw_key("line-device", self.account, msgspec.json.encode(item_of(self.operation).item))
        return dedupe_key("line-device", self.account, "operation", self.operation.revision)

    @property
    def at(self) -> int:
        return time_of(self.operation.created)


def read_operation(operation: Operation, account: str, content: Content | None = None) -> ProviderEvent:
    """The event of an operation of the account with this mid. `content`: what its sealed message says."""
    read = Read(operation, account, content)
    number = operation.type if operation.type is not None else -1
    try:
        event = READERS.get(number, _report)(read)
    except ValueError as error:
        raw = msgspec.json.encode(item_of(operation).item)
        event = Unparsed(read.key, raw, f"operation {number}: {error}")
    if isinstance(event, Reported):
        event.provider_data = item_of(operation)
    return event


def _message(read: Read) -> ProviderEvent:
    message = read.operation.message
    if message is None:
        raise ValueError("no message")
    key, chat = message_key_of(read.account, message), chat_of(message, read.account)
    at = time_of(message.created) or read.at
    sender = Sender(id_of(message.sender))
    if (message.content_type or 0) == CHAT_EVENT:
        return PlatformEvent(key, "chat_event", at, chat, sender, details=_chat_event(message))
    content = read.content if read.content is not None else content_of(message, None)
    if sender.id == read.account:
        return PlatformEvent(key, "message_echo", at, chat, sender, content, "outbound")
    return MessageReceived(key, chat, sender, content, at)


def _chat_event(message: Message) -> dict[str, Any]:
    names = {"LOC_KEY": "loc_key", "LOC_ARGS": "loc_args"}
    metadata = message.metadata or {}
    return {ours: metadata[theirs][:4096] for theirs, ours in names.items() if metadata.get(theirs)}


def _was_read(read: Read) -> ProviderEvent:
    chat, reader = conversation_of(id_of(read.operation.param1)), id_of(read.operation.param2)
    participant = Sender(reader) if chat.type == "group" else None
    ids = [id_of(read.operation.param3)]
    return StatusChanged(read.key, chat, ids, Status.READ, read.at, participant=participant)


def _destroyed(read: Read) -> ProviderEvent:
    chat, target = conversation_of(id_of(read.operation.param1)), id_of(read.operation.param2)
    if read.operation.type == 64:
        return _echo(read, chat, {"change": "deleted", "target_message_id": target})
    return MessageDeleted(read.key, chat, target, read.at or None)


def _reacted(read: Read) -> ProviderEvent:
    operation = read.operation
    target, body = id_of(operation.param1), _object(operation.param2)
    chat = conversation_of(id_of(body.get("chatMid")))
    emoji = _emoji(body.get("curr"))
    if operation.type == 139:
        change = {"change": "reaction", "target_message_id": target, "reaction": emoji}
        return _echo(read, chat, change)
    actor = operation.param3 or ""
    if not actor.startswith("u") or actor == read.account:
        actor = chat.id if chat.type == "user" else ""
    if not actor:
        return _report(read, "notified_send_reaction", chat, {"target_message_id": target, "reaction": emoji})
    reaction = f"{target}:{id_of(actor)}"
    return ReactionChanged(read.key, chat, Sender(id_of(actor)), reaction, target, emoji, read.at)


def _emoji(current: Any) -> str:
    """Empty: the reaction was taken back. A bought one has no emoji of its own."""
    if not isinstance(current, dict):
        return ""
    number = current.get("predefinedReactionType")
    if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 4:
        number = int(number)
    return REACTIONS.get(number, "⭐") if isinstance(number, int) else "⭐"


def _checked(read: Read) -> ProviderEvent:
    chat = conversation_of(id_of(read.operation.param1))
    return ConversationChanged(read.key, chat, {"read": True}, read.at)


def _removed(read: Read) -> ProviderEvent:
    chat = conversation_of(id_of(read.operation.param1))
    return ConversationRemoved(read.key, chat, cleared=False, delete_media=False, at=read.at)


def _members(kind: str, who: str, actor: str) -> Callable[[Read], ProviderEvent]:
    """A change of members. `who` and `actor` name parameters; empty: the account itself."""

    def change(read: Read) -> ProviderEvent:
        chat = conversation_of(id_of(read.operation.param1))
        member = id_of(getattr(read.operation, who)) if who else read.account
        by = id_of(getattr(read.operation, actor)) if actor else read.account
        return GroupChanged(read.key, chat, by, [{"kind": kind, "member_ids": [member]}], read.at)

    return change


def _echo(read: Read, chat: Conversation, details: dict[str, Any]) -> PlatformEvent:
    sender = Sender(read.account)
    return PlatformEvent(read.key, "message_echo", read.at, chat, sender, None, "outbound", details)


def _report(
    read: Read, name: str = "", chat: Conversation | None = None, details: dict[str, Any] | None = None
) -> PlatformEvent:
    number = read.operation.type
    known = name or NAMES.get(number or -1, f"operation_{number}")
    return PlatformEvent(read.key, known, read.at or None, chat, details=details or {})


def _object(text: str | None) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(text or "", type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError("a parameter that is no object") from None


READERS: dict[int, Callable[[Read], ProviderEvent]] = {
    25: _message,
    26: _message,
    40: _checked,
    41: _removed,
    55: _was_read,
    60: _members("member_added", "param2", "param2"),
    61: _members("member_removed", "param2", "param2"),
    64: _destroyed,
    65: _destroyed,
    127: _members("member_removed", "", ""),
    128: _members("member_removed", "param2", "param2"),
    129: _members("member_added", "", ""),
    130: _members("member_added", "param2", "param2"),
    132: _members("member_removed", "param2", ""),
    133: _members("member_removed", "param3", "param2"),
    139: _reacted,
    140: _reacted,
    **{number: lambda read: Ignored(read.key) for number in SILENT},
}
