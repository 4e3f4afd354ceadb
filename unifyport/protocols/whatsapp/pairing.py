"""Linking a device: the text of the QR code, and the identity that phone and device sign for each other.

    QR code          ref of the platform, the device's public keys, and a secret that only the phone learns
    pair-success     the phone's signed identity of the device, with an HMAC under that secret
    reply            the same, signed by the device as well, without the phone's key

Facts: whatsmeow `pair.go` (https://github.com/tulir/whatsmeow), Baileys `Utils/validate-connection.ts`.
"""

import base64
import hmac
from typing import Final

import attrs
from google.protobuf.message import DecodeError

from unifyport.protocols.curve import KeyPair, sign, verify
from unifyport.protocols.whatsapp.login_pb2 import (
    HOSTED,
    ADVDeviceIdentity,
    ADVSignedDeviceIdentity,
    ADVSignedDeviceIdentityHMAC,
)

QR_PREFIX: Final = "https://wa.me/settings/linked_devices#"
_ACCOUNT_SIGNATURE: Final = b"\x06\x00"
_DEVICE_SIGNATURE: Final = b"\x06\x01"
_HOSTED_ACCOUNT_SIGNATURE: Final = b"\x06\x05"

# The letter that ends a QR code and names the kind of client; also <companion_platform_id> of a link code.
CLIENT_TYPES: Final = {
    "UNKNOWN": "0",
    "CHROME": "1",
    "EDGE": "2",
    "FIREFOX": "3",
    "IE": "4",
    "OPERA": "5",
    "SAFARI": "6",
    "DESKTOP": "7",
    "UWP": "8",
    "ANDROID_PHONE": "e",
}
OTHER_WEB_CLIENT: Final = "9"


class PairingRefused(Exception):
    """The identity in pair-success is not what the phone must have made; `code` and `text` answer the
    platform.
    """

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


@attrs.frozen
class PairedIdentity:
    """The device as phone and device have signed it.

    `account` goes into <device-identity> of messages that open a session, `reply` into pair-device-sign.
    """

    account: bytes
    reply: bytes
    key_index: int
    account_key: bytes  # the phone's public identity key: device 0 of the account


def client_type(browser: str) -> str:
    """The letter of a name of `DeviceProps.PlatformType`."""
    return CLIENT_TYPES.get(browser, OTHER_WEB_CLIENT)


def qr_text(ref: str, *, noise: bytes, identity: bytes, adv_secret: bytes, browser: str = "CHROME") -> str:
    """The text of the QR code. `noise` and `identity` are public keys."""
    keys = (base64.b64encode(key).decode() for key in (noise, identity, adv_secret))
    return QR_PREFIX + ",".join((ref, *keys, client_type(browser)))


@attrs.frozen
class ScannedCode:
    """What a phone reads from a QR code."""

    ref: str
    noise: bytes
    identity: bytes
    adv_secret: bytes


def read_qr(text: str) -> ScannedCode:
    """Read a QR code as the phone does, with or without the address before it. Raises `ValueError`."""
    ref, noise, identity, adv_secret, *_ = text.rpartition("#")[2].split(",")
    return ScannedCode(ref, *(base64.b64decode(key, validate=True) for key in (noise, identity, adv_secret)))


def accept_pairing(device_identity: bytes, *, adv_secret: bytes, identity: KeyPair) -> PairedIdentity:
    """Check <device-identity> of pair-success and sign it. Raises `PairingRefused`."""
    try:
        sealed = ADVSignedDeviceIdentityHMAC.FromString(device_identity)
        hosted = sealed.accountType == HOSTED
        if not hmac.compare_digest(_mac(adv_secret, sealed.details, hosted=hosted), sealed.HMAC):
            raise PairingRefused("hmac-mismatch", 401)
        signed = ADVSignedDeviceIdentity.FromString(sealed.details)
        details = ADVDeviceIdentity.FromString(signed.details)
    except DecodeError as error:
        raise PairingRefused("internal-error", 500) from error
    prefix = _HOSTED_ACCOUNT_SIGNATURE if details.deviceType == HOSTED else _ACCOUNT_SIGNATURE
    message = prefix + signed.details + identity.public
    if not verify(signed.accountSignatureKey, message, signed.accountSignature):
        raise PairingRefused("signature-mismatch", 401)
    account_key = signed.accountSignatureKey
    signed.deviceSignature = sign(
        identity.private, _DEVICE_SIGNATURE + signed.details + identity.public + account_key
    )
    account = signed.SerializeToString()
    signed.ClearField("accountSignatureKey")
    return PairedIdentity(account, signed.SerializeToString(), details.keyIndex, account_key)


def offer_pairing(
    account: KeyPair, *, adv_secret: bytes, identity: bytes, details: ADVDeviceIdentity
) -> bytes:
    """<device-identity> of pair-success, as the phone with the key `account` makes it; for the sandbox."""
    body = details.SerializeToString()
    signed = ADVSignedDeviceIdentity(
        details=body,
        accountSignatureKey=account.public,
        accountSignature=sign(account.private, _ACCOUNT_SIGNATURE + body + identity),
    ).SerializeToString()
    mac = _mac(adv_secret, signed, hosted=False)
    return ADVSignedDeviceIdentityHMAC(details=signed, HMAC=mac).SerializeToString()


def is_signed_by_device(reply: bytes, *, account_key: bytes, identity: bytes) -> bool:
    """True if the content of pair-device-sign carries the signature of the device; for the sandbox."""
    try:
        signed = ADVSignedDeviceIdentity.FromString(reply)
    except DecodeError:
        return False
    message = _DEVICE_SIGNATURE + signed.details + identity + account_key
    return verify(identity, message, signed.deviceSignature)


def _mac(secret: bytes, details: bytes, *, hosted: bool) -> bytes:
    return hmac.digest(secret, (_HOSTED_ACCOUNT_SIGNATURE if hosted else b"") + details, "sha256")
