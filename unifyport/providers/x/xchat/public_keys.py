"""Public keys of users, by version, as far as their two parts are bound.

They are kept in the session: those of a user who has left a group are no longer given out, and a key that is
once known under a version is never replaced by another one.
"""

from collections.abc import Collection, Iterable

import msgspec
import trio
from chat_xdk import Chat

from unifyport.providers.contract.errors import Rejected
from unifyport.providers.recent import Recent

from .records import PUBLIC, Draft
from .threads import compute
from .transport import ChatTransport, PublicKey
from .vault import bound

MOST_USERS = 2048  # in memory
_VERSIONS = 16  # of a user, the newest
_MISSING_SECONDS = 60.0  # until X is asked again for a key that it did not have
_ASKED = 100  # users of one call


class _Kept(msgspec.Struct, array_like=True, frozen=True):
    version: int
    identity: str
    signing: str
    binding: str


class PublicKeys:
    """Those that one account knows."""

    def __init__(self, transport: ChatTransport) -> None:
        self._transport = transport
        self._chat = Chat()
        self._known: Recent[str, dict[int, PublicKey]] = Recent(MOST_USERS)
        self._unsaved: Recent[str, bytes] = Recent(MOST_USERS)  # what a draft holds that may come to nothing
        self._missing: Recent[tuple[str, int], float] = Recent(MOST_USERS)  # when X did not have it

    async def prepare(self, signers: Collection[tuple[str, int]], draft: Draft) -> None:
        """Load these versions of users, from X if they are not known; X is asked once a minute for each.

        Raises failure classes.
        """
        for user in {user for user, _ in signers}:
            await self._save(user, draft)
        now = trio.current_time()
        unknown: dict[tuple[str, int], None] = {}
        for user, version in signers:
            if version not in await self._of(user, draft):
                since = self._missing.get((user, version))
                if since is None or now >= since + _MISSING_SECONDS:
                    unknown[user, version] = None
        if unknown:
            await self.refresh({user for user, _ in unknown}, draft)
        for user, version in unknown:
            if version not in (self._known.get(user) or {}):
                self._missing.put((user, version), now)

    async def refresh(self, users: Collection[str], draft: Draft) -> None:
        """Ask X for the keys of these users. Raises failure classes."""
        wanted = sorted(users)
        for start in range(0, len(wanted), _ASKED):
            given = await self._transport.public_keys(wanted[start : start + _ASKED])
            found = await compute(self._bound, given)
            for user in {key.user_id for key in found} & set(wanted):
                known = {key.version: key for key in found if key.user_id == user} | await self._of(
                    user, draft
                )
                newest = {version: known[version] for version in sorted(known)[-_VERSIONS:]}
                self._known.put(user, newest)
                self._unsaved.put(user, _dump(newest.values()))
                await self._save(user, draft)

    async def _save(self, user: str, draft: Draft) -> None:
        """Put what is known of a user into the draft, unless the session has it."""
        encoded, place = self._unsaved.get(user), user.encode()
        if encoded is None:
            return
        if await draft.get(PUBLIC, place) != encoded:
            draft.put(PUBLIC, place, encoded)
        elif not draft.has(PUBLIC, place):
            self._unsaved.drop(user)

    def signing(self, users: Iterable[str]) -> list[dict[str, str]]:
        """What `chat_xdk` verifies signatures with, of users that were prepared."""
        return [
            {
                "user_id": user,
                "public_key_version": str(key.version),
                "public_key": key.signing,
                "identity_public_key": key.identity,
                "identity_public_key_signature": key.binding,
            }
            for user in users
            for key in (self._known.get(user) or {}).values()
        ]

    def find(self, user: str, version: int) -> PublicKey | None:
        """A key that was prepared."""
        return (self._known.get(user) or {}).get(version)

    async def newest(self, users: Collection[str], draft: Draft) -> list[PublicKey]:
        """The current key of each user, as X has it now. Raises `Rejected("recipient_without_keys")`, and
        failure classes.
        """
        await self.refresh(users, draft)
        found = []
        for user in users:
            known = self._known.get(user)
            if not known:
                raise Rejected("recipient_without_keys", "the recipient has no keys of XChat")
            found.append(known[max(known)])
        return found

    async def _of(self, user: str, draft: Draft) -> dict[int, PublicKey]:
        known = self._known.get(user)
        if known is None:
            stored = await draft.get(PUBLIC, user.encode())
            known = {} if stored is None else _load(user, stored)
            self._known.put(user, known)
        return known

    def _bound(self, keys: list[PublicKey]) -> list[PublicKey]:
        return [key for key in keys if bound(self._chat, key)]


def _dump(keys: Iterable[PublicKey]) -> bytes:
    return msgspec.msgpack.encode(
        [_Kept(key.version, key.identity, key.signing, key.binding) for key in keys]
    )


def _load(user: str, data: bytes) -> dict[int, PublicKey]:
    kept = msgspec.msgpack.decode(data, type=list[_Kept])
    return {
        each.version: PublicKey(user, each.version, each.identity, each.signing, each.binding)
        for each in kept
    }
