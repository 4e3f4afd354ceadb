"""Use cases of API keys: the secret is shown once, a hash is kept, a deactivated key is refused at once."""

import re
from collections.abc import Callable

import attrs
import trio

from unifyport.config.declared import hash_key, new_key
from unifyport.model.account import Origin
from unifyport.model.ids import new_id
from unifyport.storage.contract import ACTIVE, ApiKey, PutApiKey, Store

from .errors import OperationFailure, UseCaseError, not_found, refuse
from .fields import MAX_TEXT, is_name
from .writes import TimedWriter, WriteRefused

DEFAULT_PREFIX = "dk_live"
INACTIVE = "inactive"
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,31}")


@attrs.frozen
class NewSecret:
    """A key with its secret, which is kept nowhere."""

    key: ApiKey
    secret: str


@attrs.frozen
class ApiKeyUseCases:
    """`changing` is held by each change that could take the last active key away.

    Every method raises `UseCaseError` and `StoreUnavailable`.
    """

    _store: Store
    _writes: TimedWriter
    _changing: trio.Lock
    _now_ms: Callable[[], int]

    async def list_keys(self) -> list[ApiKey]:
        return await self._store.api_keys()

    async def create_key(self, name: str, prefix: str | None) -> NewSecret:
        prefix = prefix or DEFAULT_PREFIX
        check_key(name, prefix)
        record = ApiKey(new_id("ak"), name, prefix, b"", created_at=self._now_ms(), origin=Origin.API)
        return await self._with_new_secret(record)

    async def rotate_key(self, key_id: str, name: str, prefix: str | None) -> NewSecret:
        """Give a key another secret; the old one is refused at once."""
        async with self._changing:
            record = await self._find_changeable(key_id)
            prefix = prefix or record.prefix
            check_key(name, prefix)
            return await self._with_new_secret(attrs.evolve(record, name=name, prefix=prefix))

    async def change_status(self, key_id: str, status: str, *, owner: bool = False) -> ApiKey:
        """Activate or deactivate a key. The last active one stays, but for the owner, who needs none."""
        async with self._changing:
            record = await self._find_changeable(key_id)
            if status == INACTIVE and record.status == ACTIVE and not owner:
                others = [key for key in await self._store.api_keys() if key.id != record.id]
                if not any(key.status == ACTIVE for key in others):
                    text = "this is the last active key: nobody could undo that"
                    raise UseCaseError(OperationFailure.REFUSED, text)
            record = attrs.evolve(record, status=status)
            await self._put(record)
        return record

    async def _with_new_secret(self, record: ApiKey) -> NewSecret:
        secret = new_key(record.prefix)
        record = attrs.evolve(record, hash=hash_key(secret))
        await self._put(record)
        return NewSecret(record, secret)

    async def _put(self, record: ApiKey) -> None:
        try:
            await self._writes.write(PutApiKey(record))
        except WriteRefused as refused:
            raise UseCaseError(OperationFailure.REFUSED, f"not written: {refused.reason}") from None

    async def _find_changeable(self, key_id: str) -> ApiKey:
        """The key, if the configuration file does not declare it."""
        for key in await self._store.api_keys():
            if key.id == key_id:
                if key.origin == Origin.FILE:
                    text = "this key is declared in the configuration file"
                    raise UseCaseError(OperationFailure.REFUSED, text)
                return key
        raise not_found("API key")


def check_key(name: str, prefix: str) -> None:
    """Raises `UseCaseError`."""
    problems = []
    if not is_name(name):
        problems.append(f"name: must be 1 to {MAX_TEXT} printable characters")
    if not _PREFIX.fullmatch(prefix):
        problems.append("prefix: must be 1 to 32 letters, digits and _")
    refuse(problems, OperationFailure.REFUSED)
