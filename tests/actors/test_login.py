"""The login machine on a mock clock: how long it waits for whom, and what it leaves behind when it ends."""

import logging
from typing import Any, cast

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.account.failures import LeaseLost, NotDurable
from actors.account.login import DuplicateAccount, Login, LoginChanged
from actors.account.question import NotAsked
from tests.actors.login_world import DONE, SESSION, ScriptedConnector, ScriptedHost, finished
from unifyport.model.account import AuthStatus
from unifyport.model.auth import Wanted
from unifyport.providers.contract.errors import ChannelError, RateLimited, Rejected, Transient
from unifyport.providers.contract.login import Authorization, Dialog, ExportedSession, ImportsSession


async def test_a_qr_code_that_nobody_scans_is_waited_for_five_minutes_however_often_it_changes(
    autojump_clock: MockClock,
) -> None:
    async def script(dialog: Dialog) -> Authorization:
        while True:
            await dialog.show_qr(f"code at {trio.current_time()}", 20)
            await trio.sleep(20)

    host = ScriptedHost(script)
    _, took = await finished(host)
    assert took == pytest.approx(300)
    assert host.statuses == ["awaiting_qr_scan"] * 15 + ["failed"]
    assert [step.changes["auth_sequence"] for step in host.steps[:-1]] == list(range(1, 16))
    assert host.row.last_error == "qrcode_expired"
    assert (host.row.auth_payload, host.row.auth_expires_at) == ({}, None)


