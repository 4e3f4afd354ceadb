"""Pushes whose answers were lost are asked for until it is known what became of them.

A record of `pushes.py` that no send is at work on belongs to a command whose outcome is `unknown`: its time
was over, its connection ended, or the process was killed. LINE answers a repeat under the same retry key
with 409 if it had accepted the push, and otherwise carries it out now. Either way the message is sent once,
and the command is `sent`: `StatusChanged` names it by its `client_ref`. A push that is refused now was not
sent; its outcome stays `unknown`. After an hour nothing is sent any more, as LINE's retry keys end after
24.
"""

import logging
import math
from typing import Literal

import msgspec
import trio

from unifyport.model.inbound import Conversation, Status, StatusChanged, dedupe_key
from unifyport.model.unit import SessionChange
from unifyport.process.clock import STEP_MS, Clock
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.contract.errors import ChannelError, SessionLost
from unifyport.providers.contract.session import MAX_PAGE, Session

from .pushes import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    RECORD,
    Push,
    Pushes,
    SentMessage,
    deletion,
    in_progress,
    says_not_sent,
)

log = logging.getLogger("unifyport.line")

ASKED_FOR_MS = 3_600_000
_AT_ONCE = 4


class Settling:
    """Of one connection. `bot`: the user id of the bot."""

    def __init__(self, session: Session, pushes: Pushes, link: Link, bot: str, clock: Clock) -> None:
        self._session = session
        self._pushes = pushes
        self._link = link
        self._bot = bot
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled. Raises `SessionLost`."""
        pause = FIRST_PAUSE
        while True:
            self._pushes.lost = trio.Event()
            left = await self._settle_all()
            with trio.move_on_after(pause if left else math.inf) as waiting:
                await self._pushes.lost.wait()
            pause = min(pause * 2, LONGEST_PAUSE) if waiting.cancelled_caught else FIRST_PAUSE

    async def _settle_all(self) -> bool:
        """Whether there are any left."""
        rows = await self._session.scan(RECORD, limit=MAX_PAGE)
        limiter, left = trio.CapacityLimiter(_AT_ONCE), len(rows)

        async def settle(key: str, value: bytes) -> None:
            nonlocal left
            async with limiter:
                left -= await self._settle(key, msgspec.json.decode(value, type=Push))

        async with trio.open_nursery() as nursery:
            for key, value in rows:
                if key.decode() not in in_progress:
                    nursery.start_soon(settle, key.decode(), value)
        return left > 0

    async def _settle(self, key: str, push: Push) -> bool:
        """Whether there is nothing more to be done for a push."""
        if self._clock.in_doubt:  # whether LINE still knows the retry key is not known
            return False
        if not -STEP_MS <= self._clock.now_ms() - push.at <= ASKED_FOR_MS:
            log.warning("a push has no answer after an hour: its outcome stays unknown")
            return await self._forget(key)
        try:
            sent = await self._pushes.ask(key, bytes(push.body))
        except SessionLost:
            raise
        except ChannelError as error:
            if not says_not_sent(error):
                return False
            log.warning("a push without an answer was refused later (%s): it was not sent", error.reason)
            return await self._forget(key)
        changes = [deletion(key), *self._pushes.quotable(sent)]
        await self._report(key, push, sent, changes)
        return True

    async def _forget(self, key: str) -> bool:
        await self._session.commit([deletion(key)])
        return True

    async def _report(
        self, key: str, push: Push, sent: list[SentMessage], changes: list[SessionChange]
    ) -> None:
        kind: Literal["user", "group"] = "user" if push.conversation_type == "user" else "group"
        event = StatusChanged(
            dedupe_key("line", self._bot, "settled", key),
            Conversation(push.conversation_id, kind),
            [each.id for each in sent],
            Status.SENT,
            self._clock.now_ms(),
            client_ref=key,
        )
        await self._link.deliver(Batch([event], changes))
