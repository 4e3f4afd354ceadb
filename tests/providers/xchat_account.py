"""An account of XChat and its people, without a network: the layer over the sandbox's state."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import attrs

from actors.account.memory_session import MemorySession
from unifyport.model.inbound import ProviderEvent
from unifyport.model.message import OutboundMessage
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.providers.contract.capabilities import Sink
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.x.xchat.chat import XChat
from unifyport.providers.x.xchat.made import Deletion, Encoded, GroupCreation, KeyChange
from unifyport.providers.x.xchat.transport import PublicKey
from unifyport.providers.x.xchat.vault import import_keys
from unifyport.sandbox.x.chat.customers import ChatCustomers
from unifyport.sandbox.x.chat.state import ChatEvent, ChatRefusal, ChatState

ME, BOB, EVE = "111", "222", "333"


class Recorded(MemorySession):
    """A session in which sends are in progress. `marked`: the ids that were made durable before a send."""

    def __init__(self) -> None:
        super().__init__({})
        self.marked: list[str] = []

    async def sending(
        self,
        message: OutboundMessage,
        changes: Sequence[SessionChange] = (),
        *,
        client_ref: str | None = None,
    ) -> None:
        await self.commit(changes)
        self.marked.append(client_ref or "")


@attrs.define
class Direct:
    """A `ChatTransport` that calls the state. `asked`: what keys were asked for."""

    state: ChatState
    user: str
    asked: list[Any] = attrs.field(factory=list)
    fail_with: list[int] = attrs.field(factory=list)
    answer: str = ""  # of every send, in place of the true one

    async def public_keys(self, user_ids: Sequence[str]) -> list[PublicKey]:
        self.asked.append(tuple(user_ids))
        return [public(self.state, key) for user in user_ids for key in self.state.keys_of(user)]

    async def key_events(self, conversation: str, version: int) -> list[str]:
        self.asked.append((conversation, version))
        try:
            place = self.state.conversation(self.user, conversation)
        except ChatRefusal:
            raise Rejected("conversation_not_found") from None
        return [event.encoded for event in place.keys.values()]

    async def members(self, conversation: str) -> list[str]:
        return sorted(self.state.conversation(self.user, conversation).members)

    async def send(self, conversation: str, message: Encoded) -> str:
        if self.fail_with:
            return self.state.fail(self.user, conversation, message.message_id, self.fail_with.pop())
        try:
            event = self.state.post(
                self.user,
                conversation,
                message_id=message.message_id,
                content=message.content,
                signature=message.signature,
            )
        except ChatRefusal as refusal:
            number = 6 if refusal.kind == "old_key_version" else 14
            return self.state.fail(self.user, conversation, message.message_id, number)
        return self.answer or event.encoded

    async def add_keys(self, conversation: str, change: KeyChange) -> None:
        self.state.add_keys(
            self.user, conversation, change.version, wrapped=change.wrapped, signed=change.signatures
        )

    async def create_group(self, creation: GroupCreation) -> None:
        change = creation.change
        self.state.create_group(
            self.user,
            change.conversation,
            creation.title,
            members=set(creation.members),
            version=change.version,
            wrapped=change.wrapped,
            signed=change.signatures,
        )

    async def delete(self, conversation: str, deletion: Deletion) -> None:
        self.state.delete(
            self.user, conversation, deletion.sequences, for_all=deletion.for_all, signed=deletion.signature
        )

    async def mark_read(self, conversation: str, sequence: int, signed_event: str) -> None:
        self.state.mark_read(self.user, conversation, sequence, signed_event)

    async def upload(self, conversation: str, pieces: AsyncIterator[bytes], size: int) -> str:
        data = b"".join([piece async for piece in pieces])
        assert len(data) == size
        return self.state.upload(data)

    async def download(self, conversation: str, media_hash: str, sink: Sink, limit: int) -> None:
        if media_hash not in self.state.files:
            raise Rejected("media_not_found")
        await sink(self.state.files[media_hash])


def public(state: ChatState, key: Any) -> PublicKey:
    return PublicKey(key.user, key.version, key.identity, key.signing, key.binding)


@attrs.define
class Account:
    """The account of `ME`, and its people."""

    state: ChatState
    people: ChatCustomers
    transport: Direct
    session: Recorded
    chat: XChat

    @classmethod
    async def new(cls, *, ready: bool = True) -> "Account":
        state = ChatState(lambda user: not user.startswith("404"))
        people = ChatCustomers(state)
        session, transport = Recorded(), Direct(state, ME)
        exported = people.enrol(ME).exported()
        if ready:
            own = await import_keys(await transport.public_keys([ME]), exported)
            await session.commit([own.change])
        chat = await XChat.load(transport, session, ME, Clock())
        transport.asked.clear()
        return cls(state, people, transport, session, chat)

    async def again(self) -> "Account":
        """After a restart: nothing but the session is left."""
        chat = await XChat.load(self.transport, self.session, ME, Clock())
        return attrs.evolve(self, chat=chat)

    async def open(self, *events: ChatEvent | str, keys: Sequence[str] = ()) -> list[ProviderEvent]:
        """Open events and commit what that changes."""
        encoded = [event if isinstance(event, str) else event.encoded for event in events]
        opened = await self.chat.open_events(encoded, keys=keys)
        await self.session.commit(opened.changes)
        return opened.events

    async def open_all(self, conversation: str) -> list[ProviderEvent]:
        return await self.open(*self.state.conversation(ME, conversation).events)
