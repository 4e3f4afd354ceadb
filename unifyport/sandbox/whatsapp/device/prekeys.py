"""The prekey store: devices upload one-time keys, others take one each; a device is told when few are left.

https://github.com/tulir/whatsmeow (`prekeys.go`): `iq xmlns="encrypt"` with `count`, `key`, `digest`,
`rotate` and the upload.
"""

import hashlib
from collections import deque

from unifyport.protocols.binary_node import Jid, Node

from .directory import Device, Directory, SignedPreKey
from .stanzas import SERVER, Refused, notification

FEW = 10  # a device with fewer keys is told so, once until it uploads again
DJB_TYPE = b"\x05"


class PreKeys:
    """The prekeys of all devices, which each `Device` holds."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def answer(self, device: Device, iq: Node) -> tuple[Node, ...]:
        """Answer an `<iq xmlns="encrypt">`. Raises `Refused`."""
        if iq.get("type") == "get":
            for child in iq.children:
                match child.tag:
                    case "count":
                        return (Node("count", {"value": str(len(device.prekeys))}),)
                    case "digest":
                        return (_digest(device),)
                    case "key":
                        return (Node("list", {}, [self._bundle(user) for user in child.all("user")]),)
            raise Refused(400, "bad-request")
        rotated = iq.child("rotate", "skey")
        if rotated is not None:
            device.signed_prekey = read_signed(rotated)
            return ()
        return self._upload(device, iq)

    def _upload(self, device: Device, iq: Node) -> tuple[Node, ...]:
        keys, signed = iq.child("list"), iq.child("skey")
        if keys is None or signed is None or iq.bytes_of("identity") != device.identity:
            raise Refused(406, "not-acceptable")
        known = {id for id, _ in device.prekeys}
        for key in keys.all("key"):
            id, value = key.bytes_of("id"), key.bytes_of("value")
            if id is None or len(id) != 3 or value is None or len(value) != 32:
                raise Refused(406, "not-acceptable")
            if id not in known:
                device.prekeys.append((id, value))
        device.signed_prekey = read_signed(signed)
        device.registration = iq.bytes_of("registration") or device.registration
        device.warned_of_prekeys = False
        return ()

    def _bundle(self, user: Node) -> Node:
        jid = user.need("jid")
        device = self._directory.device(Jid.parse(jid))
        if device is None or not device.identity:
            return Node("user", {"jid": jid}, [Node("error", {"code": "404", "text": "item-not-found"})])
        signed = device.signed_prekey
        parts = [
            Node("registration", {}, device.registration),
            Node("type", {}, DJB_TYPE),
            Node("identity", {}, device.identity),
            signed_node(signed),
        ]
        id, value = self.take(device)
        if id is not None and value is not None:
            parts.append(Node("key", {}, [Node("id", {}, id), Node("value", {}, value)]))
        return Node("user", {"jid": jid, "t": "1"}, parts)

    def take(self, device: Device) -> tuple[bytes, bytes] | tuple[None, None]:
        """Hand out the next one-time key: its id and the key; Nones if there is none left."""
        found = device.prekeys.popleft() if device.prekeys else (None, None)
        self.warn(device)
        return found

    def warn(self, device: Device) -> None:
        """Tell a device that few of its keys are left, if it has not been told since its last upload."""
        if len(device.prekeys) < FEW and not device.warned_of_prekeys:
            device.warned_of_prekeys = True
            count = Node("count", {"value": str(len(device.prekeys))})
            device.deliver(notification("encrypt", {"from": SERVER}, [count]))

    def drop(self, device: Device, left: int = 0) -> None:
        """Lose all but `left` keys of a device, as after many first messages of strangers."""
        device.prekeys = deque(list(device.prekeys)[:left])
        self.warn(device)


def signed_node(key: SignedPreKey) -> Node:
    values = (Node("id", {}, key.id), Node("value", {}, key.public), Node("signature", {}, key.signature))
    return Node("skey", {}, values)


def read_signed(node: Node) -> SignedPreKey:
    """Raises `Refused`."""
    id, public, signature = (node.bytes_of(part) or b"" for part in ("id", "value", "signature"))
    if (len(id), len(public), len(signature)) != (3, 32, 64):
        raise Refused(406, "not-acceptable")
    return SignedPreKey(id, public, signature)


def _digest(device: Device) -> Node:
    """What the server holds, so that a device can compare: ids, and a hash over the keys.

    Raises `Refused` with 404 where there are no keys.
    """
    if not device.prekeys:
        raise Refused(404, "item-not-found")
    signed = device.signed_prekey
    hashed = hashlib.sha1(device.identity + signed.public + signed.signature, usedforsecurity=False)
    for _, value in device.prekeys:
        hashed.update(value)
    return Node(
        "digest",
        {},
        [
            Node("registration", {}, device.registration),
            Node("type", {}, DJB_TYPE),
            Node("identity", {}, device.identity),
            signed_node(signed),
            Node("list", {}, [Node("id", {}, id) for id, _ in device.prekeys]),
            Node("hash", {}, hashed.digest()),
        ],
    )
