"""Sessions: a client against our server side, and against packets that no honest server sends."""

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.mtproto import events, messages
from unifyport.protocols.mtproto.calls import MAX_CALLS, MAX_RENEWALS
from unifyport.protocols.mtproto.encryption import AuthKey, Envelope, Role, open_packet, seal
from unifyport.protocols.mtproto.errors import Malformed, SecurityError, TooManyCalls
from unifyport.protocols.mtproto.identifiers import MessageIds, ReplayWindow, state_of
from unifyport.protocols.mtproto.messages import Container, Message
from unifyport.protocols.mtproto.rpc_errors import ErrorClass
from unifyport.protocols.mtproto.salts import FutureSalts, GetFutureSalts, Salt
from unifyport.protocols.mtproto.server_session import Called, ServerSession
from unifyport.protocols.mtproto.session import ClientSession
from unifyport.protocols.mtproto.timeliness import MAX_IGNORED

KEY = AuthKey(bytes(range(256)))
NOW = 1_800_000_000.0
BODY = b"call" + bytes(4)
RESULT = b"done" + bytes(8)
UPDATE = b"news" + bytes(8)
SALT = 77


class Pair:
    """Both sides; `lag` is how far the client's clock is behind the server's."""

    def __init__(self, *, salt: int = SALT, lag: float = 0.0) -> None:
        self.client = ClientSession(KEY, salt=salt)
        self.server = ServerSession(KEY, salt=SALT)
        self.now = NOW
        self.lag = lag
        self.events: list[events.Event] = []
        self.calls: list[Called] = []

    def up(self) -> list[Called]:
        """Deliver what the client has to say; the calls that reached the server."""
        self.now += 0.01
        packets = self.client.flush(self.now - self.lag)
        calls = [call for packet in packets for call in self.server.receive(packet, self.now)]
        self.calls += calls
        return calls

    def down(self) -> list[events.Event]:
        self.now += 0.01
        happened = [
            event
            for packet in self.server.flush(self.now)
            for event in self.client.receive(packet, self.now - self.lag)
        ]
        self.events += happened
        return happened

    def settle(self) -> None:
        """Answer everything until nothing is left to say."""
        for _ in range(20):
            for call in self.up():
                self.server.answer(call.msg_id, RESULT, self.now)
            self.down()
            if not self.client.has_output:
                return
        raise AssertionError("The two sides never finish")

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


class Forged:
    """A server that says whatever a test wants, to a client that has sent one call."""

    def __init__(self) -> None:
        self.client = ClientSession(KEY, salt=SALT)
        self.number = self.client.call(BODY, repeatable=False)
        self.sent = open_packet(KEY, self.client.flush(NOW)[0], Role.CLIENT)
        self.ids = MessageIds(Role.SERVER)

    def packet(self, body: bytes, *, msg_id: int = 0, seq_no: int = 1, session: int | None = None) -> bytes:
        session_id = self.sent.session_id if session is None else session
        envelope = Envelope(SALT, session_id, msg_id or self.ids.make(NOW), seq_no, body)
        return seal(KEY, envelope, Role.SERVER)

    def say(self, body: bytes, *, msg_id: int = 0, seq_no: int = 1, now: float = NOW) -> list[events.Event]:
        return self.client.receive(self.packet(body, msg_id=msg_id, seq_no=seq_no), now)


def test_a_call_is_answered_and_the_answer_acknowledged() -> None:
    pair = Pair()
    number = pair.client.call(BODY)
    pair.settle()
    assert pair.of(events.Result) == [events.Result(number, RESULT)]
    assert pair.of(events.SessionCreated) == [events.SessionCreated()]
    assert pair.server.unacked == 0
    assert [call.body for call in pair.calls] == [BODY]


