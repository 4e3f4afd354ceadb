"""Signatures, errors, tokens and hostile webhooks of LINE, as tables and by chance."""

import base64
import json
import shutil
import subprocess
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.account.memory_session import MemorySession
from tests.providers.documentation import LINE
from unifyport.model.inbound import Reported, Unparsed
from unifyport.model.message import OutboundMedia, OutboundText
from unifyport.model.normalize import normalize
from unifyport.net.clients import Response
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient
from unifyport.providers.line.messaging.errors import login_refusal, refusal
from unifyport.providers.line.messaging.parse import parse_webhook
from unifyport.providers.line.messaging.pushes import retry_key
from unifyport.providers.line.messaging.render import render
from unifyport.providers.line.messaging.shapes import Head
from unifyport.providers.line.messaging.signature import SIGNATURE, sign, verify
from unifyport.providers.line.messaging.tokens import FRESH_MS, PERIOD_MS, Tokens, state_of

USER, GROUP = "U" + "a" * 32, "C" + "a" * 32
SECRET, RIVAL = "8c570fa6dd201bb328f1c1eac23a96d8", "f" * 32

# -- signatures

BODY = '{"destination":"U8e742f61d673b39","events":[{"text":"สวัสดี 😀 \\ud83d\\ude00"}]}'.encode()
LARGE = b'{"events":[' + b" " * (1024 * 1024) + b"]}"
GOOD = sign(SECRET, BODY)
SIGNATURES: list[tuple[str, dict[str, str], bytes, bool]] = [
    ("good", {SIGNATURE: GOOD}, BODY, True),
    ("1 MB", {SIGNATURE: sign(SECRET, LARGE)}, LARGE, True),
    ("empty body", {SIGNATURE: sign(SECRET, b"")}, b"", True),
    ("wrong secret", {SIGNATURE: sign("wrong", BODY)}, BODY, False),
    ("another account's", {SIGNATURE: sign(RIVAL, BODY)}, BODY, False),
    ("altered body", {SIGNATURE: GOOD}, BODY + b" ", False),
    ("written again", {SIGNATURE: GOOD}, json.dumps(json.loads(BODY)).encode(), False),
    ("missing", {}, BODY, False),
    ("empty", {SIGNATURE: ""}, BODY, False),
    ("not ASCII", {SIGNATURE: "\u00e9\u0e2a"}, BODY, False),
    ("hexadecimal", {SIGNATURE: base64.b64decode(GOOD).hex()}, BODY, False),
    ("without padding", {SIGNATURE: GOOD.rstrip("=")}, BODY, False),
    ("surrounded by spaces", {SIGNATURE: f" {GOOD}"}, BODY, False),
]


@pytest.mark.parametrize(("name", "headers", "body", "good"), SIGNATURES, ids=[row[0] for row in SIGNATURES])
def test_signatures(name: str, headers: dict[str, str], body: bytes, good: bool) -> None:
    assert verify({"channel_secret": SECRET}, headers, body) is good


def test_no_secret_is_no_signature_of_ours() -> None:
    assert not verify({}, {SIGNATURE: GOOD}, BODY)


@pytest.mark.parametrize("body", [BODY, LARGE, b""], ids=["short", "1 MB", "empty"])
def test_openssl_makes_the_same_signature(body: bytes) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    command = [openssl, "dgst", "-sha256", "-hmac", SECRET, "-binary"]
    made = subprocess.run(command, input=body, capture_output=True, check=True).stdout
    assert base64.b64encode(made).decode() == sign(SECRET, body)


# -- errors

ERRORS: list[tuple[int, Any, type[ChannelError], str, bool]] = [
    # HTTP status, answer, class, reason, may have been applied
    (400, {"message": "Invalid reply token"}, Rejected, "invalid_reply_token", False),
    (400, {"message": "Failed to send messages"}, Rejected, "conversation_not_found", False),
    (400, {"message": "The request body has 1 error(s)"}, Rejected, "invalid_request", False),
    (400, {"message": "see Invalid reply token"}, Rejected, "invalid_request", False),
    (400, b"<html>", Transient, "http_400_not_json", False),
    (401, {"message": "Authentication failed"}, LoggedOut, "invalid_credentials", False),
    (403, {"message": "Access to this API is not available"}, Rejected, "permission_missing", False),
    (404, {"message": "Not found"}, Rejected, "not_found", False),
    (409, {"message": "Conflict"}, Rejected, "conflict", False),
    (410, {"message": "Gone"}, Rejected, "gone", False),
    (413, {"message": "Payload Too Large"}, Rejected, "message_too_long", False),
    (418, {"message": "?"}, Rejected, "http_418", False),
    (429, {"message": "The API rate limit has been exceeded."}, RateLimited, "rate_limited", False),
    (302, b"", Transient, "http_302", False),
    (500, {"message": "Internal server error"}, Transient, "http_500", True),
    (503, b"<html>", Transient, "http_503", True),
]


