"""A webhook inspector: receives deliveries, verifies each signature as a receiver does, and keeps them."""

from collections import deque
from collections.abc import Callable
from typing import Any, cast

import attrs
import msgspec
import trio
from quart import Response, request

from unifyport.delivery import signing

from .serving import listen, new_app

_KEPT = 1000


@attrs.define
class Received:
    """`verdict` is `valid`, `invalid` or `unsigned`."""

    event: dict[str, Any]
    headers: dict[str, str]
    verdict: str


class Inspector:
    def __init__(self, secret: str, on_event: Callable[[Received], None] = lambda _: None) -> None:
        self.received: deque[Received] = deque(maxlen=_KEPT)
        self._secret = secret
        self._on_event = on_event
        self.app = new_app("inspector")
        self.app.add_url_rule("/hook", "hook", self._hook, methods=["POST"])

    async def run(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; `task_status` gets the URL to deliver to."""
        async with trio.open_nursery() as nursery:
            url = await nursery.start(listen, self.app, host, port)
            task_status.started(f"{url}/hook")

    async def _hook(self) -> Response:
        body = cast(bytes, await request.get_data(cache=False))
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            event = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return Response(b"not JSON\n", 400)
        received = Received(event, headers, self._verdict(headers, body))
        self.received.append(received)
        self._on_event(received)
        return Response(b"", 204 if received.verdict == "valid" else 401)

    def _verdict(self, headers: dict[str, str], body: bytes) -> str:
        signature = headers.get(signing.SIGNATURE)
        if signature is None:
            return "unsigned"
        good = signing.verify(self._secret, headers.get(signing.TIMESTAMP, ""), body, signature)
        return "valid" if good else "invalid"
