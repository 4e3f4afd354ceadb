"""Zalo's parsers on any input, the keys of its events, and its signatures on raw bytes."""

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.providers.documentation import ZALO
from tests.providers.test_keys import changed
from tests.providers.test_provider_data import VALUES, minus
from unifyport.model.inbound import Reported
from unifyport.model.normalize import normalize
from unifyport.providers.contract.ingress import Addressed
from unifyport.providers.zalo.bot import parse as bot
from unifyport.providers.zalo.bot import signature as secrets
from unifyport.providers.zalo.official import parse as official
from unifyport.providers.zalo.official import signature

OA, USER, BOT = "579745863508352884", "2512523625412515", "1459232241454765289"
AT = 1_780_790_400
EVENTS: dict[str, Any] = ZALO["official"]["event"]
UPDATES: dict[str, Any] = ZALO["bot"]["event"]
NAMES = st.sampled_from(
    "text caption photo_url photo sticker voice_url url attachments payload type thumbnail description link"
    " quote_msg_id msg_ids react_icon conversation_id coordinates latitude longitude size name id info avatar"
    " users user_id group_id follower oa_id".split()
)
FIELDS = st.dictionaries(NAMES | st.text(max_size=3), VALUES, max_size=6)
EVENT_NAMES = st.sampled_from([*EVENTS, *UPDATES, "user_send_hologram"]) | st.text(max_size=12)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def parse_official(event: Any) -> Addressed:
    [addressed] = official.parse_webhook(as_json(event), OA)
    return addressed


# -- any input -----------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(name=EVENT_NAMES, fields=FIELDS, inside=FIELDS, extra=st.binary(max_size=40))
def test_parsers_never_raise(name: str, fields: dict[str, Any], inside: dict[str, Any], extra: bytes) -> None:
    event = {"event_name": name, "timestamp": str(AT), "message": inside, **fields}
    for parse in (bot.parse_webhook, official.parse_webhook):
        for raw in (as_json(event), as_json(inside), extra, as_json(event)[: len(extra)]):
            [addressed] = parse(raw, OA)
            normalize(addressed.event, AT * 1000)


@settings(max_examples=100, deadline=None)
@given(fields=FIELDS, kind=st.sampled_from(["text", "image", "link", "hologram"]))
def test_the_item_of_an_update_is_what_came_in(fields: dict[str, Any], kind: str) -> None:
    head = {"message_id": "1", "date": AT, "from": {"id": "7"}, "chat": {"id": "7"}}
    update = {"event_name": f"message.{kind}.received", "message": {**fields, **head}}
    event = bot.parse_update(as_json(update), BOT)
    assert isinstance(event, Reported)
    [standard] = normalize(event)
    assert standard.provider_data is not None
    assert standard.provider_data.item == minus(update, bot.REDACTIONS)


@settings(max_examples=100, deadline=None)
@given(fields=FIELDS, kind=st.sampled_from(["text", "image", "location", "business_card", "file"]))
def test_the_item_of_an_event_is_what_came_in(fields: dict[str, Any], kind: str) -> None:
    message = {**fields, "msg_id": "1"}
    sides = {"sender": {"id": USER}, "recipient": {"id": OA}}
    told = {"event_name": f"user_send_{kind}", "timestamp": str(AT), **sides, "message": message}
    event = parse_official(told).event
    assert isinstance(event, Reported)
    [standard] = normalize(event)
    assert standard.provider_data is not None
    hidden = {"payload": frozenset({"thumbnail"})} if kind == "business_card" else official.REDACTIONS
    assert standard.provider_data.item == minus(told, hidden)


# -- keys ----------------------------------------------------------------------------------------------------

Place = tuple[str | int, ...]


@pytest.mark.parametrize(
    "path",
    [
        ("event_name",),
        ("message", "message_id"),
        ("message", "chat", "id"),
        ("message", "from", "id"),
    ],
)
def test_a_message_of_a_bot_is_told_apart_by(path: Place) -> None:
    update = UPDATES["message.text.received"]
    other = changed(update, path)
    if path == ("event_name",):
        other["event_name"] = "message.link.received"
    keys = [bot.parse_update(as_json(each), BOT).key for each in (update, update, other)]
    assert keys[0] == keys[1] != keys[2]
    assert bot.parse_update(as_json(update), "1").key != keys[0]


@pytest.mark.parametrize("name", EVENTS)
def test_events_differ_from_each_other(name: str) -> None:
    keys = {key: parse_official(event).event.key for key, event in EVENTS.items() if key != name}
    assert parse_official(EVENTS[name]).event.key == parse_official(EVENTS[name]).event.key
    assert parse_official(EVENTS[name]).event.key not in keys.values()


def messages_of(name: str) -> list[Place]:
    """Places whose value makes an event another fact."""
    event = EVENTS[name]
    if name in ("user_received_message", "user_seen_message"):
        ids: Place = ("message", "msg_ids", 1) if "msg_ids" in event["message"] else ("message", "msg_id")
        return [ids, ("recipient", "id"), ("timestamp",)]
    if name.endswith("reacted_message"):
        user = "recipient" if name.startswith("oa_") else "sender"
        return [("message", "msg_id"), ("message", "react_icon"), (user, "id"), ("timestamp",)]
    if "msg_id" in event.get("message", {}):
        other = "recipient" if name.startswith("oa_") else "sender"
        more: list[Place] = [("recipient", "id")] if "_group_" in name else []
        return [("message", "msg_id"), (other, "id"), *more]
    return [(field,) for field in event if isinstance(event[field], str)]


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_told_apart_by(name: str) -> None:
    event = EVENTS[name]
    key = parse_official(event).event.key
    for path in messages_of(name):
        assert parse_official(changed(event, path)).event.key != key, path
    if "msg_id" in event.get("message", {}) and name.startswith(("user_send", "anonymous_send")):
        again = copy.deepcopy(event)
        again["timestamp"] = str(int(again["timestamp"]) + 1)
        assert parse_official(again).event.key == key


