"""Asking the phone to upload a file again that the media server no longer has.

The request goes to the own account as a `server-error` receipt, the answer comes as a `mediaretry`
notification; both are AES-GCM under a key of the file's media key, authenticated with the message id. Facts:
whatsmeow `mediaretry.go` (https://github.com/tulir/whatsmeow).
"""

import os

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from google.protobuf.message import DecodeError

from unifyport.protocols.whatsapp.whatsapp_pb2 import MediaRetryNotification, ServerErrorReceipt


class BadRetryAnswer(ValueError):
    """An answer does not open: it is of another file, or was changed."""


@attrs.frozen
class Sealed:
    """<enc_p> and <enc_iv>."""

    ciphertext: bytes
    iv: bytes


def ask_again(message_id: str, media_key: bytes) -> Sealed:
    """The content of the request."""
    return _seal(ServerErrorReceipt(stanzaID=message_id).SerializeToString(), message_id, media_key)


def read_request(sealed: Sealed, message_id: str, media_key: bytes) -> bool:
    """True if `sealed` asks for the file of this message; for the sandbox's phone."""
    try:
        return ServerErrorReceipt.FromString(_open(sealed, message_id, media_key)).stanzaID == message_id
    except (BadRetryAnswer, DecodeError):
        return False


def answer(notification: MediaRetryNotification, message_id: str, media_key: bytes) -> Sealed:
    """The content of the phone's answer; for the sandbox's phone."""
    return _seal(notification.SerializeToString(), message_id, media_key)


def read_answer(sealed: Sealed, message_id: str, media_key: bytes) -> MediaRetryNotification:
    """The phone's answer: `result`, and with `SUCCESS` a new `directPath`. Raises `BadRetryAnswer`."""
    try:
        return MediaRetryNotification.FromString(_open(sealed, message_id, media_key))
    except DecodeError as error:
        raise BadRetryAnswer("The answer cannot be read") from error


def _cipher(media_key: bytes) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), 32, None, b"WhatsApp Media Retry Notification").derive(media_key))


def _seal(plain: bytes, message_id: str, media_key: bytes) -> Sealed:
    iv = os.urandom(12)
    return Sealed(_cipher(media_key).encrypt(iv, plain, message_id.encode()), iv)


def _open(sealed: Sealed, message_id: str, media_key: bytes) -> bytes:
    try:
        return _cipher(media_key).decrypt(sealed.iv, sealed.ciphertext, message_id.encode())
    except (InvalidTag, ValueError) as error:
        raise BadRetryAnswer("The answer does not open") from error
