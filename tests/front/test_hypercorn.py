"""The other server: HTTP/2 over TLS, and a certificate that is replaced. `front` marks what runs on both."""

import socket
import ssl
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
import trio
from trio.testing import MockClock

from tests import harness
from tests.harness import KEY, gateway, settings_of
from tests.tls import Authority
from unifyport.front.asgi import asgi_app
from unifyport.front.exchange import BodyTooSlow, Exchange
from unifyport.front.hypercorn_front import serve_with_hypercorn
from unifyport.front.tls import HTTP_2_TOO, Certificate, TlsFiles

FIELDS = [("x-api-key", KEY), ("content-type", "application/json")]


async def http2(port: int, context: ssl.SSLContext) -> trio.SSLStream:
    context.set_alpn_protocols(["h2"])
    stream = trio.SSLStream(
        await trio.open_tcp_stream("127.0.0.1", port), context, server_hostname="localhost"
    )
    await stream.do_handshake()
    assert stream.selected_alpn_protocol() == "h2"
    return stream


async def answers(
    stream: trio.SSLStream, requests: list[tuple[str, str, bytes]]
) -> dict[int, tuple[int, bytes]]:
    """(status, body) of requests that are sent at once, by the number of their stream."""
    client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    client.initiate_connection()
    for number, (method, path, body) in enumerate(requests):
        fields = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "localhost")]
        client.send_headers(2 * number + 1, [*fields, *FIELDS], end_stream=not body)
        if body:
            client.send_data(2 * number + 1, body, end_stream=True)
    statuses, bodies, ended = dict[int, int](), dict[int, bytes](), set[int]()
    while len(ended) < len(requests):
        await stream.send_all(client.data_to_send())
        for event in client.receive_data(await stream.receive_some(65536)):
            match event:
                case h2.events.ResponseReceived(stream_id=number, headers=answered):
                    statuses[number] = int({str(name): value for name, value in answered}[":status"])
                case h2.events.DataReceived(stream_id=number, data=data):
                    bodies[number] = bodies.get(number, b"") + data
                    client.acknowledge_received_data(event.flow_controlled_length, number)
                case h2.events.StreamEnded(stream_id=number):
                    ended.add(number)
                case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                    raise AssertionError(event)
    return {number: (status, bodies.get(number, b"")) for number, status in statuses.items()}


async def test_the_api_over_http_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "front", "hypercorn")
    authority = Authority(tmp_path)
    cert, key = authority.issue("localhost")
    server = f'tls = {{ cert = "{cert.name}", key = "{key.name}" }}'
    async with gateway(settings_of(tmp_path, server=server)) as api:
        stream = await http2(api.port, ssl.create_default_context(cafile=authority.ca))
        found = await answers(
            stream,
            [
                ("GET", "/v1/workspace", b""),
                ("GET", "/healthz", b""),
                ("POST", "/v1/api-keys", b'{"name": "second"}'),
                ("POST", "/ingress/whatsapp/nobody", b"x" * 1000),
                ("GET", "/nothing", b""),
            ],
        )
        assert [found[number][0] for number in sorted(found)] == [200, 200, 201, 401, 404]
        assert b'"data"' in found[1][1]


async def test_a_certificate_that_is_replaced_is_used(tmp_path: Path) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.respond(200, [], b"")

    for name in ("1", "2"):
        (tmp_path / name).mkdir()
    first, second = Authority(tmp_path / "1"), Authority(tmp_path / "2")
    certificate = Certificate(TlsFiles(*first.issue("localhost")), HTTP_2_TOO)
    other = Certificate(TlsFiles(*second.issue("localhost")), HTTP_2_TOO)
    stop = trio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        async def serve() -> None:
            await serve_with_hypercorn(listening, asgi_app(handler), certificate=certificate, until=stop.wait)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            before = await http2(port, ssl.create_default_context(cafile=first.ca))
            certificate.use(other.read())
            after = await http2(port, ssl.create_default_context(cafile=second.ca))
            for stream in (before, after):
                assert await answers(stream, [("GET", "/", b"")]) == {1: (200, b"")}
                await stream.aclose()
            stop.set()


async def test_a_body_of_which_nothing_comes_is_given_up(autojump_clock: MockClock) -> None:
    async def handler(exchange: Exchange) -> None:
        with pytest.raises(BodyTooSlow):
            await exchange.read()

    scope = {"method": "POST", "raw_path": b"/", "query_string": b"", "headers": [], "scheme": "http"}
    with trio.fail_after(30):
        await asgi_app(handler)(scope, trio.sleep_forever, lambda message: trio.sleep(0))


@pytest.mark.parametrize(("status", "body", "length"), [(204, b"", []), (304, b"x", []), (200, b"x", [b"1"])])
async def test_an_answer_without_a_body_has_no_length(status: int, body: bytes, length: list[bytes]) -> None:
    """https://www.rfc-editor.org/rfc/rfc9110#section-8.6"""
    sent: list[dict[str, Any]] = []

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(status, [(b"x-a", b"b")], body)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"method": "DELETE", "raw_path": b"/", "query_string": b"", "headers": [], "scheme": "http"}
    await asgi_app(handler)(scope, trio.sleep_forever, send)
    start, end = sent
    assert [value for name, value in start["headers"] if name == b"content-length"] == length
    assert end["body"] == (body if length else b"")


@pytest.mark.parametrize("path", ["/ingress/whatsapp/acct_1", "/v1/messages"])
@pytest.mark.front
async def test_a_request_without_the_body_that_it_declares_is_answered(tmp_path: Path, path: str) -> None:
    async with gateway(settings_of(tmp_path)) as api:
        stream = await trio.open_tcp_stream("127.0.0.1", api.port)
        async with stream:
            fields = f"x-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: 10"
            await stream.send_all(f"POST {path} HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n".encode())
            with trio.fail_after(30):
                assert (await stream.receive_some(100)).startswith(b"HTTP/1.1 408 ")
