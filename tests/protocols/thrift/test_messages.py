"""Calls and answers in both encodings."""

import contextlib
from typing import Annotated

import hypothesis.strategies as st
import pytest
from attrs import frozen
from hypothesis import given

from tests.protocols.thrift.shapes import Long
from unifyport.protocols.thrift import (
    ApplicationException,
    CallFailed,
    Encoding,
    Head,
    Malformed,
    MessageKind,
    decode_answer,
    encode_message,
    encoding_of,
    open_message,
    read,
)

BOTH = pytest.mark.parametrize("encoding", list(Encoding), ids=lambda one: one.value)


@frozen
class Answer:
    success: Annotated[Long | None, 0] = None
    error: Annotated[ApplicationException | None, 1] = None


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        # The heads that linejs and CHRLINE send: version 1, a call, sequence 0.
        (Encoding.BINARY, "80010001" + "00000004" + b"sync".hex() + "00000000" + "00"),
        (Encoding.COMPACT, "8221" + "00" + "04" + b"sync".hex() + "00"),
    ],
)
def test_the_head_of_a_call(encoding: Encoding, data: str) -> None:
    assert encode_message(Head(MessageKind.CALL, "sync"), Long(), encoding).hex() == data
    head, reader = open_message(bytes.fromhex(data), encoding)
    assert head == Head(MessageKind.CALL, "sync", 0)
    assert read(reader, Long) == Long()
    assert encoding_of(bytes.fromhex(data)) is encoding


@BOTH
@given(
    kind=st.sampled_from(MessageKind),
    name=st.text("abcXYZ_09", max_size=20),
    sequence=st.integers(0, 2**31 - 1),
)
def test_what_is_written_is_read(encoding: Encoding, kind: MessageKind, name: str, sequence: int) -> None:
    data = encode_message(Head(kind, name, sequence), Long(-7), encoding)
    head, reader = open_message(data, encoding)
    assert head == Head(kind, name, sequence)
    assert read(reader, Long) == Long(-7)


@BOTH
def test_an_answer(encoding: Encoding) -> None:
    data = encode_message(Head(MessageKind.REPLY, "x"), Answer(Long(5)), encoding)
    assert decode_answer(Answer, data, encoding) == Answer(Long(5))


@BOTH
def test_an_answer_that_is_an_exception_of_the_application(encoding: Encoding) -> None:
    exception = ApplicationException("unknown method", 1)
    data = encode_message(Head(MessageKind.EXCEPTION, "x"), exception, encoding)
    with pytest.raises(CallFailed) as caught:
        decode_answer(Answer, data, encoding)
    assert caught.value.exception == exception


@BOTH
def test_a_call_is_no_answer(encoding: Encoding) -> None:
    with pytest.raises(Malformed, match="CALL"):
        decode_answer(Answer, encode_message(Head(MessageKind.CALL, "x"), Answer(), encoding), encoding)


def test_the_older_head_of_the_binary_encoding() -> None:
    data = bytes.fromhex("00000001" + b"x".hex() + "02" + "00000007" + "00")
    head, _ = open_message(data, Encoding.BINARY)
    assert head == Head(MessageKind.REPLY, "x", 7)


@BOTH
@given(data=st.binary(max_size=40))
def test_any_bytes(encoding: Encoding, data: bytes) -> None:
    with contextlib.suppress(Malformed):
        decode_answer(Answer, data, encoding)


def test_an_html_page_is_no_answer() -> None:
    page = b"<html><body>502 Bad Gateway</body></html>"
    with pytest.raises(Malformed):
        decode_answer(Answer, page, encoding_of(page))
    with pytest.raises(Malformed):
        encoding_of(b"")
