"""HTTP/1.1 without sockets: what is refused and with which status, framing, and any split of the bytes."""

from http import HTTPStatus
from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unifyport.front.http1 import Head, RequestError, RequestReader, encode_chunk, encode_head
from unifyport.front.limits import LIMITS

SMALL = attrs.evolve(LIMITS, head_bytes=256, head_fields=4)
HOST = b"Host: a\r\n"
Read = tuple[list[tuple[Head, bytes]], int | None]  # requests with their bodies; the status of a refusal


def read(*pieces: bytes, limits=LIMITS) -> Read:
    """Every request of the pieces, in the order in which they come."""
    reader, requests = RequestReader(limits), list[tuple[Head, bytes]]()
    head, body = None, b""
    try:
        for piece in pieces:
            reader.feed(piece)
            while True:
                if head is None and (head := reader.next_head()) is None:
                    break
                if (more := reader.next_piece()) is None:
                    break
                body += more
                if not more:
                    requests.append((head, body))
                    head, body = None, b""
    except RequestError as error:
        return requests, int(error.status)
    return requests, None


def status_of(raw: bytes) -> int:
    """200 for a whole request, 100 for one that lacks bytes, else the status of its refusal."""
    requests, refused = read(raw)
    return refused or (200 if requests else 100)


def line(text: bytes) -> bytes:
    return text + b"\r\n" + HOST + b"\r\n"


def fields(text: bytes, version: bytes = b"1.1") -> bytes:
    return b"POST / HTTP/" + version + b"\r\n" + HOST + text + b"\r\n\r\n"


