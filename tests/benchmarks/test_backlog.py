"""The backlog of the benchmarks fits the schema of the store."""

import sqlite3
from pathlib import Path

import sqlite_utils

from scripts.benchmarks.suites.backlog import grow
from unifyport.storage.sqlite.schema import migrate


def test_pending_events_are_copied_for_the_endpoint_that_is_down(tmp_path: Path) -> None:
    path = tmp_path / "unifyport.db"
    migrate(sqlite_utils.Database(path))
    with sqlite3.connect(path) as db:
        for no, name in ((1, "sink"), (2, "down")):
            db.execute(
                "insert into endpoint(no, id, name, url, status, mask, subscribed, retry, origin, version)"
                " values(?, ?, ?, 'http://127.0.0.1', 'active', 1, '[]', '{}', 'file', 1)",
                (no, name, name),
            )
        for seq in range(5, 15):
            db.execute(
                "insert into event(seq, id, kind, lane, occurred_at, committed_at, body)"
                " values(?, ?, 1, ?, 1, 1, x'00')",
                (seq, f"evt_{seq}", seq % 3),
            )
            db.execute("insert into delivery(endpoint_no, seq, lane) values(2, ?, ?)", (seq, seq % 3))
        db.execute("insert into delivery(endpoint_no, seq, lane) values(1, 14, 2)")
    grow(path, 95)
    with sqlite3.connect(path) as db:
        owed = dict(db.execute("select endpoint_no, count(*) from delivery group by endpoint_no"))
        assert owed == {1: 1, 2: 100}
        [orphans] = db.execute(
            "select count(*) from delivery left join event using(seq) where id is null"
        ).fetchone()
        assert orphans == 0
        lanes = "select count(*) from delivery join event using(seq) where delivery.lane != event.lane"
        assert db.execute(lanes).fetchone() == (0,)
        assert db.execute("select count(distinct id), max(seq) from event").fetchone() == (100, 104)
