"""The chunked coding: what is refused, the bounds, and how much is decoded at once."""

import pytest

from unifyport.front.chunked import MAX_CHUNKS, MAX_LINE, MAX_TRAILERS, ChunkedDecoder, ChunkError


def decode(*pieces: bytes) -> tuple[bytes, bytes, bool]:
    """(body, what is left, whether the body is over), of pieces that come one after the other."""
    decoder, body, left, over = ChunkedDecoder(), b"", b"", False
    for piece in pieces:
        left += piece
        while not over:
            more, left, over = decoder.decode(left)
            body += more
            if not more:
                break
    return body, left, over


VALID = [
    (b"0\r\n\r\n", b""),
    (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
    (b"A\r\n0123456789\r\n00\r\n\r\n", b"0123456789"),
    (b"0000000000000003\r\nabc\r\n0\r\n\r\n", b"abc"),
    (b"1;a\r\nx\r\n0;b=c\r\n\r\n", b"x"),
    (b'1 ; a="\xff;"\t\r\nx\r\n0\r\n\r\n', b"x"),
    (b"1 \r\nx\r\n0\r\n\r\n", b"x"),
    (b"1\r\n\r\r\n0\r\n\r\n", b"\r"),
    (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
    (b"1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", b"x"),
    (b"1;" + b"a" * (MAX_LINE - 2) + b"\r\nx\r\n0\r\n\r\n", b"x"),
]


@pytest.mark.parametrize(("raw", "body"), VALID)
def test_a_body_and_what_follows_it(raw: bytes, body: bytes) -> None:
    assert decode(raw + b"GET /") == (body, b"GET /", True)
    assert decode(*(raw[at : at + 1] for at in range(len(raw)))) == (body, b"", True)


INVALID = [
    b"\r\n",  # no size
    b" 1\r\nx\r\n",
    b"-1\r\nx\r\n",
    b"+1\r\nx\r\n",
    b"0x1\r\nx\r\n",
    b"1_0\r\nx\r\n",
    b"g\r\nx\r\n",
    b"00000000000000001\r\nx\r\n",  # 17 digits
    b"1\nx\r\n",  # bare LF after a size
    b"1\r\nx\n0\r\n\r\n",  # after data
    b"1\r\nx\r\n0\n\r\n",
    b"1\r\nx\r\n0\r\n\n",  # at the end
    b"1\r\nx\r\n0\r\nA: b\n\r\n",  # after a trailer
    b"1\rx\r\n",
    b"1;a\rb\r\nx\r\n",  # a bare CR in an extension
    b"1;a\x00\r\nx\r\n",
    b"1\r\nxy\r\n",  # longer than its size
    b"1\r\nx0\r\n\r\n",
    b"2\r\nx\r\n0\r\n\r\n",  # shorter
    b"0\r\n: b\r\n\r\n",
    b"0\r\nA : b\r\n\r\n",
    b"0\r\n folded\r\n\r\n",
    b"0\r\nA: b\rc\r\n\r\n",
    b"0\r\nGET / HTTP/1.1\r\n\r\n",
    b"1;" + b"a" * (MAX_LINE - 1) + b"\r\nx\r\n0\r\n\r\n",
    b"1;" + b"a" * (MAX_LINE + 10),
    b"0\r\n" + b"A: %b\r\n" % (b"x" * 200) * (1 + MAX_TRAILERS // 200) + b"\r\n",
]


@pytest.mark.parametrize("raw", INVALID)
def test_what_is_refused(raw: bytes) -> None:
    for pieces in ([raw], [raw[at : at + 1] for at in range(len(raw))]):
        with pytest.raises(ChunkError):
            decode(*pieces)


def test_a_step_is_bounded() -> None:
    """A piece of tiny chunks must not keep the loop from everything else."""
    raw = b"1\r\nx\r\n" * (MAX_CHUNKS + 5) + b"0\r\n\r\n"
    decoder = ChunkedDecoder()
    first, left, over = decoder.decode(raw)
    assert (len(first), over) == (MAX_CHUNKS, False)
    assert decoder.decode(left) == (b"x" * 5, b"", True)


def test_trailers_do_not_end_a_step() -> None:
    trailers = b"A:\r\n" * (MAX_CHUNKS * 2)
    assert decode(b"1\r\nx\r\n0\r\n" + trailers + b"\r\n") == (b"x", b"", True)
