"""What is shown of an account, and how changes wait for a blocked road."""

import trio

from actors.status import SLOT, Change, RuntimeView, StatusSlot
from supervisors import ChildState, Desired, Ended, Failure, Kind, Outcome, Phase
from unifyport.model.unit import Announcement


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
