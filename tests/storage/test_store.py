"""The Store contract, on SQLite: transactions, duplicates, fences, sealing, two processes."""

import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from unifyport.fleet.leases import DatabaseLock, LocalFleet
from unifyport.model.account import Account, Origin
from unifyport.model.event import ALL_MASK, Event, EventType
from unifyport.model.message import CommandState, OutboundText, SendCommand
from unifyport.model.owed import Stretch
from unifyport.model.proxy import Proxy
from unifyport.model.unit import CommandChange, Item, Quarantined, SessionChange, Unit
from unifyport.model.webhook import WebhookEndpoint
from unifyport.process import redaction
from unifyport.process.redaction import redact
from unifyport.storage.contract import (
    AcceptCommand,
    ApiKey,
    Committed,
    Declaration,
    DeleteAccount,
    DeleteEndpoint,
    Duplicate,
    Fenced,
    Purge,
    PutAccount,
    PutApiKey,
    PutEndpoint,
    RecoverCommands,
    Refused,
    SchemaTooNew,
    Settle,
    Settled,
    StoreLocked,
    StoreUnavailable,
    Together,
)
from unifyport.storage.sealing import KeyRing, SealError
from unifyport.storage.sqlite import reads, schema
from unifyport.storage.sqlite.store import SqliteStore

RING = KeyRing.new_key()
NOW = 1_700_000_000_000


def new_account(number: int = 1, **more: Any) -> Account:
    return Account(
        f"acct_{number}",
        f"a{number}",
        "telegram",
        "telegram",
        "global",
        "token",
        credentials={"token": "canary-token"},
        **more,
    )


def event(number: int, lane: int = 1, kind: EventType = EventType.MESSAGE_RECEIVED) -> Event:
    return Event(f"evt_{number:04}", kind.number, lane, NOW, b'{"n":%d}' % number)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "test.db", KeyRing.parse(RING), lambda: NOW)
    opened.open()
    yield opened
    opened.close()


async def value_of(store: SqliteStore, writes: list[Any]) -> Any:
    """The value of one committed write."""
    [result] = await store.commit(writes)
    assert isinstance(result, Committed), result
    return result.value


async def ready(store: SqliteStore, **endpoint: Any) -> Unit:
    """One account, one endpoint, leases claimed: a unit to fill."""
    await store.commit(
        [PutAccount(new_account()), PutEndpoint(WebhookEndpoint("we_1", "https://x.example", **endpoint))]
    )
    [account, _] = await LocalFleet(store, "me").claim(["account:acct_1", "endpoint:we_1"])
    return Unit(1, "acct_1", "telegram", account.epoch, 1)


def with_events(unit: Unit, *events: Event) -> Unit:
    return attrs.evolve(unit, items=[Item(e.id.encode(), [e]) for e in events])


async def test_a_unit_is_all_or_nothing_and_a_repeat_is_a_duplicate(store: SqliteStore) -> None:
    unit = await ready(store)
    first = with_events(unit, event(1), event(2))
    first.session = [SessionChange("poll", b"k", b"1")]
    assert await store.commit([first]) == [Committed()]
    again = attrs.evolve(first, session=[SessionChange("poll", b"k", b"2")])
    assert await store.commit([again]) == [Duplicate()]
    assert await store.session(1) == {("poll", b"k"): b"2"}  # state applies in both cases
    assert [e.id for e in await store.events(0, 10, mask=ALL_MASK)] == ["evt_0001", "evt_0002"]
    gone = attrs.evolve(unit, session=[SessionChange("poll", b"k", None)])
    await store.commit([gone])
    assert await store.session(1) == {}
    assert await store.seen(1, [b"evt_0001", b"other"]) == {b"evt_0001"}


async def test_one_bad_unit_is_refused_alone(store: SqliteStore) -> None:
    unit = await ready(store)
    bad = with_events(unit, event(2))
    bad.items[0].events[0].kind = 99  # violates a check
    later, next_generation = (
        with_events(unit, event(4)),
        attrs.evolve(with_events(unit, event(3)), generation=2),
    )
    results = await store.commit([with_events(unit, event(1)), bad, later, next_generation])
    assert results == [Committed(), Refused("constraint"), Refused("generation_failed"), Committed()]
    assert [e.id for e in await store.events(0, 10, mask=ALL_MASK)] == ["evt_0001", "evt_0003"]
    assert await store.seen(1, [b"evt_0002"]) == set()  # so that a repeat is not taken for a duplicate
    assert [row.seq for row in await store.fresh(1, 0, 10)] == [
        e.seq for e in await store.events(0, 10, mask=ALL_MASK)
    ]


