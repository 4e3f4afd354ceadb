"""Signatures, errors, rendering and pages for TikTok, as tables."""

from typing import Any

import pytest

from unifyport.model.message import OutboundMedia, OutboundMessage, OutboundText
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient
from unifyport.providers.tiktok.business.directory import Rows, page_of, read_cursor
from unifyport.providers.tiktok.business.errors import failure, http_failure, token_failure
from unifyport.providers.tiktok.business.render import complete, render, render_action
from unifyport.providers.tiktok.business.signature import (
    MAX_AGE_SECONDS,
    MAX_AHEAD_SECONDS,
    SIGNATURE,
    sign,
    verify,
)

NOW = 1_780_790_400
SECRET, BODY = "the-secret-of-an-app", b'{"event": "im_receive_msg"}'
BODIES = {
    "json": BODY,
    "empty": b"",
    "not ASCII": '{"text": "caf\u00e9 \U0001f600"}'.encode(),
    "not UTF-8": b"\xff\xfe\x00",
    "1 MB": b"x" * 1_000_000,
}


def verified(header: str, body: bytes = BODY, secret: str = SECRET, now: float = NOW, **more: str) -> bool:
    credentials = {"client_secret": secret, **more}
    return verify(credentials, {SIGNATURE: header}, body, now=lambda: now)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_good_signatures(body: bytes) -> None:
    header = sign(SECRET, body, NOW)
    at, signature = header.split(",")
    for good in (header, f"{signature},{at}", f"{signature}, {at}", f"v=1,{at},{signature}"):
        assert verified(good, body)
    assert verified(sign("s\u00e9cret", body, NOW), body, "s\u00e9cret")


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_bad_signatures(body: bytes) -> None:
    header = sign(SECRET, body, NOW)
    at, signature = header.split(",")
    digest = signature.removeprefix("s=")
    bad = {
        "another account's": sign("the-secret-of-another-app", body, NOW),
        "altered body": sign(SECRET, body + b" ", NOW),
        "altered time": f"t={NOW - 1},{signature}",
        "missing": "",
        "no time": signature,
        "no signature": at,
        "upper case": f"{at},s={digest.upper()}",
        "cut": f"{at},s={digest[:-1]}",
        "two times": f"t={NOW - 1},{header}",
        "two signatures": f"{header},s={'0' * 64}",
        "not ASCII": f"{at},s=\u00e9",
        "no number": sign(SECRET, body, "now"),
        "negative": sign(SECRET, body, f"-{NOW}"),
        "another script": sign(SECRET, body, "\u0661\u0662"),
    }
    for name, wrong in bad.items():
        assert not verified(wrong, body), name
    assert not verified(header, body, "")
    assert not verify({}, {}, body, now=lambda: NOW)
    assert not verify({}, {SIGNATURE: sign("", body, NOW)}, body, now=lambda: NOW)


@pytest.mark.parametrize(
    ("seconds", "good"),
    [
        (0, True),
        (-MAX_AGE_SECONDS, True),
        (-MAX_AGE_SECONDS - 1, False),
        (MAX_AHEAD_SECONDS, True),
        (MAX_AHEAD_SECONDS + 1, False),
        (-NOW, False),
        (10**11, False),
    ],
)
def test_stale_and_future_signatures(seconds: int, good: bool) -> None:
    assert verified(sign(SECRET, BODY, NOW + seconds)) is good


def test_the_age_can_be_configured() -> None:
    header = sign(SECRET, BODY, NOW - 10)
    assert verified(header)
    assert not verified(header, signature_max_age="5")
    assert verified(sign(SECRET, BODY, NOW - 1000), signature_max_age="3600")


ERRORS: list[tuple[int, bool, type[ChannelError], str, bool]] = [
    # code, at login, class, reason, may have been applied
    (40001, False, Rejected, "permission_missing", False),
    (40001, True, LoggedOut, "permission_missing", False),
    (40002, False, Rejected, "invalid_parameter", False),
    (40002, True, LoggedOut, "unknown_business_id", False),
    (40007, False, Rejected, "conversation_not_found", False),
    (40064, False, Rejected, "outside_messaging_window_or_blocked", False),
    (40100, False, RateLimited, "rate_limited", False),
    (40101, False, Transient, "oauth_client_refused", False),
    (40102, False, LoggedOut, "invalid_credentials", False),
    (40105, False, LoggedOut, "invalid_credentials", False),
    (40908, False, Rejected, "unsupported_file_type", False),
    (41234, False, Rejected, "tiktok_41234", False),
    (50000, False, Transient, "tiktok_50000", True),
    (51065, False, Transient, "tiktok_51065", True),
    (51065, True, Transient, "tiktok_51065", True),
    (-1, False, Transient, "tiktok_-1", True),
]


@pytest.mark.parametrize(("code", "login", "kind", "reason", "applied"), ERRORS)
def test_codes(code: int, login: bool, kind: type[ChannelError], reason: str, applied: bool) -> None:
    error = failure(code, "the platform's words", login=login)
    assert (type(error), error.reason, error.maybe_applied) == (kind, reason, applied)
    if isinstance(error, Rejected):
        assert (error.code, "the platform's words" in error.detail) == (str(code), True)
    if code == 40064:
        assert "48 hours" in str(getattr(error, "detail", ""))


