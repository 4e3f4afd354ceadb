"""The parser of answers: whatever comes, in whatever pieces, it is one status at most,
and nothing grows without bound.
"""

import itertools
from collections.abc import Iterable, Iterator

import attrs
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unifyport.delivery.client import EXCERPT, MAX_ANSWER
from unifyport.delivery.scripted import answer as written
from unifyport.net.answer import MAX_HEAD, Answer, Headers, InvalidAnswer
from unifyport.net.clients import Response

PIECE = 1000
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@attrs.frozen
class Facts:
    status: int | str  # or why there is none
    body: bytes = b""
    reusable: bool = False
    done: bool = True
    retry_after: str | None = None
    size: int = attrs.field(default=attrs.Factory(lambda self: len(self.body), takes_self=True))


def read(pieces: Iterable[bytes], into: Answer | None = None) -> Facts:
    """As the client reads: until there is enough, or no more."""
    answer = into or Answer(MAX_ANSWER, EXCERPT)
    try:
        for piece in pieces:
            answer.feed(piece)
            if answer.enough:
                break
    except InvalidAnswer as invalid:
        return Facts(str(invalid), done=False)
    retry_after = Headers(answer.head).get("retry-after") if answer.status else None
    return Facts(answer.status, answer.body, answer.reusable, answer.done, retry_after, answer.size)


def one_by_one(data: bytes) -> Iterator[bytes]:
    return (data[place : place + 1] for place in range(len(data)))


