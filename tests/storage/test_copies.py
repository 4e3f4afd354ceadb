"""Backups, restored databases, the marker beside a database, damage, and new master keys."""

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.storage.test_store import NOW, RING, event, new_account, ready, with_events
from unifyport.fleet.leases import LocalFleet
from unifyport.model.aliases import Alias, AliasChanges
from unifyport.model.event import ALL_MASK
from unifyport.model.message import OutboundText, SendCommand
from unifyport.model.proxy import Proxy
from unifyport.model.unit import Item, Original, Quarantined, SessionChange, Unit
from unifyport.model.webhook import WebhookEndpoint
from unifyport.storage.contract import AcceptCommand, Committed, PutAccount, PutEndpoint, StoreUnavailable
from unifyport.storage.sealing import KeyRing, SealError
from unifyport.storage.sqlite import copies, resealing, schema
from unifyport.storage.sqlite.marker import Marker
from unifyport.storage.sqlite.store import SqliteStore

DAMAGE = [0.003, 0.01, 0.05, 0.3]  # of the pages
PAGE = 4096
PROXY = Proxy("http", "proxy.example", 8080, "user", "secret-2")


def opened(path: Path, ring: str = RING) -> SqliteStore:
    store = SqliteStore(path, KeyRing.parse(ring), lambda: NOW)
    store.open()
    return store


async def fill(store: SqliteStore, events: int) -> None:
    unit = await ready(store)
    await store.commit([with_events(unit, *(event(number) for number in range(1, events + 1)))])


async def seqs(store: SqliteStore) -> list[int]:
    return [e.seq for e in await store.events(0, 5000, mask=ALL_MASK)]


async def test_a_backup_of_a_database_in_use_is_restored_elsewhere(tmp_path: Path) -> None:
    store, file = opened(tmp_path / "a.db"), tmp_path / "backup.db"
    await fill(store, 3)
    copies.back_up(tmp_path / "a.db", file, KeyRing.parse(RING))
    assert [path.name for path in tmp_path.glob("backup*")] == ["backup.db"]
    with pytest.raises(FileExistsError):
        copies.back_up(tmp_path / "a.db", file, KeyRing.parse(RING))
    await store.commit([with_events(await ready_again(store), event(4))])  # after the backup
    store.close()
    kept = copies.restore(file, tmp_path / "a.db", KeyRing.parse(RING), NOW)
    assert kept is not None
    restored = opened(tmp_path / "a.db")
    assert await seqs(restored) == [1, 2, 3]
    await restored.commit([with_events(await ready_again(restored), event(5))])
    assert (await seqs(restored))[-1] > 1_000_000_000  # not where a caller's cursor has passed already
    restored.close()
    with contextlib.closing(sqlite3.connect(kept)) as old:
        assert old.execute("select count(*) from event").fetchone() == (4,)


async def ready_again(store: SqliteStore) -> Unit:
    [lease] = await LocalFleet(store, "me").claim(["account:acct_1"])
    return Unit(1, "acct_1", "telegram", lease.epoch, 2)


async def test_a_backup_that_would_be_damaged_is_not_made(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    await fill(store, 500)
    store.close()
    damage(tmp_path / "a.db", 0.3, 1)
    with pytest.raises(StoreUnavailable):
        copies.back_up(tmp_path / "a.db", tmp_path / "b.db", KeyRing.parse(RING))
    assert not list(tmp_path.glob("b.db*"))
    with pytest.raises(StoreUnavailable, match="damaged"):
        copies.restore(tmp_path / "a.db", tmp_path / "c.db", KeyRing.parse(RING), NOW)
    assert not list(tmp_path.glob("c.db*"))


async def test_a_key_that_does_not_open_it_makes_no_backup(tmp_path: Path) -> None:
    opened(tmp_path / "a.db").close()
    with pytest.raises(SealError, match=r"does not open .*b\.db"):
        copies.back_up(tmp_path / "a.db", tmp_path / "b.db", KeyRing.parse(KeyRing.new_key()))
    assert not list(tmp_path.glob("b.db*"))


def test_a_database_that_has_gone_is_not_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    opened(path).close()
    path.rename(tmp_path / "elsewhere.db")
    with pytest.raises(StoreUnavailable, match=r"a\.db is missing, but .*a\.db\.id says"):
        opened(path)
    assert not path.exists()
    path.touch()
    with pytest.raises(StoreUnavailable, match=r"a\.db is empty, but"):
        opened(path)
    (tmp_path / "elsewhere.db").rename(path)
    opened(path).close()
    path.unlink()
    Marker(path).path.unlink()
    opened(path).close()


def test_another_database_in_its_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    opened(path).close()
    copies.back_up(path, tmp_path / "b.db", KeyRing.parse(RING))
    shutil.copy(tmp_path / "b.db", path)
    with pytest.raises(StoreUnavailable, match=r"a\.db is not the database that .*a\.db\.id names"):
        opened(path)
    copies.restore(tmp_path / "b.db", path, KeyRing.parse(RING), NOW)
    opened(path).close()


def test_an_older_schema_is_copied_before_it_is_migrated(tmp_path: Path) -> None:
    path, version = tmp_path / "a.db", len(schema.MIGRATIONS) - 1
    with contextlib.closing(sqlite3.connect(path)) as old:
        for script in schema.MIGRATIONS[:version]:
            old.executescript(script)
        old.execute("update workspace set name = 'as it was'")
        old.execute(f"pragma user_version = {version}")
        old.commit()
    opened(path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / f"a.db.schema-{version}")) as copy:
        assert copy.execute("pragma user_version").fetchone() == (version,)
        assert copy.execute("select name from workspace").fetchone() == ("as it was",)


