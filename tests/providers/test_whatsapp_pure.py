"""Rendering, errors and signatures of the Cloud API, as tables."""

import hashlib
import hmac

import pytest

from unifyport.model.message import OutboundText
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient
from unifyport.providers.telegram.bot import signature as telegram
from unifyport.providers.whatsapp.cloud.errors import failure
from unifyport.providers.whatsapp.cloud.render import complete, recipient, render
from unifyport.providers.whatsapp.cloud.signature import SIGNATURE, answer_challenge, sign, verify

RECIPIENTS = [
    ("+6590000001", "user", {"recipient_type": "individual", "to": "6590000001"}),
    ("6590000001", "user", {"recipient_type": "individual", "to": "6590000001"}),
    ("6590000001@s.whatsapp.net", "user", {"recipient_type": "individual", "to": "6590000001"}),
    (
        "SG.13491208655302741918",
        "user",
        {"recipient_type": "individual", "recipient": "SG.13491208655302741918"},
    ),
    ("Y2FwaV9ncm91", "group", {"recipient_type": "group", "to": "Y2FwaV9ncm91"}),
]


@pytest.mark.parametrize(("id_", "kind", "fields"), RECIPIENTS, ids=[row[0] for row in RECIPIENTS])
def test_recipients(id_: str, kind: str, fields: dict[str, str]) -> None:
    assert recipient(id_, kind) == fields


@pytest.mark.parametrize("id_", ["", "abc", "+", "65 9000", "120363@g.us", "1" * 40])
def test_no_recipient(id_: str) -> None:
    with pytest.raises(Rejected):
        recipient(id_, "user")


def test_texts() -> None:
    message = OutboundText("6590000001", "user", "hi", client_ref="cmd_1")
    assert complete(message, quoted="wamid.0") == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "6590000001",
        "type": "text",
        "text": {"body": "hi"},
        "biz_opaque_callback_data": "cmd_1",
        "context": {"message_id": "wamid.0"},
    }
    message.rendered = render(message)
    assert complete(message) == render(message) == message.rendered
    assert complete(message, quoted="wamid.0")["context"] == {"message_id": "wamid.0"}
    assert "context" not in message.rendered
    for text in ("", "x" * 4097):
        with pytest.raises(Rejected):
            render(OutboundText("6590000001", "user", text))


ERRORS: list[tuple[int, int, bool, type[ChannelError], bool]] = [
    # code, HTTP status, at login, class, may have been applied
    (190, 401, False, LoggedOut, False),
    (0, 401, True, LoggedOut, False),
    (10, 403, True, LoggedOut, False),
    (200, 403, False, Rejected, False),
    (100, 400, True, LoggedOut, False),
    (100, 400, False, Rejected, False),
    (4, 429, False, RateLimited, False),
    (80007, 429, False, RateLimited, False),
    (130429, 429, False, RateLimited, False),
    (131056, 429, False, RateLimited, False),
    (131047, 400, False, Rejected, False),
    (131026, 400, False, Rejected, False),
    (131000, 500, False, Transient, True),
    (131016, 503, False, Transient, True),
    (131041, 400, False, Rejected, False),
    (131207, 403, False, Rejected, False),
    (131208, 429, False, RateLimited, False),
    (2, 503, False, Transient, True),
    (987654, 400, False, Rejected, False),
    (987654, 500, False, Transient, True),
    (-1, 401, False, LoggedOut, False),
]


@pytest.mark.parametrize(("code", "status", "login", "kind", "maybe"), ERRORS)
def test_errors(code: int, status: int, login: bool, kind: type[ChannelError], maybe: bool) -> None:
    error = failure(code, status, "text", login=login)
    assert type(error) is kind
    assert error.maybe_applied is maybe
    if isinstance(error, Rejected):
        assert (error.detail, error.code) == ("text", str(code))


def test_the_signature_is_metas() -> None:
    body = b'{"object":"whatsapp_business_account"}'
    expected = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    assert sign("secret", body) == f"sha256={expected}"


BODY = b'{"entry":[]}'
GOOD = sign("mine", BODY)
SIGNATURES = [
    ("good", {SIGNATURE: GOOD}, BODY, True),
    ("wrong secret", {SIGNATURE: sign("other", BODY)}, BODY, False),
    ("altered body", {SIGNATURE: GOOD}, BODY + b" ", False),
    ("missing header", {}, BODY, False),
    ("empty header", {SIGNATURE: ""}, BODY, False),
    ("no prefix", {SIGNATURE: GOOD.removeprefix("sha256=")}, BODY, False),
    ("upper case", {SIGNATURE: GOOD.upper()}, BODY, False),
    ("sha1", {SIGNATURE: "sha1=" + "0" * 40}, BODY, False),
    ("not ASCII", {SIGNATURE: "sha256=\u00e9"}, BODY, False),
]


@pytest.mark.parametrize(("name", "headers", "body", "good"), SIGNATURES, ids=[row[0] for row in SIGNATURES])
def test_signatures(name: str, headers: dict[str, str], body: bytes, good: bool) -> None:
    assert verify({"app_secret": "mine"}, headers, body) is good


GOOD_QUERY = {"hub.mode": "subscribe", "hub.verify_token": "vt", "hub.challenge": "1158201444"}
CHALLENGES = [
    ("good", {}, "1158201444"),
    ("wrong token", {"hub.verify_token": "no"}, None),
    ("no token", {"hub.verify_token": ""}, None),
    ("wrong mode", {"hub.mode": "unsubscribe"}, None),
    ("markup", {"hub.challenge": "<script>alert(1)</script>"}, None),
    ("too long", {"hub.challenge": "a" * 129}, None),
    ("empty", {"hub.challenge": ""}, None),
    ("new line", {"hub.challenge": "abc\n"}, None),
]


@pytest.mark.parametrize(("name", "query", "answer"), CHALLENGES, ids=[row[0] for row in CHALLENGES])
def test_challenges(name: str, query: dict[str, str], answer: str | None) -> None:
    assert answer_challenge({"verify_token": "vt"}, {**GOOD_QUERY, **query}) == answer


def test_telegrams_secret_follows_from_the_token_or_is_chosen() -> None:
    mine = {"token": "1:a"}
    secret = telegram.secret_of(mine)
    assert len(secret) == 64
    assert secret != telegram.secret_of({"token": "1:b"})
    assert telegram.verify(mine, {telegram.SECRET_TOKEN: secret}, b"")
    assert not telegram.verify(mine, {telegram.SECRET_TOKEN: secret + "x"}, b"")
    assert not telegram.verify(mine, {}, b"")
    chosen = {**mine, "webhook_secret": "chosen-by-the-operator"}
    assert telegram.verify(chosen, {telegram.SECRET_TOKEN: "chosen-by-the-operator"}, b"")
    assert not telegram.verify(chosen, {telegram.SECRET_TOKEN: secret}, b"")
