"""Prekeys: with one of ours a person can begin a session while we are away, and we with one of theirs.

Ours are stored before they are uploaded, and marked after it; one that was uploaded and not marked is
uploaded again. https://github.com/tulir/whatsmeow (`prekeys.go`)
"""

from collections.abc import Collection

import trio

from unifyport.protocols.binary_node import Jid, Node
from unifyport.protocols.curve import KeyPair
from unifyport.protocols.signal.keys import Bundle

from .addresses import read_jid
from .keys import RECORD, DeviceKeys
from .records import Draft, Records
from .requests import Requests, children

FIRST_UPLOAD = 812  # as WhatsApp Web does
UPLOAD = 100
ENOUGH = 30
_RECORD = "prekey"
_PAGE = 200  # devices in one request
_KEY_TYPE = b"\x05"


class PreKeys:
    def __init__(self, records: Records, keys: DeviceKeys, requests: Requests) -> None:
        self._records = records
        self._keys = keys
        self._requests = requests
        self._uploading = trio.Lock()

    # -- of others ------------------------------------------------------------------------------------------

    async def fetch(self, devices: Collection[Jid]) -> dict[Jid, Bundle]:
        """The keys of these devices. A device that has none is left out. Raises a failure class."""
        found: dict[Jid, Bundle] = {}
        wanted = list(devices)
        for start in range(0, len(wanted), _PAGE):
            users = [
                Node("user", {"jid": str(jid), "reason": "identity"}) for jid in wanted[start : start + _PAGE]
            ]
            answer = await self._requests.ask("encrypt", "get", Node("key", {}, users))
            for user in children(answer, "list"):
                jid = read_jid(user.get("jid"))
                bundle = bundle_of(user)
                if jid is not None and bundle is not None:
                    found[jid] = bundle
        return {jid: found[jid] for jid in wanted if jid in found}

    # -- ours -----------------------------------------------------------------------------------------------

    async def keep_up(self) -> None:
        """Upload keys if the platform has few. Raises a failure class."""
        answer = await self._requests.ask("encrypt", "get", Node("count"))
        count = answer.child("count")
        if count is None or count.number("value") < ENOUGH:
            await self.upload(UPLOAD if self._keys.uploaded_prekey else FIRST_UPLOAD)

    async def upload(self, count: int) -> None:
        async with self._uploading:
            pairs = await self._make(count)
            first = [_key_node("key", id_, pair.public) for id_, pair in pairs]
            identity = self._keys.identity_pair.public
            await self._requests.ask(
                "encrypt",
                "set",
                Node("registration", {}, self._keys.registration_id.to_bytes(4)),
                Node("type", {}, _KEY_TYPE),
                Node("identity", {}, identity),
                Node("list", {}, first),
                self.signed_key_node(),
            )
            async with self._records.lock:
                draft = Draft(self._records)
                self._keys.uploaded_prekey = pairs[-1][0]
                draft.put(*RECORD, self._keys.dump())
                await self._records.commit(draft.changes)

    def one_more(self, draft: Draft) -> Node:
        """A new key that the platform does not get, for a device that could not decrypt."""
        [(id_, pair)] = self._add(draft, 1)
        return _key_node("key", id_, pair.public)

    async def _make(self, count: int) -> list[tuple[int, KeyPair]]:
        """New keys, durable."""
        async with self._records.lock:
            draft = Draft(self._records)
            pairs = self._add(draft, count)
            await self._records.commit(draft.changes)
        return pairs

    def _add(self, draft: Draft, count: int) -> list[tuple[int, KeyPair]]:
        pairs = []
        for _ in range(count):
            id_ = self._keys.next_prekey
            self._keys.next_prekey = id_ % 0xFFFFFE + 1
            pair = KeyPair.generate()
            draft.put(_RECORD, id_.to_bytes(3), pair.private)
            pairs.append((id_, pair))
        draft.put(*RECORD, self._keys.dump())
        return pairs

    def signed_key_node(self) -> Node:
        signed = self._keys.signed_keys[-1]
        node = _key_node("skey", signed.id, signed.pair.public)
        return Node("skey", {}, [*node.children, Node("signature", {}, signed.signature)])


def _key_node(tag: str, id_: int, public: bytes) -> Node:
    return Node(tag, {}, [Node("id", {}, id_.to_bytes(3)), Node("value", {}, public)])


def bundle_of(user: Node) -> Bundle | None:
    """The keys of a device, in an answer or in a retry receipt. None if they are not whole."""
    keys = user.child("keys") or user
    registration = user.bytes_of("registration") or b""
    identity = keys.bytes_of("identity") or b""
    signed = keys.child("skey")
    if user.child("error") is not None or signed is None or len(registration) != 4 or len(identity) != 32:
        return None
    id_, value = signed.bytes_of("id") or b"", signed.bytes_of("value") or b""
    signature = signed.bytes_of("signature") or b""
    if len(id_) != 3 or len(value) != 32 or len(signature) != 64:
        return None
    prekey = keys.child("key")
    prekey_id = (prekey.bytes_of("id") or b"") if prekey is not None else b""
    prekey_value = (prekey.bytes_of("value") or b"") if prekey is not None else b""
    whole = len(prekey_id) == 3 and len(prekey_value) == 32
    return Bundle(
        int.from_bytes(registration),
        identity,
        int.from_bytes(id_),
        value,
        signature,
        int.from_bytes(prekey_id) if whole else None,
        prekey_value if whole else None,
    )
