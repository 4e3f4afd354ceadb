"""Serving the sandbox's small applications: loopback only, with the Host header checked."""

import ipaddress
from typing import Any

import trio
from quart import Response, request
from quart_trio import QuartTrio

from unifyport.front.asgi import new_config, serve

MAX_BODY = 128 * 1024 * 1024
_LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}


class NotLoopback(Exception):
    """The sandbox has no authentication: it does not listen where others could reach it."""


def new_app(name: str) -> QuartTrio:
    """An application that answers only to names of this machine, whatever page a browser is on."""
    app = QuartTrio(name, static_folder=None)
    app.url_map.strict_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY

    @app.before_request
    async def check_host() -> Response | None:
        await trio.lowlevel.checkpoint()
        name = request.host.rpartition(":")[0] if request.host.count(":") == 1 else request.host
        if name.partition("]")[0].strip("[") in _LOCAL_NAMES:
            return None
        return Response(b"this is a sandbox: use 127.0.0.1\n", 421)

    return app


async def listen(
    app: Any, host: str, port: int, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve until cancelled; `task_status` gets the base URL. Raises `NotLoopback`, `OSError`."""
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise NotLoopback(f"the sandbox listens on loopback only, not on {host}")
    config = new_config(f"{host}:{port}", graceful=0.1)
    async with trio.open_nursery() as nursery:
        binds: list[str] = await nursery.start(
            lambda task_status: serve(app, config, task_status=task_status)
        )
        task_status.started(binds[0])