# -- damage --------------------------------------------------------------------------------------------------


def damage(path: Path, part: float, seed: int) -> int:
    """Overwrite a part of the pages with noise, at least one; returns how many."""
    noise, pages = random.Random(seed), path.stat().st_size // PAGE
    hit = noise.sample(range(pages), max(1, int(pages * part)))
    with path.open("r+b") as file:
        for page in hit:
            file.seek(page * PAGE)
            file.write(noise.randbytes(PAGE))
    return len(hit)


@pytest.mark.parametrize("part", DAMAGE)
@pytest.mark.parametrize("seed", range(4))
async def test_damage_is_a_state(tmp_path: Path, part: float, seed: int) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    await fill(store, 4000)
    store.close()
    before = path.read_bytes()
    damage(path, part, seed)
    found = pytest.raises(StoreUnavailable) if part >= 0.05 else contextlib.suppress(StoreUnavailable)
    with found:  # at the start; of little damage it finds what it looks at
        opened(path).close()

    path.write_bytes(before)  # found while it runs
    store = opened(path)
    damage(path, part, seed)
    reads: list[Callable[[], Awaitable[Any]]] = [
        store.accounts,
        store.endpoints,
        store.api_keys,
        store.workspace,
        store.newest_event_id,
        lambda: store.events(0, 5000, mask=ALL_MASK),
        lambda: store.fresh(1, 0, 5000),
        lambda: store.session(1),
    ]
    failed = 0
    for read in reads:
        try:
            await read()
        except (StoreUnavailable, SealError):
            failed += 1
    assert part < 0.05 or store._damage.found is not None  # so many pages are met by these reads
    if failed and store._damage.found is not None:
        assert "is damaged (" in store._damage.found
        with pytest.raises(StoreUnavailable, match=r"is damaged .*unifyport restore FILE"):
            await store.commit([PutAccount(new_account(2))])
    store.close()


# -- new keys ------------------------------------------------------------------------------------------------


async def everything_sealed(store: SqliteStore) -> None:
    """A value in each sealed column."""
    endpoint = {"secret": "secret-1", "previous_secret": "secret-0", "previous_until": NOW + 10**9}
    unit = await ready(store, **endpoint)
    [account] = await store.accounts()
    await store.commit([PutAccount(attrs.evolve(account, proxy=PROXY, auth_payload={"qr": "1"}))])
    unit.session = [SessionChange("ratchet", b"\x00key", b"state")]
    changes = AliasChanges([Alias("65@s", "65@s", "65", None, learnt_at=NOW)])
    unit.items = [
        Item(b"k1", [], quarantined=Quarantined("why", b"raw"), aliases=changes),
        Item(b"k2", [event(1)], originals=[Original("evt_0001", b"message", b"as it came")]),
    ]
    assert await store.commit([unit]) == [Committed()]
    command = SendCommand("cmd_1", "acct_1", OutboundText("65", "user", "hello"), NOW + 1, NOW)
    await store.commit([AcceptCommand(1, command, b'{"text":"hello"}')])


def sealed_by(path: Path, key_id: bytes) -> list[tuple[str, str]]:
    """Every column of every table in which a value looks like one that this key has sealed."""
    found = []
    with contextlib.closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for column in [row[1] for row in db.execute(f"pragma table_info({table})")]:
                query = f"select count(*) from {table} where substr({column}, 1, 5) = ?"
                if db.execute(query, [b"\x01" + key_id]).fetchone()[0]:
                    found.append((table, column))
    return found


async def test_a_resealed_database_needs_the_old_key_no_more(tmp_path: Path) -> None:
    path, old = tmp_path / "a.db", KeyRing.parse(RING)
    store = opened(path)
    await everything_sealed(store)
    columns = {(each.table, each.column) for each in resealing.COLUMNS}
    assert len(sealed_by(path, old.newest)) >= 7
    assert set(sealed_by(path, old.newest)) == columns | {("meta", "value")}
    new_key = KeyRing.new_key()
    both, only_new = KeyRing.parse(f"{RING}\n{new_key}"), KeyRing.parse(new_key)
    assert resealing.sealing_key(path) == old.newest  # a gateway that runs does not know the new key yet
    store.close()
    store = opened(path, f"{RING}\n{new_key}")
    assert resealing.sealing_key(path) == both.newest
    result = await trio.to_thread.run_sync(resealing.reseal, path, both)
    assert result.done >= 7
    assert not result.left
    assert sealed_by(path, old.newest) == []
    assert resealing.reseal(path, both).done == 0
    store.close()
    store = SqliteStore(path, only_new, lambda: NOW)
    store.open()
    [account], [endpoint] = await store.accounts(), await store.endpoints()
    assert account.credentials == {"token": "canary-token"}
    assert (endpoint.secret, endpoint.previous_secret) == ("secret-1", "secret-0")
    assert await store.session(1) == {("ratchet", b"\x00key"): b"state"}
    assert (account.proxy, account.auth_payload) == (PROXY, {"qr": "1"})
    assert await store.original("evt_0001") == b"as it came"
    assert (await store.quarantine(1))[0].raw == b"raw"
    assert (await store.aliases(1, ["65@s"]))["65@s"].lane == "65"
    store.close()


async def test_what_no_key_opens_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    await store.commit([PutAccount(new_account()), PutEndpoint(WebhookEndpoint("we_1", "https://x.example"))])
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("update account set credentials = cast(x'01aabbccdd' || zeroblob(40) as blob)")
        db.commit()
    result = resealing.reseal(path, KeyRing.parse(f"{RING}\n{KeyRing.new_key()}"))
    assert dict(result.left) == {"aabbccdd": 1}
