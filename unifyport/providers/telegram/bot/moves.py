"""Groups that have become supergroups: the chat has another number, and its messages count from 1 again.

Telegram answers any call about the old chat with the number of the new one
(https://core.telegram.org/bots/api#responseparameters). That is reported as an event. A call that names only
the chat is made again there. One that names a message is refused: the number is that of a message of the old
chat, which a bot can no longer reach, and in the new chat it belongs to another message.
"""

import time
from typing import Any

from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.contract.errors import Rejected

from .api import BotApi
from .errors import Migrated
from .render import chat_of
from .services import migration


class FollowsMigrations:
    """Calls about a chat that may have moved."""

    _api: BotApi
    _bot_id: str
    _link: Link | None

    async def _call_in(
        self, conversation_id: str, method: str, shape: Any, body: dict[str, Any] | None = None
    ) -> Any:
        """Call a method in a chat, in its new one if it has moved. `body` names no message of the chat."""
        try:
            return await self._api.call(method, shape, {**chat_of(conversation_id), **(body or {})})
        except Migrated as migrated:
            there = await self._report_move(conversation_id, migrated)
            return await self._api.call(method, shape, {**chat_of(there), **(body or {})})

    async def _call_about(self, conversation_id: str, method: str, body: dict[str, Any]) -> Any:
        """Call a method about messages, which `body` names. Raises `Rejected` if their chat has moved."""
        try:
            return await self._api.call(method, Any, body)
        except Migrated as migrated:
            await self._report_move(conversation_id, migrated)
            raise left_behind(migrated) from None

    async def _report_move(self, conversation_id: str, migrated: Migrated) -> str:
        """Have the move made durable as an event; returns the conversation's new id."""
        there = str(migrated.chat_id)
        if self._link is not None:
            moved = migration(self._bot_id, conversation_id, there, time.time_ns() // 1_000_000)
            await self._link.deliver(Batch([moved]))
        return there


def left_behind(migrated: Migrated) -> Rejected:
    """The refusal of what names a message of a group that has moved."""
    return Rejected(
        "message_of_migrated_group",
        f"the group is the chat {migrated.chat_id} now, and its earlier messages are out of reach of a bot",
    )
