"""Deliveries to receivers that this project did not write: libraries, and servers that speak TLS."""

import base64
import contextlib
import hashlib
import ipaddress
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.harness import free_port
from tests.tls import Authority
from unifyport.delivery import signing
from unifyport.delivery.client import HttpDeliveryClient
from unifyport.delivery.signing import Signer
from unifyport.delivery.verdict import Attempt
from unifyport.model.webhook import Signatures
from unifyport.net.clients import ssl_context
from unifyport.net.guard import Address, AddressGuard
from unifyport.net.sockets import Sockets
from unifyport.net.sweeper import Sweeper

from . import peers

pytestmark = pytest.mark.interop

COUNT = 100
NEW, OLD = ("whsec_" + base64.b64encode(hashlib.sha256(text).digest()).decode() for text in (b"new", b"old"))
PLAIN = "a secret that is its own key"
BODY = '{"id":"evt_1","type":"message.received","text":"xin chào 👋"}'.encode()


# -- libraries -----------------------------------------------------------------------------------------------


@attrs.frozen
class Case:
    """What was signed, and what a receiver got and believes."""

    name: str
    verdict: str = "accepted"
    signs: Sequence[str] = (NEW,)
    body: bytes = BODY
    age: float = 0
    event: str = "evt_1"
    secret: str = NEW
    raw: bool = False

    def line(self) -> dict[str, Any]:
        now = round((time.time() - self.age) * 1000)
        lines = Signer(self.signs, [Signatures.STANDARD, Signatures.DEVICE])("evt_1", "dlv_1.1", now, BODY)
        headers = dict(line.split(": ", 1) for line in lines.decode().splitlines())
        headers["webhook-id"] = self.event
        body = base64.b64encode(self.body).decode()
        return {"headers": headers, "body": body, "secret": self.secret, "raw": self.raw}


CASES = [
    Case("a secret of Standard Webhooks"),
    Case("a secret that is its own key", signs=[PLAIN], secret=PLAIN, raw=True),
    Case("a rotation, to who knows the new secret", signs=[NEW, OLD]),
    Case("a rotation, to who knows the old secret", signs=[NEW, OLD], secret=OLD),
    Case("signed a while ago", age=240),
    Case("signed by a clock that is fast", age=-240),
    Case("another body", "No matching signature found", body=BODY.replace(b"1", b"2")),
    Case("another event", "No matching signature found", event="evt_2"),
    Case("another secret", "No matching signature found", secret=OLD),
    Case("no secret", "Missing required headers", signs=[""]),
    Case("signed too long ago", "Message timestamp too old", age=600),
    Case("signed in the future", "Message timestamp too new", age=-600),
]


async def test_libraries_of_standard_webhooks_accept_what_is_ours_and_nothing_else() -> None:
    script = str(Path(__file__).parent / "python" / "webhook_judge.py")
    given = "".join(json.dumps(case.line()) + "\n" for case in CASES)
    done = await trio.run_process(
        [str(peers.python()), script], stdin=given.encode(), capture_stdout=True, env=peers.environment()
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert {case.name: verdicts for case, verdicts in zip(CASES, said, strict=True)} == {
        case.name: {"standardwebhooks": case.verdict, "svix": case.verdict} for case in CASES
    }


# -- servers -------------------------------------------------------------------------------------------------


@attrs.frozen
class Served:
    """A server, its URL, and what it says of each request."""

    url: str
    line: Callable[[], Awaitable[Any]]


@contextlib.asynccontextmanager
async def served_by_nginx(directory: Path, cert: Path, key: Path) -> AsyncIterator[Served]:
    port = free_port()
    temporary = "".join(
        f"{kind}_temp_path {directory};\n" for kind in "client_body proxy fastcgi uwsgi scgi".split()
    )
    config = directory / "nginx.conf"
    config.write_text(f"""
daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr;
events {{}}
http {{
    {temporary}
    log_format line escape=json '{{"status": $status, "event": "$http_x_device_event_id",'
        ' "length": $content_length, "connection": $connection, "resumed": "$ssl_session_reused"}}';
    access_log /dev/stdout line;
    ssl_certificate {cert}; ssl_certificate_key {key}; ssl_session_cache builtin:100;
    server {{ listen 127.0.0.1:{port} ssl; location = /hook {{ return 204; }} }}
}}
""")
    async with peers.Peer(peers.nginx(), "-c", str(config), "-p", str(directory)) as nginx:
        await listening(port)
        yield Served(f"https://localhost:{port}/hook", nginx.line)


@contextlib.asynccontextmanager
async def served_by_node(directory: Path, cert: Path, key: Path) -> AsyncIterator[Served]:
    script = str(peers.node() / "webhook_receiver.cjs")
    async with peers.Peer("node", script, str(cert), str(key)) as node:
        port = (await node.line())["port"]
        yield Served(f"https://localhost:{port}/hook?tên=1", node.line)


async def listening(port: int) -> None:
    with trio.fail_after(30):
        while True:
            try:
                await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
                return
            except OSError:
                await trio.sleep(0.02)  # a foreign process has no event to wait for


async def no_names(host: str) -> Sequence[Address]:
    raise AssertionError(host)


@contextlib.asynccontextmanager
async def delivering(trusts: Path | None) -> AsyncIterator[HttpDeliveryClient]:
    guard, sweeper = AddressGuard(no_names, (ipaddress.ip_network("127.0.0.0/8"),)), Sweeper()
    client = HttpDeliveryClient(guard, Sockets(ssl_context(trusts)), sweeper)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sweeper.run)
        yield client
        client.close()
        nursery.cancel_scope.cancel()


