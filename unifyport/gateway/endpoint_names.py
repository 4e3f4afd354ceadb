"""Whether the hosts of declared endpoints have addresses: looked up after the start, which waits for no name.

A name without an address is a state of its endpoint: `status` shows it before an event is owed. Those names
are looked up again until they have one; an attempt looks its name up by itself.
"""

import logging
from collections.abc import Callable, Set

import attrs
import trio

from actors.delivery import Deliveries
from unifyport.config.declared import vet
from unifyport.config.settings import Settings, Source
from unifyport.net.guard import AddressGuard

log = logging.getLogger("unifyport.server")

LOOK_UP_SECONDS = 60.0
_TAKEN_UP_SECONDS, _GLANCE = 30.0, 0.2  # that an endpoint needs for its actor after the start


@attrs.frozen
class EndpointNames:
    _deliveries: Deliveries
    _guard: AddressGuard
    _settings: Callable[[], Settings]

    async def watch(self) -> None:
        """Look up all names and tell of those that must not be called; return when the others have one."""
        settings = self._settings()
        found = await vet(settings, self._guard)
        for mistake in Source.of_file(settings.path).show(found.refused):
            log.warning("%s; deliveries to it are refused", mistake)
        unresolved: Set[str] = found.unresolved
        await self._wait_for_actors(unresolved)
        while unresolved:
            self._note(unresolved, found.unresolved)
            unresolved = found.unresolved
            if unresolved:
                await trio.sleep(LOOK_UP_SECONDS)
                found = await vet(self._settings(), self._guard)

    async def _wait_for_actors(self, names: Set[str]) -> None:
        with trio.move_on_after(_TAKEN_UP_SECONDS):
            while names - {actor.endpoint.name for actor in self._deliveries}:
                await trio.sleep(_GLANCE)

    def _note(self, looked_up: Set[str], unresolved: Set[str]) -> None:
        for actor in self._deliveries:
            if actor.endpoint.name in looked_up:
                actor.note_name(resolves=actor.endpoint.name not in unresolved)