def test_many_calls_share_packets_and_arrive_in_order() -> None:
    pair = Pair()
    bodies = [BODY + number.to_bytes(4, "little") for number in range(1000)]
    numbers = [pair.client.call(body) for body in bodies]
    packets = pair.client.flush(NOW)
    assert len(packets) == 1
    assert [call.body for call in pair.server.receive(packets[0], NOW)] == bodies
    large = [pair.client.call(bytes(4) + bytes(700 << 10)) for _ in range(2)]
    assert len(pair.client.flush(NOW)) == 2
    assert sorted(numbers + large) == numbers + large


def test_errors_of_calls_are_classified() -> None:
    pair = Pair()
    number = pair.client.call(BODY)
    (call,) = pair.up()
    pair.server.fail(call.msg_id, 420, "FLOOD_WAIT_7", now=pair.now)
    failures = [event for event in pair.down() if isinstance(event, events.Failure)]
    assert [(failure.call, failure.error.kind, failure.error.seconds) for failure in failures] == [
        (number, ErrorClass.WAIT, 7)
    ]


def test_a_wrong_salt_costs_one_round_trip() -> None:
    pair = Pair(salt=1)
    number = pair.client.call(BODY, repeatable=False)
    pair.settle()
    assert pair.of(events.Result) == [events.Result(number, RESULT)]
    assert events.SaltChanged(SALT) in pair.events
    assert len(pair.calls) == 1


def test_what_is_no_call_is_said_again_under_the_right_salt() -> None:
    """An account that only listens says nothing but pings and acknowledgements."""
    pair = Pair()
    pair.client.call(BODY)
    pair.settle()
    pair.server.salt = SALT + 1
    pair.client.ping(5)
    pair.settle()
    assert pair.of(events.Ponged) == [events.Ponged(5)]
    pair.server.salt = SALT + 2
    pair.server.push(UPDATE, pair.now)
    pair.down()
    pair.settle()
    assert pair.server.unacked == 0


def test_a_ping_outlives_a_session_that_the_server_gives_up() -> None:
    forged = Forged()
    forged.client.ping(5)
    sent = open_packet(KEY, forged.client.flush(NOW)[0], Role.CLIENT)
    forged.say(messages.BadMessage(sent.msg_id, sent.seq_no, 33).to_bytes())
    [again, *_] = [open_packet(KEY, packet, Role.CLIENT) for packet in forged.client.flush(NOW)]
    assert again.session_id != sent.session_id
    assert messages.Ping(5, None).to_bytes() in again.body


def test_what_the_server_refuses_for_ever_is_said_a_few_times() -> None:
    pair = Pair()
    pair.client.ping(5)
    said = 0
    while pair.client.has_output and said < 2 * MAX_RENEWALS:
        pair.server.salt += 1
        pair.up()
        pair.down()
        said += 1
    assert said == MAX_RENEWALS + 1


@pytest.mark.parametrize("lag", [-7200.0, -200.0, 200.0, 7200.0])
def test_a_wrong_clock_is_corrected_by_the_server(lag: float) -> None:
    pair = Pair(lag=lag)
    number = pair.client.call(BODY, repeatable=False)
    pair.settle()
    assert pair.of(events.Result) == [events.Result(number, RESULT)]
    assert len(pair.calls) == 1
    if abs(lag) > 300 or lag > 30:
        assert abs(pair.client.time_offset - lag) < 1


def test_wrong_clock_and_then_wrong_salt() -> None:
    pair = Pair(salt=1, lag=-4000.0)
    number = pair.client.call(BODY, repeatable=False)
    pair.settle()
    assert pair.of(events.Result) == [events.Result(number, RESULT)]
    assert not pair.of(events.Lost)


def test_updates_are_acknowledged_and_told_once() -> None:
    pair = Pair()
    pair.client.call(BODY)
    pair.settle()
    pair.server.push(UPDATE, pair.now)
    packets = pair.server.flush(pair.now)
    first = [event for packet in packets for event in pair.client.receive(packet, pair.now)]
    again = [event for packet in packets for event in pair.client.receive(packet, pair.now)]
    assert [type(event) for event in first] == [events.Update]
    assert again == [events.Ignored("repeated")]
    pair.up()
    assert pair.server.unacked == 0


