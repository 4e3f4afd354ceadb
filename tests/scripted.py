"""Peers that a test writes, on a mock clock, for one client of the gateway: deliveries, or calls."""

import ipaddress
from collections.abc import Iterable, Sequence

import trio

from unifyport.delivery.scripted import ScriptedBackend, ScriptedWire, Step
from unifyport.net.guard import Address, NameNotResolved, Target
from unifyport.net.sweeper import Sweeper


class ScriptedPeers(ScriptedBackend):
    """What names stand for, and peers that play `script`, a request each, the last for ever.

    `refused`: the reason why a dial of an address fails. An address in `silent` takes no calls.
    """

    def __init__(self, script: Iterable[Step], names: dict[str, list[str]]) -> None:
        super().__init__(self._play, lambda address: self.refused.get(str(address)))
        self.script: list[Iterable[Step]] = [script]
        self.names = names
        self.refused: dict[str, str] = {}
        self.silent: set[str] = set()
        self.requests: list[bytes] = []
        self.wires: list[ScriptedWire] = []
        self.sweeper = Sweeper()

    @property
    def open(self) -> int:
        """How many connections are open."""
        return sum(not wire._closed.is_set() for wire in self.wires)

    async def connect(self, target: Target, address: Address) -> ScriptedWire:
        wire = await super().connect(target, address)
        assert isinstance(wire, ScriptedWire)
        if str(address) in self.silent:
            await trio.sleep_forever()
        self.wires.append(wire)
        return wire

    async def resolve(self, host: str) -> Sequence[Address]:
        await trio.lowlevel.checkpoint()
        if host not in self.names:
            raise NameNotResolved(host)
        return [ipaddress.ip_address(text) for text in self.names[host]]

    def _play(self, request: bytes) -> Iterable[Step]:
        self.requests.append(request)
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]
