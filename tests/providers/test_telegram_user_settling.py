"""Sends of personal accounts of Telegram whose answers are not known, as another version has kept them, and
sends that have not begun.
"""

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from tests.providers.telegram_user import account
from unifyport.model.message import OutboundMessage, OutboundText
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.errors import ChannelError, NotBegun, SessionLost
from unifyport.providers.records import Records
from unifyport.providers.telegram.user.pending import Pending, Row
from unifyport.providers.telegram.user.settling import settle


async def test_a_request_that_cannot_be_read_is_not_asked_again_and_ends_nothing() -> None:
    """The layer of the platform's objects changes with versions; a send without an answer outlives one."""
    async with account() as made:
        pending = made.link.updates.pending
        now = made.context.clock.now_ms()
        pending.rows[7] = Row(made.person.id, b"", now, bytes.fromhex("efbeadde"))
        await made.link.updates.is_complete.wait()
        with trio.move_on_after(1) as ended:
            await settle(made.link, pending)
        assert ended.cancelled_caught
        assert list(pending.rows) == [7]


class Road:
    """Takes the place of methods of the account's session: what is handed over becomes durable.

    `refusal`: what `sending` raises; None: it waits for the disk until it is cancelled. `closed`: the session
    is closed then.
    """

    def __init__(self, session: Any, refusal: ChannelError | None, closed: bool) -> None:
        self.session = session
        self.refusal = refusal
        self.closed = closed
        self.waits = trio.Event()
        session.sending, session.commit, session.keep = self.sending, self.commit, self.keep

    async def sending(
        self,
        message: OutboundMessage,
        changes: Sequence[SessionChange] = (),
        *,
        client_ref: str | None = None,
    ) -> None:
        if self.refusal is not None:
            raise self.refusal
        self._take(changes)
        self.waits.set()
        await trio.sleep_forever()

    async def commit(self, changes: Sequence[SessionChange]) -> None:
        if self.closed and self.waits.is_set():
            raise SessionLost
        self._take(changes)
        await trio.lowlevel.checkpoint()

    async def keep(self, change: SessionChange) -> None:
        await trio.lowlevel.checkpoint()
        self._take([change])

    def _take(self, changes: Sequence[SessionChange]) -> None:
        for change in changes:
            self.session.records[change.name, change.key] = change.value
            if change.value is None:
                del self.session.records[change.name, change.key]


@pytest.mark.parametrize(
    ("refusal", "closed"), [(NotBegun("connection_replaced"), False), (None, False), (None, True)]
)
async def test_a_send_that_has_not_begun_is_never_sent(refusal: ChannelError | None, closed: bool) -> None:
    """Its caller knows that it is `not_sent`: at the deadline, or as another connection gets the command."""
    async with account() as made:
        session, pending = made.link.records.session, made.link.updates.pending
        await made.link.updates.is_complete.wait()
        made.platform.account("6590000002", username="mei_lin")
        road = Road(session, refusal, closed)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_once, road.waits, scope)
                try:
                    await made.link.sends.send(OutboundText("@mei_lin", "user", "late"))
                except NotBegun:
                    nursery.cancel_scope.cancel()
        assert not pending.rows
        kept = Pending(Records(session))
        await kept.load()
        assert not kept.rows, "the next connection would send it"
        assert not made.person.sent


async def _cancel_once(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