async def test_who_lost_the_lease_is_fenced(store: SqliteStore) -> None:
    unit = await ready(store)
    fleet = LocalFleet(store, "other")
    [lease] = await fleet.claim(["account:acct_1"])
    assert await store.commit([with_events(unit, event(1))]) == [Fenced()]
    mine = attrs.evolve(with_events(unit, event(1)), epoch=lease.epoch)
    assert await store.commit([mine]) == [Committed()]
    assert fleet.held(lease)
    fleet.release(lease.resource)
    assert not fleet.held(lease)
    assert await store.commit([Settle(1, "we_1", 0, [], NOW)]) == [Fenced()]


async def test_fan_out_is_by_the_filter_at_the_time_of_the_commit(store: SqliteStore) -> None:
    unit = await ready(store, subscribed_events=["message.received"])
    await store.commit([with_events(unit, event(1), event(2, kind=EventType.ACCOUNT_STARTED))])
    assert [row.event_id for row in await store.fresh(1, 0, 10)] == ["evt_0001"]
    known = await store.endpoint("we_1")
    assert known is not None
    widened = PutEndpoint(attrs.evolve(known, subscribed_events=["*"]))
    await store.commit(
        [
            with_events(unit, event(3, kind=EventType.ACCOUNT_STARTED)),
            widened,
            with_events(unit, event(4, kind=EventType.ACCOUNT_STARTED)),
        ]
    )
    assert [row.event_id for row in await store.fresh(1, 0, 10)] == ["evt_0001", "evt_0004"]
    assert await store.commit([widened]) == [Refused("conflict")]  # of an older version
    inactive = await store.endpoint("we_1")
    assert inactive is not None
    await store.commit([PutEndpoint(attrs.evolve(inactive, status="inactive")), with_events(unit, event(5))])
    assert len(await store.fresh(1, 0, 10)) == 3  # owed whatever the status is
    await store.commit([DeleteEndpoint("we_1")])
    assert await store.endpoint("we_1") is None
    await store.commit([Purge(0, 0, 0, 0, 0), Purge(0, 0, 0, 0, 0)])  # what it left goes by pages
    assert await store.owed(1, 10) == (0, 0)


async def test_settling(store: SqliteStore) -> None:
    unit = await ready(store)
    await store.commit([with_events(unit, event(1), event(2), event(3, lane=2))])
    one, two, three = [row.seq for row in await store.fresh(1, 0, 10)]
    settle = Settle(
        1,
        "we_1",
        1,
        [
            Settled(one, 0, "retry", 1, NOW, 5, due=NOW + 5, reason="http_500", status=500),
            Settled(three, 0, "delivered", 1, NOW, status=204),
            Settled(99, 0, "delivered", 1, NOW, status=204),
        ],
        NOW,
    )
    assert await store.commit([settle]) == [Committed(None)]
    assert [row.seq for row in await store.fresh(1, 0, 10)] == [two]
    [blocked] = await store.blocked(1)
    assert (blocked.seq, blocked.due) == (one, NOW + 5)
    [rows, first, none] = await store.in_lanes(
        1, [Stretch((0, 1), 0, two), Stretch((0, 1), 0, one), Stretch((0, 1), two, two)], 10
    )
    assert [(row.seq, row.attempts) for row in rows] == [(one, 1), (two, 0)]
    assert ([row.seq for row in first], none) == ([one], [])
    assert [[row.seq for row in rows] for rows in await store.owed_ones(1, [(0, two), (1, two)])] == [
        [two],
        [],
    ]
    died = Settled(one, 0, "dead", 2, NOW, reason="http_404", status=404)
    await store.commit([Settle(1, "we_1", 1, [died], NOW)])
    assert await store.owed(1, 10) == (1, 1)


async def test_positions_are_never_reused_after_retention(store: SqliteStore) -> None:
    unit = await ready(store)
    await store.commit([with_events(unit, event(1), event(2))])
    last = await store.newest_position()
    deleted = await value_of(store, [Purge(NOW, NOW + 1, 0, 0, 0)])
    assert deleted == 2
    assert await store.purged(0)
    assert not await store.purged(last)
    await store.commit([with_events(unit, event(3))])
    [row] = await store.fresh(1, last, 10)
    assert row.seq > last
    known = await store.endpoint("we_1")
    assert known is not None
    assert known.expired == 2


