"""Files of messages: as another client encrypts them, in whatever pieces, and with every kind of damage."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.whatsapp import media_retry
from unifyport.protocols.whatsapp.media import (
    MAC_SIZE,
    DamagedMedia,
    Decryptor,
    Encryptor,
    MediaKind,
    MediaReader,
    PlainReader,
    _keys,
    new_media_key,
)
from unifyport.protocols.whatsapp.whatsapp_pb2 import MediaRetryNotification

VECTORS = json.loads((Path(__file__).parent / "vectors" / "whatsapp.json").read_text())
KEY = bytes(range(32))


def encrypted(plain: bytes, kind: MediaKind = MediaKind.IMAGE, piece: int = 1000) -> tuple[bytes, Encryptor]:
    encryptor = Encryptor(KEY, kind)
    pieces = [encryptor.update(plain[at : at + piece]) for at in range(0, len(plain), piece)]
    return b"".join(pieces) + encryptor.finish(), encryptor


def read(reader: MediaReader, data: bytes, piece: int = 1000) -> bytes:
    pieces = [reader.update(data[at : at + piece]) for at in range(0, len(data), piece)]
    return b"".join(pieces) + reader.finish()


@pytest.mark.parametrize("name", VECTORS["keys"])
def test_keys_of_each_kind_are_those_of_baileys(name: str) -> None:
    expected = VECTORS["keys"][name]
    iv, cipher, mac = _keys(b"\x07" * 32, MediaKind[name.upper()])
    assert (iv.hex(), cipher.hex(), mac.hex()) == (expected["iv"], expected["cipherKey"], expected["macKey"])


def test_a_file_that_baileys_encrypted_is_read_and_made_alike() -> None:
    vector = VECTORS["media"]
    key, data = bytes.fromhex(vector["key"]), bytes.fromhex(vector["encrypted"])
    text, times = vector["plain_repeat"]
    plain = text.encode() * times
    hashes = {
        "file_sha256": bytes.fromhex(vector["sha256"]),
        "file_enc_sha256": bytes.fromhex(vector["enc_sha256"]),
    }
    assert read(Decryptor(key, MediaKind.DOCUMENT, **hashes), data) == plain
    encryptor = Encryptor(key, MediaKind.DOCUMENT)
    assert encryptor.update(plain) + encryptor.finish() == data
    assert encryptor.file_length == vector["length"]
    assert (encryptor.file_sha256, encryptor.file_enc_sha256) == tuple(hashes.values())


@given(plain=st.binary(max_size=200), out=st.integers(1, 50), back=st.integers(1, 50))
@settings(deadline=None)
def test_a_file_reads_back_in_whatever_pieces(plain: bytes, out: int, back: int) -> None:
    data, encryptor = encrypted(plain, piece=out)
    assert len(data) == (len(plain) // 16 + 1) * 16 + MAC_SIZE
    reader = Decryptor(
        KEY,
        MediaKind.STICKER,  # has the keys of images
        file_sha256=encryptor.file_sha256,
        file_enc_sha256=encryptor.file_enc_sha256,
    )
    assert read(reader, data, back) == plain


@given(data=st.data())
@settings(deadline=None)
def test_every_changed_byte_is_damage(data: st.DataObject) -> None:
    whole = bytearray(encrypted(b"content" * 10)[0])
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedMedia):
        read(Decryptor(KEY, MediaKind.IMAGE), bytes(whole))


@pytest.mark.parametrize("length", range(0, 60, 7))
def test_every_truncation_is_damage(length: int) -> None:
    whole, _ = encrypted(b"content" * 10)
    with pytest.raises(DamagedMedia):
        read(Decryptor(KEY, MediaKind.IMAGE), whole[:length])


def test_a_file_of_another_message_is_damage() -> None:
    data, encryptor = encrypted(b"content")
    for wrong in ({"file_sha256": b"x" * 32}, {"file_enc_sha256": b"x" * 32}):
        with pytest.raises(DamagedMedia, match="another one"):
            read(Decryptor(KEY, MediaKind.IMAGE, **wrong), data)
    with pytest.raises(DamagedMedia):
        read(Decryptor(KEY, MediaKind.VIDEO), data)
    with pytest.raises(DamagedMedia, match="31"):
        Decryptor(KEY[1:], MediaKind.IMAGE)
    assert encryptor.file_length == 7


def test_padding_that_is_no_padding_is_damage() -> None:
    # A right MAC over a plaintext whose last byte is no count, as only the sender can make it.
    iv, cipher_key, mac_key = _keys(KEY, MediaKind.IMAGE)
    cipher = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).encryptor()
    body = cipher.update(bytes(32)) + cipher.finalize()
    mac = hmac.digest(mac_key, iv + body, "sha256")[:MAC_SIZE]
    with pytest.raises(DamagedMedia, match="padded"):
        read(Decryptor(KEY, MediaKind.IMAGE), body + mac)


def test_a_file_that_is_not_encrypted_is_checked_by_its_hash() -> None:
    right = hashlib.sha256(b"content").digest()
    assert read(PlainReader(right), b"content", 2) == b"content"
    assert read(PlainReader(), b"content") == b"content"
    with pytest.raises(DamagedMedia):
        read(PlainReader(right), b"another")


def test_paths_of_the_media_server() -> None:
    assert [kind.path for kind in MediaKind] == [
        "image", "image", "video", "audio", "document", "md-msg-hist", "md-app-state",
    ]  # fmt: skip
    assert len({new_media_key() for _ in range(10)}) == 10


# -- asking the phone again


def test_a_request_of_baileys_is_read() -> None:
    vector = VECTORS["retry"]
    key = bytes.fromhex(vector["key"])
    sealed = media_retry.Sealed(bytes.fromhex(vector["ciphertext"]), bytes.fromhex(vector["iv"]))
    assert media_retry.read_request(sealed, vector["id"], key)
    assert not media_retry.read_request(sealed, vector["id"] + "0", key)
    assert not media_retry.read_request(sealed, vector["id"], KEY)


def test_an_answer_opens_for_its_file_only() -> None:
    told = MediaRetryNotification(stanzaID="ID", directPath="/v/new", result=MediaRetryNotification.SUCCESS)
    sealed = media_retry.answer(told, "ID", KEY)
    assert media_retry.read_answer(sealed, "ID", KEY) == told
    assert media_retry.read_request(media_retry.ask_again("ID", KEY), "ID", KEY)
    for message_id, key in (("OTHER", KEY), ("ID", b"k" * 32)):
        with pytest.raises(media_retry.BadRetryAnswer):
            media_retry.read_answer(sealed, message_id, key)


@given(ciphertext=st.binary(max_size=60), iv=st.binary(max_size=20))
@settings(deadline=None)
def test_whatever_answers_is_an_error(ciphertext: bytes, iv: bytes) -> None:
    with pytest.raises(media_retry.BadRetryAnswer):
        media_retry.read_answer(media_retry.Sealed(ciphertext, iv), "ID", KEY)
