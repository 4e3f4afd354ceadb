"""The pure parts of X beside the parser: signatures, texts, requests, errors, limits, the stream."""

import base64
import hashlib
import hmac
import shutil
import subprocess
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unifyport.model.message import Contact, OutboundContacts, OutboundMedia, OutboundText
from unifyport.net.clients import Response
from unifyport.providers.contract.errors import Conflict, LoggedOut, RateLimited, Rejected, Transient
from unifyport.providers.x.api.backoff import Backoff
from unifyport.providers.x.api.errors import failure
from unifyport.providers.x.api.limits import Windows, closed_for, wait_of
from unifyport.providers.x.api.lines import MAX_LINE, LineReader
from unifyport.providers.x.api.people import canonical
from unifyport.providers.x.api.render import category_of, render, render_group
from unifyport.providers.x.api.shapes import Entities
from unifyport.providers.x.api.signature import SIGNATURE, answer_challenge, sign, verify
from unifyport.providers.x.api.texts import entities_of, unescaped, written

SECRET = "consumer-secret"
CREDENTIALS = {"consumer_secret": SECRET}
BODIES = {
    "short": b'{"data":{"event_type":"dm.received"}}',
    "empty": b"",
    "non-ASCII": '{"text":"xin chào, 你好, \U0001f600"}'.encode(),
    "escaped": b'{"text":"\\ud83d\\ude00"}',
    "1 MB": b'{"text":"' + b"x" * 1024 * 1024 + b'"}',
    "no UTF-8": b"\xff\xfe\x00",
}

# -- signatures ----------------------------------------------------------------------------------------------


def by_openssl(secret: str, body: bytes) -> str:
    """Another producer than ours."""
    program = shutil.which("openssl")
    assert program is not None
    command = [
        program,
        "dgst",
        "-sha256",
        "-mac",
        "HMAC",
        "-macopt",
        f"hexkey:{secret.encode().hex()}",
        "-binary",
    ]
    done = subprocess.run(command, input=body, capture_output=True, check=True, timeout=30)
    return "sha256=" + base64.b64encode(done.stdout).decode()


@pytest.mark.parametrize("name", BODIES)
def test_a_signature_of_openssl_is_good(name: str) -> None:
    body = BODIES[name]
    signature = by_openssl(SECRET, body)
    assert verify(CREDENTIALS, {SIGNATURE: signature}, body)
    assert sign(SECRET, body) == signature


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("wrong", ["secret", "body", "missing", "cut", "hex", "other header", "no secret"])
def test_signatures_that_are_wrong(name: str, wrong: str) -> None:
    body = BODIES[name]
    good = by_openssl(SECRET, body)
    credentials, headers, sent = CREDENTIALS, {SIGNATURE: good}, body
    if wrong == "secret":
        headers = {SIGNATURE: by_openssl("another-secret", body)}  # also: another account's app
    elif wrong == "body":
        sent = body + b" "
    elif wrong == "missing":
        headers = {}
    elif wrong == "cut":
        headers = {SIGNATURE: good[:-1]}
    elif wrong == "hex":
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {SIGNATURE: f"sha256={digest}"}
    elif wrong == "other header":
        headers = {"x-hub-signature-256": good}
    else:
        credentials = {}
        headers = {SIGNATURE: sign("", body)}  # openssl takes no empty key
    assert not verify(credentials, headers, sent)


def test_the_order_of_headers_says_nothing() -> None:
    good = by_openssl(SECRET, BODIES["short"])
    for headers in ({"a": "1", SIGNATURE: good, "z": "2"}, {"z": "2", "a": "1", SIGNATURE: good}):
        assert verify(CREDENTIALS, headers, BODIES["short"])


