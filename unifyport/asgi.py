"""Serving a quart-trio application with hypercorn's trio worker: the settings that every listener shares."""

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as hypercorn_serve

App = Callable[[Any, Any, Any], Awaitable[None]]  # scope, receive, send

KEEP_ALIVE_SECONDS = 65.0


def new_config(bind: str, *, graceful: float) -> Config:
    """`graceful`: seconds that requests in flight have to finish when the listener stops."""
    config = Config()
    config.bind = [bind]
    config.graceful_timeout = graceful
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.h11_max_incomplete_size = 16 * 1024
    return config


def finishing_sends(app: App) -> App:
    """The application, with each `send` finished once it has begun.

    While hypercorn 0.18 sends the end of a response it starts the timer of the idle connection in the same call, and
    tells the application that the request is over; quart-trio 0.12 then cancels the request's tasks, that call
    included. The timer would never run: no keep-alive time-out, and a graceful stop that waits for idle connections.
    """

    async def wrapped(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":  # nothing here speaks it: refuse the handshake (HTTP 403)
            await send({"type": "websocket.close"})
            return

        async def send_whole(message: Any) -> None:
            with trio.CancelScope(shield=True):
                await send(message)

        await app(scope, receive, send_whole)

    return wrapped


async def serve(
    app: Any,
    config: Config,
    *,
    until: Callable[[], Awaitable[None]] | None = None,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until `until` returns, then gracefully stop; `task_status` gets the base URLs."""
    await hypercorn_serve(
        finishing_sends(app), config, shutdown_trigger=until, task_status=task_status, mode="asgi"
    )