def test_what_was_on_its_way_when_the_connection_broke_is_sent_again_under_its_identifier() -> None:
    pair = Pair()
    pair.client.call(BODY)
    pair.settle()
    number = pair.client.call(BODY, repeatable=False)
    lost = pair.client.flush(pair.now)
    assert lost
    pair.client.reconnect()
    pair.settle()
    assert events.Result(number, RESULT) in pair.events
    assert len(pair.calls) == 2


def test_a_call_whose_answer_was_lost_is_not_executed_twice() -> None:
    pair = Pair()
    number = pair.client.call(BODY, repeatable=False)
    (call,) = pair.up()
    pair.server.answer(call.msg_id, RESULT, pair.now)
    pair.server.flush(pair.now)  # lost
    pair.client.reconnect()
    pair.server.reconnect()
    pair.settle()
    assert pair.of(events.Result) == [events.Result(number, RESULT)]
    assert len(pair.calls) == 1


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_server_that_forgot_the_session_loses_only_what_must_not_be_repeated(repeatable: bool) -> None:
    pair = Pair()
    number = pair.client.call(BODY, repeatable=repeatable)
    pair.up()
    pair.server = ServerSession(KEY, salt=SALT)
    pair.client.call(b"next" + bytes(4))
    pair.settle()
    assert (events.Result(number, RESULT) in pair.events) is repeatable
    assert (events.Lost(number, "new session") in pair.events) is not repeatable


def test_the_server_says_that_a_call_is_too_old_to_know() -> None:
    forged = Forged()
    bad = messages.BadMessage(forged.sent.msg_id, 1, 20)
    assert forged.say(bad.to_bytes(), seq_no=0) == [events.Lost(forged.number, "code 20")]


def test_a_call_that_was_sent_twice_is_not_sent_under_a_new_identifier() -> None:
    forged = Forged()
    forged.client.reconnect()
    forged.client.flush(NOW)
    bad = messages.BadMessage(forged.sent.msg_id, 1, 16)
    happened = forged.say(bad.to_bytes(), seq_no=0)
    assert events.Lost(forged.number, "code 16") in happened


@pytest.mark.parametrize("code", [32, 33, 18, 34, 35, 64])
def test_a_session_that_the_server_does_not_accept_is_replaced(code: int) -> None:
    forged = Forged()
    forged.say(messages.BadMessage(forged.sent.msg_id, 1, code).to_bytes(), seq_no=0)
    (packet,) = forged.client.flush(NOW)
    fresh = open_packet(KEY, packet, Role.CLIENT)
    assert fresh.session_id != forged.sent.session_id
    assert fresh.body == BODY
    assert fresh.seq_no == 1
    assert forged.say(UPDATE) == [events.Ignored("former session")]


def test_a_call_is_not_sent_for_ever() -> None:
    forged = Forged()
    for _ in range(MAX_RENEWALS):
        bad = messages.BadMessage(forged.sent.msg_id, 1, 48, 5)
        assert forged.say(bad.to_bytes(), seq_no=0) == [events.SaltChanged(5)]
        forged.sent = open_packet(KEY, forged.client.flush(NOW)[0], Role.CLIENT)
    bad = messages.BadMessage(forged.sent.msg_id, 1, 48, 5)
    assert events.Lost(forged.number, "code 48") in forged.say(bad.to_bytes(), seq_no=0)


def test_complaints_about_what_we_never_sent_change_nothing() -> None:
    forged = Forged()
    for bad in (
        messages.BadMessage(4, 1, 48, 5),
        messages.BadMessage(4, 1, 32),
        messages.BadMessage(4, 1, 17),
    ):
        assert forged.say(bad.to_bytes(), seq_no=0) == []
    assert not forged.client.has_output


