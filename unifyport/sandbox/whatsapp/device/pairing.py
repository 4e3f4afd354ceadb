"""Linking a device: the codes that a phone scans, the code that its owner types, and the signed identity.

The phone is the account's main device, which the sandbox plays: it signs the new device's identity key.
https://github.com/tulir/whatsmeow (`pair.go`, `pair-code.go`)
"""

import base64
import os
import time

import attrs
import trio

from unifyport.protocols.binary_node import Node
from unifyport.protocols.curve import verify
from unifyport.protocols.whatsapp.link_code import LinkCodeError, Primary
from unifyport.protocols.whatsapp.login_pb2 import E2EE, ADVDeviceIdentity, ClientPairingProps
from unifyport.protocols.whatsapp.pairing import is_signed_by_device, offer_pairing, read_qr

from .directory import Account, Device, Directory, SignedPreKey
from .link import Link
from .stanzas import SERVER, Refused, new_id, notification, now

REFS = 6
FIRST_SECONDS, NEXT_SECONDS = 60, 20  # how long a code can be scanned
_PASSKEY_OPTIONS = Node(
    "passkey_request_options",
    {},
    b'{"challenge":"AAAA","rpId":"whatsapp.com","timeout":600000,"allowCredentials":[]}',
)
LIFE_SECONDS = FIRST_SECONDS + (REFS - 1) * NEXT_SECONDS


@attrs.define(eq=False)
class Attempt:
    """A device that asks to be linked.

    `hello`: what it sent to be linked by a code. `phone`: the phone's side of that, once its owner has typed
    the code. `device` is set once the phone has agreed.
    """

    link: Link
    hello: Node | None = None
    code_ref: bytes = b""
    phone: Primary | None = None
    account: Account | None = None
    device: Device | None = None