@pytest.mark.parametrize(
    "token", ["x", "MTIzNDU2Nzg5MA==", "a1b2-c3d4_e5.f6", "with+plus/slash=", "with space"]
)
def test_a_challenge_is_answered_as_openssl_would(token: str) -> None:
    answer = answer_challenge(CREDENTIALS, {"crc_token": token})
    assert answer is not None
    assert msgspec.json.decode(answer) == {"response_token": by_openssl(SECRET, token.encode())}


@pytest.mark.parametrize("body", [*BODIES.values(), b'{"data":1}', b" {}", b"[]", b'"text"'])
def test_nothing_is_signed_that_could_be_an_event(body: bytes) -> None:
    """Who receives the signature of an event as the answer to a challenge can forge that event."""
    assert answer_challenge(CREDENTIALS, {"crc_token": body.decode("latin-1")}) is None


def test_challenges_without_a_secret_or_a_token() -> None:
    assert answer_challenge({}, {"crc_token": "x"}) is None
    assert answer_challenge(CREDENTIALS, {}) is None
    assert answer_challenge(CREDENTIALS, {"crc_token": "x" * 513}) is None


# -- texts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "links", "files", "result"),
    [
        ("plain", {}, [], "plain"),
        ("a &amp;amp; b &lt;c&gt; &quot;", {}, [], "a &amp; b <c> &quot;"),
        (
            "see https://t.co/a1",
            {"https://t.co/a1": "https://x.example/?a=1&b"},
            [],
            "see https://x.example/?a=1&b",
        ),
        ("look https://t.co/f1", {}, ["https://t.co/f1"], "look"),
        ("https://t.co/f1", {}, ["https://t.co/f1"], ""),
        ("https://t.co/unknown", {}, [], "https://t.co/unknown"),
        ("a https://t.co/a1 b https://t.co/f1 c", {"https://t.co/a1": "x"}, ["https://t.co/f1"], "a x b c"),
    ],
)
def test_texts(text: str, links: dict[str, str], files: list[str], result: str) -> None:
    assert written(text, links, files) == result


@given(st.text())
def test_a_text_that_x_has_escaped_is_what_was_written(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert unescaped(escaped) == text


@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_entities_lie_in_the_text(text: str, names: list[str]) -> None:
    mentions = [{"screen_name": name} for name in names]
    urls = [{"url": "https://t.co/1", "expanded_url": name} for name in names]
    entities = msgspec.convert({"user_mentions": mentions, "urls": urls}, Entities)
    for entity in entities_of(text, entities):
        part = text[entity["offset"] : entity["offset"] + entity["length"]]
        assert part.lower() in [name.lower() for name in names] + [f"@{name}".lower() for name in names]


# -- requests ------------------------------------------------------------------------------------------------

WITH = "/2/dm_conversations/with/2222/messages"


@pytest.mark.parametrize(
    ("to", "kind", "path"),
    [
        ("2222", "user", WITH),
        ("1111-2222", "user", "/2/dm_conversations/1111-2222/messages"),
        ("2222:1111", "user", "/2/dm_conversations/1111-2222/messages"),
        ("1578398451921985538", "group", "/2/dm_conversations/1578398451921985538/messages"),
    ],
)
def test_where_a_text_goes(to: str, kind: str, path: str) -> None:
    request = render(OutboundText(to, kind, "hello"))
    assert (request.path, request.body) == (path, {"text": "hello"})
    assert request.with_media("5") == {"text": "hello", "attachments": [{"media_id": "5"}]}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (OutboundText("mei", "user", "x"), "invalid_recipient"),
        (OutboundText("2222/../1", "user", "x"), "invalid_recipient"),
        (OutboundText("a/b", "group", "x"), "invalid_recipient"),
        (OutboundText("", "group", "x"), "invalid_recipient"),
        (OutboundText("2222", "user", ""), "empty_text"),
        (OutboundText("2222", "user", "x" * 10_001), "text_too_long"),
        (OutboundContacts("2222", "user", contacts=[Contact("Mei")]), "unsupported_message_type"),
    ],
)
def test_what_cannot_be_sent(message: Any, reason: str) -> None:
    with pytest.raises(Rejected) as refused:
        render(message)
    assert refused.value.reason == reason


