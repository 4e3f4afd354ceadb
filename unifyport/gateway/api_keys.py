"""Use cases of API keys: the secret is shown once, a hash is kept, a deactivated key is refused at once."""

import re
from typing import Any

import attrs
import trio

from unifyport.config.declared import hash_key, new_key
from unifyport.model.account import Origin
from unifyport.model.ids import new_id
from unifyport.process.clock import Clock
from unifyport.storage.contract import ACTIVE, ApiKey, ChangeApiKey, DeleteApiKey, PutApiKey, Store

from .errors import OperationFailure, UseCaseError, not_found, refuse
from .fields import MAX_TEXT, is_name, read_future
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
    _clock: Clock

    async def list_keys(self) -> list[ApiKey]:
        return await self._store.api_keys()

    async def create_key(self, name: str, prefix: str | None, expires_at: str | None = None) -> NewSecret:
        """`expires_at`: RFC 3339; from then on the key is refused."""
        prefix = prefix or DEFAULT_PREFIX
        check_key(name, prefix)
        secret, now = new_key(prefix), self._clock.now_ms()
        record = ApiKey(new_id("ak"), name, prefix, hash_key(secret), created_at=now, origin=Origin.API)
        record.expires_at = self._read_expiry(expires_at)
        await self._write(PutApiKey(record))
        return NewSecret(record, secret)

    async def rotate_key(
        self, key_id: str, name: str, prefix: str | None, expires_at: str | None = None
    ) -> NewSecret:
        """Give a key another secret; the old one is refused at once. An expiry stays, unless one is given."""
        expires = self._read_expiry(expires_at)
        async with self._changing:
            record = await self._find_changeable(key_id)
            prefix = prefix or record.prefix
            check_key(name, prefix)
            secret = new_key(prefix)
            change = ChangeApiKey(key_id, name=name, prefix=prefix, hash=hash_key(secret), expires_at=expires)
            return NewSecret(await self._write(change), secret)

    async def change_status(self, key_id: str, status: str, *, owner: bool = False) -> ApiKey:
        """Activate or deactivate a key. The last active one stays, but for the owner, who needs none."""
        async with self._changing:
            await self._find_changeable(key_id)
            changed: ApiKey = await self._write(ChangeApiKey(key_id, status=status, keep_one=not owner))
            return changed

    async def delete_key(self, key_id: str, *, owner: bool = False) -> None:
        """Delete a key. The last active one stays, but for the owner, who needs none."""
        async with self._changing:
            key = await self._find_changeable(key_id)
            await self._write(DeleteApiKey(key_id, keep_one=not owner and key.status == ACTIVE))

    def _read_expiry(self, text: str | None) -> int | None:
        """Unix ms. Raises `UseCaseError` for what is no time, and for one that has passed."""
        return None if text is None else read_future("expires_at", text, self._clock)

    async def _write(self, write: PutApiKey | ChangeApiKey | DeleteApiKey) -> Any:
        """The value of the write."""
        try:
            return await self._writes.write(write)
        except WriteRefused as refused:
            match refused.reason:
                case "no_such_key":
                    raise _no_such_key() from None
                case "last_active_key":
                    text = "this is the last active key: nobody could undo that"
                case reason:
                    text = f"not written: {reason}"
            raise UseCaseError(OperationFailure.REFUSED, text) from None

    async def _find_changeable(self, key_id: str) -> ApiKey:
        """The key, if the configuration file does not declare it."""
        for key in await self._store.api_keys():
            if key.id == key_id:
                if key.origin == Origin.FILE:
                    text = "this key is declared in the configuration file"
                    raise UseCaseError(OperationFailure.REFUSED, text)
                return key
        raise _no_such_key()


def _no_such_key() -> UseCaseError:
    return not_found("API key")


def check_key(name: str, prefix: str) -> None:
    """Raises `UseCaseError`."""
    problems = []
    if not is_name(name):
        problems.append(f"name: must be 1 to {MAX_TEXT} printable characters")
    if not _PREFIX.fullmatch(prefix):
        problems.append("prefix: must be 1 to 32 letters, digits and _")
    refuse(problems, OperationFailure.REFUSED)
