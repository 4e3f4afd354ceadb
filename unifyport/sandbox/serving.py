"""Listeners on loopback, and HTTP applications that check the Host header.

The sandbox has no authentication: each of its ports is bound by `bind`, which refuses other addresses.
"""

import ipaddress
import os
import socket
from typing import Any

import trio
from quart import Response, request
from quart_trio import QuartTrio

from unifyport.front.exchange import Exchange
from unifyport.front.listener import serve_alone

MAX_BODY = 128 * 1024 * 1024
_BACKLOG = 100
_CONNECTIONS = 4096
_LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}


class NotLoopback(Exception):
    """An address that is not loopback. The sandbox has no authentication, so it refuses to listen there."""


def new_app(name: str) -> QuartTrio:
    """An application that refuses a Host header that is not a name of this machine (DNS rebinding)."""
    app = QuartTrio(name, static_folder=None)
    app.url_map.strict_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY

    @app.before_request
    async def check_host() -> Response | None:
        await trio.lowlevel.checkpoint()
        if is_local(request.host):
            return None
        return Response(b"this is a sandbox: use 127.0.0.1\n", 421)

    return app


def is_local(authority: str) -> bool:
    """Whether `host` or `host:port`, from a Host header or an origin, is a name of this machine."""
    name = authority.rpartition(":")[0] if authority.count(":") == 1 else authority
    return name.partition("]")[0].strip("[") in _LOCAL_NAMES


def bind(host: str, port: int) -> trio.SocketListener:
    """A listener on loopback; port 0: any free port. Raises `NotLoopback`, `ValueError`, `OSError`."""
    host = "127.0.0.1" if host == "localhost" else host
    if not ipaddress.ip_address(host).is_loopback:
        raise NotLoopback(f"the sandbox listens on loopback only, not on {host}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    return trio.SocketListener(trio.socket.from_stdlib_socket(server))


def authority_of(listener: trio.SocketListener) -> str:
    """`host:port`, as in a URL."""
    host, port = listener.socket.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def serve_app(
    app: Any,
    listener: trio.SocketListener,
    *,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve an application until cancelled, then close the listener; `task_status` gets the base URL."""

    async def answer(exchange: Exchange) -> None:
        await exchange.run_asgi(app, {})

    with listener.socket, socket.socket(fileno=os.dup(listener.socket.fileno())) as listening:
        task_status.started(f"http://{authority_of(listener)}")
        await serve_alone(listening, answer, most=_CONNECTIONS)


async def listen(
    app: Any, host: str, port: int, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve an application at an address until cancelled; `task_status` gets the base URL.

    Raises `NotLoopback`, `ValueError`, `OSError`.
    """
    await serve_app(app, bind(host, port), task_status=task_status)
