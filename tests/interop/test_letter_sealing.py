"""Letter Sealing against a second implementation, on Node's `crypto` (`node/letter_sealing.mjs`).

It is of this project and follows the same public descriptions: agreement shows that both read them alike, not
that LINE does. The tag of version 1 is a guess on both sides.
"""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from unifyport.protocols import thrift
from unifyport.protocols.letter_sealing import files, group_keys, key_chain, messages
from unifyport.protocols.letter_sealing.chunks import from_chunks, to_chunks
from unifyport.protocols.letter_sealing.errors import BadSeal
from unifyport.protocols.letter_sealing.keys import KeyPair, generate

from . import judges, peers

pytestmark = pytest.mark.interop
SCRIPT = Path(__file__).parent / "node" / "letter_sealing.mjs"
SENDER, USER, GROUP = "u" + "a" * 32, "u" + "b" * 32, "c" + "c" * 32


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def raw(value: str) -> bytes:
    return base64.b64decode(value)


class Judge(judges.Judge):
    """The second implementation."""

    def __call__(self, do: str, **fields: Any) -> Any:
        """The result of an operation; bytes are base64. None where the judge refuses it."""
        return self.ask(do, **fields).get("result")


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with judges.running(Judge, peers.node_program(), str(SCRIPT)) as process:
        yield process


def pair(key_id: int) -> KeyPair:
    return attrs.evolve(generate(), key_id=key_id)


def fields(address: messages.Address, keys: messages.Keys) -> dict[str, Any]:
    """A message's address as the judge reads it."""
    return {
        "from": address.sender,
        "to": address.to,
        "content_type": address.content_type,
        "sender_key_id": keys.sender_key_id,
        "receiver_key_id": keys.receiver_key_id,
    }


@pytest.mark.parametrize(("to", "content_type"), [(USER, 0), (USER, 15), (GROUP, 0), (GROUP, 1)])
def test_messages_both_ways(judge: Judge, to: str, content_type: int) -> None:
    ours, theirs = pair(11), pair(2**31 - 1)
    address = messages.Address(SENDER, to, content_type)
    if to is USER:
        keys, opening = (
            messages.keys_to_user(ours, theirs.public),
            messages.keys_from_user(theirs, ours.public),
        )
    else:  # `theirs` is the group's pair; both sides agree with the author's public key
        keys = opening = messages.keys_in_group(theirs, ours.public)
    private, public = theirs.private, ours.public.data
    for plain in (
        b'{"text":"123"}',
        '{"text":"\N{GRINNING FACE} xin chào"}'.encode(),
        b"{}",
        os.urandom(5000),
    ):
        about = {**fields(address, keys), "private": text(private), "public": text(public)}
        sealed = to_chunks(messages.seal(plain, address, keys))
        assert judge("open2", **about, chunks=[text(chunk) for chunk in sealed]) == text(plain)
        made = judge(
            "seal2", **about, plain=text(plain), salt=text(os.urandom(16)), nonce=text(os.urandom(12))
        )
        chunks = from_chunks([raw(chunk) for chunk in made])
        assert messages.open_sealed(chunks, 2, address, opening) == plain
        other = attrs.evolve(address, sender=USER)
        with pytest.raises(BadSeal):
            messages.open_sealed(chunks, 2, other, opening)
        assert judge("open2", **about | {"from": USER}, chunks=[text(chunk) for chunk in sealed]) is None


def test_version_1_is_read(judge: Judge) -> None:
    ours, theirs = pair(1), pair(2)
    address = messages.Address(SENDER, USER, 0)
    keys = messages.keys_from_user(theirs, ours.public)
    plain = b'{"text":"of an older client"}'
    about = fields(address, keys) | {"private": text(ours.private), "public": text(theirs.public.data)}
    made = judge("seal1", **about, plain=text(plain), salt=text(os.urandom(16)))
    assert messages.open_sealed(from_chunks([raw(chunk) for chunk in made]), 1, address, keys) == plain


def test_keys_of_groups_and_the_key_chain(judge: Judge) -> None:
    creator, member, group = pair(1), pair(2), pair(3)
    about = {"private": text(creator.private), "public": text(member.public.data)}
    sealed = raw(judge("group_key", **about, plain=text(group.private)))
    assert group_keys.open_group_key(sealed, 3, member, creator.public) == group
    assert group_keys.seal_group_key(group, creator, member.public) == sealed

    device = generate()
    chain = key_chain.seal_key_chain([group, member], creator, device.public.data)
    assert key_chain.open_key_chain(chain, device, creator.public.data) == [group, member]
    keys = tuple(
        key_chain.ChainedKey(1, each.key_id, each.public.data, each.private) for each in (group, member)
    )
    plain = thrift.encode(key_chain.Chain(keys), thrift.Encoding.COMPACT)
    about = {"private": text(creator.private), "public": text(device.public.data)}
    assert raw(judge("key_chain", **about, plain=text(plain))) == chain


@pytest.mark.parametrize("form", files.TagForm)
@pytest.mark.parametrize("size", [0, 1, 131_072, 131_073, 400_000])
def test_files(judge: Judge, form: files.TagForm, size: int) -> None:
    plain, material = os.urandom(size), os.urandom(files.KEY_MATERIAL_BYTES)
    made = raw(judge("seal_file", key_material=text(material), plain=text(plain), form=form.value))
    assert files.seal_file(plain, material, form) == made
    assert files.open_file(made, material) == plain