def test_files_may_be_without_a_text() -> None:
    assert render(OutboundMedia("2222", "user", type="image")).body == {}


@pytest.mark.parametrize(
    ("kind", "mime_type", "category"),
    [
        ("image", "image/jpeg", "dm_image"),
        ("image", "IMAGE/PNG; q=1", "dm_image"),
        ("image", "image/gif", "dm_gif"),
        ("video", "video/mp4", "dm_video"),
        ("image", "image/svg+xml", None),
        ("video", "image/gif", None),
        ("image", "application/octet-stream", None),
    ],
)
def test_categories_of_files(kind: str, mime_type: str, category: str | None) -> None:
    message = OutboundMedia("2222", "user", type=kind, mime_type=mime_type)
    if category is None:
        with pytest.raises(Rejected, match="unsupported_media_type"):
            category_of(message)
    else:
        assert category_of(message) == category


def test_a_group_begins_with_a_message() -> None:
    body = render_group("Welcome", ["1", "2"])
    assert body == {
        "conversation_type": "Group",
        "participant_ids": ["1", "2"],
        "message": {"text": "Welcome"},
    }
    for name, members in (("", ["1", "2"]), ("x", ["1"]), ("x", ["1", "mei"]), ("x", ["1"] * 50)):
        with pytest.raises(Rejected):
            render_group(name, members)


@pytest.mark.parametrize(
    ("id_", "same"),
    [("2222", "2222"), ("3-20", "3-20"), ("20:3", "3-20"), ("20-3", "3-20"), ("g5", "g5"), ("a:b", "a:b")],
)
def test_spellings_of_a_conversation(id_: str, same: str) -> None:
    assert canonical(id_) == same


# -- errors and limits ---------------------------------------------------------------------------------------

PROBLEM = "https://api.x.com/2/problems/"
HTML = b"<html>blocked</html>"


def answer(status: int, body: Any = None, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body if body is not None else {})
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


@pytest.mark.parametrize(
    ("response", "kind", "reason"),
    [
        (answer(401), LoggedOut, "invalid_credentials"),
        (answer(402, {"title": "CreditsDepleted"}), Rejected, "credits_depleted"),
        (answer(403, {"type": "about:blank", "detail": "no"}), Rejected, "forbidden"),
        (answer(403, {"errors": [{"code": 349, "message": "no"}]}), Rejected, "blocked_by_recipient"),
        (answer(403, {"errors": [{"code": 326}]}), LoggedOut, "account_locked"),
        (answer(403, {"errors": [{"code": 64}]}), LoggedOut, "account_suspended"),
        (answer(403, {"type": PROBLEM + "client-forbidden"}), Rejected, "app_not_enrolled"),
        (answer(403, HTML), Transient, "blocked_by_front"),
        (answer(404, {"type": PROBLEM + "resource-not-found"}), Rejected, "conversation_not_found"),
        (answer(404), Rejected, "conversation_not_found"),
        (answer(400, {"type": PROBLEM + "invalid-request"}), Rejected, "invalid_request"),
        (answer(413), Rejected, "x_413"),
        (answer(429), RateLimited, "rate_limited"),
        (answer(429, HTML), RateLimited, "rate_limited"),
        (
            answer(429, {"type": "https://api.twitter.com/2/problems/usage-capped"}),
            Rejected,
            "quota_exhausted",
        ),
        (
            answer(
                429,
                {"type": PROBLEM + "streaming-connection", "connection_issue": "TooManyConnections"},
            ),
            Conflict,
            "stream_in_use",
        ),
        (answer(500), Transient, "x_500"),
        (answer(503, b""), Transient, "http_503_not_json"),
        (answer(400, b"[]"), Transient, "http_400_not_json"),
        (answer(400, {"title": 5}), Rejected, "invalid_request"),
    ],
)
def test_problems(response: Response, kind: type, reason: str) -> None:
    error = failure(response)
    assert type(error) is kind
    assert error is not None
    assert error.reason == reason
    assert error.maybe_applied is (response.status >= 500)


