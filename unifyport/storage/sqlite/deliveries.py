"""Writes of deliveries: outcomes and health of an endpoint, replays, extra attempts, expired debts.

`Writes` in `writes.py` calls these functions inside its transaction.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any

import attrs

from unifyport.model.event import GatewayEventType, encode_body
from unifyport.model.ids import EventIds
from unifyport.model.webhook import ENDPOINT_DISABLED
from unifyport.process.clock import Moment

from ..contract import (
    Committed,
    DeadLetters,
    DropOwed,
    EndpointHealth,
    LoggedEvents,
    Refused,
    Replay,
    Replayed,
    Result,
    RetryNow,
    Settle,
    Settled,
)

_PLACE = "endpoint_no = ? and seq = ? and round = ?"
_ROWS_LOOKED_AT = 10_000  # of the log, by one page of a replay
_NEVER = 2**62
EXPIRED_EVERY = 3_600_000  # ms between two events `gateway.endpoint.expired` of one endpoint


# -- outcomes ------------------------------------------------------------------------------------------------


def settle(db: sqlite3.Connection, now: Moment, write: Settle) -> Result:
    """Record outcomes. A debt that has ended meanwhile (deleted, dropped, expired) is not changed."""
    no = write.endpoint_no
    by: dict[str, list[Settled]] = {"delivered": [], "dead": [], "expired": [], "retry": [], "kept": []}
    for outcome in write.outcomes:
        by[outcome.becomes].append(outcome)
    if by["retry"]:
        db.executemany(
            f"update delivery set attempts = ?, due = ?, error = ?, manual = 0 where {_PLACE}",
            [(o.attempts, o.due, o.reason, no, o.seq, o.round) for o in by["retry"]],
        )
    if by["kept"]:
        db.executemany(f"update delivery set manual = 0 where {_PLACE}", _places(no, by["kept"]))
    if by["dead"]:
        db.executemany(
            "insert into dead select d.endpoint_no, d.seq, d.round, e.id, e.account_no, e.kind, d.lane,"
            " e.occurred_at, ?, ?, ?, ?, e.body, ?, ? from delivery d join event e using(seq)"
            " where d.endpoint_no = ? and d.seq = ? and d.round = ?",
            [
                (o.attempts, o.reason, o.status, now.steady, o.response, o.response_size, no, o.seq, o.round)
                for o in by["dead"]
            ],
        )
    if by["delivered"] or by["dead"]:
        db.executemany(f"delete from delivery where {_PLACE}", _places(no, by["delivered"] + by["dead"]))
    if by["expired"]:
        gone = db.executemany(f"delete from delivery where {_PLACE}", _places(no, by["expired"])).rowcount
        _count_expired(db, now, no, write.endpoint_id, count=gone)
    _record_attempts(db, no, write.outcomes)
    return Committed(_update_health(db, now, write, write.health) if write.health is not None else None)


def _places(no: int, outcomes: Iterable[Settled]) -> list[tuple[int, int, int]]:
    return [(no, o.seq, o.round) for o in outcomes]


def _record_attempts(db: sqlite3.Connection, no: int, outcomes: list[Settled]) -> None:
    """Add attempts to the history. One that was not counted is replaced by the next with the same number."""
    db.executemany(
        "insert into attempt(endpoint_no, seq, round, attempt, outcome, at, ms, status, error, response,"
        " response_size) values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " on conflict(endpoint_no, seq, round, attempt) do update set outcome = excluded.outcome,"
        " at = excluded.at, ms = excluded.ms, status = excluded.status, error = excluded.error,"
        " response = excluded.response, response_size = excluded.response_size",
        [
            (
                *(no, o.seq, o.round, o.attempts + 1 if o.becomes == "kept" else o.attempts),
                *("not_counted" if o.becomes == "kept" else o.becomes, o.at, o.ms, o.status),
                *(None if o.becomes == "delivered" else o.reason, o.response, o.response_size),
            )
            for o in outcomes
        ],
    )


# -- health --------------------------------------------------------------------------------------------------


def _update_health(db: sqlite3.Connection, now: Moment, write: Settle, health: EndpointHealth) -> int | None:
    """Returns the endpoint's new version; None, and nothing is written, if its version has changed."""
    row = db.execute(
        "update endpoint set failing_since = ?, status = coalesce(?, status), reason = coalesce(?, reason),"
        " version = version + 1 where no = ? and version = ? returning version",
        (
            health.failing_since,
            None if health.disabled is None else ENDPOINT_DISABLED,
            health.disabled,
            write.endpoint_no,
            write.version,
        ),
    ).fetchone()
    if row is None:
        return None
    for event in health.events:
        _log_event(db, now, event, write.endpoint_id, reason=health.disabled or health.reason)
    return int(row[0])


def _log_event(db: sqlite3.Connection, now: Moment, event: str, endpoint_id: str, **data: Any) -> None:
    """Write an operational event to the log. No subscription matches it."""
    kind = GatewayEventType(event)
    event_id = EventIds(lambda: now.wall)()
    body = encode_body(
        event_id,
        kind,
        provider="gateway",
        account_id="",
        occurred_at=now.wall,
        data={
            "endpoint": {"id": endpoint_id},
            **{name: value for name, value in data.items() if value is not None},
        },
    )
    db.execute(
        "insert into event(id, kind, lane, occurred_at, committed_at, body) values(?, ?, 0, ?, ?, ?)",
        (event_id, kind.number, now.wall, now.steady, body),
    )


