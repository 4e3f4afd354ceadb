"""Messages, group keys and files: vectors of a second implementation, both roles, and what does not open.

`node tests/interop/node/letter_sealing.mjs vectors` writes the vectors. That implementation belongs to this
project and follows the same public descriptions: the vectors show that both read them alike, not that LINE
does. CHRLINE, a client of other authors, judges texts of version 2 (`tests/interop/test_line_device.py`).
"""

import contextlib
import itertools
import json
import os
from base64 import b64decode
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from attrs import evolve
from hypothesis import given

from unifyport.protocols import thrift
from unifyport.protocols.letter_sealing import content, files, group_keys, key_chain, keys, messages
from unifyport.protocols.letter_sealing.chunks import Sealed, from_chunks, to_chunks
from unifyport.protocols.letter_sealing.errors import (
    BadSeal,
    LetterSealingError,
    Malformed,
    UnsupportedVersion,
)
from unifyport.protocols.letter_sealing.keys import KeyPair, PublicKey

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "letter_sealing.json").read_text())
CASES: dict[str, dict[str, Any]] = {case["name"]: case for case in VECTORS["cases"]}

AN = messages.Address("u" + "a" * 32, "u" + "b" * 32, 0)
OURS, THEIRS, GROUP = keys.generate(11), keys.generate(22), keys.generate(33)


def _keys(case: dict[str, Any]) -> messages.Keys:
    secret = keys.agree(b64decode(case["private"]), b64decode(case["public"]))
    return messages.Keys(case["sender_key_id"], case["receiver_key_id"], secret)


def _address(case: dict[str, Any]) -> messages.Address:
    return messages.Address(case["from"], case["to"], case["content_type"])


@pytest.mark.parametrize("name", ["text", "group", "location", "long nonce"])
def test_version_2_as_the_second_implementation_seals_it(name: str) -> None:
    case = CASES[name]
    chunks = [b64decode(chunk) for chunk in case["result"]]
    plain = b64decode(case["plain"])
    sealed = messages.seal_with(
        plain, _address(case), _keys(case), salt=b64decode(case["salt"]), nonce=b64decode(case["nonce"])
    )
    assert list(to_chunks(sealed)) == chunks
    assert messages.open_sealed(from_chunks(chunks), 2, _address(case), _keys(case)) == plain


def test_version_1_as_the_second_implementation_seals_it() -> None:
    case = CASES["version 1"]
    sealed = from_chunks([b64decode(chunk) for chunk in case["result"]])
    assert messages.open_sealed(sealed, 1, _address(case), _keys(case)) == b64decode(case["plain"])
    for changed in (
        evolve(sealed, third=bytes(16)),
        evolve(sealed, ciphertext=bytes(len(sealed.ciphertext))),
        evolve(sealed, salt=bytes(16)),
    ):
        with pytest.raises(BadSeal):
            messages.open_sealed(changed, 1, _address(case), _keys(case))


def test_a_group_key_as_the_second_implementation_seals_it() -> None:
    case = CASES["group key"]
    group, creator = KeyPair(9, b64decode(case["plain"])), KeyPair(1, b64decode(case["private"]))
    member = PublicKey(2, b64decode(case["public"]))
    assert group_keys.seal_group_key(group, creator, member) == b64decode(case["result"])


@pytest.mark.parametrize("name", ["file", "video"])
def test_a_file_as_the_second_implementation_seals_it(name: str) -> None:
    case = CASES[name]
    material, plain, sealed = (b64decode(case[part]) for part in ("key_material", "plain", "result"))
    assert files.seal_file(plain, material, files.TagForm(case["form"])) == sealed
    assert files.open_file(sealed, material) == plain


@given(plain=st.binary(max_size=200))
def test_both_sides_and_the_author_again(plain: bytes) -> None:
    to_them = messages.keys_to_user(OURS, THEIRS.public)
    sealed = from_chunks(to_chunks(messages.seal(plain, AN, to_them)))
    at_theirs = messages.keys_from_user(THEIRS, OURS.public)
    assert messages.open_sealed(sealed, 2, AN, at_theirs) == plain
    # The echo of an own message opens with what sealed it.
    assert messages.open_sealed(sealed, 2, AN, to_them) == plain


