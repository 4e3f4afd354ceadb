"""Recording outcomes when the writer refuses, is restarted, or has lost the lease: nothing is forgotten."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from actors.recorder import Recorder
from actors.reply import Failed
from supervisors import Terminal
from unifyport.fleet.leases import Lease
from unifyport.model.webhook import WebhookEndpoint
from unifyport.storage.contract import Committed, EndpointHealth, Fenced, Refused, Settle, Settled

RESTARTED = Failed("writer_restarted")


class Answers:
    """A writer that answers as a test says, and then commits."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.writes: list[Settle] = []
        self.meanwhile: Callable[[], None] = lambda: None

    async def submit(self, write: Settle) -> Any:
        self.writes.append(write)
        await trio.lowlevel.checkpoint()
        self.meanwhile()
        self.meanwhile = lambda: None
        return self._answers.pop(0) if self._answers else Committed()


def recorder_of(writer: Answers, durable: list[Any] | None = None) -> Recorder:
    endpoint = WebhookEndpoint("we_1", "https://x.example", no=1)
    heard = durable if durable is not None else []
    lease = Lease("endpoint:we_1", 1)
    return Recorder(
        writer,  # type: ignore[arg-type]
        lease,
        lambda: 0,
        endpoint=lambda: endpoint,
        on_durable=heard.extend,
        on_version=lambda version: None,
    )


def outcome(seq: int) -> Settled:
    return Settled(seq, 0, "delivered", 1, 0)


def health(event: str, disabled: str | None = None) -> EndpointHealth:
    return EndpointHealth(None, [event], disabled, None)


def flushed(recorder: Recorder) -> None:
    main: Callable[[], Awaitable[None]] = recorder.flush
    trio.run(main)


def test_health_outlives_a_restart_of_the_writer() -> None:
    writer = Answers(RESTARTED)
    recorder = recorder_of(writer)
    recorder.add_health(health("disabled", "gone"))
    writer.meanwhile = lambda: recorder.add_health(health("recovered"))
    flushed(recorder)
    last = writer.writes[-1].health
    assert last is not None
    assert (last.events, last.disabled) == (["disabled", "recovered"], "gone")


def test_what_cannot_be_stored_takes_nothing_with_it() -> None:
    writer, durable = Answers(Refused("x"), Committed(), RESTARTED, Refused("x"), Committed()), list[Any]()
    recorder = recorder_of(writer, durable)
    for seq in (1, 2, 3):
        recorder.add(outcome(seq), hold=(0, seq))
    recorder.add_health(health("failing"))
    flushed(recorder)
    alone = [[each.seq for each in write.outcomes] for write in writer.writes[1:]]
    assert alone == [[1], [2], [2], [3], []]
    assert writer.writes[-1].health == health("failing")
    assert durable == [(0, 1), (0, 2), (0, 3)]


def test_a_lost_lease_is_the_end_and_no_news_to_who_ends_anyway() -> None:
    recorder = recorder_of(Answers(Fenced()))
    recorder.add(outcome(1))
    with pytest.raises(Terminal):
        flushed(recorder)
    recorder = recorder_of(Answers(Fenced()))
    recorder.add(outcome(1))
    recorder.ending = True
    flushed(recorder)
