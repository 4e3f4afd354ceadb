"""Prekeys: with one of ours a person can begin a session while we are away, and we with one of theirs.

    what may happen                            so that each person has a way to us
    ---------------------------------------    ------------------------------------------------------------
    an upload fails, or its answer is lost     keys are stored before it; those that are left go again
    the platform has few keys (its notice)     an upload, once, however often it is said
    the platform has lost our keys, or has     its digest is compared after each login; an upload
    others than we
    a signed prekey is old                     another one every `ROTATE_DAYS`; the last three are kept, as
                                               people write with keys that they fetched weeks ago

What fails is due again after a pause that grows from a minute to an hour. A connection begins without pause.
https://github.com/tulir/whatsmeow (`prekeys.go`), https://github.com/WhiskeySockets/Baileys (`socket.ts`)
"""

import time
from collections.abc import Collection

import trio

from unifyport.model.unit import SessionChange
from unifyport.protocols.binary_node import Jid, Node
from unifyport.protocols.curve import KeyPair
from unifyport.protocols.signal.keys import MAX_KEY_ID, Bundle, next_key_id
from unifyport.providers.contract.errors import ChannelError, Rejected, SessionLost

from .addresses import read_jid
from .bundles import ID_BYTES, KEY_TYPE, bundle_of, key_node, signed_key_node
from .keys import RECORD, DeviceKeys, SignedKey, new_signed_key
from .making import making
from .records import Draft, Records, scan_all
from .requests import Requests, children

FIRST_UPLOAD = 812  # as WhatsApp Web does
UPLOAD = 100
ENOUGH = 30
KEPT = 5000  # private keys, the newest
ROTATE_DAYS = 27
SIGNED_KEPT = 3
PAUSES = (60.0, 3600.0)  # seconds after a failure: the first, the longest
PREKEY, RETRY_KEY = "prekey", "retry_key"
_PAGE = 200  # devices in one request, keys made in one go
_NO_DIGEST = "no_keys"


