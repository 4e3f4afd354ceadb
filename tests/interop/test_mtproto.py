"""MTProto against PyPI's `mtproto`, of another author: as the server of our client, and as a client of our
server. (Telethon and Kurigram judge our server side in `test_telegram_clients.py`.)

It cannot judge what follows a wrong salt, as its server writes `bad_server_salt` without the constructor, and
not the padded framing, of which it reads no more than 3 bytes of padding.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop import peers
from tests.interop.judges import Judge, running
from unifyport.protocols.mtproto import events, messages
from unifyport.protocols.mtproto.encryption import AuthKey
from unifyport.protocols.mtproto.server_session import Called, ServerSession
from unifyport.protocols.mtproto.session import ClientSession
from unifyport.protocols.mtproto.transports import ClientTransport, Framing, ServerTransport

pytestmark = pytest.mark.interop

KEY = AuthKey(bytes(range(256)))
BODY = bytes.fromhex("01020304") * 3
RESULT = bytes.fromhex("0a0b0c0d") * 5
SALT = 77
WAYS = [
    (framing, obfuscated)
    for framing in (Framing.ABRIDGED, Framing.INTERMEDIATE)
    for obfuscated in (False, True)
]


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0].name.lower()}{'-obfuscated' * way[1]}")
def way(request: pytest.FixtureRequest) -> tuple[Framing, bool]:
    found: tuple[Framing, bool] = request.param
    return found


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    interpreter = peers.python(peers.HERE / "python" / "mtproto.in")
    with running(Judge, str(interpreter), str(peers.HERE / "python" / "mtproto_judge.py")) as process:
        yield process


def start(judge: Judge, role: str, way: tuple[Framing, bool]) -> None:
    framing, obfuscated = way
    judge.ask("start", role=role, framing=framing.name, obfuscated=obfuscated, key=KEY.value, salt=SALT)


class Client:
    """Our client, with the judge as its server."""

    def __init__(self, judge: Judge, way: tuple[Framing, bool], **session: Any) -> None:
        start(judge, "SERVER", way)
        self._judge = judge
        self.session = ClientSession(KEY, **session)
        self._transport = ClientTransport(way[0], obfuscated=way[1])

    def up(self) -> list[dict[str, Any]]:
        """What the server hears."""
        data = b"".join(self._transport.send(packet) for packet in self.session.flush(time.time()))
        found: list[dict[str, Any]] = self._judge.ask("receive", data=data)["events"]
        return found

    def down(self, data: bytes = b"", **how: bool) -> list[events.Event]:
        """What the client hears: `data`, and what the server has queued."""
        sent = bytes.fromhex(self._judge.ask("send", data=data, **how)["bytes"])
        return [
            event
            for packet in self._transport.receive(sent)
            for event in self.session.receive(packet, time.time())
        ]


def test_a_server_that_is_not_ours_takes_our_calls_and_we_its_answers(
    judge: Judge, way: tuple[Framing, bool]
) -> None:
    client = Client(judge, way, salt=SALT)
    first = client.session.call(BODY)
    heard = [each for each in client.up() if each["kind"] == "data"]
    second = client.session.call(BODY * 2)
    heard += client.up()
    calls = {each["body"]: each["id"] for each in heard}
    assert set(calls) == {BODY.hex(), (BODY * 2).hex()}
    for number, body in ((first, BODY), (second, BODY * 2)):
        answer = messages.RpcResult(calls[body.hex()], RESULT + body).to_bytes()
        assert client.down(answer, response=True) == [events.Result(number, RESULT + body)]
    [acks] = client.up()
    assert len(acks["ids"]) >= 2


def test_a_server_that_is_not_ours_pushes_in_containers(judge: Judge, way: tuple[Framing, bool]) -> None:
    client = Client(judge, way, salt=SALT)
    client.session.call(BODY)
    client.up()
    ids = [judge.ask("queue", data=RESULT + bytes([number]) * 4)["id"] for number in range(20)]
    found = client.down()
    assert [event.msg_id for event in found if isinstance(event, events.Update)] == ids
    [acks] = [each for each in client.up() if each["kind"] == "acks"]
    assert acks["ids"] == ids


def test_a_large_message_arrives_whole(judge: Judge, way: tuple[Framing, bool]) -> None:
    client = Client(judge, way, salt=SALT)
    client.session.call(BODY * 10_000)
    [heard] = [each for each in client.up() if each["kind"] == "data"]
    assert heard["body"] == (BODY * 10_000).hex()


def test_a_client_that_is_not_ours_calls_our_server(judge: Judge, way: tuple[Framing, bool]) -> None:
    start(judge, "CLIENT", way)
    server, transport = ServerSession(KEY, salt=SALT), ServerTransport()
    sent = bytes.fromhex(judge.ask("send", data=BODY)["bytes"])
    calls: list[Called] = []
    for packet in transport.receive(sent):
        calls += server.receive(packet, time.time())
    [called] = calls
    assert called.body == BODY
    assert transport.framing is way[0]
    server.answer(called.msg_id, RESULT, time.time())
    server.push(RESULT * 2, time.time())
    back = b"".join(transport.send(packet) for packet in server.flush(time.time()))
    heard = judge.ask("receive", data=back)["events"]
    expected = {messages.RpcResult(called.msg_id, RESULT).to_bytes().hex(), (RESULT * 2).hex()}
    assert expected <= {each.get("body") for each in heard}
    for packet in transport.receive(bytes.fromhex(judge.ask("send")["bytes"])):
        server.receive(packet, time.time())
    assert server.unacked == 0