REFUSED = [
    # what, request, status
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    ("two Hosts in HTTP/1.0", b"GET / HTTP/1.0\r\n" + HOST + HOST + b"\r\n", 400),
    ("two Hosts in one", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("a Host with a path", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("HTTP/0.9", b"GET /\r\n", 400),
    ("HTTP/0.9 with fields", line(b"GET /"), 400),
    ("HTTP/1.2", line(b"GET / HTTP/1.2"), 505),
    ("HTTP/2 without TLS", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("a version that is none", line(b"GET / HTTP/1"), 400),
    ("a version in lower case", line(b"GET / http/1.1"), 400),
    ("another protocol", line(b"GET / ICE/1.1"), 400),
    ("two spaces", line(b"GET  / HTTP/1.1"), 400),
    ("a tab in the request line", line(b"GET\t/ HTTP/1.1"), 400),
    ("a space at the end", line(b"GET / HTTP/1.1 "), 400),
    ("no method", line(b" / HTTP/1.1"), 400),
    ("a method that is no token", line(b"G(T / HTTP/1.1"), 400),
    ("a method that nobody knows", line(b"FOO / HTTP/1.1"), 501),
    ("a method in lower case", line(b"get / HTTP/1.1"), 501),
    ("CONNECT", line(b"CONNECT a:443 HTTP/1.1"), 501),
    ("a fragment", line(b"GET /#a HTTP/1.1"), 400),
    ("a relative target", line(b"GET a HTTP/1.1"), 400),
    ("a target of another scheme", line(b"GET ftp://a/ HTTP/1.1"), 400),
    ("an absolute target without a host", line(b"GET http:///a HTTP/1.1"), 400),
    ("an absolute target with a user", line(b"GET http://user@a/ HTTP/1.1"), 400),
    ("a control character in the target", line(b"GET /\x01 HTTP/1.1"), 400),
    ("bytes that are not ASCII in the target", line(b"GET /\xc3\xa9 HTTP/1.1"), 400),
    ("Transfer-Encoding in HTTP/1.0", fields(b"Transfer-Encoding: chunked", b"1.0"), 400),
    ("another coding in HTTP/1.0", fields(b"Transfer-Encoding: gzip", b"1.0"), 400),
    ("another coding", fields(b"Transfer-Encoding: gzip"), 501),
    ("identity", fields(b"Transfer-Encoding: identity"), 501),
    ("another coding before", fields(b"Transfer-Encoding: gzip, chunked"), 501),
    (
        "another coding before, in its own field",
        fields(b"Transfer-Encoding: gzip\r\nX: y\r\nTransfer-Encoding: chunked"),
        501,
    ),
    ("another coding after", fields(b"Transfer-Encoding: chunked, gzip"), 501),
    ("chunked with a parameter", fields(b"Transfer-Encoding: chunked;q=1"), 400),
    ("chunked twice", fields(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400),
    ("no coding", fields(b"Transfer-Encoding: "), 400),
    ("a coding that looks like chunked", fields(b"Transfer-Encoding: \x0bchunked"), 400),
    ("both lengths", fields(b"Transfer-Encoding: chunked\r\nContent-Length: 3"), 400),
    ("both lengths, the other way", fields(b"Content-Length: 3\r\nTransfer-Encoding: chunked"), 400),
    ("both lengths and another coding", fields(b"Content-Length: 3\r\nTransfer-Encoding: gzip"), 400),
    ("two lengths", fields(b"Content-Length: 3\r\nContent-Length: 4"), 400),
    ("one length twice", fields(b"Content-Length: 3\r\nContent-Length: 3"), 400),
    ("two lengths in one field", fields(b"Content-Length: 3, 3"), 400),
    ("a negative length", fields(b"Content-Length: -3"), 400),
    ("a length with a sign", fields(b"Content-Length: +3"), 400),
    ("a hexadecimal length", fields(b"Content-Length: 0x3"), 400),
    ("a length that is empty", fields(b"Content-Length: "), 400),
    ("a length beyond 64 bits", fields(b"Content-Length: 18446744073709551616"), 400),
    ("another expectation", fields(b"Expect: 200-ok"), 417),
    ("a bare LF after the request line", b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400),
    ("a bare LF after a field", b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    ("a bare LF at the end", b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    ("a bare CR", b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n", 400),
    ("a folded field", fields(b"X: a\r\n b"), 400),
    ("a field folded with a tab", fields(b"X: a\r\n\tb"), 400),
    ("a space before the first field", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("a space before the colon", fields(b"X : a"), 400),
    ("a space before the colon of Upgrade", fields(b"Upgrade : a"), 400),
    ("a field without a name", fields(b": a"), 400),
    ("a field without a colon", fields(b"X"), 400),
    ("NUL in a field", fields(b"X: \x00"), 400),
    ("a control character in a field", fields(b"X: \x01"), 400),
    ("a handshake of TLS", b"\x16\x03\x01\x02", 400),
    ("two empty lines first", b"\r\n\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
]


@pytest.mark.parametrize(("raw", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused(raw: bytes, status: int) -> None:
    assert status_of(raw) == status
    assert read(*(raw[at : at + 1] for at in range(len(raw)))) == ([], status)


ACCEPTED = [
    # what, request, path, query, keep-alive
    ("a query", line(b"GET /a?b=c?d HTTP/1.1"), b"/a", b"b=c?d", True),
    ("percent-encoding stays", line(b"GET /%2F%00?%20 HTTP/1.1"), b"/%2F%00", b"%20", True),
    ("the absolute form", line(b"GET http://b:80/a?b HTTP/1.1"), b"/a", b"b", True),
    ("the absolute form without a path", line(b"GET HTTPS://[::1]?b HTTP/1.1"), b"/", b"b", True),
    ("the asterisk form", line(b"OPTIONS * HTTP/1.1"), b"*", b"", True),
    ("an empty line first", b"\r\n" + line(b"GET / HTTP/1.1"), b"/", b"", True),
    ("an empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", b"/", b"", True),
    ("close", line(b"GET / HTTP/1.1\r\nConnection: X, Close"), b"/", b"", False),
    (
        "close in the second field",
        line(b"GET / HTTP/1.1\r\nConnection: x\r\nConnection: close"),
        b"/",
        b"",
        False,
    ),
    ("HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n", b"/", b"", False),
    ("HTTP/1.0 that stays", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"/", b"", True),
    ("HTTP/1.0 that says both", b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", b"/", b"", False),
    ("Upgrade", fields(b"Connection: Upgrade\r\nUpgrade: websocket\r\nX: y"), b"/", b"", True),
    ("Upgrade last", fields(b"Connection: Upgrade\r\nUPGRADE: h2c"), b"/", b"", True),
    ("bytes beyond ASCII in a field", fields(b"X: \xff"), b"/", b"", True),
]


@pytest.mark.parametrize(
    ("raw", "path", "query", "keep_alive"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED]
)
def test_what_is_accepted(raw: bytes, path: bytes, query: bytes, keep_alive: bool) -> None:
    [(head, body)], refused = read(raw)
    assert (head.path, head.query, head.keep_alive, body, refused) == (path, query, keep_alive, b"", None)


def test_upgrade_is_as_if_it_were_absent() -> None:
    upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\n"
    rest = b"Content-Length: 3"
    [(with_it, body), _], _ = read(fields(upgrade + rest) + b"abc" + fields(b"X: y"))
    assert body == b"abc"
    assert with_it.fields == [(b"host", b"a"), (b"connection", b"upgrade"), (b"content-length", b"3")]


def test_the_authority_of_the_target_replaces_the_host() -> None:
    [(head, _)], _ = read(line(b"GET http://b:81/ HTTP/1.1"))
    assert head.fields == [(b"host", b"b:81")]


def test_names_are_lower_case_and_values_are_stripped() -> None:
    [(head, _)], _ = read(fields(b"X-Name:\t a b \t"))
    assert head.fields[1:] == [(b"x-name", b"a b")]


def test_100_continue_is_expected_of_http_1_1_alone() -> None:
    for version, expects in ((b"1.1", True), (b"1.0", False)):
        [(head, _)], _ = read(fields(b"Expect: 100-Continue", version))
        assert head.expects_continue is expects


@pytest.mark.parametrize(
    ("length", "status"),
    [(SMALL.head_bytes, 200), (SMALL.head_bytes + 1, 431), (SMALL.head_bytes * 3, 431)],
)
def test_a_head_is_bounded(length: int, status: int) -> None:
    begin, end = b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"\r\n\r\n"
    raw = begin + b"x" * (length - len(begin) - len(end)) + end
    for pieces in ([raw], [raw[at : at + 1] for at in range(length)]):
        requests, refused = read(*pieces, limits=SMALL)
        assert (refused or (200 if requests else 100)) == status


def test_a_head_that_never_ends_is_refused_at_its_bound() -> None:
    reader = RequestReader(SMALL)
    reader.feed(b"GET / HTTP/1.1\r\nX: " + b"x" * SMALL.head_bytes)
    with pytest.raises(RequestError) as refused:
        reader.next_head()
    assert refused.value.status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


@pytest.mark.parametrize(("count", "status"), [(4, None), (5, 431)])
def test_fields_are_bounded(count: int, status: int | None) -> None:
    raw = b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * (count - 1) + b"\r\n"
    assert read(raw, limits=SMALL)[1] == status


def test_requests_are_read_one_after_the_other() -> None:
    """What follows a request is not looked at before its body is over."""
    reader = RequestReader()
    reader.feed(fields(b"Content-Length: 3") + b"abcGET  bad\r\n\r\n")
    assert reader.next_head() is not None
    assert not reader.body_over
    assert reader.next_piece() == b"abc"
    assert reader.body_over
    assert reader.next_piece() == b""
    assert reader.buffered == len(b"GET  bad\r\n\r\n")
    with pytest.raises(RequestError):
        reader.next_head()


def test_nothing_of_a_body_is_held_back() -> None:
    reader = RequestReader()
    reader.feed(fields(b"Content-Length: 10") + b"abc")
    assert reader.next_head() is not None
    assert (reader.next_piece(), reader.next_piece(), reader.buffered) == (b"abc", None, 0)


def test_an_answer_has_the_fields_of_the_server_once() -> None:
    fields = [(b"content-length", b"9"), (b"transfer-encoding", b"x"), (b"date", b"x"), (b"x", b"y")]
    framing = b"content-length: 0\r\n"
    assert encode_head(200, fields, framing) == b"HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 0\r\n\r\n"
    assert encode_head(299, [], b"") == b"HTTP/1.1 299 \r\n\r\n"
    assert encode_chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


# -- any split of the bytes ----------------------------------------------------------------------------------

_tokens = st.text("abcXYZ019-_.", min_size=1, max_size=8).map(str.encode)
_values = st.text("abc XYZ,;=\t\xff\x80", max_size=12).map(lambda text: text.encode("latin-1").strip())
_bodies = st.binary(max_size=40)


def _chunked(pieces: list[bytes], extension: bytes, trailer: bytes) -> bytes:
    chunks = [b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces if piece]
    return b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"


@st.composite
def _requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """(request, its body)."""
    method = draw(st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS"]))
    target = b"/" + draw(st.text("ab/%2F?=&", max_size=10).map(str.encode))
    more = draw(st.lists(st.tuples(_tokens.map(lambda name: b"X-" + name), _values), max_size=3))
    if draw(st.booleans()):
        more.append((b"Upgrade", b"websocket"))
        more.append((b"Connection", b"upgrade"))
    kind = draw(st.sampled_from(["none", "length", "chunked"]))
    body, raw = b"", b""
    if kind == "length":
        body = raw = draw(_bodies)
        more.append((b"Content-Length", b"%d" % len(body)))
    elif kind == "chunked":
        pieces = draw(st.lists(_bodies, max_size=4))
        body = b"".join(pieces)
        raw = _chunked(
            pieces,
            draw(st.sampled_from([b"", b";a=b", b' ;a="b"'])),
            draw(st.sampled_from([b"", b"X: y\r\n"])),
        )
        more.append((b"Transfer-Encoding", b"Chunked"))
    draw(st.randoms()).shuffle(more)
    lines = b"".join(b"%b: %b\r\n" % field for field in [(b"Host", b"a:1"), *more])
    blank = draw(st.sampled_from([b"", b"\r\n"]))
    return blank + method + b" " + target + b" HTTP/1.1\r\n" + lines + b"\r\n" + raw, body


@given(st.lists(_requests(), min_size=1, max_size=4), st.data())
def test_any_split_reads_the_same(made: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    raw = b"".join(request for request, _ in made)
    whole = read(raw)
    assert [body for _, body in whole[0]] == [body for _, body in made]
    assert whole[1] is None
    for at in range(1, len(raw)):
        assert read(raw[:at], raw[at:]) == whole
    assert read(*(raw[at : at + 1] for at in range(len(raw)))) == whole
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)), max_size=6)) | {0, len(raw)})
    assert read(*(raw[begin:end] for begin, end in pairwise(cuts))) == whole


@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"GET / HTTP/1.1\r\n", fields(b"Transfer-Encoding: chunked")]),
)
def test_no_bytes_are_anything_but_requests_or_refused(noise: bytes, begin: bytes) -> None:
    """No other exception, and byte by byte nothing is accepted that is refused as a whole."""
    raw = begin + noise
    whole, split = read(raw), read(*(raw[at : at + 1] for at in range(len(raw))))
    assert whole[0] == split[0]
    assert (whole[1] is None) == (split[1] is None)
