"""Sends of personal accounts of Telegram whose answers are not known, as another version has kept them."""

import trio

from tests.providers.telegram_user import account
from unifyport.providers.telegram.user.pending import Row
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
