"""The other device, on PyPI's `X3DH` and `DoubleRatchet`; this script frames its messages as version 3.

One JSON request a line on stdin, one JSON answer a line on stdout. Bytes are hexadecimal.
"""

import asyncio
import hashlib
import hmac
import json
import struct
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from doubleratchet import AEAD, AuthenticationFailedException, EncryptedMessage, Header
from doubleratchet import DoubleRatchet as AbstractRatchet
from doubleratchet.recommended import diffie_hellman_ratchet_curve25519, kdf_hkdf, kdf_separate_hmacs
from doubleratchet.recommended.crypto_provider import HashFunction
from x3dh import BaseState, Bundle, IdentityKeyFormat
from x3dh import Header as Agreement
from x3dh.crypto_provider import HashFunction as X3dhHash


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def write(fields):
    """A protobuf message of numbers and bytes."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif value is not None:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def read(data):
    fields, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte, at = data[at], at + 1
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < len(data):
        tag = number()
        value = number()
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        fields[tag >> 3] = value
    return fields


def keys(seed):
    made = HKDF(SHA256(), 80, bytes(32), b"WhisperMessageKeys").derive(seed)
    return made[:32], made[32:64], made[64:]


class Version3(AEAD):
    """The ciphertext is the whole message; the associated data are the identities and the header."""

    @staticmethod
    async def encrypt(plaintext, key, associated_data):
        ends, (public, counter, previous) = (
            associated_data[:66],
            struct.unpack("!32sII", associated_data[66:]),
        )
        cipher_key, mac_key, iv = keys(key)
        pad = 16 - len(plaintext) % 16
        encryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).encryptor()
        body = encryptor.update(plaintext + bytes([pad]) * pad) + encryptor.finalize()
        signed = b"\x33" + write([(1, b"\x05" + public), (2, counter), (3, max(0, previous - 1)), (4, body)])
        return signed + hmac.new(mac_key, ends + signed, hashlib.sha256).digest()[:8]

    @staticmethod
    async def decrypt(ciphertext, key, associated_data):
        cipher_key, mac_key, iv = keys(key)
        signed, mac = ciphertext[:-8], ciphertext[-8:]
        expected = hmac.new(mac_key, associated_data[:66] + signed, hashlib.sha256).digest()[:8]
        if not hmac.compare_digest(mac, expected):
            raise AuthenticationFailedException("mac")
        decryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).decryptor()
        padded = decryptor.update(read(signed[1:])[4]) + decryptor.finalize()
        return padded[: -padded[-1]]


class RootKdf(kdf_hkdf.KDF):
    @staticmethod
    def _get_hash_function():
        return HashFunction.SHA_256

    @staticmethod
    def _get_info():
        return b"WhisperRatchet"


class ChainKdf(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function():
        return HashFunction.SHA_256


class Ratchet(AbstractRatchet):
    @staticmethod
    def _build_associated_data(associated_data, header):
        numbers = header.sending_chain_length, header.previous_sending_chain_length
        return associated_data + struct.pack("!32sII", header.ratchet_pub, *numbers)


class State(BaseState):
    @staticmethod
    def _encode_public_key(key_format, pub):
        return b"\x05" + pub


RATCHET = {
    "diffie_hellman_ratchet_class": diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet,
    "root_chain_kdf": RootKdf,
    "message_chain_kdf": ChainKdf,
    "message_chain_constant": b"\x02\x01",
    "dos_protection_threshold": 2000,
    "max_num_skipped_message_keys": 2000,
    "aead": Version3,
}


class Judge:
    def __init__(self):
        self.state = State.create(IdentityKeyFormat.CURVE_25519, X3dhHash.SHA_256, b"WhisperText")
        self.state.generate_pre_keys(1)
        self.ratchet = self.ends = None

    async def bundle(self):
        bundle = self.state.bundle
        [prekey] = bundle.pre_keys
        return {
            "identity": bundle.identity_key.hex(),
            "signed_prekey": bundle.signed_pre_key.hex(),
            "signature": bundle.signed_pre_key_sig.hex(),
            "prekey": prekey.hex(),
        }

    async def start(self, identity, signed_prekey, signature, prekey, plaintext):
        """Begin a session; the first message."""
        fields = [bytes.fromhex(value) for value in (identity, signed_prekey, signature)]
        bundle = Bundle(*fields, frozenset([bytes.fromhex(prekey)]))
        secret, self.ends, header = await self.state.get_shared_secret_active(bundle)
        self.ratchet, sent = await Ratchet.encrypt_initial_message(
            **RATCHET,
            shared_secret=secret,
            recipient_ratchet_pub=bundle.signed_pre_key,
            message=bytes.fromhex(plaintext),
            associated_data=self.ends,
        )
        wrapped = write(
            [
                (5, 99),
                (1, 77),
                (6, 5),
                (2, b"\x05" + header.ephemeral_key),
                (3, b"\x05" + header.identity_key),
                (4, sent.ciphertext),
            ]
        )
        return {"body": (b"\x33" + wrapped).hex()}

    async def accept(self, body):
        """The first message of a session that the other side has begun."""
        fields = read(bytes.fromhex(body)[1:])
        bundle = self.state.bundle
        agreement = Agreement(
            fields[3][1:], fields[2][1:], bundle.signed_pre_key, next(iter(bundle.pre_keys))
        )
        secret, ends, signed_prekey = await self.state.get_shared_secret_passive(agreement)
        self.ends = ends[33:] + ends[:33]  # as of messages that this side sends
        self.ratchet, plaintext = await Ratchet.decrypt_initial_message(
            **RATCHET,
            shared_secret=secret,
            own_ratchet_priv=signed_prekey.priv,
            message=parse(fields[4]),
            associated_data=ends,
        )
        return {"plaintext": plaintext.hex()}

    async def encrypt(self, plaintext):
        sent = await self.ratchet.encrypt_message(bytes.fromhex(plaintext), self.ends)
        return {"body": sent.ciphertext.hex()}

    async def decrypt(self, body):
        message = parse(bytes.fromhex(body))
        plaintext = await self.ratchet.decrypt_message(message, self.ends[33:] + self.ends[:33])
        return {"plaintext": plaintext.hex()}


def parse(body):
    """On the wire stands the counter of the last message of the former chain, here its length."""
    fields = read(body[1:-8])
    return EncryptedMessage(Header(fields[1][1:], fields.get(3, 0) + 1, fields.get(2, 0)), body)


async def main():
    judge = Judge()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = await getattr(judge, request.pop("do"))(**request)
        except Exception as error:
            answer = {"error": type(error).__name__}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
