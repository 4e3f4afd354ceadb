"""Arguments and results of the calls in `calls.py`, but those about keys (`key_structures.py`)."""

from typing import Annotated

from attrs import frozen

from unifyport.protocols.thrift import I8, I32, I64

from . import structures as line


@frozen
class NoArguments:
    """A call without arguments."""


@frozen
class Void:
    """The answer of a call without a result."""

    error: Annotated[line.TalkException | None, 1] = None


@frozen
class SyncArguments:
    request: Annotated[line.SyncRequest | None, 1] = None


@frozen
class SyncResult:
    success: Annotated[line.SyncAnswer | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class RevisionResult:
    success: Annotated[I64 | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class ReasonArguments:
    """`reason`: why it is asked (SyncReason), 3 is an operation, 8 the user."""

    reason: Annotated[I32 | None, 1] = None


@frozen
class ProfileResult:
    success: Annotated[line.Profile | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class SendMessageArguments:
    req_seq: Annotated[I32, 1] = 0
    message: Annotated[line.Message | None, 2] = None


@frozen
class MessageResult:
    success: Annotated[line.Message | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class SendChatCheckedArguments:
    """Mark as read up to a message."""

    req_seq: Annotated[I32, 1] = 0
    chat_mid: Annotated[str, 2] = ""
    message_id: Annotated[str, 3] = ""
    session_id: Annotated[I8, 4] = 0


@frozen
class UnsendMessageArguments:
    req_seq: Annotated[I32, 1] = 0
    message_id: Annotated[str, 2] = ""


@frozen
class ReactRequest:
    """The message's id is an integer here."""

    req_seq: Annotated[I32, 1] = 0
    message_id: Annotated[I64, 2] = 0
    reaction: Annotated[line.ReactionType | None, 3] = None


@frozen
class ReactArguments:
    request: Annotated[ReactRequest | None, 1] = None


@frozen
class CancelReactionRequest:
    req_seq: Annotated[I32, 1] = 0
    message_id: Annotated[I64, 2] = 0


@frozen
class CancelReactionArguments:
    request: Annotated[CancelReactionRequest | None, 1] = None


@frozen
class MidsResult:
    success: Annotated[tuple[str, ...] | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class ContactArguments:
    mid: Annotated[str, 2] = ""


@frozen
class ContactsArguments:
    mids: Annotated[tuple[str, ...], 2] = ()


@frozen
class ContactResult:
    success: Annotated[line.Contact | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class ContactsResult:
    success: Annotated[tuple[line.Contact, ...] | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class BlockContactArguments:
    req_seq: Annotated[I32, 1] = 0
    mid: Annotated[str, 2] = ""


@frozen
class GetChatsRequest:
    mids: Annotated[tuple[str, ...], 1] = ()
    with_members: Annotated[bool, 2] = True
    with_invitees: Annotated[bool, 3] = False


@frozen
class GetChatsArguments:
    request: Annotated[GetChatsRequest | None, 1] = None
    reason: Annotated[I32 | None, 2] = None


@frozen
class GetChatsAnswer:
    chats: Annotated[tuple[line.Chat, ...] | None, 1] = None


@frozen
class GetChatsResult:
    success: Annotated[GetChatsAnswer | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class GetAllChatMidsRequest:
    members: Annotated[bool, 1] = True
    invited: Annotated[bool, 2] = False


@frozen
class GetAllChatMidsArguments:
    request: Annotated[GetAllChatMidsRequest | None, 1] = None
    reason: Annotated[I32 | None, 2] = None


@frozen
class GetAllChatMidsAnswer:
    members: Annotated[frozenset[str] | None, 1] = None
    invited: Annotated[frozenset[str] | None, 2] = None


@frozen
class GetAllChatMidsResult:
    success: Annotated[GetAllChatMidsAnswer | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None