async def test_commands_move_only_forward(store: SqliteStore) -> None:
    unit = await ready(store)

    def step(state: CommandState, at: int = NOW, **more: Any) -> Unit:
        return attrs.evolve(unit, command=CommandChange("cmd_1", state, at, **more))

    command = SendCommand("cmd_1", "acct_1", OutboundText("1", "user", "hi"), NOW + 25_000, NOW)
    await store.commit([AcceptCommand(1, command, b"body")])
    assert await store.commit([step(CommandState.SENT)]) == [Refused("command_state")]
    assert await store.commit([step(CommandState.SENDING, NOW + 25_000)]) == [
        Refused("command_state")
    ]  # too late
    sending = step(CommandState.SENDING, client_ref="r")
    assert await store.commit([sending]) == [Committed()]
    assert await store.commit([sending]) == [Committed()]  # a COMMIT whose fate was unknown
    sent = step(CommandState.SENT, answer=b"{}")
    assert await store.commit([sent, sent]) == [Committed(), Committed()]
    assert await store.commit([step(CommandState.UNKNOWN, NOW + 1)]) == [Refused("command_state")]
    record = await store.command("cmd_1")
    assert record is not None
    assert (record.state, record.answer) == (CommandState.SENT, b"{}")


async def test_boot_says_what_became_of_open_commands(store: SqliteStore) -> None:
    unit = await ready(store)
    for name in ("cmd_1", "cmd_2"):
        command = SendCommand(name, "acct_1", OutboundText("1", "user", "hi"), NOW + 25_000, NOW)
        await store.commit([AcceptCommand(1, command, b"body")])
    await store.commit([attrs.evolve(unit, command=CommandChange("cmd_2", CommandState.SENDING, NOW))])
    assert await store.commit([RecoverCommands()]) == [Committed((1, 1))]
    states = [await store.command(name) for name in ("cmd_1", "cmd_2")]
    assert [record.state for record in states if record] == [CommandState.NOT_SENT, CommandState.UNKNOWN]


async def test_a_deleted_account_leaves_no_open_command(store: SqliteStore) -> None:
    unit = await ready(store)

    def accept(name: str, begin: int | None = None) -> AcceptCommand:
        command = SendCommand(name, "acct_1", OutboundText("1", "user", "hi"), NOW + 25_000, NOW)
        return AcceptCommand(1, command, b"body", key=name, body_hash=b"hash", begin=begin)

    first, second = accept("cmd_1"), accept("cmd_2", unit.epoch)
    third = accept("cmd_3")
    results = await store.commit([first, second, DeleteAccount("acct_1"), third])
    assert results[-1] == Refused("no_such_account")
    records = [await store.command(f"cmd_{n}") for n in (1, 2, 3)]
    assert [record and record.state for record in records] == [
        CommandState.NOT_SENT,
        CommandState.UNKNOWN,
        None,
    ]
    # a COMMIT whose fate was unknown runs again: nothing changes
    again = await store.commit([first, second, DeleteAccount("acct_1"), third])
    assert again == [Committed(CommandState.NOT_SENT), Committed(CommandState.UNKNOWN), *results[2:]]
    assert await store.command_of_key("cmd_1") is None  # nothing was sent: the key is free
    assert await store.commit([accept("cmd_4")]) == [Refused("no_such_account")]


async def test_accounts(store: SqliteStore) -> None:
    stored = await value_of(store, [PutAccount(new_account(metadata={"a": 1}))])
    assert await store.accounts() == [stored]
    assert stored.credentials == {"token": "canary-token"}
    results = await store.commit(
        [
            PutAccount(new_account(2, provider_account_ref="9")),
            PutAccount(new_account(3, provider_account_ref="9")),
        ]
    )
    assert isinstance(results[0], Committed)
    assert results[1] == Refused("duplicate_provider_account")
    await store.commit([DeleteAccount("acct_1")])
    assert await store.account("acct_1") is None
    again = await value_of(store, [PutAccount(new_account(4))])
    assert again.no > 2  # numbers are never given twice


