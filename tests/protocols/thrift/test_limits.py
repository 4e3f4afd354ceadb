"""Bytes from outside: whatever they are, the reader answers or raises `Malformed`, within its limits."""

import contextlib

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.protocols.thrift.shapes import Everything, Keeping, Skipping
from unifyport.protocols.thrift import Encoding, Limits, Malformed, Raw, TooLarge, Type, decode, encode

BOTH = pytest.mark.parametrize("encoding", list(Encoding), ids=lambda one: one.value)
SHAPES = (Everything, Keeping, Skipping)

_SAMPLE = Everything(
    flag=True,
    large=-5,
    text="text",
    inner=Everything(metadata={"a": "b"}, numbers=(1, -1)),
    by_number={1: Everything(real=0.5)},
    lists=((1,), (2, 3)),
)


@BOTH
@given(data=st.binary(max_size=60))
def test_any_bytes(encoding: Encoding, data: bytes) -> None:
    for shape in SHAPES:
        with contextlib.suppress(Malformed):
            decode(shape, data, encoding)


@BOTH
@given(data=st.data())
def test_a_structure_with_changed_bytes(encoding: Encoding, data: st.DataObject) -> None:
    sample = bytearray(encode(_SAMPLE, encoding))
    for _ in range(data.draw(st.integers(1, 3))):
        sample[data.draw(st.integers(0, len(sample) - 1))] = data.draw(st.integers(0, 255))
    for shape in SHAPES:
        try:
            value = decode(shape, bytes(sample), encoding)
        except Malformed:
            continue
        assert isinstance(value, shape)


@BOTH
def test_a_structure_that_is_cut_short(encoding: Encoding) -> None:
    sample = encode(_SAMPLE, encoding)
    for end in range(len(sample)):
        with pytest.raises(Malformed):
            decode(Everything, sample[:end], encoding)


@BOTH
@pytest.mark.parametrize("shape", SHAPES)
def test_depth(encoding: Encoding, shape: type) -> None:
    value = Everything()
    for _ in range(20):
        value = Everything(inner=value)
    data = encode(value, encoding)
    decode(shape, data, encoding)
    with pytest.raises(TooLarge, match="deep"):
        decode(shape, data, encoding, limits=Limits(depth=20))


@BOTH
@pytest.mark.parametrize("shape", SHAPES)
def test_number_of_items_and_length_of_strings(encoding: Encoding, shape: type) -> None:
    many = encode(Everything(numbers=tuple(range(100))), encoding)
    with pytest.raises(TooLarge, match="items"):
        decode(shape, many, encoding, limits=Limits(items=100))
    long = encode(Everything(text="x" * 100), encoding)
    with pytest.raises(TooLarge, match="string"):
        decode(shape, long, encoding, limits=Limits(string=99))
    with pytest.raises(TooLarge, match="bytes"):
        decode(shape, long, encoding, limits=Limits(bytes=50))


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        (Encoding.BINARY, "0f003e0a7fffffff00"),  # a list of 2^31 - 1 integers
        (Encoding.BINARY, "0f003e0affffffff00"),  # of -1
        (Encoding.BINARY, "0b002a7fffffff00"),  # a string of 2^31 - 1 bytes
        (Encoding.BINARY, "0b002affffffff00"),  # of -1
        (Encoding.BINARY, "0d00400b0b7fffffff00"),  # a map of 2^31 - 1 pairs
        (Encoding.BINARY, "010005"),  # no such type
        (Encoding.COMPACT, "097cf6ffffffff0700"),
        (Encoding.COMPACT, "0854ffffffff0f00"),
        (Encoding.COMPACT, "0b8001ffffffff078800"),
        (Encoding.COMPACT, "1f00"),
        (Encoding.COMPACT, "0500feffffffffffffffff0f00"),  # an integer of more than 32 bits
        (Encoding.COMPACT, "16ffffffffffffffffffff0100"),  # of more than 64
        (Encoding.COMPACT, "0afeff03" + "15" * 3),  # a field id above 32,767 by its difference
    ],
)
def test_claims_that_the_bytes_do_not_keep(encoding: Encoding, data: str) -> None:
    for shape in SHAPES:
        with pytest.raises(Malformed):
            decode(shape, bytes.fromhex(data), encoding)


@BOTH
def test_unknown_nesting_is_bounded_too(encoding: Encoding) -> None:
    value = Raw(Type.LIST, (), Type.I32)
    for _ in range(40):
        value = Raw(Type.LIST, (value,), Type.LIST)
    data = encode(Keeping(1, {9: value}), encoding)
    for shape in SHAPES:
        with pytest.raises(TooLarge, match="deep"):
            decode(shape, data, encoding)