class Pairing:
    """All attempts to link a device."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._refs: dict[str, tuple[Attempt, float]] = {}
        self._attempts: dict[Link, Attempt] = {}

    def begin(self, link: Link) -> None:
        """Give a device the codes that it shows one after the other."""
        attempt = self._attempts[link] = Attempt(link)
        refs = [base64.b64encode(os.urandom(24)).decode() for _ in range(REFS)]
        for number, ref in enumerate(refs):
            self._refs[ref] = attempt, trio.current_time() + FIRST_SECONDS + NEXT_SECONDS * number
        codes = [Node("ref", {}, ref.encode()) for ref in refs]
        link.push(_order(Node("pair-device", {}, codes)))

    def end(self, link: Link) -> None:
        """Forget an attempt whose connection has ended."""
        attempt = self._attempts.pop(link, None)
        self._refs = {ref: kept for ref, kept in self._refs.items() if kept[0] is not attempt}

    def scan(self, code: str, account: Account) -> None:
        """The phone of `account` scans a code. Raises `ValueError` if it is none of ours, or too old."""
        try:
            scanned = read_qr(code)
        except ValueError as error:
            raise ValueError("qr: this is not a code of a device") from error
        if scanned.ref not in self._refs:
            raise ValueError("qr: no device shows this code")
        attempt, until = self._refs[scanned.ref]
        if trio.current_time() > until:
            raise ValueError("qr: this code has expired")
        hello = attempt.link.hello
        if (scanned.noise, scanned.identity) != (hello.static, hello.payload.devicePairingData.eIdent):
            raise ValueError("qr: the keys are not those of the device that connected")
        self._agree(attempt, account, scanned.adv_secret)

    def answer(self, link: Link, iq: Node) -> tuple[Node, ...]:
        """Answer a device that is linked by a code. Raises `Refused`, `MalformedNode`."""
        node, attempt = iq.child("link_code_companion_reg"), self._attempts.get(link)
        if node is None or attempt is None:
            raise Refused(400, "bad-request")
        if node.get("stage") == "companion_hello":
            if self._directory.of_jid(node.jid("jid")) is None:
                raise Refused(404, "item-not-found")
            attempt.hello, attempt.code_ref = node, os.urandom(16)
            ref = Node("link_code_pairing_ref", {}, attempt.code_ref)
            return (Node("link_code_companion_reg", {"stage": "companion_hello"}, [ref]),)
        if node.get("stage") == "companion_finish":
            self._finish_code(attempt, node)
        return ()

    async def enter_code(self, code: str, account: Account) -> None:
        """The phone's owner types the code that a device shows. Raises `ValueError`."""
        asking = [each for each in self._attempts.values() if _asks(each, account)]
        if not asking:
            raise ValueError("phone: no device asks to be linked to this account")
        attempt, typed = asking[-1], code.replace("-", "").upper()
        assert attempt.hello is not None
        hello = attempt.hello.bytes_of("link_code_pairing_wrapped_companion_ephemeral_pub") or b""
        attempt.account = account
        attempt.phone = await trio.to_thread.run_sync(Primary.answer, typed, hello, account.identity)
        content = [
            Node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, attempt.phone.hello),
            Node("primary_identity_pub", {}, account.identity.public),
            Node("link_code_pairing_ref", {}, attempt.code_ref),
        ]
        told = Node("link_code_companion_reg", {"stage": "primary_hello"}, content)
        attempt.link.push(notification("link_code_companion_reg", {"from": SERVER}, [told]))

    def _finish_code(self, attempt: Attempt, node: Node) -> None:
        bundle = node.bytes_of("link_code_pairing_wrapped_key_bundle") or b""
        identity = node.bytes_of("companion_identity_public") or b""
        if attempt.phone is None or attempt.account is None:
            raise Refused(400, "bad-request")
        try:
            secret = attempt.phone.finish(bundle, identity)
        except LinkCodeError as error:  # another code was typed
            raise Refused(403, "forbidden") from error
        self._agree(attempt, attempt.account, secret)

    def _agree(self, attempt: Attempt, account: Account, secret: bytes) -> None:
        """The phone signs the device's identity; the relay passes it on. `secret`: known to both devices."""
        if account.passkey:
            attempt.link.push(notification("passkey_prologue_request", {"from": SERVER}, [_PASSKEY_OPTIONS]))
            return
        data = attempt.link.hello.payload.devicePairingData
        signed = SignedPreKey(data.eSkeyID, data.eSkeyVal, data.eSkeySig)
        if not verify(data.eIdent, b"\x05" + data.eSkeyVal, data.eSkeySig):
            raise ValueError("qr: the device's signed prekey is not signed by its identity key")
        number, account.next_number = account.next_number, account.next_number + 1
        attempt.device = Device(account, number, data.eRegid, data.eIdent, signed, attempt.link.hello.static)
        details = ADVDeviceIdentity(
            rawID=7, timestamp=int(time.time()), keyIndex=number, accountType=E2EE, deviceType=E2EE
        )
        identity = offer_pairing(account.identity, adv_secret=secret, identity=data.eIdent, details=details)
        attempt.link.push(_success(attempt.device, identity))

    def complete(self, link: Link, answer: Node) -> Device:
        """Take the device's own signature; the account then has the device. Raises `Refused`."""
        attempt = self._attempts.get(link)
        node = answer.child("pair-device-sign", "device-identity")
        if attempt is None or attempt.device is None or node is None:
            raise Refused(400, "bad-request")
        device = attempt.device
        account_key = device.account.identity.public
        if not is_signed_by_device(node.bytes_of() or b"", account_key=account_key, identity=device.identity):
            raise Refused(401, "signature-mismatch")
        device.account.devices[device.number] = device
        return device


def _asks(attempt: Attempt, account: Account) -> bool:
    return attempt.hello is not None and attempt.hello.jid("jid") == account.phone_jid


def _order(*content: Node) -> Node:
    return Node("iq", {"from": SERVER, "type": "set", "id": new_id(), "xmlns": "md", "t": now()}, content)


def _success(device: Device, identity: bytes) -> Node:
    account = device.account
    props = ClientPairingProps(
        isChatDbLidMigrated=account.lid_addressed, isSyncdPureLidSession=account.lid_addressed
    )
    return _order(
        Node(
            "pair-success",
            {},
            [
                Node("device-identity", {}, identity),
                Node("biz", {"name": ""}),
                Node("device", {"jid": str(device.phone_jid), "lid": str(device.lid_jid)}),
                Node("platform", {"name": "android"}),
                Node("client-props", {}, props.SerializeToString()),
            ],
        )
    )
