"""What is remembered of sends until their echo comes."""

from collections.abc import Sequence

import msgspec

from actors.account.memory_session import MemorySession
from unifyport.model.inbound import Ignored, StatusChanged
from unifyport.model.message import OutboundMessage, OutboundText
from unifyport.model.unit import SessionChange
from unifyport.process.clock import AGREEMENT_MS, Clock
from unifyport.providers.line.device.echoes import KEPT_MS, Echoes
from unifyport.providers.line.device.records import SENT, Me, Records, SentCall, number_key
from unifyport.providers.line.device.structures import SEND_MESSAGE, Message, Operation

AT = 1_790_000_000_000
WE, MEI = "u" + "0" * 32, "u" + "a" * 32


class Sending(MemorySession):
    """A session in which sends are in progress. `marked`: the ids of commands, as the store has them."""

    def __init__(self) -> None:
        super().__init__({})
        self.marked: list[str | None] = []

    async def sending(
        self,
        message: OutboundMessage,
        changes: Sequence[SessionChange] = (),
        *,
        client_ref: str | None = None,
    ) -> None:
        await self.commit(changes)
        self.marked.append(client_ref)


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


async def test_the_echo_of_a_send_that_was_repaired_ends_its_command() -> None:
    """LINE has refused the first call, which was about keys; the second one has a number of its own."""
    session, me = Sending(), Me.new(WE, "")
    echoes = Echoes(Records(session), me, Clock())
    message = OutboundText(MEI, "user", "hello", client_ref="cmd_1")
    await echoes.sending(message)
    second = await echoes.sending(message, again=True)
    assert len([name for name, _ in session.records if name == SENT]) == 1
    said = Message(sender=WE, to=MEI, to_type=0, id="12", created=AT)
    settled = await echoes.settle(Operation(revision=3, type=SEND_MESSAGE, req_seq=second, message=said))
    assert settled is not None
    status, known = settled[0]
    assert isinstance(status, StatusChanged)
    assert [status.client_ref] == session.marked
    assert isinstance(known, Ignored)  # so that the history of the chat does not tell it


async def test_an_answered_send_is_not_told_by_history() -> None:
    echoes = Echoes(Records(Sending()), Me.new(WE, ""), Clock())
    echoes.answered("12")
    assert isinstance(echoes.in_history(Message(id="12")), Ignored)
    assert echoes.in_history(Message(id="13")) is None