def test_packets_of_another_session_or_with_a_client_identifier_are_refused() -> None:
    forged = Forged()
    with pytest.raises(SecurityError, match="another session"):
        forged.client.receive(forged.packet(UPDATE, session=1), NOW)
    with pytest.raises(SecurityError, match="identifier"):
        forged.say(UPDATE, msg_id=int(NOW) << 32)
    inner = Container((Message(8, 1, UPDATE),)).to_bytes()
    with pytest.raises(SecurityError, match="identifier"):
        forged.say(inner)
    with pytest.raises(Malformed):
        forged.say(Container((Message(9, 1, inner),)).to_bytes())
    assert not forged.client.has_output


def test_untimely_packets_are_ignored_until_there_are_too_many() -> None:
    forged = Forged()
    assert [type(event) for event in forged.say(UPDATE)] == [events.Update]
    for number in range(MAX_IGNORED - 1):
        late = number % 2 == 0
        assert forged.say(UPDATE, now=NOW + (400 if late else -60)) == [events.Ignored("untimely")]
    with pytest.raises(SecurityError, match="clock"):
        forged.say(UPDATE, now=NOW + 400)


def test_only_the_first_packet_of_a_session_sets_the_clock() -> None:
    forged = Forged()
    assert events.TimeChanged(-1000.0) in forged.say(UPDATE, now=NOW + 1000)
    assert forged.say(UPDATE, now=NOW + 3000) == [events.Ignored("untimely")]


def test_pings_states_and_resends() -> None:
    pair = Pair()
    pair.client.ping(9, disconnect_delay=75)
    pair.settle()
    assert events.Ponged(9) in pair.events
    forged = Forged()
    known = forged.ids.make(NOW)
    forged.say(UPDATE, msg_id=known)
    forged.say(messages.StateRequest((known, known + (1 << 34))).to_bytes())
    forged.say(messages.DetailedInfo(forged.sent.msg_id, 12345, 100).to_bytes(), seq_no=0)
    packets = forged.client.flush(NOW)
    said = messages.parse(open_packet(KEY, packets[0], Role.CLIENT).body)
    assert isinstance(said, Container)
    bodies = [messages.parse(message.body) for message in said.messages]
    assert [body.info for body in bodies if isinstance(body, messages.StateInfo)] == [b"\x04\x03"]
    assert messages.ResendRequest((12345,)) in bodies
    forged.say(messages.ResendRequest((forged.sent.msg_id,)).to_bytes())
    assert forged.client.has_output


def test_the_server_names_its_salt_when_it_is_asked() -> None:
    server, asked = ServerSession(KEY, salt=SALT), MessageIds(Role.CLIENT).make(NOW)
    envelope = Envelope(SALT, 1, asked, 1, GetFutureSalts(16).to_bytes())
    assert server.receive(seal(KEY, envelope, Role.CLIENT), NOW) == []
    (packet,) = server.flush(NOW)
    said = messages.parse(open_packet(KEY, packet, Role.SERVER).body)
    assert isinstance(said, Container)
    answer = FutureSalts(asked, int(NOW), (Salt(int(NOW), int(NOW) + 3600, SALT),))
    assert answer in [messages.parse(message.body) for message in said.messages]


def test_an_acknowledged_call_is_not_sent_again() -> None:
    forged = Forged()
    forged.say(messages.Acks((forged.sent.msg_id,)).to_bytes(), seq_no=0)
    forged.client.reconnect()
    assert forged.client.flush(NOW) == []


def test_calls_are_bounded_and_can_be_forgotten() -> None:
    client = ClientSession(KEY)
    numbers = [client.call(BODY) for _ in range(MAX_CALLS)]
    with pytest.raises(TooManyCalls):
        client.call(BODY)
    client.forget(numbers[0])
    client.forget(numbers[0])
    client.call(BODY)
    for wrong in (b"", b"abcde"):
        with pytest.raises(ValueError):
            client.call(wrong)


