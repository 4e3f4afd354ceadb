"""A device of LINE over 40 hours of mock time, against the sandbox in memory: no poll, however it ends, loses
or repeats a message, and nothing asks for another login.
"""

import ssl
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
import trio

from actors.account.memory_session import MemorySession
from unifyport.model.inbound import MessageReceived
from unifyport.model.unit import SessionChange
from unifyport.net.clients import Response
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import Batch, ConnectorContext
from unifyport.providers.contract.errors import Transient
from unifyport.providers.line import Endpoints
from unifyport.providers.line.device import tokens as rules
from unifyport.providers.line.device.connector import LineDeviceConnector
from unifyport.providers.line.device.records import ME, REVISIONS, TOKENS, Me, own_key_changes
from unifyport.providers.line.device.revisions import Revisions
from unifyport.providers.line.device.token_keeper import dump
from unifyport.providers.line.device.tokens import IssuedToken
from unifyport.sandbox.line.device.platform import LineDevicePlatform
from unifyport.sandbox.line.device.world import TOKEN_SECONDS

AT = 1_790_000_000_000
HOUR = 3600.0


@attrs.define
class Told:
    """Implements `Link`, and makes durable what it is told."""

    session: MemorySession
    texts: list[str] = attrs.field(factory=list)
    keys: set[bytes] = attrs.field(factory=set)

    async def deliver(self, batch: Batch) -> None:
        await self.session.commit(batch.state)
        for event in batch.events:
            if isinstance(event, MessageReceived) and event.key not in self.keys:
                self.keys.add(event.key)
                self.texts.append(event.content.text)

    def observed(self) -> None:
        """It is alive."""


class InMemory:
    """What `HttpApi` is to a connector, with the sandbox's application at the other end."""

    def __init__(self, platform: LineDevicePlatform) -> None:
        self._http = platform.app.test_client()

    async def request(
        self, method: str, url: str, *, body: bytes, headers: Mapping[str, str], timeout: float
    ) -> Response:
        path = url.removeprefix("http://127.0.0.1")
        with trio.move_on_after(timeout):
            answer = await self._http.post(path, data=body, headers=dict(headers))
            return Response(
                answer.status_code,
                dict(answer.headers.items(lower=True)),
                await answer.get_data(as_text=False),
            )
        raise Transient("timeout", maybe_applied=True)

    async def aclose(self) -> None:
        """There is no connection."""


async def linked(platform: LineDevicePlatform) -> tuple[LineDeviceConnector, Told]:
    """A device that is logged in, on the clock of `trio`."""

    def now() -> int:
        return AT + int(trio.current_time() * 1000)

    shop = platform.world.account("Shop")
    device = platform.world.log_in(shop)
    session = MemorySession({})
    pair = rules.issued(IssuedToken(device.access, device.refresh, TOKEN_SECONDS // 7), now() / 1000)
    kept = [
        SessionChange(*ME, Me.new(shop.mid, "certificate").dump()),
        SessionChange(*TOKENS, dump(pair)),
        SessionChange(*REVISIONS, Revisions(shop.revision, at=now()).dump()),
    ]
    await session.commit([*kept, *own_key_changes(shop.pairs, shop.pairs[-1].key_id)])
    context = ConnectorContext(
        credentials={},
        receive="poll",
        session=session,
        endpoints=Endpoints(device_url="http://127.0.0.1"),
        ssl_context=ssl.create_default_context(),
        clock=Clock(now, now),
    )
    connector = LineDeviceConnector(context)
    await connector._gateway.http.aclose()
    connector._gateway.http = InMemory(platform)  # type: ignore[assignment]
    return connector, Told(session)


@pytest.mark.parametrize("trouble", ["none", "late answers", "next tokens"])
async def test_forty_hours_of_polls(autojump_clock: Any, trouble: str) -> None:
    platform = LineDevicePlatform()
    platform.push({"do": "account", "name": "Mei"})
    connector, told = await linked(platform)
    platform.push({"do": "rotate_refresh", "name": "Shop"})
    written: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connector.receive, told)
        nursery.start_soon(connector.keep_fresh)
        for number in range(40):
            if trouble == "late answers" and number % 2:  # after the client has given up, and before
                platform.order_fault(
                    {"kind": "delay", "method": "sync", "value": 500 if number % 4 == 1 else 100}
                )
            if trouble == "next tokens":
                platform.push({"do": "next_access", "name": "Shop"})
            await trio.sleep(HOUR + number % 7)
            for _ in range(number % 3):
                written.append(f"message {len(written)}")
                platform.receive({"from": "Mei", "to": "Shop", "text": written[-1]})
        await trio.sleep(1000)
        nursery.cancel_scope.cancel()
    assert told.texts == written
    methods = [call["method"] for call in platform.connections]
    assert not {"createSession", "createQrCodeForSecure"} & {*methods}
    assert methods.count("refresh") == 1
    assert 40 * HOUR / 250 < methods.count("sync") < 40 * HOUR / 165
