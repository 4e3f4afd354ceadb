"""Calls and pings of a connection that wait for their answers."""

import attrs
import trio


@attrs.define(eq=False)
class Waiter:
    """`body` or `error` is there when `event` is set, or neither: the connection is lost."""

    event: trio.Event = attrs.field(factory=trio.Event)
    body: bytes | None = None
    error: Exception | None = None


@attrs.define(eq=False)
class Waiting:
    """`calls`: by the session's number. `pongs`: by the ping's."""

    calls: dict[int, Waiter] = attrs.field(factory=dict)
    pongs: dict[int, trio.Event] = attrs.field(factory=dict)

    def answer(self, number: int, *, body: bytes | None = None, error: Exception | None = None) -> None:
        waiter = self.calls.get(number)
        if waiter is not None:
            waiter.body, waiter.error = body, error
            waiter.event.set()

    def wake_all(self) -> None:
        for waiter in self.calls.values():
            waiter.event.set()
        for event in self.pongs.values():
            event.set()