async def test_a_connector_that_returns_nothing_has_a_bug(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        return cast(Any, None)

    host = ScriptedHost(script)
    login, _ = await finished(host)
    assert isinstance(login.error, TypeError)
    assert (host.row.auth_status, host.row.last_error) == (AuthStatus.FAILED, "internal_error")


async def test_a_code_that_nobody_types_is_waited_for_ten_minutes(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await dialog.ask_code()
        raise AssertionError("nobody has answered")

    host = ScriptedHost(script)
    _, took = await finished(host)
    assert took == pytest.approx(600)
    assert (host.row.auth_status, host.row.last_error) == (AuthStatus.FAILED, "code_expired")


async def test_a_code_that_is_shown_is_waited_for_five_minutes(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await dialog.show_code("1234-5678", 180)
        await trio.sleep_forever()
        raise AssertionError

    host = ScriptedHost(script)
    _, took = await finished(host)
    assert (took, host.row.last_error) == (pytest.approx(300), "code_expired")


async def test_a_platform_that_says_nothing_is_waited_for_a_minute(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await trio.sleep_forever()
        raise AssertionError

    host = ScriptedHost(script)
    _, took = await finished(host)
    assert (took, host.row.last_error) == (pytest.approx(60), "login_timeout")


async def test_each_answer_renews_the_patience(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await dialog.show_qr("x", 20)
        await trio.sleep(290)
        assert await dialog.ask_password() == "open"
        return DONE

    host = ScriptedHost(script)
    login = Login(host)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(login.run)
        await login.wait_for_step(1)
        await trio.sleep(500)
        login.give(Wanted.PASSWORD, "open")
        with pytest.raises(NotAsked):  # once is enough
            login.give(Wanted.PASSWORD, "again")
    assert host.statuses == ["awaiting_qr_scan", "awaiting_password", "authorized"]
    assert host.steps[-1].session == SESSION
    assert [a.type for a in host.steps[-1].announcements] == ["account.auth.succeeded"]


async def test_a_pin_stands_beside_the_code(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await dialog.show_qr("x", 20)
        await dialog.show_pin("1234", 60)
        return DONE

    host = ScriptedHost(script)
    await finished(host)
    first, second, _ = host.steps
    assert first.changes["auth_payload"]["qr_code"] == second.changes["auth_payload"]["qr_code"] == "x"
    assert second.changes["auth_payload"]["pin"] == "1234"
    assert second.changes["auth_payload"]["url"] == "https://gateway.example/qr/2.png"
    [event] = second.announcements
    assert event.expires_at == 60_000
    assert event.data["sequence"] == 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Rejected("invalid_password"), "invalid_password"),
        (Transient("connect_error"), "connect_error"),
        (RateLimited(30), "rate_limited"),
        (ZeroDivisionError(), "internal_error"),
        (BaseExceptionGroup("", [Transient("read_error")]), "read_error"),
        (BaseExceptionGroup("", [Transient("read_error"), KeyError("x")]), "internal_error"),
    ],
)
async def test_what_goes_wrong_is_the_end_of_this_login_alone(
    autojump_clock: MockClock, error: BaseException, reason: str
) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await trio.lowlevel.checkpoint()
        raise error

    host = ScriptedHost(script)
    login, _ = await finished(host)
    assert (host.row.auth_status, host.row.last_error) == (AuthStatus.FAILED, reason)
    assert [a.type for a in host.steps[-1].announcements] == ["account.auth.failed"]
    assert login.error is not None
    assert isinstance(login.error, ChannelError) is (reason != "internal_error")


async def test_the_loser_of_an_identity_is_logged_out(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await trio.lowlevel.checkpoint()
        return DONE

    host = ScriptedHost(script)
    host.refuses = DuplicateAccount()
    await finished(host)
    assert host.row.last_error == "duplicate_provider_account"
    assert host.made.logged_out == 1


async def test_a_success_on_its_way_to_the_disk_is_waited_for(autojump_clock: MockClock) -> None:
    """A unit cannot be taken back: a caller that gives up on it would say what is not so."""

    async def script(dialog: Dialog) -> Authorization:
        await trio.lowlevel.checkpoint()
        return DONE

    host = ScriptedHost(script)
    host.takes = 1000
    login = Login(host)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(login.run)
        await trio.sleep(500)
        assert not login.abandon()
        await login.abandon_and_wait()
    assert host.statuses == ["authorized"]


async def test_a_connector_that_does_not_close_changes_nothing(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await trio.lowlevel.checkpoint()
        return DONE

    host = ScriptedHost(script)
    host.made.aclose = _fails  # type: ignore[method-assign]
    login = Login(host)
    await login.run()
    assert (login.error, host.statuses) == (None, ["authorized"])


async def _fails() -> None:
    await trio.lowlevel.checkpoint()
    raise OSError("the line was gone already")


async def test_other_credentials_make_it_void(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await trio.lowlevel.checkpoint()
        return DONE

    host = ScriptedHost(script)
    host.refuses = LoginChanged()
    await finished(host)
    assert host.made.logged_out == 1


async def test_given_up_it_says_nothing_and_closes(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await dialog.show_qr("x", 20)
        await trio.sleep_forever()
        raise AssertionError

    host = ScriptedHost(script)
    login = Login(host)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(login.run)
        await wait_all_tasks_blocked()
        await login.abandon_and_wait()
    assert host.statuses == ["awaiting_qr_scan"]
    assert host.made.closed == 1
    with pytest.raises(NotAsked):
        login.give(Wanted.CODE, "1")


async def test_given_up_while_its_success_is_recorded_it_has_succeeded(autojump_clock: MockClock) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await trio.lowlevel.checkpoint()
        login.abandon()
        return DONE

    host = ScriptedHost(script)
    login = Login(host)
    await login.run()
    assert host.row.auth_status is AuthStatus.AUTHORIZED


async def test_an_import_has_a_minute(autojump_clock: MockClock) -> None:
    class Importing(ScriptedConnector, ImportsSession):
        async def import_session(self, exported: ExportedSession) -> Authorization:
            await trio.sleep_forever()
            raise AssertionError

    async def script(dialog: Dialog) -> Authorization:
        raise AssertionError

    host = ScriptedHost(script)
    host.made = Importing(script)
    login = Login(host, ExportedSession(b"x"))
    await login.run()
    assert (trio.current_time(), host.row.last_error) == (pytest.approx(60), "login_timeout")


async def test_an_import_that_crashes_quotes_nothing_of_the_session(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Importing(ScriptedConnector, ImportsSession):
        async def import_session(self, exported: ExportedSession) -> Authorization:
            await trio.lowlevel.checkpoint()
            raise ValueError(f"cannot read {exported.data!r}")

    async def script(dialog: Dialog) -> Authorization:
        raise AssertionError

    host = ScriptedHost(script)
    host.made = Importing(script)
    await Login(host, ExportedSession(b"canary")).run()
    assert host.row.last_error == "internal_error"
    assert "import_session" in caplog.text
    assert "ValueError" in caplog.text
    assert "canary" not in caplog.text


# -- ends that are not recorded ------------------------------------------------------------------------------


@pytest.mark.parametrize("refuses", [LeaseLost(), NotDurable("disk full"), LoginChanged()], ids=repr)
async def test_an_ordinary_end_that_cannot_be_recorded_is_a_line_without_a_traceback(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, refuses: Exception
) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await trio.lowlevel.checkpoint()
        raise Transient("connect_error")

    host = ScriptedHost(script)
    host.refuses, host.refuses_all = refuses, True
    with caplog.at_level(logging.INFO):
        login, _ = await finished(host)
    assert login.error is refuses
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.exc_info is None


@pytest.mark.parametrize("refuses", [LeaseLost(), NotDurable("disk full"), LoginChanged()], ids=repr)
async def test_a_step_that_is_not_durable_is_not_a_crash_of_the_connector(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, refuses: Exception
) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await dialog.show_qr("x", 20)
        raise AssertionError

    host = ScriptedHost(script)
    host.refuses, host.refuses_all = refuses, True
    await finished(host)
    assert host.steps == []
    assert not any(record.exc_info for record in caplog.records)


async def test_a_bug_has_a_traceback(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    await finished(ScriptedHost(script))
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_logged_in_as_somebody_else_nothing_is_replaced(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(dialog: Dialog) -> Authorization:
        await trio.lowlevel.checkpoint()
        return DONE

    host = ScriptedHost(script)
    host.row = attrs.evolve(host.row, provider_account_ref="you", profile={"id": "you"})
    await finished(host)
    assert (host.row.last_error, host.row.provider_account_ref) == ("identity_changed", "you")
    assert "the login failed (identity_changed)" in caplog.text
    assert [step.session for step in host.steps] == [None]
    assert host.made.logged_out == 1
    host.row = attrs.evolve(host.row, provider_account_ref="me", profile={"id": "me"})
    host.made.closed = 0
    await finished(host)
    assert host.row.auth_status is AuthStatus.AUTHORIZED