def _count_expired(db: sqlite3.Connection, now: Moment, no: int, endpoint_id: str, *, count: int) -> None:
    """Count expired debts, and log an event for them, at most one in `EXPIRED_EVERY`."""
    if not count:
        return
    row = db.execute(
        "update endpoint set expired = expired + ? where no = ? returning expired, expired_at", (count, no)
    ).fetchone()
    if row is not None and (row[1] is None or now.steady - row[1] >= EXPIRED_EVERY):
        db.execute("update endpoint set expired_at = ? where no = ?", (now.steady, no))
        _log_event(db, now, GatewayEventType.ENDPOINT_EXPIRED, endpoint_id, expired=row[0])


def expire_debts(db: sqlite3.Connection, now: Moment, upto: int) -> None:
    """End all debts of events up to a position of the log, and delete their history."""
    for no, endpoint_id in db.execute("select no, id from endpoint").fetchall():
        ended = db.execute("delete from delivery where endpoint_no = ? and seq <= ?", (no, upto)).rowcount
        db.execute("delete from attempt where endpoint_no = ? and seq <= ?", (no, upto))
        _count_expired(db, now, no, endpoint_id, count=ended)


def expire_debt(db: sqlite3.Connection, now: Moment, seq: int) -> None:
    """End all debts of one event, and delete its dead letters: their bodies still hold its secrets."""
    for no, endpoint_id in db.execute("select no, id from endpoint").fetchall():
        ended = db.execute("delete from delivery where endpoint_no = ? and seq = ?", (no, seq)).rowcount
        db.execute("delete from dead where endpoint_no = ? and seq = ?", (no, seq))
        _count_expired(db, now, no, endpoint_id, count=ended)


def purge_deleted(db: sqlite3.Connection, page: int) -> int:
    """Delete a page of the rows of a deleted endpoint. Returns the number of rows, at least `page` if any."""
    row = db.execute("select no from deleted_endpoint limit 1").fetchone()
    if row is None:
        return 0
    for table, key in (
        ("delivery", "endpoint_no, seq, round"),
        ("dead", "endpoint_no, seq, round"),
        ("attempt", "endpoint_no, seq, round, attempt"),
    ):
        gone = db.execute(
            f"delete from {table} where ({key}) in (select {key} from {table} where endpoint_no = ? limit ?)",
            (*row, page),
        ).rowcount
        if gone:
            return max(gone, page)  # there may be more, in the other tables too
    db.execute("delete from deleted_endpoint where no = ?", row)
    return 0


# -- orders --------------------------------------------------------------------------------------------------


def drop_owed(db: sqlite3.Connection, write: DropOwed) -> Result:
    row = db.execute(
        "update endpoint set debt = debt + 1, version = version + 1 where id = ? returning no",
        (write.endpoint_id,),
    ).fetchone()
    if row is None:
        return Committed(0)
    return Committed(db.execute("delete from delivery where endpoint_no = ? and round = 0", row).rowcount)


def retry_now(db: sqlite3.Connection, write: RetryNow) -> Result:
    place = (write.endpoint_no, write.seq, write.round)
    waits = db.execute(
        f"update delivery set manual = 1 where {_PLACE} and due is not null and attempts > 0", place
    )
    if not waits.rowcount:
        return Refused("not_waiting")
    db.execute("update endpoint set orders = orders + 1 where no = ?", (write.endpoint_no,))
    return Committed()


def replay(db: sqlite3.Connection, now: Moment, write: Replay) -> Result:
    write = attrs.evolve(write, which=_by_steady_clock(write.which, now.wall - now.steady))
    row = db.execute(
        "update endpoint set rounds = rounds + ?, orders = orders + 1 where id = ?"
        " returning no, mask, rounds, replayed",
        (write.round == 0, write.endpoint_id),
    ).fetchone()
    if row is None:
        return Refused("no_such_endpoint")
    no, mask, newest, replayed = row
    debts = _Debts(db, no, write.round or newest, replayed)
    if isinstance(write.which, DeadLetters):
        last, more = _revive(db, now, debts, write)
    else:
        last, more = _replay_log(db, debts, write, write.which, mask=mask)
    db.execute("update endpoint set replayed = ? where no = ?", (debts.ordinal, no))
    return Committed(Replayed(debts.round, debts.owed, debts.already_owed, last, more))


def _by_steady_clock(which: DeadLetters | LoggedEvents, ahead: int) -> DeadLetters | LoggedEvents:
    """`which` with its times as rows have them. `ahead`: ms by which the wall clock is ahead of those."""
    end = None if which.end is None else which.end - ahead
    return attrs.evolve(which, start=which.start - ahead if which.start else 0, end=end)


