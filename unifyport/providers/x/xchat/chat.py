"""XChat of one account, over the transport of its connection.

    login       keys = vault.unlock_with(…) | vault.unlock(…) | vault.import_keys(…)
                session.commit(records.own_keys_changes(keys))
    connecting  chat = XChat(transport, session, me, clock); await chat.load()
    receiving   opened = await chat.open_events([base64, …]); link.deliver(Batch(opened.events, opened.changes + mark))
    commands    await chat.send(message), chat.react(…), chat.edit(…), …

Without keys (`ready` is False) events are shown as encrypted, and nothing can be sent.
"""

from collections.abc import Sequence

import attrs

from unifyport.model.inbound import ProviderEvent
from unifyport.model.message import OutboundMessage
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.providers.contract.capabilities import Sent, Sink, Target
from unifyport.providers.contract.session import Session

from .transport import ChatTransport


@attrs.frozen
class Head:
    """What an event says of itself. Only `message_id`, `sender` and `conversation` are signed."""

    conversation: str = ""
    message_id: str = ""
    sender: str = ""
    sequence: int | None = None
    previous: int | None = None  # the sequence id before it in its conversation
    at: int | None = None  # unix ms


@attrs.define
class Opened:
    """`events` and `changes` are to be committed in one batch, then the mark of the transport may move.

    `heads`: of each encoded event, in order. `waiting`: sequence ids whose key is not known yet and could not
    be asked for now (a mark must not move beyond them).
    """

    events: list[ProviderEvent] = attrs.field(factory=list)
    changes: list[SessionChange] = attrs.field(factory=list)
    heads: list[Head] = attrs.field(factory=list)


class XChat:
    """`me`: the id of the account's user."""

    def __init__(self, transport: ChatTransport, session: Session, me: str, clock: Clock) -> None:
        raise NotImplementedError

    @property
    def ready(self) -> bool:
        """Whether the account's keys are there."""
        raise NotImplementedError

    async def load(self) -> None:
        """Read the session. Called first, once. Asks nobody."""

    async def open_events(self, encoded: Sequence[str], *, keys: Sequence[str] = ()) -> Opened:
        """What encoded events (base64 of Thrift `MessageEvent`) say, in order, key changes first.

        `keys`: events of key changes that came beside them. What cannot be verified becomes `Unparsed` with
        its reason. Asks the transport once for keys that are not known. Raises failure classes of the
        transport; then nothing was read.
        """
        raise NotImplementedError

    async def has_keys(self, conversation: str) -> bool:
        """Whether messages to this conversation can be encrypted: it has a key, or all members have keys."""
        raise NotImplementedError

    async def send(self, message: OutboundMessage, quoted: str | None = None) -> Sent:
        """Send a text or a file, once; with `quoted` as a reply. Raises failure classes."""
        raise NotImplementedError

    async def react(self, target: Target, emoji: str) -> None: ...

    async def edit(self, target: Target, text: str) -> None: ...

    async def revoke(self, target: Target) -> None: ...

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None: ...

    async def create_group(self, group_id: str, title: str, members: Sequence[str]) -> None: ...

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None: ...
