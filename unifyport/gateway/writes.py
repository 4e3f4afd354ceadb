"""Writes of use cases: through the writer, within a few seconds, with the reason of a refusal."""

from typing import Any

import attrs

from actors.reply import Failed
from actors.writer import OutcomeUnknown, Writer
from unifyport.storage.contract import Committed, Fenced, Refused, StoreUnavailable, Write

WRITE_SECONDS = 5.0


class WriteRefused(Exception):
    """The store refused a write; `reason` is machine-readable, `place` which of several writes it was."""

    def __init__(self, reason: str, place: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place


class NotKnownYet(StoreUnavailable):
    """The write may have been committed, or may still be."""


@attrs.frozen
class TimedWriter:
    """The writer, as use cases see it."""

    _writer: Writer

    @property
    def unavailable(self) -> str | None:
        """Why the store takes no writes; None while it does."""
        return self._writer.unavailable

    def offer(self, write: Write) -> bool:
        """Hand over a write without waiting for its result. False, and not written, if the store takes none
        now or many writes wait already.
        """
        return self._writer.offer(write)

    async def write(self, write: Write) -> Any:
        """Commit one write; the value of the committed write.

        Raises `WriteRefused`; `StoreUnavailable` if the store does not take the write within `WRITE_SECONDS`:
        the write is withdrawn; `NotKnownYet` if its commit takes too long. Passes no checkpoint after the
        commit. Cancelled: the write may still be committed.
        """
        if self._writer.unavailable is not None:
            raise StoreUnavailable(self._writer.unavailable)
        try:
            result = await self._writer.submit_within(WRITE_SECONDS, write)
        except OutcomeUnknown:
            raise NotKnownYet("a commit takes too long; read what became of it") from None
        match result:
            case Committed(value=value):
                return value
            case Refused(reason=reason, place=place):
                raise WriteRefused(reason, place)
            case Fenced():
                raise WriteRefused("lease_lost")
            case Failed(reason=reason):
                raise StoreUnavailable(reason)
        raise AssertionError("not a result of a write")
