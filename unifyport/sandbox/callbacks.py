"""How a local platform calls webhooks: several at a time, each repeated until it is answered with 2xx."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import httpx
import trio

_KEPT = 10_000
_FIRST_RETRY, _LAST_RETRY = 0.1, 2.0
_TIMEOUT = 15.0
_AT_ONCE = 8


@attrs.define(eq=False)
class Delivery:
    """One call. `label` describes it in lists of calls."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    label: str = ""
    attempts: int = 0
    statuses: list[int] = attrs.field(factory=list)


class Callbacks:
    """A queue of calls. `run` makes them; `history` keeps the last 10,000, delivered or not. `timeout`: the
    seconds after which a call without an answer has failed.
    """

    def __init__(self, *, timeout: float = _TIMEOUT) -> None:
        self._timeout = timeout
        self.history: deque[Delivery] = deque(maxlen=_KEPT)
        self._waiting: deque[Delivery] = deque()
        self._news = trio.Event()
        self._limiter = trio.CapacityLimiter(_AT_ONCE)

    @property
    def pending(self) -> int:
        return sum(1 for delivery in self.history if not delivery.statuses or delivery.statuses[-1] >= 300)

    def calls(self) -> list[dict[str, Any]]:
        """Every call in `history`, oldest first."""
        return [
            {"url": call.url, "label": call.label, "attempts": call.attempts, "statuses": call.statuses}
            for call in self.history
        ]

    def order(self, delivery: Delivery) -> None:
        """Queue a call. Does not block."""
        self.history.append(delivery)
        self._waiting.append(delivery)
        self._news.set()

    async def run(self, *, wanted: Callable[[Delivery], bool] = lambda _: True) -> None:
        """Deliver until cancelled; a call that is no longer `wanted` is dropped."""
        async with (
            httpx.AsyncClient(trust_env=False, timeout=self._timeout, verify=False) as client,  # noqa: S501  loopback
            trio.open_nursery() as nursery,
        ):
            while True:
                await self._news.wait()
                self._news = trio.Event()
                while self._waiting:
                    await self._limiter.acquire_on_behalf_of(delivery := self._waiting.popleft())
                    nursery.start_soon(self._deliver, client, delivery, wanted)

    async def _deliver(
        self, client: httpx.AsyncClient, delivery: Delivery, wanted: Callable[[Delivery], bool]
    ) -> None:
        pause = _FIRST_RETRY
        try:
            while wanted(delivery):
                delivery.attempts += 1
                try:
                    response = await client.post(
                        delivery.url, content=delivery.body, headers=delivery.headers
                    )
                    delivery.statuses.append(response.status_code)
                    if response.is_success:
                        return
                except (httpx.HTTPError, httpx.InvalidURL):
                    delivery.statuses.append(599)
                await trio.sleep(pause)
                pause = min(pause * 2, _LAST_RETRY)
        finally:
            self._limiter.release_on_behalf_of(delivery)