@given(plain=st.binary(max_size=200))
def test_a_group(plain: bytes) -> None:
    address = messages.Address("u" + "a" * 32, "c" + "c" * 32, 0)
    wrapped = group_keys.seal_group_key(evolve(GROUP, key_id=0), OURS, THEIRS.public)
    theirs = group_keys.open_group_key(wrapped, 33, THEIRS, OURS.public)
    sealed = messages.seal(plain, address, messages.keys_in_group(GROUP, OURS.public))
    assert (sealed.sender_key_id, sealed.receiver_key_id) == (11, 33)
    opened = messages.open_sealed(sealed, 2, address, messages.keys_in_group(theirs, OURS.public))
    assert opened == plain


@pytest.mark.parametrize(
    "address",
    [
        evolve(AN, sender="u" + "c" * 32),
        evolve(AN, to="u" + "c" * 32),
        evolve(AN, content_type=1),
        messages.Address(AN.to, AN.sender, 0),
    ],
    ids=["another sender", "another chat", "another type", "turned round"],
)
def test_version_2_is_bound_to_its_address(address: messages.Address) -> None:
    pair = messages.keys_to_user(OURS, THEIRS.public)
    with pytest.raises(BadSeal):
        messages.open_sealed(messages.seal(b"{}", AN, pair), 2, address, pair)


def test_version_2_does_not_open_with_other_keys() -> None:
    pair = messages.keys_to_user(OURS, THEIRS.public)
    sealed = messages.seal(b"{}", AN, pair)
    with pytest.raises(BadSeal, match="other keys"):
        messages.open_sealed(sealed, 2, AN, evolve(pair, sender_key_id=12))
    with pytest.raises(BadSeal):
        messages.open_sealed(sealed, 2, AN, messages.keys_to_user(OURS, keys.generate(22).public))
    with pytest.raises(UnsupportedVersion):
        messages.open_sealed(sealed, 3, AN, pair)


@given(position=st.integers(0, 10_000), change=st.integers(1, 255))
def test_no_changed_byte_opens(position: int, change: int) -> None:
    pair = messages.keys_to_user(OURS, THEIRS.public)
    chunks = [bytearray(chunk) for chunk in to_chunks(messages.seal(b'{"text":"x"}', AN, pair))]
    flat = [(chunk, index) for chunk in chunks for index in range(len(chunk))]
    chunk, index = flat[position % len(flat)]
    chunk[index] ^= change
    with pytest.raises(LetterSealingError):
        messages.open_sealed(from_chunks([bytes(one) for one in chunks]), 2, AN, pair)


@given(chunks=st.lists(st.binary(max_size=40), max_size=6), version=st.sampled_from([1, 2]))
def test_any_chunks(chunks: list[bytes], version: int) -> None:
    with pytest.raises(LetterSealingError):
        sealed = from_chunks(chunks)
        pair = messages.Keys(sealed.sender_key_id, sealed.receiver_key_id, b"s" * 32)
        messages.open_sealed(sealed, version, AN, pair)


def test_key_ids_of_fewer_bytes() -> None:
    sealed = Sealed(bytes(16), bytes(16), bytes(12), 11, 22)
    chunks = (*to_chunks(sealed)[:3], b"\x0b", b"\0\x16")
    assert from_chunks(chunks) == sealed
    for wrong in (b"", b"\x80\0\0\0", bytes(5)):
        with pytest.raises(Malformed):
            from_chunks((*chunks[:3], wrong, b"\0"))


@given(sealed=st.binary(max_size=100) | st.binary(min_size=48, max_size=48))
def test_any_group_key(sealed: bytes) -> None:
    with pytest.raises(LetterSealingError):
        group_keys.open_group_key(sealed, 1, OURS, THEIRS.public)


def test_a_public_key_of_low_order() -> None:
    with pytest.raises(Malformed, match="no secret"):
        messages.keys_to_user(OURS, PublicKey(1, bytes(32)))


def test_a_key_counts_if_the_server_has_it() -> None:
    assert OURS.belongs_to(OURS.public)
    assert not OURS.belongs_to(evolve(OURS.public, key_id=12))
    assert not OURS.belongs_to(PublicKey(11, THEIRS.public.data))


def test_no_secret_is_shown() -> None:
    assert repr(OURS) == "KeyPair(key_id=11)"
    assert "private" not in repr(key_chain.ChainedKey(1, 2, b"", b"private"))


# --- the chain of a login


def test_a_key_chain() -> None:
    device, phone = keys.generate(), keys.generate()
    pairs = [keys.generate(5), keys.generate(4)]
    sealed = key_chain.seal_key_chain(pairs, phone, device.public.data)
    assert key_chain.open_key_chain(sealed, device, phone.public.data) == pairs


