"""Ids of conversations at rest: sealed, found by hashes, deleted when they are no longer used."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from unifyport.model.account import Account
from unifyport.model.aliases import USED_EVERY, Alias, AliasChanges, join
from unifyport.model.inbound import Conversation, Identity
from unifyport.model.unit import Item, Unit
from unifyport.storage.contract import Committed, Purge, PutAccount
from unifyport.storage.sealing import KeyRing
from unifyport.storage.sqlite import schema
from unifyport.storage.sqlite.store import SqliteStore

NOW = 1_780_790_400_000
PHONE, USER, OTHER = "6590000020", "SG.13491208655302741918", "6590000021"
DAY = 86_400_000
KEY = KeyRing.new_key()
ROW = Alias(PHONE, PHONE, PHONE, Identity("phone", f"+{PHONE}"), NOW, "phone", used_at=NOW)
USER_ROW = attrs.evolve(ROW, id=USER, type="user_id")


@attrs.define
class World:
    path: Path
    store: SqliteStore
    epoch: int = 0
    units: int = 0

    async def write(self, changes: AliasChanges, account: int = 1) -> None:
        self.units += 1
        item = Item(self.units.to_bytes(16), aliases=changes)
        unit = Unit(account, f"acct_{account}", "whatsapp", self.epoch, items=[item])
        assert await self.store.commit([unit]) == [Committed()]

    async def ids(self, *ids: str, account: int = 1) -> dict[str, Alias]:
        return await self.store.aliases(account, ids)

    async def purge(self, before: int) -> None:
        await self.store.commit([Purge(NOW, 0, 0, 0, 0, aliases_before=before)])

    def file(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.path.iterdir())


def opened(path: Path, key: str = KEY) -> SqliteStore:
    store = SqliteStore(path / "test.db", KeyRing.parse(key), lambda: NOW)
    store.open()
    return store


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = opened(tmp_path)
    for number in (1, 2):
        account = Account(f"acct_{number}", f"a{number}", "whatsapp", "whatsapp", "global", "token")
        await store.commit([PutAccount(account)])
    [epoch, _] = await store.claim(["account:acct_1", "account:acct_2"], "me")
    yield World(tmp_path, store, epoch)
    store.close()


async def test_what_is_written_is_read_and_cannot_be_read_from_the_file(world: World) -> None:
    await world.write(AliasChanges([ROW, USER_ROW]))
    assert await world.ids(PHONE, USER, "x") == {PHONE: ROW, USER: USER_ROW}
    assert len(await world.ids()) == 1
    for secret in (PHONE, USER):
        assert secret.encode() not in world.file()


async def test_accounts_do_not_show_that_they_have_the_same_customer(world: World) -> None:
    await world.write(AliasChanges([ROW]), account=1)
    await world.write(AliasChanges([ROW]), account=2)
    assert await world.ids(PHONE, account=2) == {PHONE: ROW}
    with sqlite3.connect(world.path / "test.db") as db:
        rows = db.execute("select id, canonical, sealed from alias").fetchall()
    assert len(rows) == 2
    assert not {*rows[0]} & {*rows[1]}


async def test_a_conversation_is_moved_whole(world: World) -> None:
    await world.write(AliasChanges([ROW, USER_ROW]))
    there = Alias(OTHER, OTHER, PHONE, Identity("phone", f"+{OTHER}"), NOW + 1, "phone", used_at=NOW + 1)
    await world.write(AliasChanges([there], [(PHONE, there)]))
    found = await world.ids(PHONE, USER, OTHER)
    assert {(row.canonical, row.lane, row.identity) for row in found.values()} == {
        (OTHER, PHONE, there.identity)
    }
    assert (found[USER].type, found[USER].learnt_at, found[USER].used_at) == ("user_id", NOW, NOW + 1)


async def test_another_user_id_ends_the_old_one(world: World) -> None:
    await world.write(AliasChanges([ROW, USER_ROW]))
    new = attrs.evolve(USER_ROW, id="SG.2")
    await world.write(AliasChanges([new], only=(PHONE, "SG.2")))
    assert {*await world.ids(PHONE, USER, "SG.2")} == {PHONE, "SG.2"}


async def test_a_key_that_was_rotated_still_finds_the_rows(world: World) -> None:
    await world.write(AliasChanges([ROW]))
    world.store.close()
    both = f"{KEY}\n{KeyRing.new_key()}"
    world.store = opened(world.path, both)
    assert await world.ids(PHONE) == {PHONE: ROW}
    await world.write(AliasChanges([USER_ROW]))
    assert {*await world.ids(PHONE, USER)} == {PHONE, USER}


async def test_a_row_that_does_not_open_is_told_and_written_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.write(AliasChanges([ROW, USER_ROW]))
    with sqlite3.connect(world.path / "test.db") as db:
        db.execute("update alias set sealed = (select sealed from alias where type = 'phone')")
    assert await world.ids(PHONE, USER) == {PHONE: ROW}
    assert "an id of a conversation cannot be read" in caplog.text
    await world.write(AliasChanges([USER_ROW]))
    assert await world.ids(PHONE, USER) == {PHONE: ROW, USER: USER_ROW}


async def test_a_conversation_that_is_not_used_is_forgotten_whole(world: World) -> None:
    unused = attrs.evolve(ROW, id=OTHER, canonical=OTHER, lane=OTHER)
    await world.write(AliasChanges([ROW, USER_ROW, unused]))
    await world.write(AliasChanges(used=(PHONE, NOW + DAY)))
    await world.purge(NOW)
    assert {*await world.ids(PHONE, USER, OTHER)} == {PHONE, USER, OTHER}
    await world.purge(NOW + DAY)
    assert {*await world.ids(PHONE, USER, OTHER)} == {PHONE, USER}


def test_an_event_of_a_conversation_says_now_and_then_that_it_is_used() -> None:
    def event() -> Conversation:
        user = Identity("user_id", USER)
        return Conversation(USER, "user", identities=[user], aliases=[])

    known = {USER: USER_ROW, PHONE: ROW}
    assert not join(event(), known, NOW + USED_EVERY - 1, inbound=True)
    at = NOW + USED_EVERY
    changes = join(event(), known, at, inbound=True)
    assert (changes.used, changes.put) == ((PHONE, at), [attrs.evolve(USER_ROW, used_at=at)])
    assert changes.only is None


def old_database(path: Path) -> None:
    """Of the schema in which rows were not sealed."""
    with sqlite3.connect(path / "test.db") as db:
        for number, script in enumerate(schema.MIGRATIONS[:7], 1):
            db.executescript(f"{script}; pragma user_version = {number};")
        db.execute(
            "insert into account(id, name, provider, channel, region, auth_mode, status, desired,"
            " auth_status, profile, metadata, receive, origin, version, created_at, updated_at)"
            " values ('acct_1', 'a',"
            " 'whatsapp', 'whatsapp', 'global', 'token', 'active', 'running', 'authorized', '{}', '{}',"
            " 'webhook', 'api', 1, 1, 1)"
        )
        db.executemany(
            "insert into alias(account_no, id, type, canonical, lane, identity_type, identity_id, learnt_at,"
            " previous) values (1, ?, ?, ?, ?, 'phone', ?, ?, ?)",
            [
                (PHONE, "phone", PHONE, PHONE, f"+{PHONE}", 5, 0),
                (USER, "user_id", PHONE, PHONE, f"+{PHONE}", 6, 0),
                (OTHER, "phone", PHONE, PHONE, f"+{PHONE}", 7, 1),
            ],
        )
    db.close()


async def test_rows_of_an_older_database_are_sealed_and_kept(tmp_path: Path) -> None:
    old_database(tmp_path)
    assert PHONE.encode() in (tmp_path / "test.db").read_bytes()
    for _ in range(2):
        store = opened(tmp_path)
        found = await store.aliases(1, [PHONE, USER, OTHER])
        rows = sorted(found.values(), key=lambda row: row.learnt_at)
        assert [(row.id, row.type, row.learnt_at, row.previous, row.used_at) for row in rows] == [
            (PHONE, "phone", 5, False, NOW),
            (USER, "user_id", 6, False, NOW),
            (OTHER, "phone", 7, True, NOW),
        ]
        assert {(row.canonical, row.lane, row.identity) for row in found.values()} == {
            (PHONE, PHONE, Identity("phone", f"+{PHONE}"))
        }
        in_use = (path for path in tmp_path.iterdir() if ".schema-" not in path.name)  # the copy of before
        whole = b"".join(path.read_bytes() for path in in_use)
        assert not [id_ for id_ in (PHONE, USER, OTHER) if id_.encode() in whole]
        store.close()


async def test_a_crash_while_rows_are_sealed_leaves_them_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_database(tmp_path)
    sealed = []

    def seal(*args: object, **more: object) -> bytes:
        sealed.append(args[1])
        if args[1] == "alias" and len(sealed) > 3:
            raise OSError("killed")
        return original(*args, **more)  # type: ignore[arg-type]

    original = KeyRing.seal
    monkeypatch.setattr(KeyRing, "seal", seal)
    with pytest.raises(OSError, match="killed"):
        opened(tmp_path)
    monkeypatch.undo()
    store = opened(tmp_path)
    assert {*await store.aliases(1, [PHONE, USER, OTHER])} == {PHONE, USER, OTHER}
    store.close()