@pytest.mark.parametrize(("status", "answer", "kind", "reason", "maybe"), ERRORS)
def test_errors(status: int, answer: Any, kind: type[ChannelError], reason: str, maybe: bool) -> None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    error = refusal(Response(status, {}, body))
    assert type(error) is kind
    assert (error.reason, error.maybe_applied) == (reason, maybe)
    if isinstance(error, Rejected):
        assert (error.detail, error.code) == (answer["message"], str(status))


def test_what_is_wrong_is_said_with_its_place() -> None:
    details = [{"message": "May not be empty", "property": "messages[0].text"}, {"message": "?"}]
    body = json.dumps({"message": "The request body has 2 error(s)", "details": details}).encode()
    error = refusal(Response(400, {}, body))
    assert isinstance(error, Rejected)
    assert error.detail == "The request body has 2 error(s); messages[0].text: May not be empty; ?"


def test_answers_that_grant() -> None:
    assert refusal(Response(200, {}, b"")) is refusal(Response(202, {}, b"{}")) is None
    forbidden = login_refusal(Response(403, {}, b'{"message": "no"}'))
    assert isinstance(forbidden, LoggedOut)


# -- what is sent


def test_a_command_has_one_retry_key() -> None:
    first, again, other = (OutboundText(USER, "user", "x", client_ref=ref) for ref in ("a", "a", "b"))
    assert retry_key(first) == retry_key(again) != retry_key(other)
    assert len(retry_key(first)) == 36


@pytest.mark.parametrize(
    ("id_", "kind"),
    [
        ("", "user"),
        ("Mei", "user"),
        (USER, "group"),
        (GROUP, "user"),
        (USER.upper(), "user"),
        (USER + "0", "user"),
    ],
)
def test_no_recipient(id_: str, kind: str) -> None:
    with pytest.raises(Rejected) as refused:
        render(OutboundText(id_, kind, "x"))
    assert refused.value.reason == "invalid_recipient"


def test_a_message_that_cannot_be_kept_is_refused() -> None:
    contents = {"type": "bubble", "body": {"type": "text", "text": "x" * 250_000}}
    message = OutboundText(USER, "user", provider_data={"flex": {"altText": "x", "contents": contents}})
    with pytest.raises(Rejected) as refused:
        render(message)
    assert refused.value.reason == "message_too_long"


def test_a_file_keeps_what_was_rendered_apart() -> None:
    message = OutboundMedia(USER, "user", "look", type="image", url="https://x.example/a.jpg")
    first = render(message)
    assert first.quoting("q")[0]["quoteToken"] == "q"
    assert "quoteToken" not in first.messages[0]


# -- tokens


def head(at: int, type_: str = "message", token: str = "T", *, again: bool = False) -> Head:
    found = Head(type_, at, "E", reply_token=token)
    if again:
        found.delivery_context = type(found.delivery_context)(is_redelivery=True)
    return found


async def tokens_of(*heads: Head, now: int = 10**12) -> Tokens:
    session = MemorySession({})
    for each in heads:
        await session.commit(state_of(each, USER, None))
    return Tokens(session, lambda: now)


async def test_a_reply_token_serves_while_it_is_fresh_and_once() -> None:
    now = 10**12
    tokens = await tokens_of(head(now - FRESH_MS))
    assert await tokens.reply_token(USER) == "T"
    assert await tokens.reply_token(GROUP) == ""
    tokens.use("T")
    assert await tokens.reply_token(USER) == ""
    tokens.give_back("T")
    assert await tokens.reply_token(USER) == "T"
    assert await (await tokens_of(head(now - FRESH_MS - 1))).reply_token(USER) == ""
    assert await (await tokens_of(head(now + 5000))).reply_token(USER) == "T"  # LINE's clock is ahead
    assert await (await tokens_of(head(5, again=True))).reply_token(USER) == "T"
    assert await (await tokens_of(head(now, token="old"), head(now, token="new"))).reply_token(USER) == "new"