def test_statuses() -> None:
    assert isinstance(http_failure(429), RateLimited)
    assert isinstance(http_failure(404), Rejected)
    assert http_failure(502).maybe_applied


def test_what_ends_a_login_for_good() -> None:
    for code in (40001, 40002, 40007, 40102, 40103, 40104, 40105, 40110):
        found = token_failure(failure(code, ""))
        assert (type(found), found.reason) == (LoggedOut, "refresh_token_refused")
    assert token_failure(failure(40101, "")).reason == "oauth_client_refused"
    for code, kind in ((40100, RateLimited), (51065, Transient), (50002, Transient)):
        assert type(token_failure(failure(code, ""))) is kind


# -- rendering -----------------------------------------------------------------------------------------------

CARD = {"type": "QA_BUTTON_CARD", "title": "Which?", "buttons": [{"title": "One", "id": "1"}]}
TO = {"business_id": "b1", "recipient_type": "CONVERSATION", "recipient": "conv+1=="}


def text(words: str = "hi", **more: Any) -> OutboundText:
    return OutboundText("conv+1==", "user", words, **more)


def image(words: str = "", **more: Any) -> OutboundMedia:
    return OutboundMedia("conv+1==", "user", words, type="image", **more)


def test_bodies() -> None:
    assert complete(text(), "b1") == {**TO, "message_type": "TEXT", "text": {"body": "hi"}}
    quoted = {"referenced_message_info": {"referenced_message_id": "m1"}}
    assert complete(text(reply_to_message_id="m1"), "b1") == {**complete(text(), "b1"), **quoted}
    shown = complete(image(), "b1", "media-1")
    assert shown == {**TO, "message_type": "IMAGE", "image": {"media_id": "media-1"}}
    card = complete(text("", provider_data={"template": CARD}), "b1")
    assert card["template"]["buttons"] == [{"type": "REPLY", "title": "One", "id": "1"}]
    post = complete(text("", provider_data={"share_post": {"item_id": "7301"}}), "b1")
    assert post == {**TO, "message_type": "SHARE_POST", "share_post": {"item_id": "7301"}}
    action = {"message_type": "SENDER_ACTION", "sender_action": "TYPING"}
    assert render_action("b1", "conv+1==", "TYPING") == {**TO, **action}


@pytest.mark.parametrize(
    "message",
    [
        text(""),
        text("x" * 6001),
        OutboundText("", "user", "hi"),
        OutboundText("a\nb", "user", "hi"),
        OutboundText("c" * 513, "user", "hi"),
        image("a caption"),
        image(reply_to_message_id="m1"),
        image(provider_data={"template": CARD}),
        text("and a text", provider_data={"template": CARD}),
        text("", provider_data={"template": CARD}, reply_to_message_id="m1"),
        text("", provider_data={"template": CARD, "share_post": {"item_id": "1"}}),
        text("", provider_data={"share_post": {}}),
        text("", provider_data={"template": {**CARD, "type": "POLL"}}),
        text("", provider_data={"template": {**CARD, "type": 5}}),
        text("", provider_data={"template": {**CARD, "title": "x" * 41}}),
        text("", provider_data={"template": {**CARD, "buttons": []}}),
        text("", provider_data={"template": {**CARD, "buttons": CARD["buttons"] * 4}}),  # type: ignore[operator]
        text("", provider_data={"template": {**CARD, "buttons": ["One"]}}),
        text("", provider_data={"template": {**CARD, "buttons": [{"title": "x" * 21, "id": "1"}]}}),
        text("", provider_data={"template": {**CARD, "buttons": [{"title": "One"}]}}),
    ],
)
def test_what_cannot_be_sent(message: OutboundMessage) -> None:
    with pytest.raises(Rejected):
        render(message)


def test_the_longest_texts_that_can_be_sent() -> None:
    render(text("\U0001f600" * 6000))
    longer = {"type": "QA_LINK_CARD", "title": "x" * 40, "buttons": [{"title": "x" * 40, "id": "i" * 40}] * 3}
    render(text("", provider_data={"template": longer}))


def test_pages_of_conversations_come_to_an_end() -> None:
    """A page that claims that there are more, at the place where it began, is the last one of its list."""
    assert read_cursor(None) == ("SINGLE", 0)
    assert page_of("SINGLE", Rows([], has_more=True, cursor=20), 0).next == "SINGLE:20"
    assert page_of("SINGLE", Rows([], has_more=True, cursor=20), 20).next == "STRANGER:0"
    assert page_of("SINGLE", Rows([], has_more=False, cursor=20), 0).next == "STRANGER:0"
    assert page_of("STRANGER", Rows([], has_more=True, cursor=5), 20).next is None
    for odd in ("", ":", "SINGLE", "SINGLE:-1", "OTHER:7", "SINGLE:x"):
        name, cursor = read_cursor(odd)
        assert (name, cursor >= 0) in (("SINGLE", True), ("STRANGER", True))