# -- signatures ----------------------------------------------------------------------------------------------

SECRET, APP = "oa-secret", "4069190843520384611"
CREDENTIALS = {"app_id": APP, "oa_secret": SECRET, "app_secret": "x"}
BODY = as_json(EVENTS["user_send_text"])
STAMP = EVENTS["user_send_text"]["timestamp"]
LARGE = as_json({**EVENTS["user_send_text"], "more": "y" * 1_000_000})
VIETNAMESE = json.dumps({**EVENTS["user_send_text"], "more": "xin chào"}, ensure_ascii=False).encode()


def by_openssl(first: str, body: bytes, stamp: str, secret: str) -> str:
    """Another producer of the digest than the code under test."""
    data = first.encode() + body + stamp.encode() + secret.encode()
    program = shutil.which("openssl")
    assert program is not None
    out = subprocess.run([program, "dgst", "-sha256", "-r"], input=data, capture_output=True, check=True)
    return out.stdout.decode().split()[0]


def verified(
    body: bytes, header: str | None, now: float = AT, *, stamp: str = "", **credentials: str
) -> bool:
    headers = {} if header is None else {signature.SIGNATURE: header}
    if stamp:
        headers[signature.TIMESTAMP] = stamp
    return signature.verify({**CREDENTIALS, **credentials}, headers, body, now=lambda: now)


@pytest.mark.parametrize("body", [BODY, LARGE, VIETNAMESE], ids=["plain", "1 MB", "not ASCII"])
@pytest.mark.parametrize("first", [APP, OA], ids=["app", "account"])
@pytest.mark.parametrize("spelling", ["mac={}", "{}"])
def test_both_spellings_by_another_producer(body: bytes, first: str, spelling: str) -> None:
    digest = by_openssl(first, body, STAMP, SECRET)
    assert verified(body, spelling.format(digest))
    assert verified(body, spelling.format(digest.upper()))
    assert signature.sign(first, body, STAMP, SECRET) == f"mac={digest}"
    for altered in (body + b" ", body.replace(b"hello", b"hallo"), body[:-1]):
        assert not verified(altered, spelling.format(digest))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "mac=",
        "mac=" + "0" * 64,
        "sha256=" + "0" * 64,
        "mac=xin chào",
        "mac=" + "đ" * 64,
        "mac=" + by_openssl(APP, BODY, STAMP, "wrong"),
        "mac=" + by_openssl("1", BODY, STAMP, SECRET),
        "mac=" + by_openssl(APP, BODY, "1780790400001", SECRET),
        "mac=" + by_openssl(APP, BODY, STAMP, ""),
    ],
)
def test_what_is_not_signed_by_this_account(header: str | None) -> None:
    assert not verified(BODY, header)


def test_another_accounts_secret_and_an_account_without_one() -> None:
    digest = by_openssl(APP, BODY, STAMP, SECRET)
    assert not verified(BODY, f"mac={digest}", oa_secret="another")
    assert not verified(BODY, "mac=" + by_openssl(APP, BODY, STAMP, ""), oa_secret="")
    assert not signature.verify({}, {signature.SIGNATURE: f"mac={digest}"}, BODY, now=lambda: AT)


@pytest.mark.parametrize(
    ("seconds", "good"),
    [(0, True), (86_300, True), (86_500, False), (-590, True), (-610, False), (10**7, False)],
)
def test_stale_and_future_requests(seconds: float, good: bool) -> None:
    digest = by_openssl(APP, BODY, STAMP, SECRET)
    assert verified(BODY, f"mac={digest}", AT + seconds) is good


def test_the_time_of_the_header() -> None:
    body = b'{"event_name": "x", "timestamp": "1"}'
    stamp = str(AT * 1000)
    digest = by_openssl(APP, body, stamp, SECRET)
    assert verified(body, f"mac={digest}", stamp=stamp)
    assert not verified(body, f"mac={digest}", AT + 10**6, stamp=stamp)
    assert not verified(body, "mac=" + by_openssl(APP, body, "1", SECRET))  # signed, but of no time


@pytest.mark.parametrize(
    ("sent", "good"),
    [
        (lambda secret: secret, True),
        (lambda secret: "", False),
        (lambda secret: None, False),
        (lambda secret: secret[:-1], False),
        (lambda secret: secret.upper(), False),
        (lambda secret: "mật khẩu", False),
    ],
)
def test_the_secret_of_a_bot(sent: Callable[[str], str | None], good: bool) -> None:
    for credentials in ({"bot_token": "1:a"}, {"bot_token": "1:a", "webhook_secret": "s3cret-of-mine"}):
        header = sent(secrets.secret_of(credentials))
        headers = {} if header is None else {secrets.SECRET_TOKEN: header}
        for body in (b"", BODY, LARGE, VIETNAMESE):
            assert secrets.verify(credentials, headers, body) is good
    assert secrets.secret_of({"bot_token": "1:a"}) != secrets.secret_of({"bot_token": "2:a"})
