"""Exported sessions of other programs: what they look like, and everything that they must not do."""

import base64
import contextlib
import sqlite3
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.providers.telegram.user.session_formats import (
    Exported,
    NotASession,
    read_exported,
    to_telethon,
)

KEY = bytes(range(256))


def encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def session_file(path: Path, *statements: str, key: bytes = KEY) -> bytes:
    """An SQLite file, as Telethon writes it unless `statements` say otherwise."""
    with sqlite3.connect(path) as database:
        for statement in statements or (
            "create table version (version integer primary key)",
            "create table sessions (dc_id integer primary key, server_address text, port integer,"
            " auth_key blob, takeout_id integer)",
        ):
            database.execute(statement)
        if not statements:
            database.execute("insert into sessions values (4, 'evil.example', 1, ?, null)", [key])
    database.close()
    return path.read_bytes()


@pytest.mark.parametrize("address", ["10.0.0.1", "2001:db8::1"])
def test_a_string_of_telethon(address: str) -> None:
    assert read_exported(to_telethon(4, KEY, address, 443).encode()) == Exported(4, KEY)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">BI?256sQ?", 4, 17349, False, KEY, 1 << 33, False),
        struct.pack(">B?256sQ?", 4, False, KEY, 1 << 33, False),
        struct.pack(">B?256sI?", 4, False, KEY, 1 << 31, False),
    ],
)
def test_a_string_of_pyrogram_of_any_age(data: bytes) -> None:
    assert read_exported(encoded(data) + b"\n") == Exported(4, KEY)


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("wal", [False, True])
def test_a_file_of_telethon(tmp_path: Path, as_text: bool, wal: bool) -> None:
    data = bytearray(session_file(tmp_path / "a.session"))
    if wal:
        data[18:20] = b"\x02\x02"
    assert read_exported(base64.b64encode(data) if as_text else bytes(data)) == Exported(4, KEY)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1",
        b"SQLite format 3\0",
        encoded(bytes(271)),
        encoded(struct.pack(">BI?256sQ?", 4, 1, True, KEY, 1, False)),  # test servers
        encoded(struct.pack(">BI?256sQ?", 4, 1, False, KEY, 1, True)),  # a bot
        b"1" + base64.urlsafe_b64encode(bytes(263)),
        b"x" * (1 << 20),
        b"\xff" * 300,
    ],
)
def test_what_is_no_session_is_refused_without_quoting_it(data: bytes) -> None:
    with pytest.raises(NotASession) as caught:
        read_exported(data)
    assert len(data) < 8 or data[:8].decode("latin-1") not in str(caught.value)


def test_a_file_that_is_too_large_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(NotASession, match="too large"):
        read_exported(session_file(tmp_path / "a.session") + bytes(1 << 20))


@pytest.mark.parametrize(
    "statements",
    [
        ("create table other (x)",),
        ("create view sessions as select 4 as dc_id, zeroblob(256) as auth_key",),
        ("create table sessions (dc_id, auth_key)",),  # without a session
        (
            "create table t (x)",
            "create view sessions as with recursive n(i) as (select 1 union all select i + 1 from n)"
            " select i as dc_id, i as auth_key from n",
        ),
        (
            "create table sessions (dc_id, auth_key as (zeroblob(900000000)))",
            "insert into sessions (dc_id) values (4)",
        ),
        ("create table sessions (dc_id, auth_key)", "insert into sessions values (4, 'text')"),
        ("create table sessions (dc_id, auth_key)", "insert into sessions values ('x', zeroblob(256))"),
        (
            "create table sessions (dc_id, auth_key)",
            "insert into sessions values (4, randomblob(256)), (2, randomblob(256))",
        ),
    ],
)
def test_a_hostile_file_is_refused(tmp_path: Path, statements: tuple[str, ...]) -> None:
    data = session_file(tmp_path / "a.session", *statements)
    with pytest.raises(NotASession):
        read_exported(data)


@given(st.binary(max_size=600))
@settings(deadline=None, max_examples=200)
def test_nothing_else_is_raised(data: bytes) -> None:
    for each in (data, base64.b64encode(data), b"SQLite format 3\0" + data):
        with pytest.raises(NotASession):
            read_exported(each)


@given(st.lists(st.tuples(st.integers(0, 12_287), st.integers(0, 255)), max_size=30))
@settings(deadline=None, max_examples=100)
def test_a_damaged_file_raises_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]]
) -> None:
    data = bytearray(session_file(tmp_path_factory.mktemp("file") / "a.session"))
    for place, value in damage:
        data[place % len(data)] = value
    with contextlib.suppress(NotASession):
        assert len(read_exported(bytes(data)).key) == 256