async def test_what_a_human_must_see_is_sealed_and_an_identity_is_found(
    store: SqliteStore, tmp_path: Path
) -> None:
    unit = await ready(store)
    unit.account_changes = {
        "auth_payload": {"qr_code": "canary-of-a-code"},
        "auth_sequence": 3,
        "auth_expires_at": NOW + 5,
        "provider_account_ref": "me",
    }
    assert await store.commit([unit]) == [Committed()]
    found = await store.account("acct_1")
    assert found is not None
    assert (found.auth_payload, found.auth_sequence) == ({"qr_code": "canary-of-a-code"}, 3)
    assert found.auth_expires_at == NOW + 5
    assert await store.account_of("telegram", "me") == "acct_1"
    assert await store.account_of("telegram", "you") is None
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary-of-a-code" not in files


async def test_a_new_session_takes_the_place_of_the_old_one(store: SqliteStore) -> None:
    unit = await ready(store)
    old = attrs.evolve(unit, session=[SessionChange("device", b"a", b"1"), SessionChange("mark", b"", b"7")])
    new = attrs.evolve(unit, session=[SessionChange("device", b"b", b"2")], new_session=True)
    assert await store.commit([old, new]) == [Committed(), Committed()]
    assert await store.session(1) == {("device", b"b"): b"2"}
    assert await store.commit([attrs.evolve(unit, session=[], new_session=True)]) == [Committed()]
    assert await store.session(1) == {}


async def test_a_session_of_other_credentials_is_refused(store: SqliteStore) -> None:
    unit = await ready(store)
    account = await store.account("acct_1")
    assert account is not None
    await store.commit([PutAccount(attrs.evolve(account, login=1))])
    late = attrs.evolve(unit, session=[SessionChange("device", b"a", b"1")])
    assert await store.commit([late]) == [Refused("login_changed")]
    assert await store.commit([attrs.evolve(late, new_session=True)]) == [Refused("login_changed")]
    assert await store.session(1) == {}


async def test_what_has_expired_is_read_without_its_secrets(store: SqliteStore) -> None:
    unit = await ready(store)
    body = b'{"data":{"auth_payload":{"qr_code":"x"},"auth_status":"awaiting_qr_scan"}}'
    kind = EventType.ACCOUNT_AUTH_REQUIRED
    shown = attrs.evolve(event(1, kind=kind), body=body, expires_at=NOW + 1)
    over = attrs.evolve(event(2, kind=kind), body=body, expires_at=NOW)
    await store.commit([with_events(unit, shown, over)])
    bodies = [logged.body for logged in await store.events(0, 10, mask=ALL_MASK)]
    assert bodies == [body, b'{"data":{"auth_status":"awaiting_qr_scan"}}']
    one = await store.event("evt_0002")
    assert one is not None
    assert one.body == bodies[1]


async def test_together_is_all_or_nothing(store: SqliteStore) -> None:
    unit = await ready(store)
    known = await store.account("acct_1")
    endpoint = await store.endpoint("we_1")
    assert known is not None
    assert endpoint is not None
    stale = PutEndpoint(attrs.evolve(endpoint, url="https://other.example", version=endpoint.version - 1))
    new, key = PutAccount(new_account(2)), PutApiKey(ApiKey("ak_1", "one", "dk", b"hash"))
    parts: list[Declaration] = [new, key, PutAccount(attrs.evolve(known, region="other")), stale]
    results = await store.commit([with_events(unit, event(1)), Together(list(parts))])
    assert results == [Committed(), Refused("conflict", place=3)]
    assert [account.region for account in await store.accounts()] == ["global"]
    assert await store.api_keys() == []
    taken = PutAccount(attrs.evolve(new_account(3), name=known.name, origin=Origin.FILE))
    declared = PutAccount(attrs.evolve(known, origin=Origin.FILE))
    [refused] = await store.commit([Together([key, declared, taken])])
    assert refused == Refused("name_in_use", place=2)
    assert await store.api_keys() == []

    [done] = await store.commit(
        [Together([*parts[:3], PutEndpoint(attrs.evolve(endpoint, url="https://o.example"))])]
    )
    assert isinstance(done, Committed)
    assert [getattr(value, "id", None) for value in done.value] == ["acct_2", None, "acct_1", "we_1"]
    assert [account.region for account in await store.accounts()] == ["other", "global"]
    assert [key.id for key in await store.api_keys()] == ["ak_1"]


