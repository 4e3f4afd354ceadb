"""Retention: rows and files past their time are deleted, a page at a time, with pauses for other writes.

Their ages are of the steady clock. While the wall clock is in doubt no row is deleted.
"""

import logging

import trio

from actors.writer import Writer
from supervisors import Incarnation
from unifyport.config.settings import Settings
from unifyport.files.outgoing import OutgoingFiles
from unifyport.process.clock import Clock
from unifyport.storage.contract import Committed, Purge

log = logging.getLogger("unifyport.retention")

EVERY = 60.0
BETWEEN_PAGES = 0.1
COMMANDS_SECONDS = 7 * 86400.0
DAY = 86400.0
KEYS_SECONDS = DAY  # of idempotency keys; a send of unknown outcome keeps its key for COMMANDS_SECONDS


class Retention:
    def __init__(self, settings: Settings, writer: Writer, files: OutgoingFiles, clock: Clock) -> None:
        self._storage = settings.storage
        # as long as a repeat of an edit may come, or a link to a file of the message is good
        links = settings.media.link_lifetime + DAY
        self._messages_kept = max(settings.storage.dedupe_retention, links)
        self._writer = writer
        self._files = files
        self._clock = clock

    async def run(self, incarnation: Incarnation) -> None:
        """Purge every minute until cancelled."""
        incarnation.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._forever)
            await incarnation.stopping()
            nursery.cancel_scope.cancel()

    async def _forever(self) -> None:
        while True:
            while await self._page():
                await trio.sleep(BETWEEN_PAGES)
            await self._files.tidy()
            await trio.sleep(EVERY)

    async def _page(self) -> bool:
        """Delete one page; True if there may be more."""
        if self._clock.in_doubt:
            return False
        now, kept = self._clock.steady_ms(), self._storage
        purge = Purge(
            now=self._clock.now_ms(),
            events_before=now - _ms(kept.event_retention),
            seen_before=now - _ms(kept.dedupe_retention),
            dead_before=now - _ms(kept.dead_letter_retention),
            commands_before=now - _ms(COMMANDS_SECONDS),
            keys_before=now - _ms(KEYS_SECONDS),
            quarantine_before=now - _ms(kept.dead_letter_retention),
            aliases_before=now - _ms(max(kept.alias_retention, kept.event_retention)),
            messages_before=now - _ms(self._messages_kept),
        )
        match await self._writer.submit(purge):
            case Committed(value=deleted):
                return bool(deleted >= purge.page)
        return False


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
