"""The login by QR code as pure state, and the tokens that it brings."""

import pytest
from attrs import evolve

from unifyport.protocols.letter_sealing import keys
from unifyport.protocols.thrift import Encoding, decode, encode
from unifyport.providers.line.device import login_structures as of
from unifyport.providers.line.device import qr_login, tokens
from unifyport.providers.line.device.appearance import device_of, headers
from unifyport.providers.line.device.qr_login import Login, LoginFailed, Step, advance, refuse, silent
from unifyport.providers.line.device.tokens import Decision, IssuedToken, RefreshAnswer, RefreshException

QR = of.QrCodeAnswer("https://line.me/R/au/lgn/sq/SQabc", 3, 20, "nonce")
DONE = of.LoginAnswer("PEM", IssuedToken("access", "refresh", 604_800), "u" + "a" * 32)


def _at(step: Step, *, certificate: str = "") -> Login:
    """A login that has come to a step."""
    login = Login(keys.generate(), certificate)
    for answer in (of.SessionAnswer("SQ1"), QR, of.Empty()):
        if login.step is step:
            return login
        login = advance(login, answer)
    return login


def test_a_first_login_asks_for_a_pin() -> None:
    login = _at(Step.PIN)
    assert login.step is Step.PIN
    assert login.url.startswith("https://line.me/R/au/lgn/sq/SQabc?secret=")
    assert login.url.endswith("&e2eeVersion=1")
    assert login.lifetime == 60
    login = advance(login, of.PinAnswer("4821"))
    assert (login.step, login.pin, login.polls_left) == (Step.PIN_CHECK, "4821", 3)
    login = advance(login, of.Empty())
    request = qr_login.arguments(login, "system", "model")
    assert request == of.LoginArguments(of.LoginRequest("SQ1", "system", "model", True, "nonce"))
    assert advance(login, DONE).answer == DONE


def test_a_known_certificate_saves_the_pin() -> None:
    login = _at(Step.CERTIFICATE, certificate="PEM")
    assert qr_login.arguments(login, "", "") == of.CertificateArguments(of.CertificateRequest("SQ1", "PEM"))
    assert advance(login, of.Empty()).step is Step.LOGIN


def test_an_unknown_certificate_is_forgotten() -> None:
    login = refuse(_at(Step.CERTIFICATE, certificate="PEM"), of.SecondaryQrCodeException(2))
    assert (login.step, login.certificate) == (Step.PIN, "")


def test_polls_are_as_many_as_the_server_says() -> None:
    login = _at(Step.SCAN)
    assert login.poll_seconds == 20
    login = silent(silent(login))
    with pytest.raises(LoginFailed, match="login_expired"):
        silent(login)
    with pytest.raises(LoginFailed):
        silent(_at(Step.PIN))


@pytest.mark.parametrize(
    ("polls", "seconds", "lifetime"), [(None, None, 360), (-1, 0, 30), (10**9, 10**9, 7200)]
)
def test_what_the_server_says_of_polls_is_bounded(
    polls: int | None, seconds: int | None, lifetime: int
) -> None:
    login = advance(_at(Step.QR_CODE), evolve(QR, polls=polls, poll_seconds=seconds))
    assert login.lifetime == lifetime


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (3, "qr_login_not_allowed"),
        (5, "retry_later"),
        (100, "login_expired"),
        (101, "app_upgrade_required"),
        (0, "login_refused"),
        (None, "login_refused"),
        (77, "login_refused"),
    ],
)
def test_refusals(code: int | None, reason: str) -> None:
    with pytest.raises(LoginFailed, match=reason) as caught:
        refuse(_at(Step.QR_CODE), of.SecondaryQrCodeException(code, "text"))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (Step.SESSION, of.SessionAnswer()),
        (Step.SESSION, None),
        (Step.QR_CODE, of.QrCodeAnswer("")),
        (Step.QR_CODE, of.QrCodeAnswer("x" * 5000)),
        (Step.PIN, of.PinAnswer("1" * 100)),
        (Step.PIN, None),
    ],
)
def test_an_answer_without_what_it_must_hold(step: Step, answer: object) -> None:
    with pytest.raises(LoginFailed, match="unreadable_answer"):
        advance(_at(step), answer)


@pytest.mark.parametrize("answer", [None, of.LoginAnswer(), evolve(DONE, mid=""), evolve(DONE, tokens=None)])
def test_a_login_without_token_or_mid(answer: object) -> None:
    with pytest.raises(LoginFailed):
        advance(evolve(_at(Step.PIN), step=Step.LOGIN), answer)


@pytest.mark.parametrize("step", [one for one in Step if one is not Step.DONE])
def test_every_step_has_a_call_that_can_be_written(step: Step) -> None:
    login = evolve(_at(Step.PIN), step=step)
    call = qr_login.STEPS[step]
    assert call.name
    encode(qr_login.arguments(login, "system", "model"), Encoding.COMPACT)
    assert decode(call.result, b"\0", Encoding.COMPACT) == call.result()


def test_where_the_key_chain_may_be() -> None:
    chain = {"encryptedKeyChain": "AA==", "publicKey": "AA==", "keyId": "7"}
    as_text = '{"encryptedKeyChain":"AA==","publicKey":"AA==","keyId":7}'
    assert qr_login.sealed_keys(evolve(DONE, key_chain=chain)) == chain
    assert qr_login.sealed_keys(evolve(DONE, metadata=chain)) == chain
    assert qr_login.sealed_keys(evolve(DONE, metadata={"e2eeInfo": as_text})) == chain
    for nothing in (None, {}, {"e2eeInfo": "*"}, {"e2eeInfo": "[]"}, {"publicKey": "AA=="}):
        assert qr_login.sealed_keys(evolve(DONE, metadata=nothing)) is None