class _Debts:
    """The rows of one page of a replay. `ordinal` numbers all replayed rows of the endpoint."""

    def __init__(self, db: sqlite3.Connection, no: int, round_: int, ordinal: int) -> None:
        self._db = db
        self.no = no
        self.round = round_
        self.ordinal = ordinal
        self.owed = self.already_owed = 0

    def add(self, seq: int, lane: int) -> bool:
        """Owe an event. Returns False, and does nothing, if it is still owed."""
        added = self._db.execute(
            "insert into delivery(endpoint_no, seq, round, lane, due)"
            " select :no, :seq, :round, :lane, :ordinal"
            " where not exists(select 1 from delivery where endpoint_no = :no and seq = :seq)",
            {"no": self.no, "seq": seq, "round": self.round, "lane": lane, "ordinal": self.ordinal + 1},
        ).rowcount
        self.ordinal += added
        self.owed += added
        self.already_owed += not added
        return bool(added)


def _revive(db: sqlite3.Connection, now: Moment, debts: _Debts, write: Replay) -> tuple[int, bool]:
    """Owe dead letters again. Returns where the page ends, and whether there are more."""
    assert isinstance(write.which, DeadLetters)
    found, last, more = _dead_letters(db, debts.no, write, write.which)
    for seq, round_, lane, logged, _ in found:
        place = (debts.no, seq, round_)
        if not logged:  # purged from the log: it gets a new position there, without fan-out
            [logged] = db.execute(
                "insert into event(id, account_no, kind, lane, occurred_at, committed_at, body)"
                f" select event_id, account_no, kind, lane, occurred_at, ?, body from dead where {_PLACE}"
                " on conflict(id) do update set id = excluded.id returning seq",
                (now.steady, *place),
            ).fetchone()
        if debts.add(logged, lane):
            db.execute(f"delete from dead where {_PLACE}", place)
    return last, more


_DeadRow = tuple[int, int, int, int | None, int]  # seq, round, lane, seq in the log, died at
_DEAD = (
    "select seq, round, lane, (select e.seq from event e where e.seq = dead.seq), died_at from dead"
    " where endpoint_no = ?"
)
_IN_THE_LOG, _PURGED = (
    f"{exists}(select 1 from event e where e.seq = dead.seq)" for exists in ("exists", "not exists")
)


def _dead_letters(
    db: sqlite3.Connection, no: int, write: Replay, which: DeadLetters
) -> tuple[list[_DeadRow], int, bool]:
    """A page of dead letters, where it ends, and whether there are more.

    Events that were purged from the log come last, because `_revive` gives them the newest positions and a
    replay goes in order of position. In that part of the pages `after` is negative.
    """
    if which.places is not None:
        named = [
            db.execute(f"{_DEAD} and seq = ? and round = ?", (no, *place)).fetchone()
            for place in which.places
        ]
        return sorted(filter(None, named), key=_order_purged_last), 0, False
    if which.event_ids is not None:
        marks = ", ".join("?" * len(which.event_ids))
        rows = db.execute(f"{_DEAD} and event_id in ({marks})", (no, *which.event_ids)).fetchall()
        return sorted(rows, key=_order_purged_last), 0, False
    part, after = (_IN_THE_LOG, write.after) if write.after >= 0 else (_PURGED, -write.after - 1)
    rows = db.execute(
        f"{_DEAD} and {part} and seq > ? order by seq, round limit ?", (no, after, write.page)
    ).fetchall()
    last, more = -1, part is _IN_THE_LOG
    if len(rows) == write.page:  # the next page begins after this seq, so this page takes all its rounds
        last, more = rows[-1][0], True
        rows = [row for row in rows if row[0] != last]
        rows += db.execute(f"{_DEAD} and seq = ? order by round", (no, last)).fetchall()
        last = last if part is _IN_THE_LOG else -last - 1
    end = which.end if which.end is not None else _NEVER
    return [row for row in rows if which.start <= row[4] < end], last, more


def _order_purged_last(row: _DeadRow) -> tuple[bool, int]:
    return row[3] is None, row[0]


def _replay_log(
    db: sqlite3.Connection, debts: _Debts, write: Replay, which: LoggedEvents, *, mask: int
) -> tuple[int, bool]:
    """Owe events of the log again. Returns the last position looked at, and whether there are more."""
    if which.event_ids is not None:
        marks = ", ".join("?" * len(which.event_ids))
        rows = db.execute(
            f"select seq, lane from event where id in ({marks}) and (? >> kind) & 1 order by seq",
            (*which.event_ids, mask),
        ).fetchall()
        for seq, lane in rows:
            debts.add(seq, lane)
        return write.after, False
    last, looked = write.after, 0
    log = db.execute(
        "select seq, lane, kind, committed_at from event where seq > ? and seq <= ? order by seq limit ?",
        (write.after, write.upto, _ROWS_LOOKED_AT),
    ).fetchall()
    for seq, lane, kind, committed_at in log:
        if which.end is not None and committed_at >= which.end:
            return seq, False
        last, looked = seq, looked + 1
        if committed_at >= which.start and (mask >> kind) & 1:
            debts.add(seq, lane)
            if debts.owed + debts.already_owed == write.page:
                return last, True
    return last, looked == _ROWS_LOOKED_AT