def test_answers_that_refuse_nothing_and_refusals_of_a_login() -> None:
    assert failure(answer(200)) is None
    assert failure(answer(201)) is None
    missing = failure(answer(403, {"type": "about:blank"}), login=True)
    assert isinstance(missing, LoggedOut)
    assert missing.reason == "permission_missing"
    unpaid = failure(answer(402), login=True)
    assert isinstance(unpaid, Transient)  # it connects again once there are credits
    app = failure(answer(401), app=True)
    assert isinstance(app, LoggedOut)
    assert app.reason == "bearer_token_refused"


DATE = "Sun, 07 Jun 2026 00:00:00 GMT"  # 1780790400


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"x-rate-limit-remaining": "3", "x-rate-limit-reset": "1780791000"}, None),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "1780790700"}, 300.0),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "1780790000"}, 1.0),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "soon"}, None),
        ({"x-rate-limit-remaining": "0"}, None),
        (
            {
                "x-rate-limit-remaining": "0",
                "x-rate-limit-reset": "1780790700",
                "x-user-limit-24hour-remaining": "0",
                "x-user-limit-24hour-reset": "1780794000",
            },
            3600.0,
        ),
        ({"x-app-limit-24hour-remaining": "0", "x-app-limit-24hour-reset": "1780790460"}, 60.0),
    ],
)
def test_when_a_limit_opens_again(headers: dict[str, str], wait: float | None) -> None:
    """By the clock of the platform: ours may be wrong."""
    assert closed_for({**headers, "date": DATE}) == wait
    assert wait_of({**headers, "date": DATE}) == (60.0 if wait is None else wait)


def test_a_window_that_is_used_up_is_closed_until_its_reset() -> None:
    now = 100.0
    windows = Windows(lambda: now)
    windows.note(
        "messages", {"date": DATE, "x-rate-limit-remaining": "0", "x-rate-limit-reset": "1780790700"}
    )
    assert windows.wait("messages") == 300.0
    assert windows.wait("dm_events") == 0.0
    now = 399.0
    assert windows.wait("messages") == 1.0
    now = 401.0
    assert windows.wait("messages") == 0.0


# -- the stream ----------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=20)), st.randoms())
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], random: Any) -> None:
    whole = b"".join(line.replace(b"\n", b"") + b"\r\n" for line in lines)
    reader, found, place = LineReader(), [], 0
    while place < len(whole):
        size = random.randint(1, 7)
        found += reader.feed(whole[place : place + size])
        place += size
    wanted = [line.replace(b"\n", b"").strip(b"\r \t") for line in lines]
    assert found == [line for line in wanted if line]


def test_a_line_without_an_end_is_dropped_alone() -> None:
    reader = LineReader()
    assert reader.feed(b"first\r\n") == [b"first"]
    for _ in range(5):
        assert reader.feed(b"x" * (MAX_LINE // 2)) == []
    assert reader.feed(b"x\r\nlast\r\n") == [b"last"]
    assert reader.too_long == 1


def test_the_waits_between_tries() -> None:
    backoff, lost = Backoff(), Transient("stream_ended")
    assert [backoff.after(lost, network=True) for _ in range(3)] == [0.25, 0.5, 0.75]
    for _ in range(100):
        longest = backoff.after(lost, network=True)
    assert longest == 16.0
    backoff.clear()
    refused = [backoff.after(Transient("x_503"), network=False) for _ in range(8)]
    assert refused == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 320.0]
    backoff.clear()
    assert backoff.after(RateLimited(5), network=False) == 60.0
    assert backoff.after(RateLimited(500), network=False) == 500.0
    backoff.clear()
    assert backoff.after(lost, network=True) == 0.25