@attrs.frozen
class Delivery:
    """Number `n` of those that are sent."""

    fields: bytes
    body: bytes

    @classmethod
    def of(cls, n: int) -> "Delivery":
        body = json.dumps({"id": f"evt_{n}", "text": "xin chào 👋" * n * n}, ensure_ascii=False).encode()
        now = round(time.time() * 1000)
        return cls(Signer([PLAIN], list(Signatures))(f"evt_{n}", f"dlv_{n}.1", now, body), body)


async def deliver(
    server: Served, trusts: Path, deliveries: list[Delivery]
) -> tuple[list[Attempt], list[Any]]:
    """The first half one after another, the others four at a time; what came back, and what the server says
    of each. Who does not trust the server's authority tells it nothing.
    """
    attempts: list[Attempt] = []
    half = len(deliveries) // 2

    async with delivering(None) as stranger:
        attempt = await stranger.post(server.url, deliveries[0].fields, deliveries[0].body, 10)
        assert attempt.error == "certificate_not_trusted"

    async with delivering(trusts) as client, trio.open_nursery() as nursery:

        async def some(mine: list[Delivery]) -> None:
            for each in mine:
                attempts.append(await client.post(server.url, each.fields, each.body, 10))

        await some(deliveries[:half])
        for lane in range(4):
            nursery.start_soon(some, deliveries[half + lane :: 4])
    return attempts, [await server.line() for _ in deliveries]


def connections(lines: list[Any]) -> tuple[int, int]:
    """How many were made for the first half, and for all."""
    return len({line["connection"] for line in lines[: len(lines) // 2]}), len(
        {line["connection"] for line in lines}
    )


async def test_nginx_gets_every_delivery_over_connections_that_are_kept(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    deliveries = [Delivery.of(n) for n in range(COUNT)]
    async with served_by_nginx(tmp_path, *authority.issue("localhost")) as server:
        attempts, lines = await deliver(server, authority.ca, deliveries)
    assert [attempt.status for attempt in attempts] == [204] * COUNT
    assert {line["status"] for line in lines} == {204}
    assert {line["event"]: line["length"] for line in lines} == {
        f"evt_{n}": len(each.body) for n, each in enumerate(deliveries)
    }
    assert connections(lines) == (1, 4)
    assert {line["resumed"] for line in lines} == {".", "r"}


async def test_node_gets_every_byte_over_connections_that_are_kept(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    deliveries = [Delivery.of(n) for n in range(COUNT)]
    async with served_by_node(tmp_path, *authority.issue("localhost")) as server:
        attempts, lines = await deliver(server, authority.ca, deliveries)
    assert [(attempt.status, attempt.response_size) for attempt in attempts] == [(200, 12)] * COUNT
    assert {(line["method"], line["url"]) for line in lines} == {("POST", "/hook?t%C3%AAn=1")}
    got = {base64.b64decode(line["body"]): headers_of(line) for line in lines}
    assert got.keys() == {each.body for each in deliveries}
    for each in deliveries:
        headers = got[each.body]
        sent = dict(line.split(": ", 1) for line in each.fields.decode().splitlines())
        assert {**sent, "content-length": str(len(each.body))}.items() <= headers.items()
        assert signing.verify(PLAIN, headers[signing.TIMESTAMP], each.body, headers[signing.SIGNATURE])
    assert connections(lines) == (1, 4)


def headers_of(line: dict[str, Any]) -> dict[str, str]:
    """As they came; none of them twice."""
    names, values = line["headers"][::2], line["headers"][1::2]
    assert len(set(names)) == len(names)
    return dict(zip(names, values, strict=True))