def test_no_secret_is_shown() -> None:
    login = evolve(_at(Step.PIN, certificate="PEM"), pin="4821", answer=DONE)
    shown = repr(login) + repr(tokens.issued(IssuedToken("access!", "refresh!"), 0))
    for secret in ("PEM", "SQ1", "4821", "nonce'", "access!", "refresh!", "'access'"):
        assert secret not in shown


# --- tokens


NOW = 1_000_000.0
PAIR = tokens.issued(IssuedToken("a0", "r0", 600), NOW)


def test_a_token_is_refreshed_when_the_server_says() -> None:
    assert not PAIR.due(NOW + 599)
    assert PAIR.due(NOW + 600)
    assert not evolve(PAIR, refresh="").due(NOW + 600)


@pytest.mark.parametrize(
    ("said", "seconds"), [(None, 86_400), (0, 86_400), (-5, 86_400), (1, 60), (10**12, 2_592_000)]
)
def test_durations_are_bounded(said: int | None, seconds: int) -> None:
    assert tokens.issued(IssuedToken("a", "r", said), NOW).refresh_at == NOW + seconds


def test_a_refresh_rotates_what_the_answer_holds() -> None:
    first = tokens.refreshed(PAIR, RefreshAnswer("a1", 100), NOW)
    assert first is not None
    assert (first.access, first.refresh, first.number, first.refresh_at) == ("a1", "r0", 1, NOW + 100)
    second = tokens.refreshed(first, RefreshAnswer("a2", 100, refresh="r2"), NOW)
    assert second is not None
    assert (second.access, second.refresh, second.number) == ("a2", "r2", 2)


def test_a_refresh_without_a_token_changes_nothing() -> None:
    assert tokens.refreshed(PAIR, RefreshAnswer(None, 100), NOW) is None
    with pytest.raises(ValueError, match="no access token"):
        tokens.issued(IssuedToken(), NOW)


def test_the_next_token_of_an_answer() -> None:
    assert tokens.replaced(PAIR, "") is PAIR
    assert tokens.replaced(PAIR, "a0") is PAIR
    found = tokens.replaced(PAIR, "a1")
    assert (found.access, found.refresh, found.number, found.refresh_at) == ("a1", "r0", 1, PAIR.refresh_at)


def test_many_calls_refresh_once() -> None:
    assert tokens.after_must_refresh(PAIR, PAIR.number, False) is Decision.REFRESH
    newer = tokens.refreshed(PAIR, RefreshAnswer("a1", 100), NOW)
    assert newer is not None
    assert tokens.after_must_refresh(newer, PAIR.number, False) is Decision.REPEAT
    assert tokens.after_must_refresh(newer, newer.number, True) is Decision.LOGGED_OUT
    assert tokens.after_must_refresh(evolve(PAIR, refresh=""), 0, False) is Decision.LOGGED_OUT


def test_a_device_that_is_not_authorized() -> None:
    assert tokens.after_not_authorized(PAIR, 0, False) is Decision.REFRESH
    assert tokens.after_not_authorized(evolve(PAIR, refresh=""), 0, False) is Decision.LOGGED_OUT
    assert tokens.after_not_authorized(PAIR, 0, True) is Decision.LOGGED_OUT
    assert tokens.after_not_authorized(evolve(PAIR, number=1), 0, False) is Decision.REPEAT


def test_a_refused_refresh() -> None:
    assert tokens.after_refusal(RefreshException(1001)) is Decision.RETRY
    assert tokens.after_refusal(RefreshException(1000)) is Decision.LOGGED_OUT
    assert tokens.after_refusal(RefreshException()) is Decision.LOGGED_OUT


def test_the_servers_policy_of_retries() -> None:
    policy = tokens.RetryPolicy(2000, 10_000, 2.0, 0.1)
    assert [policy.delay(attempt) for attempt in (1, 2, 3, 4, 5000)] == [2, 4, 8, 10, 10]
    hostile = tokens.RetryPolicy(-1, -5, float("nan"), None)
    assert 1 <= hostile.delay(1) <= hostile.delay(5000) <= 3600


# --- the device


def test_how_a_device_introduces_itself() -> None:
    found = headers(device_of(), "token")
    assert found["x-line-application"] == "DESKTOPMAC\t26.2.0\tMAC\t13.0.0"
    assert found["x-line-access"] == "token"
    assert "x-line-access" not in headers(device_of())
    assert device_of("DESKTOPWIN", "9.9.0.1").version == "9.9.0.1"
    for wrong in (("TOASTER", ""), ("DESKTOPWIN", "1\r\n2"), ("DESKTOPWIN", "x"), ("DESKTOPWIN", "1" * 50)):
        with pytest.raises(ValueError):
            device_of(*wrong)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nx: y", "\u00e9", "x" * 10_000], ids=range(5))
def test_a_token_that_no_request_can_carry_changes_nothing(token: str) -> None:
    assert tokens.refreshed(PAIR, RefreshAnswer(token, 100), NOW) is None
    assert tokens.replaced(PAIR, token) is PAIR
    with pytest.raises(ValueError, match="no access token"):
        tokens.issued(tokens.IssuedToken(token), NOW)


def test_a_refresh_token_without_end_is_not_kept() -> None:
    newer = tokens.refreshed(PAIR, RefreshAnswer("a1", 100, refresh="r" * 1_000_000), NOW)
    assert newer is not None
    assert newer.refresh == PAIR.refresh
