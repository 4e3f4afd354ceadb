"""The job of a subject and its result, as JSON, so that all subjects, Node's too, get the same bytes."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import attrs

CONNECTIONS = 32
UNDELIVERED = 4000  # a producer may be this many events ahead of the sink
CONVERSATIONS = 1000
SECRET = "bench-signing-secret"

# One update of the Telegram Bot API; `@n` is its number and `@c` its conversation.
UPDATE = (
    '{"update_id":@n,"message":{"message_id":@n,"date":1790000000,'
    '"chat":{"id":@c,"type":"private","first_name":"Ada","last_name":"Lovelace","username":"ada"},'
    '"from":{"id":@c,"is_bot":false,"first_name":"Ada","last_name":"Lovelace","username":"ada"},'
    f'"text":"{"x" * 180}"' + "}}"
)
HEADERS = {
    "user-agent": "UnifyPort/0.1.0",
    "content-type": "application/json",
    "accept-encoding": "identity",
    "x-device-event-id": "evt_06c0000000000000000000000a",
    "x-device-delivery-id": "dlv_1_1_0.1",
    "x-device-timestamp": "2026-11-22T12:00:00Z",
}
BODY = '{"id":"evt_06c0000000000000000000000a","data":"' + "x" * 975 + '"}'  # 1,024 bytes


@attrs.define
class Job:
    """`directory` is the subject's own. A client runs for `seconds`, a pipeline for `count` events.

    `linger`: ms that Node waits for more events before it commits. `units`: how our accounts hand events in,
    see `pipeline_ours`. `rate`: events per second, 0 for as fast as they are committed.
    """

    url: str
    directory: str
    ca_file: str = ""
    seconds: float = 3.0
    count: int = 0
    linger: int = 0
    units: str = "batches"
    synchronous: str = "full"
    rate: float = 0.0
    connections: int = CONNECTIONS
    undelivered: int = UNDELIVERED
    conversations: int = CONVERSATIONS
    secret: str = SECRET
    update: str = UPDATE
    headers: dict[str, str] = attrs.field(factory=HEADERS.copy)
    body: str = BODY

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(attrs.asdict(self)))

    @classmethod
    def read(cls) -> "Job":
        """The job that this process was started for."""
        return cls(**json.loads(Path(sys.argv[1]).read_text()))

    def updates(self, first: int, count: int) -> list[bytes]:
        """Updates of the platform, numbered from `first`, spread over all conversations in turn."""
        head, *rest = self.update.split("@")
        return [
            "".join(
                [
                    head,
                    *(
                        str(n if part[0] == "n" else 5000 + n % self.conversations) + part[1:]
                        for part in rest
                    ),
                ]
            ).encode()
            for n in range(first, first + count)
        ]


@attrs.define
class Measured:
    """`cpu` is user and system time of the whole process; `times` are named lists of seconds, sorted."""

    operations: int
    seconds: float
    cpu: float
    times: dict[str, list[float]] = attrs.field(factory=dict)

    @property
    def rate(self) -> float:
        return self.operations / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of CPU per operation."""
        return self.cpu / self.operations * 1e6

    def say(self) -> None:
        print(json.dumps(attrs.asdict(self)), flush=True)

    @classmethod
    def heard(cls, line: str) -> "Measured":
        return cls(**json.loads(line))


class Stopwatch:
    """Wall and CPU time since its construction."""

    def __init__(self) -> None:
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def measured(self, operations: int, **times: Any) -> Measured:
        cpu, seconds = time.process_time() - self._cpu, time.perf_counter() - self._began
        return Measured(operations, seconds, cpu, {name: sorted(values) for name, values in times.items()})