@pytest.mark.parametrize(
    ("heads", "gone"),
    [
        ([], False),
        ([head(5, "unfollow", "")], True),
        ([head(5, "unfollow", ""), head(6, "follow", "")], False),
        ([head(6, "follow", ""), head(5, "unfollow", "")], False),  # in another order
        ([head(4, "follow", ""), head(5, "unfollow", "")], True),
        ([head(5, "unfollow", ""), head(6)], False),  # they have written since
        ([head(5, "unfollow", ""), head(4)], True),  # what they wrote before came later
    ],
)
async def test_who_has_blocked_the_account(heads: list[Head], gone: bool) -> None:
    assert await (await tokens_of(*heads)).seems_gone(USER) is gone


async def test_tokens_of_messages_are_forgotten_after_some_periods() -> None:
    session, now = MemorySession({}), 700 * PERIOD_MS
    message = LINE["message"]["text"]
    for age in range(6):
        event = {**LINE["event"]["message"], "timestamp": now - age * PERIOD_MS}
        event["message"] = {**message, "id": str(age)}
        [addressed] = parse_webhook(json.dumps({"destination": "U1", "events": [event]}).encode(), "1")
        await session.commit(addressed.state)
    tokens = Tokens(session, lambda: now)
    assert [(await tokens.of_message(str(age))).quote != "" for age in range(6)] == [True] * 3 + [False] * 3
    await tokens.forget_old()
    kept = [key for name, key in session.records if name.startswith("line.message")]
    assert sorted(kept) == [b"0", b"1", b"2"]


# -- hostile webhooks

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = (
    "type timestamp webhookEventId source userId groupId roomId message id text quoteToken replyToken mention"
    " mentionees index length emojis contentProvider duration joined members postback data params unsend"
    " messageId deliveryContext isRedelivery mode follow latitude longitude keywords imageSet fileSize"
).split()
EXAMPLES = [*LINE["event"].values()] + [
    {**LINE["event"]["message"], "message": m} for m in (*LINE["message"].values(), *LINE["variant"].values())
]


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A documented event in which some values are others."""

    def damage(value: Any, depth: int = 0) -> Any:
        if draw(st.integers(0, 11)) == 0:
            return draw(JSON)
        if isinstance(value, dict):
            kept = {name: damage(inner, depth + 1) for name, inner in value.items()}
            if draw(st.integers(0, 5)) == 0:
                kept[draw(st.sampled_from(NAMES))] = draw(JSON)
            return kept
        return [damage(inner, depth + 1) for inner in value] if isinstance(value, list) else value

    return damage(draw(st.sampled_from(EXAMPLES)))


@settings(max_examples=150, deadline=None)
@given(st.lists(damaged(), max_size=4), JSON)
def test_a_webhook_that_is_damaged_costs_its_own_events_only(events: list[Any], destination: Any) -> None:
    good = {**LINE["event"]["message"], "timestamp": time.time_ns() // 1_000_000}
    body = json.dumps({"destination": "U1", "events": [*events, good]}).encode()
    found = list(parse_webhook(body, "1"))
    assert len(found) == len(events) + 1
    assert not isinstance(found[-1].event, Unparsed)
    for addressed in found:
        standards = normalize(addressed.event, 0)
        if isinstance(addressed.event, Reported) and not isinstance(addressed.event, Unparsed):
            assert standards
    list(parse_webhook(json.dumps({"destination": destination, "events": events}).encode(), "1"))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    for addressed in parse_webhook(body, "1"):
        assert addressed.identity == "1"


def test_half_of_a_character_costs_that_character_only() -> None:
    event = (
        json.dumps(LINE["event"]["message"]).replace("look", "lo\\\\ud83dok").replace("\\\\ud83d", "\\ud83d")
    )
    [addressed] = parse_webhook(f'{{"destination": "U1", "events": [{event}]}}'.encode(), "1")
    [standard] = normalize(addressed.event)
    assert "lo\ufffdok" in standard.data["message"]["text"]