async def test_an_endpoint_made_together_is_owed_only_what_comes_after_it(store: SqliteStore) -> None:
    unit = await ready(store)
    second = PutEndpoint(WebhookEndpoint("we_2", "https://receiver.example"))
    await store.commit([with_events(unit, event(1)), Together([second]), with_events(unit, event(2))])
    assert [row.event_id for row in await store.fresh(1, 0, 10)] == ["evt_0001", "evt_0002"]
    assert [row.event_id for row in await store.fresh(2, 0, 10)] == ["evt_0002"]


async def test_nothing_secret_is_readable_in_the_file(store: SqliteStore, tmp_path: Path) -> None:
    unit = await ready(store, secret="canary-signing")
    unit.session = [SessionChange("ratchet", b"key", b"canary-session")]
    unit.items = [Item(b"k", [], Quarantined("why", b"canary-raw"))]
    command = SendCommand("cmd_1", "acct_1", OutboundText("1", "user", "hi"), NOW + 25_000, NOW)
    await store.commit(
        [unit, AcceptCommand(1, command, b"canary-body"), PutApiKey(ApiKey("ak", "n", "p", b"h" * 32))]
    )
    [entry] = await store.quarantine(10)
    assert (entry.reason, entry.raw) == ("why", b"canary-raw")
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary" not in content
    assert (tmp_path / "test.db").stat().st_mode & 0o777 == 0o600


def test_a_sealed_value_opens_only_in_its_place_and_with_a_key_of_the_ring() -> None:
    old, new = KeyRing.new_key(), KeyRing.new_key()
    sealed = KeyRing.parse(old).seal("credential", ["account", "a"], b"plain")
    rotated = KeyRing.parse(f"# a comment\n{old}\n{new}\n")
    assert rotated.open("credential", ["account", "a"], sealed) == b"plain"
    assert rotated.seal("credential", ["account", "a"], b"plain")[1:5] != sealed[1:5]  # the newest key seals
    for purpose, place, value in (
        ("session", ["account", "a"], sealed),
        ("credential", ["account", "b"], sealed),
        ("credential", ["account", "a"], sealed[:-1] + bytes([sealed[-1] ^ 1])),
        ("credential", ["account", "a"], b""),
    ):
        with pytest.raises(SealError):
            rotated.open(purpose, place, value)
    with pytest.raises(SealError):
        KeyRing.parse(new).open("credential", ["account", "a"], sealed)
    mac = KeyRing.parse(old).mac("cursor", b"m")
    assert rotated.verify("cursor", b"m", mac)
    assert not rotated.verify("cursor", b"n", mac)
    for wrong in ("", "short", "!!!", "QUJD"):
        with pytest.raises(ValueError, match="master key"):
            KeyRing.parse(wrong)


def test_another_master_key_is_refused_at_once(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "t.db", KeyRing.parse(RING), lambda: NOW)
    first.open()
    first.close()
    with pytest.raises(
        SealError, match=r"security\.master_key does not open this database, .*t\.db: restore"
    ):
        SqliteStore(tmp_path / "t.db", KeyRing.parse(KeyRing.new_key()), lambda: NOW).open()
    with pytest.raises(
        SealError, match=r"security\.master_key does not open a sealed value \(session\): restore"
    ):
        KeyRing.parse(KeyRing.new_key()).open("session", [], KeyRing.parse(RING).seal("session", [], b"x"))


def test_a_database_of_each_version_is_migrated(tmp_path: Path) -> None:
    for version in range(len(schema.MIGRATIONS) + 1):
        path = tmp_path / f"{version}.db"
        with contextlib.closing(sqlite3.connect(path)) as old:
            for script in schema.MIGRATIONS[:version]:
                old.executescript(script)
            if version == 6:  # as it was for a while
                old.executescript("drop index alias_canonical; drop table alias")
            old.execute(f"pragma user_version = {version}")
        store = SqliteStore(path, KeyRing.parse(RING), lambda: NOW)
        store.open()
        store.close()
        with contextlib.closing(sqlite3.connect(path)) as migrated:
            tables = {name for (name,) in migrated.execute("select name from sqlite_master")}
        assert {"alias", "alias_canonical", "message"} <= tables


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with sqlite3.connect(path) as db:
        db.execute(f"pragma user_version = {len(schema.MIGRATIONS) + 1}")
    before = path.read_bytes()
    with pytest.raises(SchemaTooNew, match="newer version"):
        SqliteStore(path, KeyRing.parse(RING), lambda: NOW).open()
    assert path.read_bytes() == before