def test_a_pair_whose_halves_do_not_belong_together_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    device, phone, other = keys.generate(), keys.generate(), keys.generate()
    pairs = [keys.generate(5), keys.generate(4)]
    encode = thrift.encode

    def swap(value: object, encoding: Any) -> bytes:
        assert isinstance(value, key_chain.Chain)
        first, *rest = value.keys
        return encode(key_chain.Chain((evolve(first, public=other.public.data), *rest)), encoding)

    monkeypatch.setattr(thrift, "encode", swap)
    sealed = key_chain.seal_key_chain(pairs, phone, device.public.data)
    assert key_chain.open_key_chain(sealed, device, phone.public.data) == pairs[1:]
    only = key_chain.seal_key_chain(pairs[:1], phone, device.public.data)
    with pytest.raises(BadSeal, match="no sound key"):
        key_chain.open_key_chain(only, device, phone.public.data)


@given(sealed=st.binary(max_size=200) | st.binary(min_size=96, max_size=96))
def test_any_key_chain(sealed: bytes) -> None:
    with pytest.raises(LetterSealingError):
        key_chain.open_key_chain(sealed, OURS, THEIRS.public.data)


def test_the_suffix_of_the_qr_code() -> None:
    suffix = key_chain.qr_suffix(KeyPair(0, b64decode(VECTORS["keys"]["a"])))
    assert suffix.startswith("?secret=")
    assert suffix.endswith("%3D&e2eeVersion=1")
    assert "+" not in suffix
    assert "/" not in suffix


# --- files


@given(
    plain=st.binary(max_size=300),
    form=st.sampled_from(files.TagForm),
    cuts=st.lists(st.integers(0, 332), max_size=6),
)
def test_a_file_in_parts(plain: bytes, form: files.TagForm, cuts: list[int]) -> None:
    material = os.urandom(files.KEY_MATERIAL_BYTES)
    sealed = files.seal_file(plain, material, form)
    opener = files.FileOpener(material)
    edges = [0, *sorted(cuts), len(sealed)]
    parts = [sealed[start:end] for start, end in itertools.pairwise(edges)]
    assert b"".join(opener.update(part) for part in parts) == plain
    assert opener.finish() is (form if plain else files.TagForm.WHOLE)


def test_a_video_of_several_pieces() -> None:
    plain, material = bytes(3 * files.PIECE_BYTES + 7), bytes(32)
    whole = files.seal_file(plain, material, files.TagForm.PIECES)
    sealer = files.FileSealer(material, files.TagForm.PIECES)
    step = 100_001
    parts = [sealer.update(plain[start : start + step]) for start in range(0, len(plain), step)]
    assert b"".join(parts) + sealer.finish() == whole
    assert files.open_file(whole, material) == plain


@given(position=st.integers(0, 10_000), change=st.integers(1, 255), form=st.sampled_from(files.TagForm))
def test_no_changed_file_opens(position: int, change: int, form: files.TagForm) -> None:
    sealed = bytearray(files.seal_file(b"a file", bytes(32), form))
    sealed[position % len(sealed)] ^= change
    with pytest.raises(BadSeal):
        files.open_file(bytes(sealed), bytes(32))


def test_a_file_that_is_cut_short() -> None:
    sealed = files.seal_file(b"a file", bytes(32))
    for end in range(len(sealed)):
        with pytest.raises(LetterSealingError):
            files.open_file(sealed[:end], bytes(32))


# --- content


def test_content() -> None:
    plain = content.render_content({"text": "123", "n": 2**63})
    assert content.parse_content(plain) == {"text": "123", "n": 2**63}
    material = bytes(range(32))
    assert content.key_material_of(content.file_content(material, "a.jpg")) == material
    for wrong in ({}, {"keyMaterial": 7}, {"keyMaterial": "AA=="}, {"keyMaterial": "*"}):
        with pytest.raises(Malformed):
            content.key_material_of(wrong)


@given(plain=st.binary(max_size=60))
def test_any_content(plain: bytes) -> None:
    with contextlib.suppress(Malformed):
        content.parse_content(plain)


@pytest.mark.parametrize("plain", [b"[]", b'"text"', b"", b"{" * 100_000, b'{"a":' * 100_000, b"\xff"])
def test_content_that_is_no_object(plain: bytes) -> None:
    with pytest.raises(Malformed):
        content.parse_content(plain)