def test_the_window_remembers_a_bounded_number() -> None:
    window = ReplayWindow(Role.SERVER, size=4)
    assert all(window.accept(msg_id) for msg_id in (1, 5, 9, 13))
    assert not window.accept(5)
    assert window.accept(17)
    assert not window.accept(1)
    assert state_of(window, [1, 5, 7, 21]) == bytes((1, 4, 2, 3))


def test_identifiers_increase_whatever_the_clock_does() -> None:
    ids = MessageIds(Role.CLIENT)
    made = [ids.make(now) for now in (NOW, NOW, NOW - 100, NOW + 1)]
    assert made == sorted(set(made))
    assert all(msg_id % 4 == 0 for msg_id in made)
    server = MessageIds(Role.SERVER)
    assert server.make(NOW, answer=True) % 4 == 1
    assert server.make(NOW) % 4 == 3


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost_or_executed_twice_while_packets_are_lost(seed: int) -> None:
    """Connections break at random, losing packets of both directions; salts change. Every call gets its own
    answer, is executed once, and every update arrives once.
    """
    chance = random.Random(seed)
    pair = Pair(salt=1)
    wanted: dict[int, bytes] = {}
    pushed = 0
    for step in range(40):
        if step == 39:
            chance.random = lambda: 1.0  # type: ignore[method-assign]
        if chance.random() < 0.5:
            body = BODY + len(wanted).to_bytes(4, "little")
            wanted[pair.client.call(body, repeatable=False)] = body
        if chance.random() < 0.3 and pair.server.session_id:
            pair.server.push(UPDATE + pushed.to_bytes(4, "little"), pair.now)
            pushed += 1
        if chance.random() < 0.1:
            pair.server.salt += 1
        pair.now += 1
        if chance.random() < 0.2:
            pair.client.flush(pair.now)
            pair.server.flush(pair.now)
            pair.client.reconnect()
            pair.server.reconnect()
            continue
        for call in pair.up():
            pair.server.answer(call.msg_id, b"re: " + call.body, pair.now)
        pair.down()
    for _ in range(5):
        pair.client.reconnect()
        pair.server.reconnect()
        for call in pair.up():
            pair.server.answer(call.msg_id, b"re: " + call.body, pair.now)
        pair.down()
    assert {event.call: event.body for event in pair.of(events.Result)} == {
        number: b"re: " + body for number, body in wanted.items()
    }
    assert len(pair.of(events.Result)) == len(wanted)
    assert len(pair.calls) == len(wanted)
    updates = [event.body for event in pair.of(events.Update)]
    assert len(updates) == len(set(updates)) == pushed


@given(st.binary(max_size=120), st.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_any_authentic_bytes_are_read_or_refused(tail: bytes, which: int) -> None:
    forged = Forged()
    heads = [
        messages.Acks(()).to_bytes(),
        messages.BadMessage(forged.sent.msg_id, 1, 16).to_bytes(),
        messages.Pong(1, 2).to_bytes(),
        messages.RpcResult(forged.sent.msg_id, b"").to_bytes(),
        Container(()).to_bytes(),
        GetFutureSalts(1).to_bytes(),
    ]
    body = heads[which % len(heads)][: 4 + 2 * which] + tail
    body += bytes(-len(body) % 4)
    with contextlib.suppress(Malformed, SecurityError):
        forged.say(body)
    forged.client.flush(NOW)


def test_a_complaint_survives_that_the_session_comes_back_on_a_new_connection() -> None:
    pair = Pair()
    pair.client.call(BODY)
    pair.settle()
    pair.server.salt += 1
    number = pair.client.call(BODY)
    for packet in pair.client.flush(pair.now):
        pair.server.receive(packet, pair.now)
    pair.server.reconnect()
    pair.down()
    pair.settle()
    assert events.Result(number, RESULT) in pair.events