def test_a_database_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnavailable):
        SqliteStore(tmp_path / "file" / "t.db", KeyRing.parse(RING), lambda: NOW).open()


def test_one_process_owns_a_database(tmp_path: Path) -> None:
    lock = DatabaseLock(tmp_path / "t.db")
    lock.acquire()
    script = (
        "import sys, pathlib; from unifyport.fleet.leases import DatabaseLock, StoreLocked\n"
        "try: DatabaseLock(pathlib.Path(sys.argv[1])).acquire()\n"
        "except StoreLocked as error: print(error); sys.exit(3)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "t.db")]
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (second.returncode, "owns this database" in second.stdout) == (3, True)
    lock.release()
    assert subprocess.run(command, check=False).returncode == 0
    with pytest.raises(StoreLocked):
        lock.acquire()
        DatabaseLock(tmp_path / "t.db").acquire()


async def test_two_processes_on_one_store_see_each_other_and_fence_each_other(
    store: SqliteStore, tmp_path: Path
) -> None:
    unit = await ready(store)
    await store.commit([with_events(unit, event(1))])
    script = f"""
import sys, pathlib, trio, attrs
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.storage.test_store import *
async def main():
    other = SqliteStore(pathlib.Path(sys.argv[1]), KeyRing.parse(sys.argv[2]), lambda: NOW)
    other.open()
    assert [e.id for e in await other.events(0, 10, mask=ALL_MASK)] == ["evt_0001"]
    [lease] = await LocalFleet(other, "other").claim(["account:acct_1"])
    unit = Unit(1, "acct_1", "telegram", lease.epoch, 1)
    assert await other.commit([with_events(unit, event(2))]) == [Committed()]
trio.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "test.db"), RING],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert await store.commit([with_events(unit, event(3))]) == [Fenced()]
    assert [row.event_id for row in await store.fresh(1, 0, 10)] == ["evt_0001", "evt_0002"]


def test_statements_that_hide_violations_do_not_occur() -> None:
    for path in Path(schema.__file__).parents[1].rglob("*.py"):
        code = path.read_text().lower()
        for hiding in ("insert or ignore", "insert or replace", "update or ", "ignore=true", "replace=true"):
            assert hiding not in code


async def test_a_database_of_the_first_schema_is_brought_up_with_everything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    ring = KeyRing.parse(RING)
    with sqlite3.connect(path) as old:
        old.executescript(schema.MIGRATIONS[0] + "pragma user_version = 1;")
        sealed = ring.seal("credential", ["account", "acct_1", "credentials"], b'{"token": "canary-token"}')
        old.execute(
            "insert into account(id, name, provider, channel, region, auth_mode, status, desired,"
            " auth_status, profile, metadata, credentials, receive, origin, version,"
            " created_at, updated_at) values"
            " ('acct_1', 'a', 'telegram', 'telegram', 'global', 'token', 'active', 'running', 'authorized',"
            " '{}', '{}', ?, 'poll', 'api', 3, 1, 1)",
            [sealed],
        )
    store = SqliteStore(path, ring, lambda: NOW)
    store.open()
    try:
        [account] = await store.accounts()
        assert (account.credentials, account.proxy, account.login) == ({"token": "canary-token"}, None, 0)
        account = attrs.evolve(account, proxy=Proxy("socks5", "proxy.example", 1080, "u", "hush"), login=1)
        [stored] = await store.commit([PutAccount(account)])
        assert isinstance(stored, Committed)
        assert stored.value.proxy == account.proxy
        assert b"hush" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
        [epoch] = await store.claim(["account:acct_1"], "me")
        late = Unit(account.no, "acct_1", "telegram", epoch, login=0)
        late.account_changes = {
            "auth_status": "failed",
            "terminal": "invalid_credentials",
            "desired": "stopped",
        }
        assert await store.commit([late]) == [Committed()]
        [after] = await store.accounts()
        # of what an older login came to only the operator's word counts
        assert (after.auth_status, after.terminal, after.desired) == ("authorized", None, "stopped")
        assert await store.commit([DeleteAccount("acct_1"), DeleteAccount("acct_2")]) == [Committed()] * 2
        assert await store.account_deleted("acct_1")
        assert not await store.account_deleted("acct_2")
    finally:
        store.close()


async def test_secrets_are_blanked_while_their_owner_has_them(store: SqliteStore, monkeypatch: Any) -> None:
    """Not for the life of the process: those of before are former ones, of which only the newest are kept."""
    monkeypatch.setattr(redaction, "MOST_FORMER", 2)
    new = attrs.evolve(new_account(77), credentials={"token": "token-77-first"})
    new = attrs.evolve(new, proxy=Proxy("http", "p", 1, "u", "proxy-77"))
    account = await value_of(store, [PutAccount(new)])
    hooks = [WebhookEndpoint(f"we_7{n}", "https://x.example", secret=f"hook-7{n}-first") for n in range(2)]
    hook, other = [await value_of(store, [PutEndpoint(each)]) for each in hooks]

    def blanked(*texts: str) -> bool:
        return all(redact(text) == "[secret]" for text in texts)

    assert blanked("token-77-first", "proxy-77", "hook-70-first", "hook-71-first")
    for number in range(5):
        changed = attrs.evolve(account, credentials={"token": f"token-77-{number}"})
        account = await value_of(store, [PutAccount(changed)])
        hook = await value_of(store, [PutEndpoint(attrs.evolve(hook, secret=f"hook-70-{number}"))])
    assert blanked("token-77-4", "hook-70-4", "hook-70-3", "token-77-3", "hook-71-first", "proxy-77")
    assert not [t for t in ("token-77-first", "token-77-2", "hook-70-first", "hook-70-2") if blanked(t)]
    await store.commit(
        [DeleteAccount("acct_77"), Together([DeleteEndpoint(hook.id), DeleteEndpoint(other.id)])]
    )
    assert blanked("hook-70-4", "hook-71-first")  # the newest former ones
    assert not [text for text in ("token-77-4", "proxy-77", "token-77-3") if blanked(text)]


async def test_a_read_that_ends_after_a_deletion_registers_no_secret(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists of accounts and of endpoints have read their rows, which are deleted before they are unsealed."""
    monkeypatch.setattr(redaction, "MOST_FORMER", 0)
    await store.commit([PutAccount(attrs.evolve(new_account(78), credentials={"token": "token-of-78"}))])
    await store.commit([PutEndpoint(WebhookEndpoint("we_78", "https://x.example", secret="hook-of-78"))])
    assert redact("token-of-78 hook-of-78") == "[secret] [secret]"
    begun, deleted = threading.Semaphore(0), threading.Event()
    for name in ("to_account", "to_endpoint"):
        monkeypatch.setattr(reads, name, _late(getattr(reads, name), begun, deleted))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.accounts)
        nursery.start_soon(store.endpoints)
        for _ in range(2):
            await trio.to_thread.run_sync(begun.acquire)
        await store.commit([DeleteAccount("acct_78"), DeleteEndpoint("we_78")])
        assert redact("token-of-78 hook-of-78") == "token-of-78 hook-of-78"
        deleted.set()
    assert redact("token-of-78 hook-of-78") == "token-of-78 hook-of-78"


def _late(read: Any, begun: threading.Semaphore, deleted: threading.Event) -> Any:
    def wait_and_read(*given: Any) -> Any:
        begun.release()
        assert deleted.wait(10)
        return read(*given)

    return wait_and_read


async def test_leases_end_with_what_they_are_of(store: SqliteStore, tmp_path: Path) -> None:
    await store.commit(
        [PutAccount(new_account(1)), PutEndpoint(WebhookEndpoint("we_1", "https://x.example"))]
    )
    await store.claim(["account:acct_1", "endpoint:we_1", "account:acct_2"], "test")
    await store.commit([DeleteAccount("acct_1"), DeleteEndpoint("we_1")])
    with contextlib.closing(sqlite3.connect(tmp_path / "test.db")) as db:
        assert db.execute("select resource from lease").fetchall() == [("account:acct_2",)]


async def test_the_page_cache_is_as_large_as_it_was_set(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "test.db", KeyRing.parse(RING), lambda: NOW, page_cache=3 * 1024**2)
    store.open()
    sizes = await store._in_writer(
        lambda: store._transaction(lambda db: db.execute("pragma cache_size").fetchone())
    )
    assert sizes == (-3 * 1024,)
    store.close()
