"""The front: TLS, listeners, trusted proxies, metrics, and what gets into logs."""

import datetime
import ipaddress
import json
import re
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.harness import (
    APP_SECRET,
    KEY,
    SECRET,
    TOKEN,
    VERIFY_TOKEN,
    Client,
    Process,
    account,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
    whatsapp,
    write_config,
)
from unifyport.config.settings import load
from unifyport.front.asgi import asgi_app
from unifyport.front.exchange import Exchange
from unifyport.listeners import listen
from unifyport.model.structuring import Problems
from unifyport.process.redaction import redact, register_secrets
from unifyport.providers.registry import standard


def certificate(directory: Path) -> Path:
    """A certificate for this machine that signs itself, `cert.pem` and `key.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "cert.pem"
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


TLS = 'tls = { cert = "cert.pem", key = "key.pem" }'


@pytest.mark.front
async def test_tls(tmp_path: Path) -> None:
    cert = certificate(tmp_path)
    async with gateway(settings_of(tmp_path, server=TLS)) as api:
        assert api.http.base_url.scheme == "https"
        trusted = ssl.create_default_context(cafile=cert)
        async with httpx.AsyncClient(verify=trusted, trust_env=False, headers={"x-api-key": KEY}) as client:
            response = await client.get(f"{api.http.base_url}/v1/workspace".replace("//v1", "/v1"))
            assert response.status_code == 200
            assert response.http_version == "HTTP/1.1"
        with pytest.raises(httpx.ConnectError):  # nobody vouches for that certificate
            await api("GET", "/v1/workspace")
        old = ssl.create_default_context(cafile=cert)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        async with httpx.AsyncClient(verify=old, trust_env=False) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(str(api.http.base_url))


@pytest.mark.parametrize("broken", ["missing", "not a certificate", "other key"])
def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path, broken: str) -> None:
    if broken != "missing":
        certificate(tmp_path)
    if broken == "not a certificate":
        (tmp_path / "cert.pem").write_text("hello")
    if broken == "other key":
        (tmp_path / "other").mkdir()
        certificate(tmp_path / "other")
        (tmp_path / "other" / "key.pem").rename(tmp_path / "key.pem")
    with pytest.raises(Problems, match=r"server\.tls"):
        load(write_config(tmp_path, server=TLS), standard())


@pytest.mark.front
async def test_listeners_let_in_those_whom_they_are_for(tmp_path: Path) -> None:
    ports = [free_port() for _ in range(3)]
    server = f'ingress_bind = "127.0.0.1:{ports[1]}"\nadmin_bind = "127.0.0.1:{ports[2]}"'
    async with gateway(settings_of(tmp_path, whatsapp(), port=ports[0], server=server)) as api:
        [shop] = await api.data("GET", "/v1/accounts")
        paths = {
            "api": "/v1/workspace",
            "ingress": f"/ingress/whatsapp/{shop['id']}",
            "media": "/media/x",
            "metrics": "/metrics",
            "health": "/healthz",
            "document": "/openapi.json",
        }
        found = {}
        for port in ports:
            async with Client(f"http://127.0.0.1:{port}").http as client:
                for name, path in paths.items():
                    response = await client.get(path)
                    missing = "no such route" in response.text
                    found[ports.index(port), name] = "no" if missing else str(response.status_code)
        assert [found[0, n] for n in paths] == ["200", "no", "404", "no", "200", "200"]
        assert [found[1, n] for n in paths] == ["no", "401", "404", "no", "200", "no"]
        assert [found[2, n] for n in paths] == ["no", "no", "no", "200", "200", "no"]


@pytest.mark.front
async def test_metrics_are_not_on_a_public_listener(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace('bind = "127.0.0.1:0"', 'bind = "0.0.0.0:0"'))
    async with gateway(load(config, standard())) as api:
        for path in ("/metrics", "/metrics/", "//metrics", "/%6detrics", "/docs"):
            assert (await api("GET", path)).status_code == 404, path
        assert (await api("GET", "/healthz")).status_code == 200


@pytest.mark.front
async def test_metrics_have_no_second_spelling_on_a_public_listener(tmp_path: Path) -> None:
    """As raw requests: an HTTP client would tidy these up."""
    ports = [free_port() for _ in range(2)]
    server = f'admin_bind = "127.0.0.1:{ports[1]}"'
    async with gateway(settings_of(tmp_path, port=ports[0], server=server)):
        for port, status in zip(ports, (b"404", b"200"), strict=True):
            for target in (b"/metrics", b"//metrics", b"/%2Fmetrics", b"http://host/metrics"):
                async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                    await stream.send_all(
                        b"GET %b HTTP/1.1\r\nHost: host\r\nConnection: close\r\n\r\n" % target
                    )
                    assert (await stream.receive_some(12)).endswith(status), target


async def test_the_api_to_read_is_one_page_that_asks_no_other_host(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as api:
        described = (await api("GET", "/openapi.json")).json()
        page = await Client(str(api.http.base_url), key=None)("GET", "/docs")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert not re.findall(r"""(?:src|href|action)=["'](?![#/])""", page.text)
        assert "<script" not in page.text
        anchors = set(re.findall(r'id="([^"]+)"', page.text))
        assert set(re.findall(r'href="#([^"]+)"', page.text)) <= anchors
        operations = {o["operationId"] for methods in described["paths"].values() for o in methods.values()}
        assert operations <= anchors
        assert {f"schema-{name}" for name in described["components"]["schemas"]} <= anchors


