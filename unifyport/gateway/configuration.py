"""The use case of reading the configuration file again."""

from typing import Protocol

import attrs

from unifyport.config.declared import Report
from unifyport.model.structuring import Problems, summarize

from .errors import INVALID_CONFIGURATION, NO_FILE, UseCaseError


class NoFile(Exception):
    """The settings of this process come from no file."""


class Reloads(Protocol):
    """Reading the configuration file again (`unifyport.config.reload`)."""

    succeeded: bool  # the last time
    succeeded_at: int  # unix ms

    @property
    def file_changed(self) -> bool:
        """Whether the file is no longer what was loaded."""

    async def reload(self, *, dry_run: bool = False, prune: bool = False) -> Report:
        """Raises `Problems`, `NoFile`, `StoreUnavailable`."""


@attrs.frozen
class ConfigurationUseCases:
    _reloads: Reloads

    async def reload(self, *, dry_run: bool, prune: bool) -> Report:
        """Bring the running state to what the file says; with `dry_run` only compare.

        Raises `UseCaseError` (nothing was changed), `StoreUnavailable`.
        """
        try:
            return await self._reloads.reload(dry_run=dry_run, prune=prune)
        except NoFile:
            raise UseCaseError(NO_FILE, "this server was started without a configuration file") from None
        except Problems as wrong:
            text, first = summarize(wrong.problems)
            text = f"nothing was changed: {text}"
            raise UseCaseError(INVALID_CONFIGURATION, text, problems=first) from None
