"""Whether a command can be done in time, and when the caller of one that cannot is to come again."""

import math
import random

import attrs

from unifyport.model.message import Answer, CommandState
from unifyport.model.send_pace import Pacer

from .lanes import MAX_LANE, MAX_QUEUED, Lanes, Wanted

MIN_NEEDS, MAX_NEEDS = 2.0, 10.0  # seconds that a command is given for its own work
MIN_RETRY, MAX_RETRY = 1, 3600  # seconds
MAX_APPOINTED = 120.0  # seconds; callers for whom that is too short share this time
BUSY = "outbox_full"
RATE_LIMITED = "rate_limited"


@attrs.frozen(kw_only=True)
class _Waits:
    """Seconds until a command would begin, by each of the things that it waits for."""

    account_slots: float
    account_pace: float
    lane_slots: float
    lane_pace: float

    @property
    def account(self) -> float:
        return max(self.account_slots, self.account_pace)

    @property
    def lane(self) -> float:
        return max(self.lane_slots, self.lane_pace)

    @property
    def busy(self) -> float:
        return max(self.account_slots, self.lane_slots)

    @property
    def pace(self) -> float:
        return max(self.account_pace, self.lane_pace)

    @property
    def longest(self) -> float:
        return max(self.busy, self.pace)


class Admission:
    """Of one account. Times are trio's."""

    def __init__(self, lanes: Lanes, pacer: Pacer) -> None:
        self._lanes = lanes
        self._pacer = pacer
        self._appointed = -math.inf  # when the caller that was refused last is to come again

    @property
    def needs(self) -> float:
        """Seconds that a command must have left when it begins."""
        return min(MAX_NEEDS, max(MIN_NEEDS, 2 * self._lanes.service_seconds))

    def begins_in(self, wanted: Wanted, now: float) -> tuple[float, bool]:
        """Seconds until a command reserved now would begin; True: the pace is the longest wait."""
        waits = self._waits(wanted, now)
        return waits.longest, waits.pace > waits.busy

    def _waits(self, wanted: Wanted, now: float) -> _Waits:
        ahead = self._lanes.ahead(wanted)
        account_pace = conversation_pace = 0.0
        if wanted.paced:
            account_pace = self._pacer.account_wait(now, self._lanes.paced)
            if wanted.conversation is not None:
                waiting = sum(place.paced for place in ahead)
                conversation_pace = self._pacer.conversation_wait(
                    wanted.conversation, wanted.kind, now, waiting
                )
        return _Waits(
            account_slots=self._lanes.queued * self._interval,
            account_pace=account_pace,
            lane_slots=len(ahead) * self._lanes.service_seconds,
            lane_pace=conversation_pace,
        )

    @property
    def _interval(self) -> float:
        """Seconds between the ends of two commands, while all slots are in use."""
        return self._lanes.service_seconds / self._lanes.slots

    def refusal(self, wanted: Wanted, now: float, left: float) -> Answer | None:
        """The answer to a command that cannot be done within `left` seconds; None: it may be reserved."""
        waits = self._waits(wanted, now)
        full = self._lanes.queued >= MAX_QUEUED or len(self._lanes.ahead(wanted)) >= MAX_LANE
        missing = waits.longest + self.needs - left
        if missing <= 0 and not full:
            return None
        paced = waits.pace > waits.busy and missing > 0
        if full:  # places become free one by one, and many others wait for them
            missing = max(missing, waits.longest / 2)
        if waits.account >= waits.lane:
            missing = self._appoint(now, missing, paced=paced)
        wait = min(MAX_RETRY, max(MIN_RETRY, math.ceil(missing)))
        return Answer(CommandState.NOT_SENT, code=RATE_LIMITED if paced else BUSY, retry_after=float(wait))

    def _appoint(self, now: float, wait: float, *, paced: bool) -> float:
        """Seconds after which to come again, if the account is what a command waits for.

        Those who are refused at the same time would come at the same time again. Each gets a time of its own,
        as far apart as commands can begin. Those who come early cannot push the others beyond
        `MAX_APPOINTED`.
        """
        interval = self._interval
        if paced:
            interval = self._pacer.account_wait(now, self._lanes.paced + 1) - self._pacer.account_wait(
                now, self._lanes.paced
            )
        latest = now + max(wait, MAX_APPOINTED)
        self._appointed = min(max(self._appointed + interval, now + wait), latest)
        if self._appointed == latest:
            return random.uniform(wait, latest - now)  # noqa: S311
        return self._appointed - now
