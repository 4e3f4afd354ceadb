"""Structures in both encodings: vectors, every type, what is unknown."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.protocols.thrift.shapes import Everything, Keeping, Long, Skipping
from unifyport.protocols.thrift import Encoding, Malformed, NotEncodable, Raw, Type, decode, encode
from unifyport.protocols.thrift.compact import CompactReader, CompactWriter, unzigzag, zigzag

BOTH = pytest.mark.parametrize("encoding", list(Encoding), ids=lambda one: one.value)


def _signed(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def _everything(inner: st.SearchStrategy[Everything]) -> st.SearchStrategy[Everything]:
    return st.builds(
        Everything,
        flag=st.none() | st.booleans(),
        tiny=st.none() | _signed(8),
        small=st.none() | _signed(16),
        number=st.none() | _signed(32),
        large=st.none() | _signed(64),
        real=st.none() | st.floats(allow_nan=False),
        text=st.none() | _TEXT,
        data=st.none() | st.binary(max_size=20),
        inner=st.none() | inner,
        flags=st.none() | st.lists(st.booleans(), max_size=20).map(tuple),
        numbers=st.none() | st.lists(_signed(64), max_size=20).map(tuple),
        members=st.none() | st.frozensets(_TEXT, max_size=5),
        metadata=st.none() | st.dictionaries(_TEXT, _TEXT, max_size=5),
        by_number=st.none() | st.dictionaries(_signed(32), inner, max_size=2),
        lists=st.none() | st.lists(st.lists(_signed(32), max_size=3).map(tuple), max_size=3).map(tuple),
    )


STRUCTURES = st.recursive(st.just(Everything()), _everything, max_leaves=4)


@BOTH
@given(value=STRUCTURES)
def test_what_is_written_is_read(encoding: Encoding, value: Everything) -> None:
    assert decode(Everything, encode(value, encoding), encoding) == value


# The first and the third of the binary column are in linejs (`base/thrift/readwrite/write.test.ts`), which
# once was wrong.
@pytest.mark.parametrize(
    ("value", "binary", "compact"),
    [
        (618946633287860670, "0a00010896f0af040c01be00", "16fc86e0c0e0abf8961100"),
        (0, "0a0001000000000000000000", "160000"),
        (-5, "0a0001fffffffffffffffb00", "160900"),
        (-1, "0a0001ffffffffffffffff00", "160100"),
        (123, "0a0001000000000000007b00", "16f60100"),
        (2**63 - 1, "0a00017fffffffffffffff00", "16feffffffffffffffff0100"),
        (-(2**63), "0a0001800000000000000000", "16ffffffffffffffffff0100"),
    ],
)
def test_64_bit_integers_are_exact(value: int, binary: str, compact: str) -> None:
    assert encode(Long(value), Encoding.BINARY).hex() == binary
    assert encode(Long(value), Encoding.COMPACT).hex() == compact
    for encoding in Encoding:
        assert decode(Long, encode(Long(value), encoding), encoding) == Long(value)


@pytest.mark.parametrize(
    ("value", "folded"), [(0, 0), (-1, 1), (1, 2), (-2, 3), (2, 4), (-(2**63), 2**64 - 1)]
)
def test_zigzag_as_the_specification_tells_it(value: int, folded: int) -> None:
    assert zigzag(value) == folded
    assert unzigzag(folded) == value


def test_the_varint_of_the_specification() -> None:
    writer = CompactWriter()
    writer.varint(50399)
    assert writer.out.hex() == "df8903"
    assert CompactReader(bytes.fromhex("df8903")).varint(32) == 50399


@BOTH
@given(value=STRUCTURES)
def test_unknown_fields_are_kept_and_written_again(encoding: Encoding, value: Everything) -> None:
    data = encode(value, encoding)
    kept = decode(Keeping, data, encoding)
    assert kept.number == value.number
    assert decode(Everything, encode(kept, encoding), encoding) == value
    assert decode(Skipping, data, encoding) == Skipping(value.number)


@given(value=STRUCTURES)
def test_unknown_fields_survive_a_change_of_the_encoding(value: Everything) -> None:
    kept = decode(Keeping, encode(value, Encoding.COMPACT), Encoding.COMPACT)
    other = encode(kept, Encoding.BINARY)
    read_again = decode(Keeping, other, Encoding.BINARY)
    assert decode(Everything, encode(read_again, Encoding.BINARY), Encoding.BINARY) == value


@BOTH
def test_a_field_of_another_type_is_unknown(encoding: Encoding) -> None:
    data = encode(Keeping(None, {5: Raw(Type.STRING, b"five")}), encoding)
    assert decode(Skipping, data, encoding) == Skipping(None)
    assert decode(Keeping, data, encoding).unknown == {5: Raw(Type.STRING, b"five")}
    assert encode(decode(Keeping, data, encoding), encoding) == data


@BOTH
def test_an_integer_of_another_width_is_read(encoding: Encoding) -> None:
    data = encode(Keeping(None, {5: Raw(Type.I64, 2**40)}), encoding)
    assert decode(Skipping, data, encoding).number == 2**40


@BOTH
def test_a_list_of_other_elements_counts_as_absent(encoding: Encoding) -> None:
    data = encode(Keeping(7, {62: Raw(Type.LIST, (b"a", b"b"), Type.STRING)}), encoding)
    assert decode(Everything, data, encoding) == Everything(number=7)


@BOTH
def test_text_that_is_no_utf_8_costs_only_its_characters(encoding: Encoding) -> None:
    data = encode(Keeping(7, {42: Raw(Type.STRING, b"a\xffb")}), encoding)
    assert decode(Everything, data, encoding) == Everything(number=7, text="a�b")


@BOTH
@pytest.mark.parametrize(
    "value",
    [
        Everything(tiny=128),
        Everything(number=2**31),
        Everything(large=-(2**63) - 1),
        Everything(text="\ud800"),
        Everything(text=7),  # type: ignore[arg-type]
        Everything(data="text"),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_does_not_fit_is_refused(encoding: Encoding, value: Everything) -> None:
    with pytest.raises(NotEncodable, match="Everything"):
        encode(value, encoding)


@BOTH
def test_bytes_behind_a_structure(encoding: Encoding) -> None:
    data = encode(Long(1), encoding) + b"\0\0\0"
    with pytest.raises(Malformed, match="behind"):
        decode(Long, data, encoding)
    assert decode(Long, data, encoding, trailing=True) == Long(1)


@pytest.mark.parametrize("announced", [0x01, 0x02], ids=["as 1", "as 2"])
def test_elements_that_are_booleans_in_both_spellings(announced: int) -> None:
    data = bytes([0x09, 61 << 1, 0x30 | announced, 1, 2, 0, 0])
    assert decode(Everything, data, Encoding.COMPACT).flags == (True, False, False)
