"""A store with a million pending rows: what it costs events of an endpoint that is well.

A second endpoint is down. Its debts are made by the gateway itself, a few thousand, and then copied in its
database while it is stopped.
"""

import sqlite3
import time
from pathlib import Path

from ..bench import Bench
from ..columns import CPU, LATENCIES, RATE, Column, Suite
from ..gateway import gateway
from ..names import OURS
from ..peers import PEERS
from ..process import PeerFailed, directory
from ..rig import Load
from ..services import COUNT, WARM, measured

NAME = "backlog"
EMPTY, FULL = "nothing pending", "a million rows pending"
ROWS = 1_000_000
SEED = 2048
CALLERS = 64
_DOWN = """
[[webhook_endpoints]]
name = "down"
url = "http://127.0.0.1:9/hook"
subscribed_events = ["message.received"]
signing_secret = "bench-signing-secret"
"""


def run(bench: Bench) -> None:
    with bench.subject(NAME, OURS), directory() as where:
        seed = bench.options.count(SEED, CALLERS)
        _measure(bench, where, EMPTY, seed)
        grow(_database(where), bench.options.count(ROWS, 1000))
        _measure(bench, where, FULL, seed)


def _measure(bench: Bench, where: Path, case: str, warm: int) -> None:
    began = time.monotonic()
    with gateway(bench.rig, where, bench.setup(telegram=0, more=_DOWN)) as subject:
        start, request = time.monotonic() - began, subject.inbound("whatsapp")
        bench.rig.inbound(Load(subject.port, CALLERS, max(warm, COUNT // WARM), request))
        load = Load(subject.port, CALLERS, bench.options.count(COUNT, CALLERS), request)
        figures = measured(PEERS[0], subject, load, bench.rig.inbound)
        memory = subject.process.resident() / 1024**2
        bench.add(NAME, case, OURS, **figures, start=start, memory=memory)
        subject.process.stop()


def _database(where: Path) -> Path:
    found = [path for path in where.glob("*.db") if path.stat().st_size]
    if len(found) != 1:
        raise PeerFailed(f"{len(found)} databases in its directory")
    return found[0]


def grow(path: Path, rows: int) -> None:
    """Copy pending events, and that they are owed to the endpoint that is down, until there are so many."""
    with sqlite3.connect(path) as db:
        db.execute("pragma synchronous = off")
        [endpoint] = db.execute("select no from endpoint where name = 'down'").fetchone()
        event, delivery = (_columns(db, table) for table in ("event", "delivery"))
        first, last, pending = db.execute(
            "select min(seq), max(seq), count(*) from delivery where endpoint_no = ?", (endpoint,)
        ).fetchone()
        [highest] = db.execute("select max(seq) from event").fetchone()
        span, copies = highest - first + 1, -(-rows // pending) - 1
        for copy in range(1, copies + 1):
            shift = {"seq": f"seq + {copy * span}", "id": f"'evt_' || printf('%026d', seq + {copy * span})"}
            for table, columns, where in (
                ("event", event, ""),
                ("delivery", delivery, f"and endpoint_no = {endpoint}"),
            ):
                values = ", ".join(shift.get(column, column) for column in columns)
                db.execute(
                    f"insert into {table}({', '.join(columns)}) select {values} from {table}"
                    f" where seq between ? and ? {where}",
                    (first, last),
                )
    db.close()


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [name for _, name, *_ in db.execute(f"pragma table_info({table})")]


SUITE = Suite(
    NAME,
    f"A store with {ROWS:,} pending rows",
    f"WhatsApp webhooks of {CALLERS} callers to an endpoint that is well, beside one that is down and is owed"
    " everything. The start is until the account is online.",
    run,
    (
        CPU,
        RATE,
        *LATENCIES,
        Column("start", "start, s", "{:.1f}"),
        Column("memory", "memory, MiB"),
    ),
)