@pytest.mark.parametrize(
    "server", ['public_url = "https://gateway.example"', 'trusted_proxies = ["127.0.0.1/32"]']
)
async def test_metrics_are_not_behind_a_proxy(tmp_path: Path, server: str) -> None:
    async with gateway(settings_of(tmp_path, server=server)) as api:
        assert (await api("GET", "/metrics")).status_code == 404


FORWARDED = [
    # peer, X-Forwarded-For, the caller
    ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
    ("10.0.0.1", ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
    ("10.0.0.1", ["6.6.6.6", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
    ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
    ("10.0.0.1", [], "10.0.0.1"),
    ("10.0.0.1", ["nonsense"], "10.0.0.1"),
    ("10.0.0.1", ["203.0.113.9, nonsense"], "10.0.0.1"),
    ("203.0.113.7", ["1.2.3.4"], "203.0.113.7"),  # not one of ours: what it says means nothing
    ("", ["1.2.3.4"], ""),
]


@pytest.mark.parametrize(("peer", "chain", "caller"), FORWARDED)
async def test_trusted_proxies(peer: str, chain: list[str], caller: str) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in chain] + [(b"x-forwarded-proto", b"https")]
    scope = {
        "method": "GET",
        "raw_path": b"/",
        "query_string": b"",
        "client": (peer, 1) if peer else None,
        "headers": headers,
        "scheme": "http",
    }
    seen: list[Exchange] = []

    async def handler(exchange: Exchange) -> None:
        seen.append(exchange)

    await asgi_app(handler, [ipaddress.ip_network("10.0.0.0/8")])(scope, _nothing, _nothing)
    assert (seen[0].client or "") == caller
    assert seen[0].scheme == ("https" if peer.startswith("10.") else "http")


async def _nothing(message: Any = None) -> None:
    raise AssertionError("the handler neither reads nor answers")


@pytest.mark.front
async def test_headers_are_bounded(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as api:
        response = await api("GET", "/v1/workspace", headers={"x-padding": "x" * 20_000})
        assert response.status_code == 431
        assert (await api("GET", f"/v1/workspace?{'x' * 20_000}")).status_code == 431
        assert (await api("GET", "/v1/workspace")).status_code == 200


METRICS = """
unifyport_info unifyport_ready unifyport_accounts unifyport_account_incarnations_total
unifyport_commands_total unifyport_events_total unifyport_quarantined_total
unifyport_storage_available unifyport_writer_queue
unifyport_writes_total unifyport_commit_seconds unifyport_wal_bytes unifyport_deliveries_total
unifyport_delivery_seconds unifyport_endpoint_up unifyport_http_requests_total unifyport_http_request_seconds
unifyport_ingress_requests_total unifyport_ingress_bytes unifyport_connections unifyport_connections_limit
unifyport_connections_refused_total unifyport_connections_closed_for_others_total
unifyport_tls_failed_handshakes_total process_resident_memory_bytes python_info
""".split()


async def test_metrics_say_what_happened_and_name_nobody(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp("the shop") + account("the bot") + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            accounts = await api.data("GET", "/v1/accounts")
            await platform.connect(accounts[0]["ingress_url"])
            await platform.whatsapp("messages", {"text": "a text that is nobody's business"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            body = {
                "account_id": accounts[0]["id"],
                "to": {"id": "6590000001", "type": "user"},
                "message": {"type": "text", "text": "yes"},
            }
            await api.data("POST", "/v1/messages", body)
            await inbox.until(lambda: len(inbox.of("message.status.updated")) == 1)
            text = (await api.http.get("/metrics")).text
            for name in METRICS:
                assert f"\n# TYPE {name.removesuffix('_total')}" in f"\n{text}" or name in text, name
            for line in (
                'unifyport_accounts{channel="whatsapp",runtime_status="running"} 1.0',
                'unifyport_accounts{channel="telegram",runtime_status="running"} 1.0',
                'unifyport_commands_total{channel="whatsapp",command="SendCommand",outcome="sent"} 1.0',
                'unifyport_events_total{type="message.received"} 1.0',
                'unifyport_ingress_requests_total{provider="whatsapp",status="200"} 3.0',
                'unifyport_http_requests_total{operation="sendMessage",status="200"} 1.0',
                "unifyport_storage_available 1.0",
                "unifyport_ready 1.0",
                'unifyport_connections{phase="work"} 1.0',
            ):
                assert f"\n{line}\n" in text, line
            names = (
                "the shop",
                "the bot",
                "6590000001",
                "nobody's business",
                inbox.url,
                APP_SECRET,
                KEY,
                TOKEN,
            )
            assert not [word for word in names if word in text]
            documented = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
            assert not [
                name for name in METRICS if name.startswith("unifyport") and f"`{name}`" not in documented
            ]


@pytest.mark.front
async def test_logs_have_ids_and_hold_no_secret_and_no_text(tmp_path: Path) -> None:
    canary = "the-text-of-a-customer"
    async with sandbox() as platform, receiver() as inbox:
        port = free_port()
        more = whatsapp() + account() + endpoint(inbox.url) + platform.sandbox.config()
        more += '[logging]\nlevel = "debug"\n'
        process = Process(write_config(tmp_path, more=more, **public(port)), port)
        await process.start()
        try:
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            accounts = await process.client.data("GET", "/v1/accounts")
            await platform.connect(accounts[0]["ingress_url"])
            await platform.whatsapp("messages", {"text": canary})
            await platform.write(canary)
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            body = {
                "account_id": accounts[0]["id"],
                "to": {"id": "6590000001", "type": "user"},
                "message": {"type": "text", "text": canary},
            }
            answer = await process.client("POST", "/v1/messages", body, headers={"x-request-id": "order-42"})
            assert answer.status_code == 200
            await process.client("GET", "/v1/accounts?secret=in-the-query")
            await platform.post("faults", {"kind": "logout", "count": 1})
            await process.client.data("POST", f"/v1/accounts/{accounts[1]['id']}/runtime/reconnect")
            await inbox.until(lambda: len(inbox.of("account.auth.failed")) == 1)
            assert await process.stop() == 0
        finally:
            await process.kill()
        lines = [json.loads(line) for line in process.log.read_text().splitlines()]
        [sent] = [line for line in lines if line.get("operation") == "sendMessage"]
        assert sent["request_id"] == answer.json()["request_id"]
        assert (sent["client_request_id"], sent["status"], sent["client"]) == ("order-42", 200, "127.0.0.1")
        delivered = {line["event_id"] for line in lines if line["event"] == "delivery"}
        assert delivered == {event["id"] for event in inbox.deliveries}
        text = process.log.read_text()
        whole = text + "".join(
            path.read_bytes().decode("latin-1") for path in tmp_path.glob("unifyport.db*") if path.is_file()
        )
        secrets = (APP_SECRET, VERIFY_TOKEN, TOKEN, SECRET, KEY, "access-token-106540352242922")
        assert not [secret for secret in secrets if secret in whole]
        assert canary not in text
        assert "in-the-query" not in text


def test_redaction_finds_every_secret_wherever_it_stands() -> None:
    register_secrets("acct_1", ("4242:one-secret", "4242:one", "another\u00e9secret", "short"))
    assert redact("https://api/bot4242:one-secret/getMe") == "https://api/bot[secret]/getMe"
    assert redact("4242:one4242:one-secret") == "[secret][secret]"
    assert redact("a 4242:on b") == "a 4242:on b"
    assert redact("xanother\u00e9secretx short") == "x[secret]x short"
    assert redact("") == ""


async def test_an_idle_connection_does_not_hold_up_a_stop(tmp_path: Path) -> None:
    port = free_port()
    process = Process(write_config(tmp_path, port=port), port)
    await process.start()
    try:
        async with await trio.open_tcp_stream("127.0.0.1", port):
            async with await trio.open_tcp_stream("127.0.0.1", port) as http2:
                await http2.send_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
                assert (await http2.receive_some(1000)).startswith(b"HTTP/1.1 505 ")  # not spoken here
                assert await process.stop(5) == 0
    finally:
        await process.kill()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="an option of Linux")
def test_who_takes_nothing_of_an_answer_is_given_up() -> None:
    """Else the kernel would keep such a connection for good, and a stop would wait for it."""
    with listen("127.0.0.1:0") as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
