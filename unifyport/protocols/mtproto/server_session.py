"""The server's side of a session, for a sandbox. What it answers to each fault of a client:

    the client's message          the answer
    --------------------------    -------------------------------------------------------------
    older than 300 s              bad_msg_notification 16
    more than 30 s ahead          17
    identifier not divisible      18
    wrong salt                    bad_server_salt 48
    odd / even sequence number    34, 35
    received before               its answer once more, if there is one
    first of a session            new_session_created

A session outlives its connections: what the client has not acknowledged is sent again by `reconnect`.
"""

import os
from collections import OrderedDict
from typing import Final

import attrs

from unifyport.protocols.mtproto import messages
from unifyport.protocols.mtproto.encryption import AuthKey, Envelope, Random, Role, open_packet, seal
from unifyport.protocols.mtproto.identifiers import (
    MessageIds,
    ReplayWindow,
    SequenceNumbers,
    is_timely,
    state_of,
    time_of,
)
from unifyport.protocols.mtproto.messages import Message
from unifyport.protocols.mtproto.packing import pack
from unifyport.protocols.mtproto.rpc_errors import rpc_error
from unifyport.protocols.mtproto.salts import FutureSalts, GetFutureSalts, Salt
from unifyport.protocols.mtproto.unpacking import Item, Unpacker

_MAX_UNACKED: Final = 4096
_BAD_SALT: Final = 48
_SALT_TIME: Final = 3600  # seconds


@attrs.frozen
class Called:
    """The client calls; answer with `ServerSession.answer` or `fail`."""

    msg_id: int
    body: bytes


class ServerSession:
    """One authorization key's session. `salt` may be changed at any time: the client is told."""

    def __init__(self, key: AuthKey, *, salt: int, random: Random = os.urandom) -> None:
        self._key = key
        self._random = random
        self.salt = salt
        self.session_id = 0
        self._begin(0)

    def _begin(self, session_id: int) -> None:
        self.session_id = session_id
        self._ids = MessageIds(Role.SERVER)
        self._numbers = SequenceNumbers()
        self._window = ReplayWindow(Role.CLIENT)
        self._acks: list[int] = []
        self._queue: list[Message] = []
        self._unacked: OrderedDict[int, Message] = OrderedDict()
        self._answers: OrderedDict[int, Message] = OrderedDict()

    @property
    def unacked(self) -> int:
        """How many content-related messages the client has not acknowledged."""
        return len(self._unacked)

    def answer(self, msg_id: int, result: bytes, now: float) -> None:
        """Answer the call `msg_id` with one object."""
        body = messages.RpcResult(msg_id, result).to_bytes()
        self._answers[msg_id] = self._put(body, now, content=True, answer=True)
        if len(self._answers) > _MAX_UNACKED:
            self._answers.popitem(last=False)

    def fail(self, msg_id: int, code: int, name: str, *, now: float) -> None:
        self.answer(msg_id, rpc_error(code, name), now)

    def push(self, body: bytes, now: float) -> None:
        """Send an object of the server's own accord: an update."""
        self._put(body, now, content=True)

    def reconnect(self) -> None:
        """Send again what was not acknowledged, before what is queued already."""
        queued = {message.msg_id for message in self._queue}
        again = [message for message in self._unacked.values() if message.msg_id not in queued]
        self._queue = again + self._queue

    def flush(self, now: float) -> list[bytes]:
        """The packets to write, in order."""
        if self._acks:
            self._put(messages.Acks(tuple(self._acks)).to_bytes(), now)
            self._acks = []
        packets = []
        for group in pack((message, None) for message in self._queue):
            outer = group.wrap(
                lambda body: Message(self._ids.make(now), self._numbers.make(content=False), body)
            )
            packets.append(self._seal(outer))
        self._queue = []
        return packets

    def receive(self, packet: bytes, now: float) -> list[Called]:
        """Read one packet; what the protocol itself asks is answered. Raises `SecurityError`, `Malformed`."""
        envelope = open_packet(self._key, packet, Role.CLIENT)
        items = Unpacker().unpack(Message(envelope.msg_id, envelope.seq_no, envelope.body))
        if envelope.session_id != self.session_id:
            self._begin(envelope.session_id)
        code = self._complaint(envelope, items, now)
        if code:
            salt = self.salt if code == _BAD_SALT else None
            bad = messages.BadMessage(envelope.msg_id, envelope.seq_no, code, salt)
            self._put(bad.to_bytes(), now, answer=True)
            return []
        if self._window.highest == 0:
            first = min(item.msg_id for item in items)
            unique = int.from_bytes(self._random(8), "little")
            self._put(messages.NewSessionCreated(first, unique, self.salt).to_bytes(), now, content=True)
        if items[0].msg_id != envelope.msg_id:
            self._window.accept(envelope.msg_id)
        calls: list[Called] = []
        for item in items:
            self._take(item, now, calls)
        return calls

    def _complaint(self, envelope: Envelope, items: list[Item], now: float) -> int:
        """The code of `bad_msg_notification`, or 0."""
        if not is_timely(envelope.msg_id, now):
            return 16 if time_of(envelope.msg_id) < now else 17
        if any(msg_id % 4 for msg_id in (envelope.msg_id, *(item.msg_id for item in items))):
            return 18
        if envelope.salt != self.salt:
            return _BAD_SALT
        for item in items:
            if isinstance(item.message, messages.Acks) and item.seq_no % 2:
                return 34
            if isinstance(item.message, messages.Unknown | messages.Ping) and item.seq_no % 2 == 0:
                return 35
        return 0

    def _take(self, item: Item, now: float, calls: list[Called]) -> None:
        message = item.message
        if item.seq_no % 2:
            self._acks.append(item.msg_id)
        if not self._window.accept(item.msg_id):
            if (answer := self._answers.get(item.msg_id)) is not None:
                self._queue.append(answer)
            return
        if isinstance(message, messages.Unknown):
            calls.append(Called(item.msg_id, message.body))
        elif isinstance(message, messages.Acks):
            for msg_id in message.msg_ids:
                self._unacked.pop(msg_id, None)
        elif isinstance(message, messages.Ping):
            self._put(messages.Pong(item.msg_id, message.ping_id).to_bytes(), now, answer=True)
        elif isinstance(message, messages.StateRequest):
            info = messages.StateInfo(item.msg_id, state_of(self._window, message.msg_ids))
            self._put(info.to_bytes(), now, answer=True)
        elif isinstance(message, messages.ResendRequest):
            self._queue += [self._unacked[each] for each in message.msg_ids if each in self._unacked]
        elif isinstance(message, GetFutureSalts):
            salt = Salt(int(now), int(now) + _SALT_TIME, self.salt)
            salts = FutureSalts(item.msg_id, int(now), (salt,))
            self._put(salts.to_bytes(), now, answer=True)

    def _put(self, body: bytes, now: float, *, content: bool = False, answer: bool = False) -> Message:
        message = Message(self._ids.make(now, answer=answer), self._numbers.make(content=content), body)
        self._queue.append(message)
        if content:
            self._unacked[message.msg_id] = message
            if len(self._unacked) > _MAX_UNACKED:
                self._unacked.popitem(last=False)
        return message

    def _seal(self, message: Message) -> bytes:
        envelope = Envelope(self.salt, self.session_id, message.msg_id, message.seq_no, message.body)
        return seal(self._key, envelope, Role.SERVER, random=self._random)
