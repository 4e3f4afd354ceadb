"""A change whose caller is cut off while the disk is slow: the API shows what is stored and what runs."""

import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.harness import Client, gateway, settings_of
from tests.reference.platform import PHONE
from tests.reference.serving import CHANNEL, REGISTRY, Running, places, reference_platform
from unifyport.api.http import dispatch
from unifyport.model.unit import Unit
from unifyport.storage.contract import AcceptCommand, DeleteAccount
from unifyport.storage.sqlite.store import SqliteStore


class Gate:
    """Holds the next commit of a certain kind, in the writer's thread, until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._wanted: Callable[[Any], bool] | None = None
        self._held, self._opened = threading.Event(), threading.Event()
        commit = SqliteStore._commit

        def gated(store: SqliteStore, writes: Any) -> Any:
            if self._wanted is not None and any(map(self._wanted, writes)):
                self._wanted = None
                self._held.set()
                self._opened.wait(20)
            return commit(store, writes)

        monkeypatch.setattr(SqliteStore, "_commit", gated)

    def hold(self, wanted: Callable[[Any], bool]) -> None:
        self._held.clear()
        self._opened.clear()
        self._wanted = wanted

    async def held(self) -> None:
        assert await trio.to_thread.run_sync(self._held.wait, 20)

    def open(self) -> None:
        self._opened.set()


def changes_session(write: Any) -> bool:
    return isinstance(write, Unit) and write.new_session


@attrs.define
class World:
    running: Running
    api: Client
    gate: Gate
    database: Path
    monkeypatch: pytest.MonkeyPatch

    async def account(self) -> str:
        """The path of an account that a person logs in by a QR code."""
        body = {"provider": CHANNEL, "region": "global", "auth_mode": "qrcode"}
        return f"/v1/accounts/{(await self.api.data('POST', '/v1/accounts', body))['id']}"

    async def scan(self, path: str) -> None:
        shown = await self.api.data("POST", f"{path}/auth/qr/start")
        self.running.platform.logins.scan(shown["auth_payload"]["qr_code"], PHONE)

    async def online(self, path: str) -> None:
        await self.api.until(lambda seen: seen["runtime_status"] == "running", f"{path}/runtime")

    def stored(self, column: str, table: str = "account") -> Any:
        with sqlite3.connect(self.database) as database:
            row = database.execute(f"select {column} from {table}").fetchone()
        return None if row is None else row[0]

    async def cut_off(self, method: str, path: str) -> None:
        """A change that takes longer than its caller waits."""
        self.monkeypatch.setattr(dispatch, "WRITE_SECONDS", 1)
        assert (await self.api(method, path)).status_code == 503
        self.monkeypatch.setattr(dispatch, "WRITE_SECONDS", 30)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    gate = Gate(monkeypatch)
    async with reference_platform() as running:
        settings = settings_of(tmp_path, places(running), REGISTRY)
        async with gateway(settings, list(REGISTRY.channels.values())) as api:
            yield World(running, api, gate, tmp_path / "unifyport.db", monkeypatch)


async def test_a_deletion_that_was_cut_off_while_a_login_is_recorded_leaves_an_account_that_works(
    world: World,
) -> None:
    path = await world.account()
    world.gate.hold(changes_session)
    await world.scan(path)
    await world.gate.held()
    await world.cut_off("DELETE", path)
    world.gate.open()
    await world.online(path)
    account_id = path.rpartition("/")[2]
    body = {
        "account_id": account_id,
        "to": {"id": "no such chat", "type": "user"},
        "message": {"type": "text", "text": "x"},
    }
    answer = await world.api("POST", "/v1/messages", body)
    assert answer.json()["error"]["outcome"] == "rejected"  # by the platform: the account sends
    assert (await world.api("DELETE", path)).status_code == 204


async def test_a_deletion_that_was_cut_off_while_it_is_committed_leaves_nothing(world: World) -> None:
    path = await world.account()
    await world.scan(path)
    await world.online(path)
    world.gate.hold(lambda write: isinstance(write, DeleteAccount))
    await world.cut_off("DELETE", path)
    world.gate.open()
    with trio.fail_after(10):
        while (await world.api("DELETE", path)).status_code != 404:
            await trio.lowlevel.checkpoint()
        while "unifyport_accounts" in (metrics := (await world.api.http.get("/metrics")).text):
            if f'channel="{CHANNEL}",runtime_status="running"}} 0.0' in metrics:
                break
            await trio.lowlevel.checkpoint()
    assert world.stored("id") is None


async def test_a_log_out_that_was_cut_off_is_shown_once_it_is_stored(world: World) -> None:
    path = await world.account()
    await world.scan(path)
    await world.online(path)
    world.gate.hold(changes_session)
    await world.cut_off("POST", f"{path}/auth/cancel")
    world.gate.open()
    await world.api.until(lambda login: login["status"] == "pending_auth", f"{path}/auth")
    assert world.stored("auth_status") == "pending_auth"
    shown = await world.api.data("POST", f"{path}/auth/qr/start")
    assert shown["status"] == "awaiting_qr_scan"


async def test_a_stop_during_the_commit_of_a_login_is_the_last_word(world: World) -> None:
    path = await world.account()
    world.gate.hold(changes_session)
    await world.scan(path)
    await world.gate.held()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.api, "POST", f"{path}/runtime/stop")
        await world.api.until(lambda runtime: runtime["desired"] == "stopped", f"{path}/runtime")
        world.gate.open()
    await world.api.until(lambda login: login["status"] == "authorized", f"{path}/auth")
    runtime = await world.api.data("GET", f"{path}/runtime")
    assert (runtime["phase"], runtime["desired"]) == ("stopped", "stopped")
    assert world.stored("desired") == "stopped"


async def test_a_send_whose_record_comes_too_late_is_not_sent(world: World) -> None:
    path = await world.account()
    await world.scan(path)
    await world.online(path)
    world.gate.hold(lambda write: isinstance(write, AcceptCommand))
    body = {
        "account_id": path.rpartition("/")[2],
        "to": {"id": "chat-1", "type": "user"},
        "message": {"type": "text", "text": "x"},
    }
    world.monkeypatch.setattr(dispatch, "WRITE_SECONDS", 1)
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            assert (await world.api("POST", "/v1/messages", body)).status_code == 503

        nursery.start_soon(send)
        await world.gate.held()
        with trio.move_on_after(1.5):
            await trio.sleep_forever()
        world.gate.open()
    with trio.fail_after(10):
        while world.stored("state", "command") != "not_sent":
            await trio.lowlevel.checkpoint()
    assert world.running.platform.sent == []
