"""What ends is freed by its reference counts: no cycle waits for the garbage collector, which is off.

The collector sets long-lived objects aside (`unifyport/process/garbage.py`), so that a cycle would stay.
"""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from quart.ctx import RequestContext

from actors.account.actor import AccountActor
from actors.account.connection import Connection
from actors.endpoint import EndpointActor
from actors.recorder import Recorder
from tests.harness import Client, account, gateway, sandbox, settings_of
from unifyport.front.connection import Connection as FrontConnection
from unifyport.front.connection_exchange import ConnectionExchange
from unifyport.process.garbage import Garbage
from unifyport.providers.telegram.bot.connector import BotConnector

MANY = 8


@pytest.fixture(autouse=True)
def _no_collection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Garbage, "look", lambda self: None)
    gc.collect()  # what other tests have left
    gc.disable()
    yield
    gc.enable()


def alive(kind: type) -> int:
    return sum(type(each) is kind for each in gc.get_objects())


async def until_freed(*kinds: type, but: int = 0) -> None:
    """Wait until at most so many objects of each kind live."""
    with trio.move_on_after(5):
        while any(alive(kind) > but for kind in kinds):
            await trio.sleep(0.02)
    assert {kind.__name__: alive(kind) for kind in kinds if alive(kind) > but} == {}


async def ask(client: Client, request: bytes) -> None:
    """A request on a connection of its own."""
    port = client.http.base_url.port
    assert port is not None
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(request)
        assert await stream.receive_some()


async def test_connections_and_requests(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as client:
        for _ in range(MANY):
            await ask(client, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            await ask(client, b"GET /v1/accounts HTTP/1.1\r\nHost: a\r\nX-API-Key: wrong\r\n\r\n")
            await ask(client, b"no request\r\n\r\n")
            assert (await client("DELETE", "/v1/webhook-endpoints/we_none")).status_code == 404
        await until_freed(FrontConnection, ConnectionExchange, RequestContext, but=1)  # the client's own


async def test_deleted_endpoints(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as client:
        for _ in range(MANY):
            body = {"url": "http://127.0.0.1:9/x", "status": "active", "signing_secret": "secret-0001"}
            made = await client.data("POST", "/v1/webhook-endpoints", body)
            assert (await client("DELETE", f"/v1/webhook-endpoints/{made['id']}")).status_code == 204
        await until_freed(EndpointActor, Recorder)


async def test_accounts_that_reconnect_and_are_deleted(tmp_path: Path) -> None:
    async with sandbox() as platform:
        settings = settings_of(tmp_path, account() + platform.sandbox.config())
        async with gateway(settings) as client:
            [bot] = await client.data("GET", "/v1/accounts")
            for _ in range(MANY):
                await client.until(
                    lambda found: found["runtime_status"] == "running", f"/v1/accounts/{bot['id']}"
                )
                await client.data("POST", f"/v1/accounts/{bot['id']}/runtime/reconnect")
            await until_freed(BotConnector, Connection, but=1)
            for number in range(MANY):
                body = {
                    "name": f"a{number}",
                    "provider": "telegram",
                    "auth_mode": "token",
                    "region": "global",
                }
                given = {**body, "provider_data": {"token": f"{10_000 + number}:token"}}
                made = await client.data("POST", "/v1/accounts", given)
                path = f"/v1/accounts/{made['id']}"
                await client.until(lambda found: found["runtime_status"] == "running", path)
                assert (await client("DELETE", path)).status_code == 204
            await until_freed(AccountActor, BotConnector, Connection, but=1)
