"""Steps of the wall clock, and what a start makes of the time that was remembered."""

import pytest

from unifyport.process.clock import AGREEMENT_MS, LONGEST_STOP_MS, STEP_MS, Clock, Moment, Remembered

NOW = 1_800_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


class Machine:
    """A machine whose wall clock can be set."""

    def __init__(self, wall: int = NOW, before: Remembered | None = None) -> None:
        self.wall, self.up = wall, 5 * DAY
        self.clock = Clock(lambda: self.wall, lambda: self.up)
        self.clock.resume(before)

    def run(self, ms: int) -> None:
        self.wall, self.up = self.wall + ms, self.up + ms
        self.clock.check()


@pytest.mark.parametrize("step", [8 * DAY, -8 * DAY, 31 * 365 * DAY, -26 * 365 * DAY, STEP_MS + 1])
def test_a_step_puts_the_clock_in_doubt_and_does_not_move_the_steady_clock(step: int) -> None:
    machine = Machine()
    machine.wall += step
    assert machine.clock.moment() == Moment(NOW + step, NOW)
    assert machine.clock.in_doubt
    assert machine.clock.steps == 1
    assert "the clock was set" in (machine.clock.doubt or "")
    machine.run(70_000)
    machine.wall -= step
    assert machine.clock.moment() == Moment(NOW + 70_000, NOW + 70_000)
    assert machine.clock.in_doubt
    assert machine.clock.steps == 2
    machine.run(AGREEMENT_MS - MINUTE)
    assert machine.clock.in_doubt  # an hour since the last step
    machine.run(MINUTE)
    assert not machine.clock.in_doubt
    assert machine.clock.doubt is None


def test_what_is_less_than_a_step_is_nothing_also_many_times() -> None:
    machine = Machine()
    for _ in range(100):
        machine.wall += STEP_MS - 1
        machine.run(MINUTE)
    assert not machine.clock.in_doubt
    assert machine.clock.steps == 0
    assert machine.clock.steady_ms() == NOW + 100 * MINUTE


def test_the_operator_accepts_the_clock() -> None:
    machine = Machine()
    machine.wall += DAY
    assert machine.clock.in_doubt
    machine.clock.accept()
    assert not machine.clock.in_doubt
    assert machine.clock.wall_of(machine.clock.steady_ms()) == machine.wall


def test_a_clock_before_this_program_is_in_doubt_until_it_is_set() -> None:
    machine = Machine(946_684_800_000)  # 2000
    machine.run(3 * AGREEMENT_MS)
    assert "before this program" in (machine.clock.doubt or "")
    machine.wall = NOW
    assert machine.clock.in_doubt
    machine.run(AGREEMENT_MS)
    assert not machine.clock.in_doubt
    assert machine.clock.wall_of(machine.clock.steady_ms()) == machine.wall


@pytest.mark.parametrize(
    ("stopped", "doubt", "at_once", "an_hour_later"),
    [
        (0, False, 0, 0),
        (MINUTE, False, MINUTE, MINUTE),
        (HOUR, False, HOUR, HOUR),
        (8 * DAY, False, 0, 8 * DAY),  # a long stop, or a clock that is wrong and soon put right
        (LONGEST_STOP_MS + 1, True, 0, 0),
        (24 * 365 * DAY, True, 0, 0),  # 2050
        (-STEP_MS, False, 0, 0),
        (-HOUR, True, 0, 0),
        (-26 * 365 * DAY, True, 0, 0),  # 2000
    ],
)
def test_a_start_after_a_stop(stopped: int, doubt: bool, at_once: int, an_hour_later: int) -> None:
    machine = Machine(NOW + stopped, Remembered(NOW, NOW - 7))
    assert machine.clock.in_doubt is doubt
    assert machine.clock.steady_ms() == NOW - 7 + at_once
    machine.run(AGREEMENT_MS)
    if machine.wall > NOW - DAY:
        assert not machine.clock.in_doubt
    assert machine.clock.steady_ms() == NOW - 7 + an_hour_later + AGREEMENT_MS


@pytest.mark.parametrize("wrong", [8 * DAY, -8 * DAY, 20 * DAY])
def test_a_wrong_clock_at_start_that_is_put_right_adds_nothing(wrong: int) -> None:
    machine = Machine(NOW + 2 * HOUR + wrong, Remembered(NOW, NOW))
    machine.run(MINUTE)
    machine.wall -= wrong
    machine.run(2 * AGREEMENT_MS)
    stopped = 2 * HOUR if wrong > 0 else 0  # of a clock that was behind it is not known
    assert machine.clock.steady_ms() == NOW + stopped + MINUTE + 2 * AGREEMENT_MS


def test_a_restart_does_not_end_doubt() -> None:
    machine = Machine()
    machine.wall += 8 * DAY
    machine.clock.check()
    machine.run(20 * MINUTE)
    before = machine.clock.remember()
    again = Machine(machine.wall + 5000, before)
    assert again.clock.in_doubt
    assert again.clock.doubt == machine.clock.doubt
    assert again.clock.steady_ms() == NOW + 20 * MINUTE + 5000
    again.run(39 * MINUTE)
    assert again.clock.in_doubt
    again.run(MINUTE)
    assert not again.clock.in_doubt


def test_a_long_stop_that_is_not_counted_yet_survives_a_restart() -> None:
    machine = Machine(NOW + 8 * DAY, Remembered(NOW, NOW))
    machine.run(30 * MINUTE)
    again = Machine(machine.wall, machine.clock.remember())
    again.run(59 * MINUTE)
    assert again.clock.steady_ms() == NOW + 89 * MINUTE
    again.run(MINUTE)
    assert again.clock.steady_ms() == NOW + 90 * MINUTE + 8 * DAY
