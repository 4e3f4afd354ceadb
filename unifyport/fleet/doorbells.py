"""Doorbells: they say that something changed, not what. A ring may be lost, so listeners also poll.

On one node a bell is an event in memory. Between nodes it will be a notification of the database.
"""

from typing import Protocol

import trio

EVENTS_TOPIC = "events"  # rung after each commit that wrote events
ENDPOINTS_TOPIC = "endpoints"  # rung when the table of webhook endpoints, or an order to one, has changed
KEYS_TOPIC = "api_keys"  # rung when API keys may have changed


class Bus(Protocol):
    def ring(self, topic: str) -> None:
        """Wake the tasks that wait for the topic. Never blocks; several rings may wake a task once."""

    async def wait(self, topic: str, seen: int, timeout: float) -> int:
        """Return the topic's count once it differs from `seen`, or after `timeout` seconds."""

    def count(self, topic: str) -> int:
        """How often the topic was rung."""


class LocalBus:
    """Topics of one process."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._events: dict[str, trio.Event] = {}

    def ring(self, topic: str) -> None:
        self._counts[topic] = self._counts.get(topic, 0) + 1
        if (event := self._events.pop(topic, None)) is not None:
            event.set()

    def count(self, topic: str) -> int:
        return self._counts.get(topic, 0)

    async def wait(self, topic: str, seen: int, timeout: float) -> int:
        if self.count(topic) == seen:
            event = self._events.setdefault(topic, trio.Event())
            with trio.move_on_after(timeout):
                await event.wait()
        else:
            await trio.lowlevel.checkpoint()
        return self.count(topic)
