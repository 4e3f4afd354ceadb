"""Finding platforms by declarations, binding loopback only, and one address for each protocol."""

import re
import tomllib
from typing import Any

import attrs
import pytest
import trio

from tests.harness import sandbox
from tests.reference.sockets.channel import CHANNEL
from unifyport.providers.contract.base import Channel
from unifyport.providers.registry import Registry, standard
from unifyport.sandbox.control import Sandbox
from unifyport.sandbox.loading import WrongDeclaration, load_platforms
from unifyport.sandbox.platform import LocalPlatform
from unifyport.sandbox.serving import NotLoopback, authority_of, bind
from unifyport.sandbox.sockets import Connection, tcp


async def _refuse(connection: Connection) -> None:
    await trio.lowlevel.checkpoint()


class _OtherPlatform(LocalPlatform):
    name = "other"
    fields: tuple[str, ...] = ("messages_address",)

    def __init__(self) -> None:
        super().__init__()
        self.protocols = [tcp(self, "messages", self.fields, _refuse)]


class _SameName(_OtherPlatform):
    name = "tiktok"


class _NoField(_OtherPlatform):
    fields = ()


class _UnknownField(_OtherPlatform):
    fields = ("port",)


def channel_of(*sandboxes: str | None) -> Channel:
    [spec] = CHANNEL.connections
    return attrs.evolve(CHANNEL, connections=[attrs.evolve(spec, sandbox=path) for path in sandboxes])


HERE = "tests.sandbox.test_loading"
SOCKETS = CHANNEL.connections[0].sandbox


def test_connections_that_name_the_same_platform_share_it() -> None:
    loaded = load_platforms([channel_of(SOCKETS, None, SOCKETS, f"{HERE}:_OtherPlatform")])
    assert [platform.name for platform in loaded["tiktok"]] == ["tiktok", "other"]
    assert load_platforms([channel_of(None)]) == {}


@pytest.mark.parametrize(
    ("sandboxes", "told"),
    [
        ((SOCKETS, f"{HERE}:_SameName"), "two platforms are called tiktok"),
        ((f"{HERE}:_NoField",), "other: messages names no endpoint"),
        ((f"{HERE}:_UnknownField",), "tiktok: there is no endpoint port"),
        ((f"{HERE}:Missing",), "Missing"),
        (("tests.nowhere:Platform",), "tests.nowhere"),
        (("",), "Empty module name"),
    ],
)
def test_what_does_not_fit_is_told(sandboxes: tuple[str, ...], told: str) -> None:
    with pytest.raises(WrongDeclaration, match=told):
        load_platforms([channel_of(*sandboxes)])


def test_every_channel_of_the_registry_has_a_platform() -> None:
    registry = standard()
    assert list(load_platforms(registry.channels.values())) == list(registry.channels)


async def test_every_protocol_has_an_address_of_its_own() -> None:
    registry = Registry([*standard().channels.values(), CHANNEL])
    async with sandbox(registry) as platform:
        listed = (await platform.http.get("/sandbox")).json()["providers"]
        assert tomllib.loads(platform.sandbox.config()) == {"providers": listed}
    sockets = listed["tiktok"]
    assert sockets["events_url"].startswith("ws://127.0.0.1:")
    assert sockets["messages_address"].startswith("127.0.0.1:")
    assert listed["whatsapp"]["graph_api_url"] == listed["whatsapp"]["media_url"]
    addresses = " ".join(address for table in listed.values() for address in table.values())
    protocols = [each for known in platform.sandbox.platforms.values() for each in known.protocols]
    assert len(set(re.findall(r":([0-9]+)", addresses))) == len(protocols)


async def test_protocols_follow_the_control_port_in_the_order_of_the_registry(monkeypatch: Any) -> None:
    asked = []

    def bind_any(host: str, port: int) -> trio.SocketListener:
        asked.append(port)
        return bind(host, 0)

    monkeypatch.setattr("unifyport.sandbox.control.bind", bind_any)
    running = Sandbox([*standard().channels.values(), CHANNEL])
    with bind("127.0.0.1", 0).socket as probe:
        port = probe.getsockname()[1]
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: running.run("127.0.0.1", port, task_status=task_status))
        nursery.cancel_scope.cancel()
    protocols = [each for known in running.platforms.values() for each in known.protocols]
    assert asked == [port + n for n in range(1, len(protocols) + 1)]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_only_loopback_is_bound(host: str) -> None:
    with pytest.raises(NotLoopback, match="loopback only"):
        bind(host, 0)
    with pytest.raises(ValueError):
        bind("example.com", 0)


async def test_the_authority_of_a_listener_is_as_in_a_url() -> None:
    for host, shown in (("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")):
        listener = bind(host, 0)
        assert authority_of(listener) == f"{shown}:{listener.socket.getsockname()[1]}"
        await listener.aclose()
