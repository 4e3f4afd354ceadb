"""Whatever happens to an endpoint's actor, its receiver and its process: what must hold of deliveries holds.

The real actor, writer, store and client on a mock clock; hypothesis scripts the receiver and what happens
meanwhile.
"""

import os
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from supervisors import tree
from tests.world import EPOCH_MS, Reaction, World, new_world
from unifyport.delivery.scripted import RESET, SILENCE, answer
from unifyport.storage.contract import DeadLetters, DeliveryRecord, LoggedEvents, Replay, Replayed, RetryNow

EXAMPLES = 2000 if os.environ.get("CHAOS") == "full" else 120
EVENTS, LANES = 24, 3
LONG = 40 * 86_400.0  # longer than any schedule

REACTIONS: dict[str, Reaction] = {
    "accepted": 204,
    "failed": 500,
    "refused": 404,
    "told to wait": [answer(429, more="retry-after: 7\r\n")],
    "hung up": RESET,
    "silent": SILENCE,
    "accepted, answer lost": [0.5, RESET],
    "accepted, endless": [answer(200, b"x" * 10)[:-3], SILENCE],
}


@attrs.frozen
class Story:
    """`reactions` in the order of the attempts, then everything is accepted.

    `incidents`: (what, after how long).
    """

    max_attempts: int
    delivery: dict[str, object]
    lanes: list[int]
    expiring: set[int]
    reactions: list[str]
    incidents: list[tuple[str, float]]


stories = st.builds(
    Story,
    max_attempts=st.integers(0, 3),
    delivery=st.fixed_dictionaries(
        {
            "ordering": st.sampled_from(["strict", "strict", "none"]),
            "max_in_flight": st.integers(1, 4),
            "rate_limit": st.sampled_from([0, 0, 3]),
            "breaker": st.sampled_from(["off", {}, {"failures": 2, "initial": "1s"}]),
        }
    ),
    lanes=st.lists(st.integers(1, LANES), min_size=1, max_size=EVENTS),
    expiring=st.sets(st.integers(0, EVENTS - 1), max_size=3),
    reactions=st.lists(st.sampled_from(sorted(REACTIONS)), max_size=40),
    incidents=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "kill",
                    "kill after a commit",
                    "replay the dead",
                    "replay the log",
                    "retry",
                    "pause",
                    "reorder",
                ]
            ),
            st.floats(0.01, 60),
        ),
        max_size=8,
    ),
)


class Play:
    def __init__(self, world: World, story: Story) -> None:
        self.world = world
        self.story = story
        self._reactions = list(story.reactions)
        self._accepted: list[
            str
        ] = []  # texts of what is new (no replay), in the order in which they were accepted
        self._done: set[str] = set()  # texts of what is new, whose acceptance has arrived
        self._repeats: list[str] = []
        world.answer = self._react

    def _react(self, text: str, nth: int) -> Reaction:
        name = self._reactions.pop(0) if self._reactions else "accepted"
        if not self.world.requests[-1].replay:
            if text in self._done:
                self._repeats.append(text)
            if name.startswith("accepted"):
                self._accepted.append(text)
            if name.startswith("accepted") and "lost" not in name:
                self._done.add(text)
        return REACTIONS[name]

    async def run(self) -> None:
        async with self.world.alive():
            for number, lane in enumerate(self.story.lanes):
                expires = EPOCH_MS + 20_000 if number in self.story.expiring else None
                await self.world.commit(f"m{number:02}", lane=lane, expires_at=expires)
            rest = await self._live(self.story.incidents)
        while rest is not None:
            async with self.world.alive():
                rest = await self._live(rest)

    async def _live(self, incidents: list[tuple[str, float]]) -> list[tuple[str, float]] | None:
        """One life of the process: what happens after its kill, or None when it has seen the end."""
        while incidents:
            (what, after), *incidents = incidents
            await trio.sleep(after)
            if what == "kill after a commit":
                self.world.store.hangs = True
                await trio.sleep(1)
            self._look_for_crashes()
            if what.startswith("kill"):
                return incidents
            await self._incident(what)
        await self.world.change(status="active", reason=None, failing_since=None)
        with trio.fail_after(LONG):
            while (await self.world.store.owed(1, 1))[0]:
                await trio.sleep(60)
        self._look_for_crashes()
        return None

    def _look_for_crashes(self) -> None:
        assert all(node.incarnations <= 1 for node in tree(self.world.deliveries.supervisor))

    async def _incident(self, what: str) -> None:
        world = self.world
        match what:
            case "replay the dead":
                await self._replay(Replay("we_1", DeadLetters(), page=3))
            case "replay the log":
                newest = await world.store.newest_position()
                await self._replay(Replay("we_1", LoggedEvents(), upto=newest, page=3))
            case "retry":
                for record in await world.store.deliveries(1, None, 3, status="retrying"):
                    await world.order(RetryNow(1, record.seq, record.round))
            case "pause":
                endpoint = await world.endpoint()
                await world.change(status="inactive" if endpoint.status == "active" else "active")
            case "reorder":
                ordering = (await world.endpoint()).delivery["ordering"]
                other = "none" if ordering == "strict" else "strict"
                await world.change(delivery=self.story.delivery | {"ordering": other})

    async def _replay(self, order: Replay) -> None:
        while True:
            page: Replayed = (await self.world.order(order)).value
            order.round, order.after = page.round, page.last
            if not page.more:
                return

    # -- what must hold --------------------------------------------------------------------------------------

    async def judge(self) -> None:
        records = await self._records()
        most = self.story.max_attempts + 1
        for number in range(len(self.story.lanes)):
            mine = [record for record in records if record.event_id == f"evt_{number + 1:04}"]
            assert mine, f"m{number:02} is lost"
            assert {record.status for record in mine} <= {"delivered", "dead", "expired"}
            if any(record.status == "expired" for record in mine):
                assert number in self.story.expiring
        for record in records:
            counted = [attempt for attempt in record.history if attempt.outcome != "not_counted"]
            extra = record.status == "delivered"  # an extra attempt that succeeds is one more
            assert len(counted) <= most + extra, record
            if record.status == "dead":
                assert record.attempts <= most
            if not self.story.max_attempts:
                assert len(counted) == 1
        happened = {what for what, _ in self.story.incidents}
        if self.story.delivery["ordering"] == "strict" and "reorder" not in happened:
            self._judge_order()
        if not happened & {"kill", "kill after a commit"}:
            assert self._repeats == []

    async def _records(self) -> list[DeliveryRecord]:
        found = await self.world.store.deliveries(1, None, 1000)
        records = [await self.world.store.delivery(1, record.seq, record.round) for record in found]
        return [record for record in records if record is not None]

    def _judge_order(self) -> None:
        first: dict[str, int] = {}
        for position, text in enumerate(self._accepted):
            first.setdefault(text, position)
        lanes: dict[int, list[int]] = defaultdict(list)
        for number, lane in enumerate(self.story.lanes):
            if (text := f"m{number:02}") in first:
                lanes[lane].append(first[text])
        assert all(order == sorted(order) for order in lanes.values()), self._accepted


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(stories)
def test_every_event_ends_in_order_and_within_its_policy(story: Story) -> None:
    async def main(directory: str) -> None:
        retries = {"max_attempts": story.max_attempts, "schedule": ["2s", "20s", "5m"]}
        world = await new_world(
            Path(directory) / "t.db", secret="s", retry_policy=retries, delivery=story.delivery
        )
        play = Play(world, story)
        await play.run()
        await play.judge()
        world.store.close()

    with TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as directory:
        trio.run(main, directory, clock=MockClock(autojump_threshold=0))
