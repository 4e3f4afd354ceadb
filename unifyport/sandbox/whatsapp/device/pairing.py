"""Linking a device: the codes that a phone scans, the code that its owner types, and the signed identity.

The phone is the account's main device, which the sandbox plays: it signs the new device's identity key.
https://github.com/tulir/whatsmeow (`pair.go`, `pair-code.go`)
"""

import base64
import hashlib
import hmac
import os
import time

import attrs
import trio

from unifyport.protocols.binary_node import Node
from unifyport.protocols.curve import sign, verify
from unifyport.protocols.whatsapp.login_pb2 import (
    E2EE,
    ADVDeviceIdentity,
    ADVSignedDeviceIdentity,
    ADVSignedDeviceIdentityHMAC,
    ClientPairingProps,
)

from .directory import Account, Device, Directory, SignedPreKey
from .link import Link
from .stanzas import SERVER, Refused, new_id, now

REFS = 6
FIRST_SECONDS, NEXT_SECONDS = 60, 20  # how long a code can be scanned
LIFE_SECONDS = FIRST_SECONDS + (REFS - 1) * NEXT_SECONDS
ACCOUNT_SIGNATURE = b"\x06\x00"
DEVICE_SIGNATURE = b"\x06\x01"


@attrs.define(eq=False)
class Attempt:
    """A device that asks to be linked. `device` is set once the phone has agreed."""

    link: Link
    began: float
    device: Device | None = None
    details: bytes = b""


class Pairing:
    """All attempts to link a device."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._refs: dict[str, tuple[Attempt, float]] = {}
        self._attempts: dict[Link, Attempt] = {}

    def begin(self, link: Link) -> None:
        """Give a device the codes that it shows one after the other."""
        attempt = self._attempts[link] = Attempt(link, trio.current_time())
        refs = [base64.b64encode(os.urandom(24)).decode() for _ in range(REFS)]
        for number, ref in enumerate(refs):
            self._refs[ref] = attempt, attempt.began + FIRST_SECONDS + NEXT_SECONDS * number
        codes = [Node("ref", {}, ref.encode()) for ref in refs]
        link.push(_order(Node("pair-device", {}, codes)))

    def end(self, link: Link) -> None:
        """Forget an attempt whose connection has ended."""
        attempt = self._attempts.pop(link, None)
        self._refs = {ref: kept for ref, kept in self._refs.items() if kept[0] is not attempt}

    def answer(self, link: Link, iq: Node) -> tuple[Node, ...]:
        """Answer a device that wants to be linked by a code. Raises `Refused`."""
        raise Refused(501, "feature-not-implemented")

    def scan(self, code: str, account: Account) -> Device:
        """The phone of `account` scans a code. Raises `ValueError` if it is none of ours, or too old."""
        parts = code.rpartition("#")[2].split(",")
        if len(parts) < 4 or parts[0] not in self._refs:
            raise ValueError("qr: no device shows this code")
        attempt, until = self._refs[parts[0]]
        if trio.current_time() > until:
            raise ValueError("qr: this code has expired")
        registration = attempt.link.hello.payload.devicePairingData
        noise_key, identity, secret = (base64.b64decode(part) for part in parts[1:4])
        if noise_key != attempt.link.hello.static or identity != registration.eIdent:
            raise ValueError("qr: the keys are not those of the device that connected")
        return self.agree(attempt.link, account, secret)

    def agree(self, link: Link, account: Account, secret: bytes) -> Device:
        """The phone signs the device's identity; the relay passes it on. `secret`: known to both devices."""
        attempt = self._attempts[link]
        data = link.hello.payload.devicePairingData
        signed = SignedPreKey(data.eSkeyID, data.eSkeyVal, data.eSkeySig)
        if not verify(data.eIdent, b"\x05" + data.eSkeyVal, data.eSkeySig):
            raise ValueError("qr: the device's signed prekey is not signed by its identity key")
        number, account.next_number = account.next_number, account.next_number + 1
        attempt.device = Device(account, number, data.eRegid, data.eIdent, signed, link.hello.static)
        attempt.details = ADVDeviceIdentity(
            rawID=7, timestamp=int(time.time()), keyIndex=number, accountType=E2EE, deviceType=E2EE
        ).SerializeToString()
        identity = ADVSignedDeviceIdentity(
            details=attempt.details,
            accountSignatureKey=account.identity.public,
            accountSignature=sign(
                account.identity.private, ACCOUNT_SIGNATURE + attempt.details + data.eIdent
            ),
        ).SerializeToString()
        seal = hmac.new(secret, identity, hashlib.sha256).digest()
        link.push(_success(attempt.device, ADVSignedDeviceIdentityHMAC(details=identity, HMAC=seal)))
        return attempt.device

    def complete(self, link: Link, answer: Node) -> Device:
        """Take the device's own signature; the account then has the device. Raises `Refused`."""
        attempt = self._attempts.get(link)
        node = answer.child("pair-device-sign", "device-identity")
        if attempt is None or attempt.device is None or node is None:
            raise Refused(400, "bad-request")
        identity = ADVSignedDeviceIdentity.FromString(node.bytes_of() or b"")
        device = attempt.device
        signed = DEVICE_SIGNATURE + attempt.details + device.identity + device.account.identity.public
        if identity.details != attempt.details or not verify(
            device.identity, signed, identity.deviceSignature
        ):
            raise Refused(401, "signature-mismatch")
        device.account.devices[device.number] = device
        return device


def _order(*content: Node) -> Node:
    return Node("iq", {"from": SERVER, "type": "set", "id": new_id(), "xmlns": "md", "t": now()}, content)


def _success(device: Device, identity: ADVSignedDeviceIdentityHMAC) -> Node:
    account = device.account
    props = ClientPairingProps(
        isChatDbLidMigrated=account.lid_addressed, isSyncdPureLidSession=account.lid_addressed
    )
    return _order(
        Node(
            "pair-success",
            {},
            [
                Node("device-identity", {}, identity.SerializeToString()),
                Node("biz", {"name": ""}),
                Node("device", {"jid": str(device.phone_jid), "lid": str(device.lid_jid)}),
                Node("platform", {"name": "android"}),
                Node("client-props", {}, props.SerializeToString()),
            ],
        )
    )
