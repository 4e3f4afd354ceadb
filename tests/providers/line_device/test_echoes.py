"""What is remembered of sends until their echo comes."""

import msgspec

from actors.account.memory_session import MemorySession
from unifyport.process.clock import AGREEMENT_MS, Clock
from unifyport.providers.line.device.echoes import KEPT_MS, Echoes
from unifyport.providers.line.device.records import SENT, Me, Records, SentCall, number_key

AT = 1_790_000_000_000


async def test_a_step_of_the_clock_forgets_no_send() -> None:
    wall, elapsed = [AT], [0]
    clock = Clock(lambda: wall[0], lambda: elapsed[0])
    session = MemorySession({})
    session.records[SENT, number_key(7)] = msgspec.msgpack.encode(SentCall("u" + "a" * 32, AT))
    echoes = Echoes(Records(session), Me("u" + "0" * 32), clock)
    wall[0] += KEPT_MS + 1000
    await echoes.sweep()
    assert session.records
    for _ in range(2):  # the clock agrees with itself for long enough
        wall[0] += AGREEMENT_MS
        elapsed[0] += AGREEMENT_MS
        clock.check()
    await echoes.sweep()
    assert not session.records