def head(*lines: str, version: str = "1.1", status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/{version} {status}", *lines, "", ""]).encode()


INVALID = Facts("invalid_response", done=False)
ANSWERS = {
    "no content": (head(status="204 No Content"), Facts(204, reusable=True)),
    "a body": (written(200, b"ok"), Facts(200, b"ok", reusable=True)),
    "an empty body": (written(200), Facts(200, reusable=True)),
    "no reason": (head("content-length: 2", status="201") + b"ok", Facts(201, b"ok", reusable=True)),
    "a failure": (written(500, b"no"), Facts(500, b"no", reusable=True)),
    "a redirect": (written(302, more="location: http://[::1]/\r\n"), Facts(302, reusable=True)),
    "asks to wait": (written(429, more="Retry-After: 7\r\n"), Facts(429, reusable=True, retry_after="7")),
    "chunked": (
        CHUNKED + b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nretry-after: 9\r\n\r\n",
        Facts(200, b"abcde", reusable=True),  # a trailer comes too late to say anything
    ),
    "an empty line before": (b"\r\n" + written(200, b"ok"), Facts(200, b"ok", reusable=True)),
    "an empty line after": (written(200, b"ok") + b"\r\n", Facts(200, b"ok", reusable=True)),
    "100 before": (head(status="100 Continue") + written(200, b"ok"), Facts(200, b"ok", reusable=True)),
    "103 and 100 before": (
        head("retry-after: 5", status="103 Early Hints") + head(status="100 Continue") + written(204),
        Facts(204, reusable=True),
    ),
    "only 100": (head(status="100 Continue"), Facts(0, done=False)),
    "101 and what follows": (
        head("connection: upgrade", "upgrade: websocket", status="101 -") + b"\x81\x05hello",
        Facts(101),
    ),
    "101 to what nobody named": (head(status="101 -") + b"\x81\x05hello", Facts(101)),
    "connection: close": (written(200, b"ok", more="connection: close\r\n"), Facts(200, b"ok")),
    "HTTP/1.0": (head("content-length: 2", version="1.0") + b"ok", Facts(200, b"ok")),
    "HTTP/1.0 that keeps": (
        head("content-length: 2", "connection: keep-alive", version="1.0") + b"ok",
        Facts(200, b"ok", reusable=True),
    ),
    "until the end": (head() + b"ok", Facts(200, b"ok", done=False)),
    "a length that is too long": (head("content-length: 9") + b"ok", Facts(200, b"ok", done=False)),
    "a chunk that is none": (CHUNKED + b"2\r\nok\r\nzz\r\n", Facts(200, b"ok", done=False)),
    "a negative length": (head("content-length: -2") + b"ok", INVALID),
    "a length that is no number": (head("content-length: 0x2") + b"ok", INVALID),
    "a length beyond 64 bits": (head("content-length: 99999999999999999999") + b"ok", INVALID),
    "two lengths that differ": (head("content-length: 2", "content-length: 3") + b"ok", INVALID),
    "a fold of no header": (head(" x: y", "content-length: 2") + b"ok", INVALID),
    "a NUL in a header": (head("x: a\0b"), INVALID),
    "a header without colon": (head("nonsense"), INVALID),
    "status 000": (head("content-length: 0", status="000 -"), INVALID),
    "status 099": (head("content-length: 0", status="099 -"), INVALID),
    "status 20": (head(status="20 -"), INVALID),
    "status 2000": (head(status="2000 -"), INVALID),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", INVALID),
    "a TLS alert": (b"\x15\x03\x01\x00\x02\x02\x46", INVALID),
    "a request": (b"GET / HTTP/1.1\r\n\r\n", INVALID),
    "nothing": (b"", Facts(0, done=False)),
}

OK = Facts(200, b"ok", reusable=True)
DRAINED = Facts(200, b"ok")  # nothing else may be read on this connection
LENIENT = {
    "no carriage returns": (b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok", OK),
    "carriage returns in some lines": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\n\r\nok", OK),
    "an empty line without one": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\nok", OK),
    "a folded header": (
        head("retry-after: Fri, 31 Dec", "\t 1999 23:59:59 GMT", "content-length: 2", status="503 -") + b"ok",
        Facts(503, b"ok", reusable=True, retry_after="Fri, 31 Dec 1999 23:59:59 GMT"),
    ),
    "two equal lengths": (head("content-length: 2", "Content-Length:2") + b"ok", OK),
    "a list of equal lengths": (head("content-length: 2, 2") + b"ok", OK),
    "a space before the colon": (
        head("retry-after : 3", "content-length\t: 2") + b"ok",
        attrs.evolve(OK, retry_after="3"),
    ),
    "a space in a name": (head("x y: z", "content-length: 2") + b"ok", OK),
    "a control character": (head("x: a\x01b\rc", "content-length: 2") + b"ok", OK),
    "length and chunks": (
        head("content-length: 9", "transfer-encoding: chunked") + b"2\r\nok\r\n0\r\n\r\n",
        DRAINED,
    ),
    "chunks and length": (
        head("transfer-encoding: chunked", "content-length: 9") + b"2\r\nok\r\n0\r\n\r\n",
        DRAINED,
    ),
    "after interim answers": (
        b"HTTP/1.1 100 Continue\n\nHTTP/1.1 103 -\r\nretry-after : 1\r\n\r\n" + written(200, b"ok"),
        OK,
    ),
    "before the end of the connection": (b"HTTP/1.0 200 OK\n\nok", Facts(200, b"ok", done=False)),
}
ANSWERS |= LENIENT


@pytest.mark.parametrize(("data", "facts"), ANSWERS.values(), ids=ANSWERS.keys())
def test_the_facts_are_the_same_wherever_it_is_cut(data: bytes, facts: Facts) -> None:
    assert read([data]) == facts
    assert read(one_by_one(data)) == facts
    for cut in range(1, len(data)):
        assert read([data[:cut], data[cut:]]) == facts


@pytest.mark.parametrize(
    "more", [b"xyz", written(404, b"no", more="retry-after: 9\r\n"), head(), b"\r\nxyz"], ids=repr
)
@pytest.mark.parametrize("first", [written(200, b"ok"), CHUNKED + b"2\r\nok\r\n0\r\n\r\n"], ids=repr)
def test_what_follows_to_no_question_only_costs_the_connection(first: bytes, more: bytes) -> None:
    assert read([first + more]) == Facts(200, b"ok")
    assert read([first[:-1], first[-1:] + more]) == Facts(200, b"ok")


def test_cookies_are_not_joined_by_commas() -> None:
    """`Expires` has a comma of its own (RFC 9110, section 5.3)."""
    cookies = ["a=1; Expires=Wed, 18 Nov 2026 10:00:00 GMT", "b=2; Path=/"]
    head = f"HTTP/1.1 200 OK\r\nset-cookie: {cookies[0]}\r\nx: 1\r\nX: 2\r\nSet-Cookie: {cookies[1]}\r\n\r\n"
    read = Headers(head.encode())
    assert read["x"] == "1, 2"
    assert Response(200, read, b"").set_cookies == cookies
    pairs = [("set-cookie", cookie) for cookie in cookies]
    assert Response(200, httpx.Headers(pairs), b"").set_cookies == cookies
    assert Response(200, Headers(b"HTTP/1.1 200 OK\r\n\r\n"), b"").set_cookies == []


def test_a_length_that_is_too_short_is_an_answer_to_no_question() -> None:
    assert read([head("content-length: 2") + b"okay"]) == Facts(200, b"ok")
    assert read([head("content-length: 5", status="204 -") + b"hello"]) == Facts(204)


def test_answers_on_one_connection_know_nothing_of_each_other() -> None:
    answer = Answer(MAX_ANSWER, EXCERPT)
    first = written(503, b"later", more="retry-after: 7\r\n")
    for data, facts in (
        (first, Facts(503, b"later", reusable=True, retry_after="7")),
        (written(200, b"ok"), Facts(200, b"ok", reusable=True)),
        (head(status="204 -"), Facts(204, reusable=True)),
        (written(200, more="connection: close\r\n"), Facts(200)),
    ):
        answer.begin()
        assert read(one_by_one(data), answer) == facts


def test_a_lenient_answer_leaves_a_strict_parser_behind() -> None:
    answer = Answer(MAX_ANSWER, EXCERPT)
    for data, facts in (
        (LENIENT["a folded header"]),
        (written(200, b"ok"), OK),
        (LENIENT["no carriage returns"]),
        (ANSWERS["a NUL in a header"]),
    ):
        answer.begin()
        assert read(one_by_one(data), answer) == facts


@pytest.mark.parametrize("data", [b"HTTP/2 200\n", b"ICY 200 OK\n", b"\n\nSSH-2.0-x\n", b"{}"], ids=repr)
def test_what_is_no_answer_is_refused_at_once(data: bytes) -> None:
    assert read([data]) == INVALID


@pytest.mark.parametrize(
    ("begin", "forever"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 ", b"O"),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nx: ", b"y"),
        (b"HTTP/1.1 200 OK\r\n", b"x"),
        (b"", b"\r\n"),
    ],
    ids=["interim answers", "a reason", "headers", "a value", "a name", "empty lines"],
)
def test_a_head_without_end_is_refused(begin: bytes, forever: bytes) -> None:
    answer = Answer(MAX_ANSWER, EXCERPT)
    answer.feed(begin)
    with pytest.raises(InvalidAnswer, match="response_headers_too_large"):
        for _ in range(1000):
            answer.feed(forever * (PIECE // len(forever)))
    assert MAX_HEAD < answer.heard <= MAX_HEAD + PIECE
    assert answer.status == 0


@pytest.mark.parametrize(
    ("begin", "forever"),
    [
        (head(), b"x"),
        (head("content-length: 999999999"), b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (CHUNKED + b"ffffffff\r\n", b"x"),
        (CHUNKED + b"1;x=", b"y"),
        (CHUNKED + b"0\r\n", b"x: y\r\n"),
        (CHUNKED + b"0\r\nx: ", b"y"),
    ],
    ids=["until the end", "length", "chunks", "a chunk", "an extension", "trailers", "a trailer"],
)
def test_what_follows_a_head_is_read_up_to_a_limit_and_changes_no_status(
    begin: bytes, forever: bytes
) -> None:
    answer = Answer(MAX_ANSWER, EXCERPT)
    facts = read(itertools.chain([begin], itertools.repeat(forever * (PIECE // len(forever)), 1000)), answer)
    assert (facts.status, facts.done, facts.reusable) == (200, False, False)
    assert MAX_ANSWER < answer.heard <= MAX_ANSWER + PIECE
    assert facts.size <= answer.heard


@pytest.mark.parametrize("size", [EXCERPT - 1, EXCERPT, EXCERPT + 1, MAX_ANSWER - 200])
def test_people_are_shown_the_beginning_of_a_body(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    facts = read([written(400, body[:size])])
    assert facts == Facts(400, body[: min(size, EXCERPT)], reusable=True, size=size)
    assert read(one_by_one(written(400, body[:size]))) == facts


PARTS = st.lists(
    st.sampled_from(
        [
            *(
                b"HTTP/1.1 200 OK\r\n",
                b"HTTP/1.1 100 -\r\n\r\n",
                b"HTTP/1.0 404 x\r\n",
                b"HTTP/1.1 101 -\r\n",
            ),
            *(b"content-length: 3\r\n", b"transfer-encoding: chunked\r\n", b"connection: close\r\n"),
            *(b"connection: upgrade\r\nupgrade: x\r\n", b"retry-after: 3\r\n", b"\r\n", b"\r", b"\n", b":"),
            *(b"content-length : 3\n", b"HTTP/1.1 200 OK\n", b" \tx\n", b"\n\n"),
            *(b"3\r\nabc\r\n", b"0\r\n", b"abc", b" ", b"\0", b"\xff"),
        ]
    )
    | st.binary(max_size=3),
    max_size=12,
)


@given(PARTS, st.lists(st.integers(1, 200), max_size=6))
@example([written(200, b"abc"), written(200, b"abc")], [80])
def test_nothing_is_but_facts_that_do_not_depend_on_the_pieces(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    at = [0, *sorted(cuts), len(data)]
    whole = read([data])
    cut = read(data[begin:end] for begin, end in itertools.pairwise(at))
    assert attrs.evolve(whole, reusable=False) == attrs.evolve(cut, reusable=False)
    assert (
        whole.reusable <= cut.reusable <= whole.done
    )  # what was not read is left to be found on the connection
    assert isinstance(whole.status, str) or whole.status == 0 or whole.status >= 101
