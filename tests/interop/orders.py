"""What a foreign peer may have done that only people, the platform or the disk can do; and a place for
exported sessions.

`POST /{order}` on loopback. Sessions lie behind https, as their URL must.
"""

import contextlib
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import trio
from quart import request

from tests.harness import free_port
from tests.reference.platform import ReferencePlatform
from unifyport.front.exchange import AsgiApp, Exchange
from unifyport.front.listener import serve_alone
from unifyport.front.tls import Certificate, TlsFiles
from unifyport.sandbox.serving import listen, new_app

Order = Callable[[dict[str, Any]], dict[str, Any]]


class Orders:
    def __init__(self, platform: ReferencePlatform, database: Path, cert: Path, key: Path) -> None:
        self._platform, self._database = platform, database
        self._tls = TlsFiles(cert, key)
        self._sessions: dict[str, str] = {}
        self._sessions_url = ""
        self._lock: sqlite3.Connection | None = None
        self.url = ""
        self._app = new_app("orders")
        self._app.add_url_rule("/<name>", "order", self._order, methods=["POST"])
        self._exported = new_app("sessions")
        self._exported.add_url_rule("/<name>", "session", self._session, methods=["GET"])
        self._known: dict[str, Order] = {
            "scan": self._scan,
            "export": self._export,
            "refuse": lambda order: self._refuse(True),
            "accept": lambda order: self._refuse(False),
            "lock": self._lock_database,
            "unlock": self._unlock_database,
            "damage": self._damage,
        }

    async def _order(self, name: str) -> dict[str, Any]:
        return self._known[name](await request.get_json())

    async def _session(self, name: str) -> tuple[str, int]:
        await trio.lowlevel.checkpoint()
        return (self._sessions[name], 200) if name in self._sessions else ("", 404)

    def _scan(self, order: dict[str, Any]) -> dict[str, Any]:
        self._platform.logins.scan(order["qr"], order["phone"])
        return {}

    def _export(self, order: dict[str, Any]) -> dict[str, Any]:
        name = f"session-{len(self._sessions)}"
        self._sessions[name] = self._platform.logins.export(order["phone"])
        return {"url": f"{self._sessions_url}/{name}"}

    def _refuse(self, refusing: bool) -> dict[str, Any]:
        self._platform.refusing = refusing
        return {}

    def _lock_database(self, order: dict[str, Any]) -> dict[str, Any]:
        """Another program writes, and does not end."""
        self._lock = sqlite3.connect(self._database, isolation_level=None, check_same_thread=False)
        self._lock.execute("begin immediate")
        return {}

    def _unlock_database(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._lock is not None
        self._lock.execute("rollback")
        self._lock.close()
        return {}

    def _damage(self, order: dict[str, Any]) -> dict[str, Any]:
        """Take a table away, which no handler expects."""
        with contextlib.closing(sqlite3.connect(self._database)) as database:
            database.execute("alter table api_key rename to gone")
        return {}

    async def _serve_exported(self, exchange: Exchange) -> None:
        await exchange.run_asgi(cast(AsgiApp, self._exported), {})

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            self.url = await nursery.start(listen, self._app, "127.0.0.1", 0)
            port = free_port()
            listening = socket.create_server(("127.0.0.1", port))
            nursery.start_soon(
                lambda: serve_alone(
                    listening, self._serve_exported, most=64, certificate=Certificate(self._tls)
                )
            )
            self._sessions_url = f"https://127.0.0.1:{port}"
            task_status.started()


@contextlib.asynccontextmanager
async def orders(platform: ReferencePlatform, database: Path, cert: Path, key: Path) -> AsyncIterator[Orders]:
    taken = Orders(platform, database, cert, key)
    async with trio.open_nursery() as nursery:
        await nursery.start(taken.run)
        yield taken
        nursery.cancel_scope.cancel()
