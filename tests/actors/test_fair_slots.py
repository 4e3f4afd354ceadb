"""Property: the conversations of an account take turns at its slots, whatever the platform takes for each."""

import random
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.actors.send_world import channel_of, send_world
from unifyport.model.message import OutboundText
from unifyport.providers.contract.capabilities import Sent


class Turns:
    """Notes when conversations begin, and since when each waits for a slot; what happens in the same moment
    has no order.
    """

    def __init__(self, rng: random.Random, chats: Iterable[str]) -> None:
        self._rng = rng
        self._waits_since = dict.fromkeys(chats, trio.current_time())
        self._began: list[tuple[float, str]] = []

    async def answer(self, message: OutboundText) -> Sent:
        chat, now = message.conversation_id, trio.current_time()
        passed = Counter(other for at, other in self._began if self._waits_since[chat] < at < now)
        assert max(passed.values(), default=0) <= 1, f"{passed} while {chat} waited"
        self._began.append((now, chat))
        await trio.sleep(self._rng.choice((0.1, 0.1, 0.5, 1)))
        self._waits_since[chat] = trio.current_time()
        return Sent("1")


async def scenario(directory: Path, seed: int) -> None:
    rng = random.Random(seed)
    counts = Counter({f"chat {n}": rng.choice((1, 2, 3)) for n in range(rng.randint(1, 6))})
    counts["flood"] = 8
    async with send_world(directory, channel_of(parallel=rng.randint(2, 3))) as world:
        world.platform.answers = Turns(rng, counts).answer
        messages = [f"{chat}/{number}" for chat in counts for number in range(counts[chat])]
        async with trio.open_nursery() as nursery:
            for message in sorted(messages, key=lambda text: text.startswith("flood"), reverse=True):
                nursery.start_soon(world.send, message, message.partition("/")[0])
        assert sorted(world.platform.written) == sorted(messages)
        for chat in counts:
            own = [text for text in world.platform.written if text.startswith(f"{chat}/")]
            assert Counter(own) == Counter(f"{chat}/{n}" for n in range(counts[chat]))


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_conversations_take_turns(seed: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        trio.run(scenario, Path(directory), seed, clock=MockClock(autojump_threshold=0))
