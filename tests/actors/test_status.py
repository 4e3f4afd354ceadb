"""What is shown of an account, and how changes wait for a blocked road."""

import attrs
import trio

from actors.account.status import SLOT, Change, RuntimeView, StatusSlot, status_changed
from supervisors import ChildState, Desired, Ended, Failure, Kind, Outcome, Phase
from unifyport.model.account import Account
from unifyport.model.event import EventType
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.unit import Announcement

ROW = Account("acct_1", "a", "telegram", "telegram", "global", "token")


def state(phase: Phase, failure: Failure | None = None, terminal: str | None = None) -> ChildState:
    last = None if failure is None else Outcome(Ended.FAILED, failure)
    return ChildState("a", phase, 0, Desired.RUNNING, 1, 0, 1, None, last, terminal, ())


async def test_retries_inside_a_back_off_change_nothing_that_is_shown() -> None:
    await trio.lowlevel.checkpoint()
    view, lost = RuntimeView(), Failure(Kind.TRANSIENT, "connect_error")
    assert not view.observe(state(Phase.STOPPED), 1)  # nothing was ever observed
    assert view.observe(state(Phase.STARTING), 2)
    assert view.observe(state(Phase.RUNNING), 3)
    assert view.observe(state(Phase.BACKING_OFF, lost), 4)
    for at in range(5, 9):
        assert not view.observe(state(Phase.STARTING, lost), at)
        assert not view.observe(state(Phase.BACKING_OFF, lost), at)
    assert (view.status.value, view.reason, view.since) == ("reconnecting", "connect_error", 4)
    assert view.observe(state(Phase.PARKED, lost), 9)
    assert view.status.value == "disconnected"
    assert view.observe(state(Phase.TERMINAL, terminal="invalid_credentials"), 10)
    assert (view.status.value, view.reason) == ("disconnected", "invalid_credentials")
    crash = RuntimeView()
    crash.observe(state(Phase.PARKED, Failure(Kind.BUG, "crash")), 1)
    assert crash.status.value == "error"


def test_a_blocked_slot_keeps_sixteen_changes_and_says_what_it_left_out() -> None:
    slot = StatusSlot()
    for number in range(SLOT + 3):
        slot.publish(
            Change([Announcement("account.status.updated", {"n": number}, number)], {f"c{number}": number})
        )
    changes = slot.take()
    assert len(changes) == SLOT
    assert [c.announcements[0].data["n"] for c in changes[:-1]] == list(range(SLOT - 1))
    assert changes[-1].announcements[0].data == {"n": SLOT + 2, "coalesced": 3}
    assert set(changes[-1].account_changes) == {
        f"c{n}" for n in range(SLOT - 1, SLOT + 3)
    }  # nothing forgotten
    assert not slot


def test_a_crowd_that_is_silent_together_shows_the_network_and_starts_nothing_anew() -> None:
    view = RuntimeView()
    view.observe(state(Phase.STARTING), 1)
    view.observe(state(Phase.RUNNING), 2)
    assert view.observe(attrs.evolve(state(Phase.RUNNING), probe_restart_held=True), 3)
    assert (view.status, view.reason) == (RuntimeStatus.RUNNING, "network")
    types = [announcement.type for announcement in status_changed(ROW, view, 3, was_up=True)]
    assert types == [EventType.ACCOUNT_STATUS_UPDATED]
    assert view.observe(state(Phase.RUNNING), 4)  # it was heard again
    assert (view.status, view.reason) == (RuntimeStatus.RUNNING, "")
