"""Use case of a group's picture: it is fetched here for a platform that takes no address."""

import attrs

from unifyport.files.outgoing import FileRefused, OutgoingFiles
from unifyport.model.directory import Picture
from unifyport.process import disk
from unifyport.providers.contract.capabilities import (
    MAX_PICTURE,
    SET_GROUP_PICTURE,
    UPDATE_GROUP_INFO,
)
from unifyport.providers.registry import Registry

from .errors import OperationFailure, UseCaseError, invalid
from .platform import PlatformUseCases

FETCH_SECONDS = 10.0
_KINDS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


@attrs.frozen
class GroupPictureUseCases:
    _registry: Registry
    _platform: PlatformUseCases
    _files: OutgoingFiles

    async def set(self, account_id: str, group_id: str, url: str) -> None:
        """Set the picture of a group. Raises `UseCaseError` and `StoreUnavailable`.

        Nothing is changed at the platform unless the whole picture was fetched. Cancelled: as
        `PlatformUseCases.call`.
        """
        account, connection = await self._platform.require_capability(account_id, UPDATE_GROUP_INFO)
        deadline = self._platform.deadline()
        if not SET_GROUP_PICTURE.is_declared_by(self._registry.connector(connection)):
            arguments = (group_id, None, None, url)
            await self._platform.call_until(deadline, account, UPDATE_GROUP_INFO, *arguments)
            return
        picture = await self._fetch(account.id, url)
        await self._platform.call_until(deadline, account, SET_GROUP_PICTURE, group_id, picture)

    async def _fetch(self, account_id: str, url: str) -> Picture:
        try:
            async with self._files.of_url(account_id, url, MAX_PICTURE, FETCH_SECONDS) as file:
                content = await disk.run(_read, file.path)
        except FileRefused as refused:
            if refused.reason == "disk":
                raise UseCaseError(OperationFailure.FAILED, str(refused), retry_after=5) from None
            raise invalid("avatar_url", str(refused)) from None
        for begin, kind in _KINDS.items():
            if content.startswith(begin):
                return Picture(content, kind)
        raise invalid("avatar_url", "must be the address of a JPEG or PNG picture")


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
