"""Forms, in whatever pieces they come, against another decoder of them."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from unifyport.protocols import header_parameters
from unifyport.protocols.multipart import END, NEED_DATA, FormDecoder, FormError, Part

Found = list[tuple[str | None, str, bytes]]


def ours(pieces: Sequence[bytes], boundary: bytes = b"bb") -> Found | None:
    """(filename, content type, data) of each part; None for what is no form."""
    decoder, found = FormDecoder(boundary, max_buffer=10_000, max_parts=4), Found()
    try:
        for number, piece in enumerate(pieces, 1):
            decoder.receive(piece, last=number == len(pieces))
            while (event := decoder.next_event()) not in (NEED_DATA, END):
                if isinstance(event, Part):
                    found.append((event.filename, event.content_type, b""))
                else:
                    assert isinstance(event, bytes)
                    found[-1] = (*found[-1][:2], found[-1][2] + event)
    except FormError:
        return None
    return found


def theirs(body: bytes) -> Found | None:
    decoder, found = MultipartDecoder(b"bb", 10_000, max_parts=4), Found()
    try:
        decoder.receive_data(body)
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), (Epilogue, NeedData)):
            if isinstance(event, (File, Field)):
                filename = event.filename if isinstance(event, File) else None
                found.append((filename, event.headers.get("content-type", ""), b""))
            elif isinstance(event, Data):
                found[-1] = (*found[-1][:2], found[-1][2] + event.data)
    except (ValueError, RequestEntityTooLarge):
        return None
    return found


WORDS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"--bb",
    b"--",
    b"-",
    b"bb",
    b" ",
    b"x",
    b'\r\n--bb\r\nContent-Disposition: form-data; filename="a"\r\n\r\n',
    b"\r\n--bb\r\ncontent-type: text/plain\r\nContent-Disposition: form-data; name=b\r\n\r\n",
    b"\r\n--bb--\r\n",
]


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(edges)]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=12), st.lists(st.integers(0, 500), max_size=6))
def test_a_form_is_read_as_elsewhere_however_it_is_cut(words: list[bytes], places: list[int]) -> None:
    body = WORDS[9] + b"".join(words) + WORDS[11]
    whole = ours([body])
    assert whole == theirs(body)
    assert ours(cut(body, places)) == whole


def test_a_form_byte_by_byte() -> None:
    form = b"before\r\n--bb \r\nContent-Disposition: form-data; filename=a\r\n\r\n\r\n\r\n--b\r\n--bb--after"
    assert ours([form[at : at + 1] for at in range(len(form))]) == [("a", "", b"\r\n\r\n--b")]
    assert ours([form[:-9]]) is None


@pytest.mark.parametrize(
    "body", [b"", b"x" * 10_001, b"--bb\r\nno: disposition\r\n\r\n", WORDS[9] * 5 + WORDS[11]]
)
def test_what_is_no_form(body: bytes) -> None:
    assert ours([body]) is None


HEADER = st.lists(
    st.sampled_from(
        "form-data|;| |filename|name|=|*|*0|*1|\"|\\|%22|%e2%82%ac|%ff|UTF-8''|''|latin|iso-8859-1'en'|a|é".split(
            "|"
        )
    ),
    max_size=14,
)


@settings(max_examples=500, deadline=None)
@given(HEADER)
def test_parameters_are_read_as_elsewhere(words: list[str]) -> None:
    header = "form-data; " + "".join(words)
    assert header_parameters.parse(header) == parse_options_header(header)
