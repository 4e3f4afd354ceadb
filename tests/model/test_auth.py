"""The tables of `auth_status`, against what the contract says of each step and each pair."""

import itertools

import pytest

from unifyport.model import auth
from unifyport.model.account import AuthStatus
from unifyport.model.auth import STEPS, TRANSITIONS, LoginOutcome, LoginStep, UnknownStep, Wanted, next_status

SHOWN: dict[LoginStep, tuple[AuthStatus, dict[str, object]]] = {
    LoginStep.QR: (AuthStatus.AWAITING_QR_SCAN, {"qr_code": "x", "url": "u"}),
    LoginStep.PIN: (AuthStatus.AWAITING_QR_SCAN, {"qr_code": "x", "url": "u", "pin": "1"}),
    LoginStep.CONFIRM_ON_PHONE: (AuthStatus.AWAITING_QR_SCAN, {"confirm_on_phone": {}}),
    LoginStep.SHOW_CODE: (AuthStatus.AWAITING_CODE, {"verify_code": "1"}),
    LoginStep.ASK_CODE: (AuthStatus.AWAITING_CODE, {"code_delivery": {"type": "sms"}}),
    LoginStep.PASSKEY: (AuthStatus.AWAITING_CODE, {"passkey": {}, "page_url": "u"}),
    LoginStep.CONSENT: (AuthStatus.AWAITING_CODE, {"consent": {}, "page_url": "u"}),
    LoginStep.ASK_PASSWORD: (AuthStatus.AWAITING_PASSWORD, {"password_hint": "the dog"}),
    LoginStep.ASK_PASSCODE: (AuthStatus.AWAITING_PASSWORD, {"ask_passcode": {"guesses_left": 5}}),
}


@pytest.mark.parametrize("step", LoginStep)
def test_a_step_leads_to_its_status_and_is_known_by_what_it_shows(step: LoginStep) -> None:
    status, payload = SHOWN[step]
    assert next_status(AuthStatus.PENDING_AUTH, step) is STEPS[step].status is status
    assert auth.step_of(status, payload) is step


@pytest.mark.parametrize(
    ("step", "fields", "wanted"),
    [
        (LoginStep.QR, [], None),
        (LoginStep.PIN, [], None),
        (LoginStep.CONFIRM_ON_PHONE, [], None),
        (LoginStep.SHOW_CODE, [], None),
        (LoginStep.ASK_CODE, [auth.CODE], Wanted.CODE),
        (LoginStep.PASSKEY, [], Wanted.CODE),
        (LoginStep.CONSENT, [], Wanted.CALLBACK),
        (LoginStep.ASK_PASSWORD, [auth.PASSWORD], Wanted.PASSWORD),
        (LoginStep.ASK_PASSCODE, [auth.PASSCODE], Wanted.PASSWORD),
    ],
)
def test_what_a_step_asks_for(step: LoginStep, fields: list[auth.Field], wanted: Wanted | None) -> None:
    status, payload = SHOWN[step]
    assert auth.fields_of(status, payload, imports=False) == fields
    assert STEPS[step].wanted is wanted


def test_what_is_asked_for_where_nothing_is_shown() -> None:
    fields_of = auth.fields_of
    assert fields_of(AuthStatus.AWAITING_CODE, {}, imports=False) == [auth.CODE]
    assert fields_of(AuthStatus.AWAITING_PASSWORD, {}, imports=False) == [auth.PASSWORD]
    assert fields_of(AuthStatus.AWAITING_QR_SCAN, {}, imports=False) == []
    assert fields_of(AuthStatus.FAILED, {}, imports=True) == [auth.SESSION_URL]
    assert fields_of(AuthStatus.FAILED, {}, imports=True, pin=True) == [auth.SESSION_URL, auth.PIN]
    assert fields_of(AuthStatus.FAILED, {"guesses_left": 4}, imports=False) == []
    assert fields_of(AuthStatus.AUTHORIZED, {}, imports=True) == []


def test_only_a_passkey_may_be_long() -> None:
    long = {step for step, rule in STEPS.items() if rule.max_answer > auth.MAX_ANSWER}
    assert long == {LoginStep.PASSKEY}
    assert STEPS[LoginStep.PASSKEY].max_answer == 16_384


def test_the_last_guesses() -> None:
    assert [guesses for guesses in range(6) if auth.needs_confirmation(guesses)] == [0, 1, 2, 3]


def test_cancelling_leads_to_the_beginning_from_anywhere() -> None:
    for status in AuthStatus:
        assert next_status(status, LoginOutcome.CANCELLED) is AuthStatus.PENDING_AUTH


def test_every_status_can_be_reached_and_left() -> None:
    assert set(TRANSITIONS.values()) == set(AuthStatus)
    for status in AuthStatus:
        assert any(TRANSITIONS[s, t] is not status for s, t in TRANSITIONS if s is status)


def test_an_authorized_account_is_shown_nothing_and_all_other_pairs_are_known() -> None:
    missing = set(itertools.product(AuthStatus, [*LoginStep, *LoginOutcome])) - set(TRANSITIONS)
    assert missing == {(AuthStatus.AUTHORIZED, event) for event in (*LoginStep, LoginOutcome.FAILED)}
    for status, event in missing:
        with pytest.raises(UnknownStep):
            next_status(status, event)
