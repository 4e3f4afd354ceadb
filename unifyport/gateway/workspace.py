"""Use cases of the workspace: its name, status and metadata, and the providers of its accounts."""

from collections.abc import Callable

import attrs

from unifyport.config.settings import Settings
from unifyport.providers.registry import PROVIDER_NAMES, Registry
from unifyport.storage.contract import PutWorkspace, Store, Workspace

from .errors import INVALID_PROVIDER, OperationFailure, UseCaseError, refuse
from .fields import MAX_TEXT, is_name
from .writes import TimedWriter


@attrs.frozen
class WorkspaceView:
    """`account_quota`: 0 for no limit."""

    workspace: Workspace
    account_quota: int


@attrs.frozen
class WorkspaceUseCases:
    _store: Store
    _writes: TimedWriter
    _settings: Callable[[], Settings]

    async def read_workspace(self) -> WorkspaceView:
        """Raises `StoreUnavailable`."""
        return self._view(await self._store.workspace())

    async def update_workspace(
        self, name: str, status: str, metadata: dict[str, str] | None
    ) -> WorkspaceView:
        """Replace name and status, and metadata if it is given. A name that the file declares cannot be
        changed.

        Raises `UseCaseError`, `StoreUnavailable`.
        """
        problems = [
            f"{field}: must be 1 to {MAX_TEXT} printable characters"
            for field, value in (("name", name), ("status", status))
            if not is_name(value)
        ]
        declared = self._settings().workspace.name
        if declared is not None and name != declared:
            problems.append("name: is declared in the configuration file")
        refuse(problems, OperationFailure.REFUSED)
        stored: Workspace = await self._writes.write(PutWorkspace(name, status, metadata))
        return self._view(stored)

    def _view(self, workspace: Workspace) -> WorkspaceView:
        return WorkspaceView(workspace, self._settings().workspace.account_quota)


@attrs.frozen
class ProviderUseCases:
    """`registry` says what each channel and connection can do."""

    registry: Registry
    _settings: Callable[[], Settings]

    def list_regions(self, provider: str) -> tuple[list[str], set[str]]:
        """The regions, and the auth modes by which accounts of this provider can be made in each.

        Raises `UseCaseError`.
        """
        if provider not in PROVIDER_NAMES:
            raise UseCaseError(
                INVALID_PROVIDER, f"must be one of {', '.join(PROVIDER_NAMES)}", field="provider"
            )
        channel = self.registry.find_channel(provider)
        modes = set() if channel is None else {each.auth_mode for each in channel.connections}
        return self._settings().workspace.regions, modes
