"""The table of `auth_status`, against what the contract says of each pair."""

import itertools

import pytest

from unifyport.model import auth
from unifyport.model.account import AuthStatus
from unifyport.model.auth import TRANSITIONS, Trigger, UnknownStep, next_status


def test_whoever_is_authorized_is_shown_nothing() -> None:
    for trigger in (Trigger.SHOW_QR, Trigger.WANT_CODE, Trigger.WANT_PASSWORD, Trigger.FAILED):
        with pytest.raises(UnknownStep):
            next_status(AuthStatus.AUTHORIZED, trigger)


def test_cancelling_leads_to_the_beginning_from_anywhere() -> None:
    for status in AuthStatus:
        assert next_status(status, Trigger.CANCELLED) is AuthStatus.PENDING_AUTH


def test_every_status_can_be_reached_and_left() -> None:
    reached = set(TRANSITIONS.values())
    assert reached == set(AuthStatus)
    for status in AuthStatus:
        assert any(TRANSITIONS[s, t] is not status for s, t in TRANSITIONS if s is status)


def test_the_table_knows_all_other_pairs() -> None:
    missing = set(itertools.product(AuthStatus, Trigger)) - set(TRANSITIONS)
    shown = (Trigger.SHOW_QR, Trigger.WANT_CODE, Trigger.WANT_PASSWORD, Trigger.FAILED)
    assert missing == {(AuthStatus.AUTHORIZED, trigger) for trigger in shown}


def test_what_is_asked_for() -> None:
    fields_of = auth.fields_of
    assert fields_of(AuthStatus.AWAITING_CODE, {}, imports=False) == [auth.CODE]
    assert fields_of(AuthStatus.AWAITING_CODE, {"verify_code": "1"}, imports=False) == []
    assert fields_of(AuthStatus.AWAITING_PASSWORD, {}, imports=False) == [auth.PASSWORD]
    assert fields_of(AuthStatus.FAILED, {}, imports=True) == [auth.SESSION_URL, auth.PIN]
    assert fields_of(AuthStatus.AUTHORIZED, {}, imports=True) == []
