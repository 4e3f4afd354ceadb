"""Arguments and results of the calls about what chats hold."""

from typing import Annotated

from attrs import frozen

from unifyport.protocols.thrift import I32, I64

from . import structures as line


@frozen
class MessageBoxesRequest:
    """`limit`: chats at most, the most recently used first; `messages`: the newest ones of each."""

    active_only: Annotated[bool, 3] = True
    limit: Annotated[I32, 4] = 0
    messages: Annotated[I32, 6] = 0


@frozen
class MessageBoxesArguments:
    request: Annotated[MessageBoxesRequest | None, 2] = None
    reason: Annotated[I32 | None, 3] = None


@frozen
class MessageId:
    """A message by its id and the time at which it was delivered, unix ms."""

    delivered: Annotated[I64 | None, 1] = None
    id: Annotated[I64 | None, 2] = None


@frozen
class MessageBox:
    """A chat with its newest messages, the newest first."""

    mid: Annotated[str | None, 1] = None
    messages: Annotated[tuple[line.Message, ...] | None, 7] = None


@frozen
class MessageBoxes:
    boxes: Annotated[tuple[MessageBox, ...] | None, 1] = None
    more: Annotated[bool | None, 2] = None


@frozen
class MessageBoxesResult:
    success: Annotated[MessageBoxes | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None


@frozen
class PreviousMessagesRequest:
    """The messages of a chat before `end`, the newest first."""

    mid: Annotated[str, 1] = ""
    end: Annotated[MessageId | None, 2] = None
    count: Annotated[I32, 3] = 0


@frozen
class PreviousMessagesArguments:
    request: Annotated[PreviousMessagesRequest | None, 2] = None
    reason: Annotated[I32 | None, 3] = None


@frozen
class MessagesResult:
    success: Annotated[tuple[line.Message, ...] | None, 0] = None
    error: Annotated[line.TalkException | None, 1] = None
