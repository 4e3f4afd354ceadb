"""The same bytes for h11 and for us: where they are read differently, a row says who is right and why.

Sections are of RFC 9112, or of RFC 9110 where that is named. "both": the RFC allows either.
"""

import re

import attrs
import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unifyport.front.http1 import RequestError, RequestReader

HOST = b"Host: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@attrs.frozen
class Reading:
    """(method, target, body) of each request, and whether something was refused."""

    requests: tuple[tuple[bytes, bytes, bytes], ...]
    refused: bool


def ours(raw: bytes) -> Reading:
    reader, requests = RequestReader(), list[tuple[bytes, bytes, bytes]]()
    reader.feed(raw)
    try:
        while (head := reader.next_head()) is not None:
            body = b""
            while piece := reader.next_piece():
                body += piece
            if piece is None:
                break
            target = head.path + b"?" + head.query if head.query else head.path
            requests.append((head.method.encode(), target, body))
            if not head.keep_alive:
                break
    except RequestError:
        return Reading(tuple(requests), True)
    return Reading(tuple(requests), False)


def theirs(raw: bytes) -> Reading:
    connection, requests = h11.Connection(h11.SERVER), list[tuple[bytes, bytes, bytes]]()
    connection.receive_data(raw)
    request, body = None, b""
    try:
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Request):
                request, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert request is not None
                requests.append((request.method, request.target, body))
                connection.send(h11.Response(status_code=404, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    break
                connection.start_next_cycle()
    except h11.RemoteProtocolError:
        return Reading(tuple(requests), True)
    return Reading(tuple(requests), False)


@attrs.frozen
class Difference:
    """`marks`: what bytes that are read differently contain. `example`: some of them."""

    what: str
    right: str  # we, h11, both
    why: str
    marks: re.Pattern[bytes]
    example: bytes


def row(what: str, right: str, why: str, marks: bytes, example: bytes) -> Difference:
    return Difference(what, right, why, re.compile(marks, re.IGNORECASE | re.DOTALL), example)


def get(first: bytes = b"GET / HTTP/1.1", more: bytes = b"") -> bytes:
    return first + b"\r\n" + HOST + more + b"\r\n"


# We refuse what h11 reads.
STRICTER = [
    row(
        "a bare LF", "both", "2.2: a recipient MAY take it", rb"(?<!\r)\n", b"GET / HTTP/1.1\nHost: a\r\n\r\n"
    ),
    row(
        "a bare CR", "we", "2.2: invalid, or replaced by a space", rb"\r(?!\n)", CHUNKED + b"1;a\rb\r\nx\r\n"
    ),
    row(
        "a folded field",
        "both",
        "5.2: MUST be rejected or unfolded",
        rb"\n[ \t]",
        get(more=b"A: b\r\n c\r\n"),
    ),
    row(
        "a Host that is none",
        "we",
        "3.2: MUST be a 400",
        rb"\nhost:[^\r]*[^ \t\r0-9a-z._~!$&'()*+,;=:%\[\]-]|\nhost:[ \t]*[^ \t\r]+[ \t]+[^ \t\r]",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    ),
    row(
        "a method that no one here knows",
        "both",
        "RFC 9110, 9.1: SHOULD be a 501; h11 leaves it to the application",
        rb"(?<![!-~])(?!(?:(?-i:GET|POST)) )[!-~]+ [!-~]+ HTTP/",
        get(b"FOO / HTTP/1.1"),
    ),
    row("CONNECT", "both", "RFC 9110, 9.3.6: for proxies", rb"CONNECT ", get(b"CONNECT a:443 HTTP/1.1")),
    row(
        "another version",
        "both",
        "RFC 9110, 2.5: a minor version is read as the highest one known, others may be a 505",
        rb"HTTP/(?!1\.[01]\r)[0-9]\.[0-9]",
        get(b"GET / HTTP/1.2"),
    ),
    row(
        "HTTP/0.9", "we", "3: no request of HTTP/1.1; h11 waits for more", rb"^[^ ]+ [^ ]+\r\n", b"GET /\r\n"
    ),
    row("a fragment", "we", "3.2: not part of a target", rb" [!-~]*#[!-~]* HTTP/", get(b"GET /#a HTTP/1.1")),
    row(
        "a target of no form",
        "we",
        "3.2: SHOULD be a 400",
        rb" (?![/*]|https?://[^/?@ ])[!-~]+ HTTP/"
        rb"| \*[!-~]+ HTTP/"
        rb"| https?://[^/? ]*[^/? 0-9a-z._~!$&'()*+,;=:%\[\]-][!-~]* HTTP/",
        get(b"GET a HTTP/1.1"),
    ),
    row("a user in a target", "we", "RFC 9110, 4.2.4", rb"://[^/ ]*@", get(b"GET http://b@a/ HTTP/1.1")),
    row(
        "a coding in HTTP/1.0",
        "we",
        "6.1: MUST be treated as faulty framing",
        rb"HTTP/1\.0.*transfer-encoding:",
        get(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked\r\n"),
    ),
    row(
        "a second request in HTTP/1.0",
        "both",
        "9.3: MAY be kept open where the peer asks for it; h11 never does, and looks at nothing more",
        rb"HTTP/1\.0.*keep-alive",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nA: b\r\n",
    ),
    row(
        "two kinds of length",
        "both",
        "6.1: MAY be rejected, to prevent smuggling",
        rb"transfer-encoding:.*content-length:|content-length:.*transfer-encoding:",
        get(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
    ),
    row(
        "one length twice",
        "both",
        "RFC 9110, 8.6: rejected, or taken once",
        rb"content-length:.*content-length:|content-length:[^\r]*,",
        get(b"POST / HTTP/1.1", b"Content-Length: 3\r\nContent-Length: 3\r\n"),
    ),
    row(
        "a length beyond 64 bits",
        "both",
        "RFC 9110, 8.6: MUST expect large numbers, and not overflow",
        rb"content-length: *[0-9]{20}",
        get(b"POST / HTTP/1.1", b"Content-Length: 18446744073709551616\r\n"),
    ),
    row(
        "a control character in a field",
        "we",
        "RFC 9110, 5.5: not part of the grammar",
        rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]",
        get(more=b"A: \x01\r\n"),
    ),
    row(
        "another expectation",
        "both",
        "RFC 9110, 10.1.1: MAY be a 417",
        rb"expect:",
        get(more=b"Expect: a\r\n"),
    ),
    row(
        "more fields than 100",
        "both",
        "RFC 6585, 5: a 431",
        rb"(?:\r\n[^\r]+){100}",
        get(more=b"A: b\r\n" * 100),
    ),
    row(
        "a chunk's size of more than 16 digits",
        "both",
        "7.1: MUST anticipate large numbers, and not overflow",
        rb"\n[0-9a-f]{17}",
        CHUNKED + b"00000000000000001\r\nx\r\n",
    ),
    row(
        "a long extension of a chunk",
        "both",
        "7.1.1: SHOULD be limited",
        rb"\n[0-9a-f]+[ \t]*;[^\r]{255}",
        CHUNKED + b"1;" + b"a" * 300 + b"\r\nx\r\n",
    ),
    row(
        "long trailers",
        "both",
        "7.1.2 and 5.4 of RFC 9110: limits are the server's",
        rb"\r\n0\r\n.{4096}",
        CHUNKED + b"1\r\nx\r\n0\r\n" + b"A: %b\r\n" % (b"b" * 200) * 30,
    ),
]
# We read what h11 refuses.
LAXER = [
    row(
        "an empty line before a request",
        "we",
        "2.2: SHOULD ignore one at least",
        rb"(?:^|(?<=[^\r]))\r\n(?:[!-~]+ |\r?$)|\r\n\r\n\r(?:\n|$)",
        b"\r\n" + get(),
    ),
    row(
        "a space before the extension of a chunk",
        "we",
        "7.1.1: bad whitespace MUST be taken and removed",
        rb"\n[0-9a-f]+[ \t]+;",
        CHUNKED + b"1 ;a=b\r\nx\r\n0\r\n\r\n",
    ),
]


def same_as_h11(mine: Reading, raw: bytes) -> Reading:
    """What h11 would say in our words: it does not split a target, and does not know the absolute form."""
    read = theirs(raw)
    return attrs.evolve(read, requests=tuple((m, _split(target), body) for m, target, body in read.requests))


def _split(target: bytes) -> bytes:
    if (absolute := re.match(rb"https?://[^/?]+", target, re.IGNORECASE)) is not None:
        target = target[absolute.end() :]
        target = target if target.startswith(b"/") else b"/" + target
    return target.removesuffix(b"?") if target.count(b"?") == 1 else target


@pytest.mark.parametrize("known", STRICTER, ids=lambda known: known.what)
def test_where_we_refuse_more(known: Difference) -> None:
    assert known.marks.search(known.example)
    assert ours(known.example).refused
    assert not theirs(known.example).refused


@pytest.mark.parametrize("known", LAXER, ids=lambda known: known.what)
def test_where_we_read_more(known: Difference) -> None:
    assert known.marks.search(known.example)
    assert not ours(known.example).refused
    assert theirs(known.example).refused


def check(raw: bytes) -> None:
    """Each difference has a row, and what both read they read alike."""
    mine, h11s = ours(raw), same_as_h11(ours(raw), raw)
    if mine == h11s:
        return
    both = min(len(mine.requests), len(h11s.requests))
    assert mine.requests[:both] == h11s.requests[:both], raw
    if mine.refused and len(h11s.requests) >= len(mine.requests):
        assert (
            any(known.marks.search(raw) for known in STRICTER) or same_as_h11(mine, raw + b"\r\n\r\n").refused
        ), raw
    else:
        assert h11s.refused, raw
        assert any(known.marks.search(raw) for known in LAXER), raw


SEEDS = [
    b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: b\r\n\r\n",
    CHUNKED + b"3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\nX-Y: z\r\n\r\n",
    b"GET http://h/ HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
]
_BITS = [bytes([n]) for n in b'\r\n \t:\0\x01\x0b\x7f\x80\xff,;01a#"%/@*'] + [
    b"\r\n",
    b"chunked",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: b\r\n",
    b"X: y\r\n",
]
_mutations = st.tuples(
    st.integers(0, 200), st.sampled_from(["insert", "replace", "delete"]), st.sampled_from(_BITS)
)


def mutate(raw: bytes, at: int, how: str, bit: bytes) -> bytes:
    at %= len(raw) + 1
    return raw[:at] + (b"" if how == "delete" else bit) + raw[at + (how != "insert") :]


@given(st.sampled_from(SEEDS), st.lists(_mutations, min_size=1, max_size=3))
def test_requests_that_were_changed_are_read_alike(raw: bytes, changes: list[tuple[int, str, bytes]]) -> None:
    for change in changes:
        raw = mutate(raw, *change)
    check(raw)
