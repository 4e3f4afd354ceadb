"""The client's side of a session: calls, answers, acknowledgements, salts, the server's clock, repetition.

The owner of the connection calls `call`, `flush` (and writes the packets), `receive`, and `reconnect` when it
has a new connection for the same session. It decides when: pings by its own timer, and `flush` within some
seconds after `has_output`.

    the server says              what follows
    -------------------------    ---------------------------------------------------------------------------
    bad_server_salt (48)         the salt is taken over, the packet sent again
    16, 17 (time)                the clock is taken over; the same, unless the call was sent twice
    20 (too old to know)         repeatable calls are sent again, others are lost
    32, 33 and what is our bug   a new session begins; as for 20
    new_session_created          as for 20, for calls sent before the session's first message

https://core.telegram.org/mtproto/service_messages_about_messages. `receive` raises `SecurityError` and
`Malformed`; then the connection is closed and nothing of that packet has been used.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from unifyport.protocols.mtproto import events, messages
from unifyport.protocols.mtproto.calls import Call, Calls
from unifyport.protocols.mtproto.encryption import AuthKey, Envelope, Random, Role, open_packet, seal
from unifyport.protocols.mtproto.errors import SecurityError
from unifyport.protocols.mtproto.identifiers import MessageIds, ReplayWindow, SequenceNumbers, state_of
from unifyport.protocols.mtproto.messages import Message
from unifyport.protocols.mtproto.packing import pack
from unifyport.protocols.mtproto.rpc_errors import classify, parse_rpc_error
from unifyport.protocols.mtproto.services import Service, Services
from unifyport.protocols.mtproto.timeliness import BAD_TIME, Timeliness
from unifyport.protocols.mtproto.unpacking import Item, Unpacker

_BAD_SALT: Final = 48
_DUPLICATE_CONTAINER: Final = 19
_TOO_OLD: Final = 20
_FORMER_SESSIONS: Final = 4
_MAX_CREATED: Final = 16


class ClientSession:
    """One session with one authorization key. It outlives connections, not the process."""

    def __init__(
        self, key: AuthKey, *, salt: int = 0, time_offset: float = 0.0, random: Random = os.urandom
    ) -> None:
        """`salt` and `time_offset` are what was learnt before; wrong ones cost a call one round trip."""
        self._key = key
        self._random = random
        self._salt = salt
        self._ids = MessageIds(Role.CLIENT, time_offset)
        self._calls = Calls()
        self._former: deque[int] = deque(maxlen=_FORMER_SESSIONS)
        self._begin_session()

    def _begin_session(self, services: Iterable[Service] = ()) -> None:
        self._session_id = int.from_bytes(self._random(8), "little")
        self._window = ReplayWindow(Role.SERVER)
        self._numbers = SequenceNumbers()
        self._services = Services(services)
        self._created: deque[int] = deque(maxlen=_MAX_CREATED)
        self._timeliness = Timeliness(self._ids, self._calls)

    @property
    def time_offset(self) -> float:
        return self._ids.offset

    @property
    def has_output(self) -> bool:
        """Whether `flush` has something to send, be it acknowledgements only."""
        return not self._services.is_empty or self._calls.has_queued

    @property
    def has_urgent_output(self) -> bool:
        """Whether it has more to send than acknowledgements."""
        return bool(self._services.queue) or self._calls.has_queued

    def call(self, body: bytes, *, repeatable: bool = True) -> int:
        """Queue a call of the API; its number. `repeatable`: executing it twice does no harm.

        Raises `TooManyCalls` and `ValueError`.
        """
        return self._calls.add(body, repeatable=repeatable)

    def forget(self, number: int) -> None:
        """Drop a call whose caller no longer waits. The server may have executed it."""
        self._calls.remove_number(number)

    def ping(self, ping_id: int, *, disconnect_delay: int | None = None) -> None:
        self._services.ask(messages.Ping(ping_id, disconnect_delay))

    def reconnect(self) -> None:
        """There is a new connection: send again, under its identifier, what the server has not confirmed."""
        for call in self._calls:
            if call.msg_id and not call.is_acked:
                self._calls.queue_again(call)

    def flush(self, now: float) -> list[bytes]:
        """The packets to write, in order."""
        waiting: list[tuple[Message, Call | None]] = []
        said: dict[int, Service] = {}
        for service in self._services.take():
            message = self._message(service.body, now, content=service.is_content)
            said[message.msg_id] = service
            waiting.append((message, None))
        for call in self._calls.take_queued():
            if not call.msg_id:
                message = self._message(call.body, now, content=True)
                self._calls.identify(call, message.msg_id, message.seq_no)
            waiting.append((Message(call.msg_id, call.seq_no, call.body), call))
        packets = []
        for group in pack(waiting):
            outer = group.wrap(lambda body: self._message(body, now, content=False))
            self._calls.note_sent(outer.msg_id, group.calls)
            services = [said[each.msg_id] for each in group.messages if each.msg_id in said]
            self._services.note_sent(outer.msg_id, services)
            envelope = Envelope(self._salt, self._session_id, outer.msg_id, outer.seq_no, outer.body)
            packets.append(seal(self._key, envelope, Role.CLIENT, random=self._random))
        return packets

    def receive(self, packet: bytes, now: float) -> list[events.Event]:
        """Read one packet. Raises `SecurityError`, `Malformed`."""
        envelope = open_packet(self._key, packet, Role.SERVER)
        if envelope.session_id != self._session_id:
            if envelope.session_id in self._former:
                return [events.Ignored("former session")]
            raise SecurityError("The packet is for another session")
        self._window.check_parity(envelope.msg_id)
        items = Unpacker().unpack(Message(envelope.msg_id, envelope.seq_no, envelope.body))
        for item in items:
            self._window.check_parity(item.msg_id)
        happened: list[events.Event] = []
        is_first = self._window.highest == 0
        if not self._timeliness.check(envelope.msg_id, items, now, happened, is_first=is_first):
            return happened
        is_container = len(items) != 1 or items[0].msg_id != envelope.msg_id
        if is_container and not self._window.accept(envelope.msg_id):
            self._services.acks.update((item.msg_id, None) for item in items if item.seq_no & 1)
            return [*happened, events.Ignored("repeated")]
        for item in items:
            self._take(item, now, happened)
            if envelope.session_id != self._session_id:
                break  # a complaint ended the session: what follows would be acknowledged in the wrong one
        return happened

    def _take(self, item: Item, now: float, happened: list[events.Event]) -> None:
        if item.seq_no & 1:
            self._services.acks[item.msg_id] = None
        if not self._window.accept(item.msg_id):
            happened.append(events.Ignored("repeated"))
            return
        handle = self._HANDLERS.get(type(item.message))
        if handle is not None:
            handle(self, item.message, happened)
        elif isinstance(item.message, messages.Unknown):
            happened.append(events.Update(item.msg_id, item.message.body))
        elif isinstance(item.message, messages.BadMessage):
            self._take_complaint(item.message, item.msg_id, now, happened)
        elif isinstance(item.message, messages.StateRequest):
            self._services.put(messages.StateInfo(item.msg_id, state_of(self._window, item.message.msg_ids)))
        elif isinstance(item.message, messages.Ping):
            self._services.put(messages.Pong(item.msg_id, item.message.ping_id))

    def _take_result(self, result: messages.RpcResult, happened: list[events.Event]) -> None:
        error = parse_rpc_error(result.result)
        call = self._calls.pop(result.req_msg_id)
        if call is not None:
            failure = None if error is None else classify(*error)
            happened.append(
                events.Result(call.number, result.result)
                if failure is None
                else events.Failure(call.number, failure)
            )

    def _take_complaint(
        self, bad: messages.BadMessage, msg_id: int, now: float, happened: list[events.Event]
    ) -> None:
        if not self._calls.is_ours(bad.bad_msg_id):
            return
        calls, services = self._calls.sent_as(bad.bad_msg_id), self._services.refused(bad.bad_msg_id)
        if bad.new_salt is not None or bad.code in BAD_TIME:
            self._services.queue += services
        if bad.new_salt is not None:
            self._salt = bad.new_salt
            happened.append(events.SaltChanged(bad.new_salt))
        elif bad.code in BAD_TIME and not any(isinstance(event, events.TimeChanged) for event in happened):
            self._timeliness.synchronise(msg_id, now, happened)
        elif bad.code not in (*BAD_TIME, _BAD_SALT, _TOO_OLD, _DUPLICATE_CONTAINER):
            self._former.append(self._session_id)
            self._begin_session(each for each in (*services, *self._services.queue) if each.is_ping)
            others = [call for call in self._calls if call.msg_id and call not in calls]
            self._repeat(others, executed=True, reason=f"code {bad.code}", happened=happened)
        for call in calls:
            if bad.new_salt is not None and call.transmissions > 1 and self._calls.renew(call, keep=True):
                continue  # the server may know this identifier from before: then it answers once more
            executed = bad.code == _TOO_OLD or call.transmissions > 1
            self._repeat([call], executed=executed, reason=f"code {bad.code}", happened=happened)

    def _repeat(
        self, calls: list[Call], *, executed: bool, reason: str, happened: list[events.Event]
    ) -> None:
        """Send `calls` under new identifiers. `executed`: the server may have executed them."""
        for call in calls:
            if (executed and not call.repeatable) or not self._calls.renew(call):
                self._calls.remove(call)
                happened.append(events.Lost(call.number, reason))

    def _take_created(self, created: messages.NewSessionCreated, happened: list[events.Event]) -> None:
        if created.unique_id in self._created:
            return
        self._created.append(created.unique_id)
        self._salt = created.salt
        earlier = [call for call in self._calls if 0 < call.msg_id < created.first_msg_id]
        self._repeat(earlier, executed=True, reason="new session", happened=happened)
        happened += events.SaltChanged(created.salt), events.SessionCreated()

    def _take_acks(self, acks: messages.Acks, happened: list[events.Event]) -> None:
        for msg_id in acks.msg_ids:
            for call in self._calls.sent_as(msg_id):
                call.is_acked = True

    def _take_info(self, info: messages.DetailedInfo, happened: list[events.Event]) -> None:
        if info.answer_msg_id in self._window:
            self._services.acks[info.answer_msg_id] = None
        else:
            self._services.ask(messages.ResendRequest((info.answer_msg_id,)))

    def _take_resend(self, request: messages.ResendRequest, happened: list[events.Event]) -> None:
        for msg_id in request.msg_ids:
            for call in self._calls.sent_as(msg_id):
                self._calls.queue_again(call)

    def _message(self, body: bytes, now: float, *, content: bool) -> Message:
        return Message(self._ids.make(now), self._numbers.make(content=content), body)

    _HANDLERS: Final[dict[type, Callable[[Any, Any, list[events.Event]], None]]] = {
        messages.RpcResult: _take_result,
        messages.NewSessionCreated: _take_created,
        messages.Acks: _take_acks,
        messages.DetailedInfo: _take_info,
        messages.ResendRequest: _take_resend,
        messages.Pong: lambda self, pong, happened: happened.append(events.Ponged(pong.ping_id)),
    }