class PreKeys:
    """One task at a time keeps them up; the others wait for it."""

    def __init__(self, records: Records, keys: DeviceKeys, requests: Requests) -> None:
        self._records = records
        self._keys = keys
        self._requests = requests
        self._turn = trio.Lock()
        self._compared = False
        self._few = False
        self._pause = 0.0
        self._due_at = -float("inf")

    # -- of others ------------------------------------------------------------------------------------------

    async def fetch(self, devices: Collection[Jid]) -> dict[Jid, Bundle]:
        """The keys of these devices. A device that has none is left out. Raises a failure class."""
        found: dict[Jid, Bundle] = {}
        wanted = list(devices)
        for start in range(0, len(wanted), _PAGE):
            page = wanted[start : start + _PAGE]
            users = [Node("user", {"jid": str(jid), "reason": "identity"}) for jid in page]
            answer = await self._requests.ask("encrypt", "get", Node("key", {}, users))
            for user in children(answer, "list"):
                jid, bundle = read_jid(user.get("jid")), bundle_of(user)
                if jid is not None and bundle is not None:
                    found[jid] = bundle
        return {jid: found[jid] for jid in wanted if jid in found}

    # -- ours -----------------------------------------------------------------------------------------------

    def told_count(self, count: int) -> bool:
        """The platform has so many of ours. Returns whether `keep_up` has to be called."""
        self._few = self._few or count < ENOUGH
        return self._few

    async def keep_up(self) -> None:
        """Do what is due, if there is anything. Raises a failure class; it is then due again later."""
        async with self._turn:
            if trio.current_time() < self._due_at:
                return
            try:
                await self._keep_up()
            except SessionLost:
                raise
            except ChannelError:
                self._pause = min(max(2 * self._pause, PAUSES[0]), PAUSES[1])
                self._due_at = trio.current_time() + self._pause
                raise
            self._pause = 0.0

    async def _keep_up(self) -> None:
        if not self._compared:
            await self._compare()
        if self._few or self._keys.uploading:
            await self._upload()
        await self._rotate()

    async def _compare(self) -> None:
        """What the platform holds of this device: it can have lost it, or have that of a former upload."""
        answer = await self._requests.ask("encrypt", "get", Node("count"))
        count = answer.child("count")
        self.told_count(count.number("value") if count is not None else 0)
        if not self._few:
            try:
                answer = await self._requests.ask("encrypt", "get", Node("digest"), missing=_NO_DIGEST)
            except Rejected as error:
                self._few = error.reason == _NO_DIGEST
            else:
                self._few = not self._is_ours(answer.child("digest"))
        self._compared = True

    def _is_ours(self, digest: Node | None) -> bool:
        if digest is None:
            return False
        expected = signed_key_node(self._signed_at_platform)
        return (
            digest.bytes_of("identity") in (None, self._keys.identity_pair.public)
            and digest.bytes_of("registration") in (None, self._registration)
            and digest.bytes_of("skey", "value") in (None, expected.bytes_of("value"))
        )

    async def _upload(self) -> None:
        signed = self._keys.signed_keys[-1]
        async with making():
            pairs = await self._uploading_left() or await self._make(
                UPLOAD if self._keys.uploaded_prekey else FIRST_UPLOAD
            )
            last = pairs[-1][0]
            asking = self._requests.ask(
                "encrypt",
                "set",
                Node("registration", {}, self._registration),
                Node("type", {}, KEY_TYPE),
                Node("identity", {}, self._keys.identity_pair.public),
                Node("list", {}, [key_node(id_, pair.public) for id_, pair in pairs]),
                signed_key_node(signed),
            )
            del pairs
        await asking
        async with self._records.lock:
            self._keys.uploading = []
            self._keys.uploaded_prekey = last
            self._keys.uploaded_signed = signed.id
            await self._commit_keys()
        self._few = False
        await self._forget_old()

    async def _make(self, count: int) -> list[tuple[int, KeyPair]]:
        """New keys, durable, and noted as on their way."""
        pairs: list[tuple[int, KeyPair]] = []
        async with self._records.lock:
            draft = Draft(self._records)
            while len(pairs) < count:
                pairs += [self._add(draft) for _ in range(min(_PAGE, count - len(pairs)))]
                await trio.lowlevel.checkpoint()
            self._keys.uploading = [pairs[0][0], pairs[-1][0]]
            draft.put(*RECORD, self._keys.dump())
            await self._records.commit(draft.changes)
        return pairs

    async def _uploading_left(self) -> list[tuple[int, KeyPair]]:
        """The keys of an upload that was not answered, without those that people have used since."""
        if not self._keys.uploading:
            return []
        first, last = self._keys.uploading
        return [
            (id_, KeyPair.from_private(private))
            for id_, private in await self._all()
            if (first <= id_ <= last if first <= last else id_ >= first or id_ <= last)
        ]

    async def _forget_old(self) -> None:
        """Keys that were given out long ago and never used: a message with one is asked for again."""
        next_ = self._keys.next_prekey
        old = [id_ for id_, _ in await self._all() if (next_ - id_) % MAX_KEY_ID > KEPT]
        async with self._records.lock:
            await self._records.commit([SessionChange(PREKEY, id_.to_bytes(ID_BYTES), None) for id_ in old])

    async def _all(self) -> list[tuple[int, bytes]]:
        return [(int.from_bytes(key), value) for key, value in await scan_all(self._records.session, PREKEY)]

    def _add(self, draft: Draft) -> tuple[int, KeyPair]:
        id_ = self._keys.next_prekey
        self._keys.next_prekey = next_key_id(id_)
        pair = KeyPair.generate()
        draft.put(PREKEY, id_.to_bytes(ID_BYTES), pair.private)
        return id_, pair

    async def _rotate(self) -> None:
        """Another signed prekey, if the newest is old; durable before the platform has it."""
        newest = self._keys.signed_keys[-1]
        now = int(time.time())
        if newest.id == self._keys.uploaded_signed:
            if now < newest.at + ROTATE_DAYS * 86_400:
                return
            newest = new_signed_key(next_key_id(newest.id), self._keys.identity_pair, now)
            async with self._records.lock:
                self._keys.signed_keys = [*self._keys.signed_keys, newest][-SIGNED_KEPT:]
                await self._commit_keys()
        await self._requests.ask("encrypt", "set", Node("rotate", {}, [signed_key_node(newest)]))
        async with self._records.lock:
            self._keys.uploaded_signed = newest.id
            await self._commit_keys()

    async def _commit_keys(self) -> None:
        draft = Draft(self._records)
        draft.put(*RECORD, self._keys.dump())
        await self._records.commit(draft.changes)

    # -- in a retry receipt ---------------------------------------------------------------------------------

    async def spare_for(self, draft: Draft, device: Jid) -> Node:
        """A key that the platform does not get, for a device whose message could not be decrypted.

        A device gets the same one until it has used it, however often its messages fail.
        """
        place = str(device).encode()
        given = await draft.get(RETRY_KEY, place)
        private = await draft.get(PREKEY, given) if given is not None else None
        if given is not None and private is not None:
            return key_node(int.from_bytes(given), KeyPair.from_private(private).public)
        id_, pair = self._add(draft)
        draft.put(RETRY_KEY, place, id_.to_bytes(ID_BYTES))
        draft.put(*RECORD, self._keys.dump())
        return key_node(id_, pair.public)

    def signed_key_node(self) -> Node:
        return signed_key_node(self._signed_at_platform)

    # -- what they are ---------------------------------------------------------------------------------------

    @property
    def _registration(self) -> bytes:
        return self._keys.registration_id.to_bytes(4)

    @property
    def _signed_at_platform(self) -> SignedKey:
        found = [key for key in self._keys.signed_keys if key.id == self._keys.uploaded_signed]
        return found[0] if found else self._keys.signed_keys[-1]
