"""Messages of an outage that the list of operations does not replay: fetched chat by chat.

What was told before has the same key and is not told again. At most `MOST_CHATS` chats and `MOST_MESSAGES` of
each are looked through; a cut is logged.
"""

import logging
from collections.abc import AsyncIterator

from unifyport.providers.contract.errors import Rejected

from . import history_structures as of
from .structures import Message
from .talk import Talk

log = logging.getLogger(__name__)
MOST_CHATS = 200
NEWEST = 20  # messages of each chat that come with the list of chats
PAGE = 100
MOST_MESSAGES = 1000
LONGEST_NUMBER = 18  # digits of a message id that a request can name
OVERLAP_MS = 60_000  # messages may be delivered a little later than they were made
REASON = 3  # SyncReason: an operation


class History:
    """What chats hold, of one connection."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    async def since(self, at: int) -> AsyncIterator[list[Message]]:
        """The messages of each chat from `at` (unix ms) on, the oldest first. Raises failure classes."""
        request = of.MessageBoxesRequest(limit=MOST_CHATS, messages=NEWEST)
        found: of.MessageBoxes = await self._talk.read(
            "getMessageBoxes", of.MessageBoxesArguments(request, REASON)
        )
        if found.more:
            log.warning("line: after an outage only the %d newest chats were looked through", MOST_CHATS)
        for box in found.boxes or ():
            if box.mid and (messages := await self._of_chat(box, at - OVERLAP_MS)):
                yield messages

    async def _of_chat(self, box: of.MessageBox, oldest: int) -> list[Message]:
        page = list(box.messages or ())
        messages = [one for one in page if (one.created or 0) >= oldest]
        while len(messages) < MOST_MESSAGES and len(page) >= NEWEST and (page[-1].created or 0) >= oldest:
            page = await self._before(box.mid or "", page[-1])
            newer = [one for one in page if (one.created or 0) >= oldest]
            known = {one.id for one in messages}
            if not any(one.id not in known for one in newer):
                break
            messages += [one for one in newer if one.id not in known]
        if len(messages) >= MOST_MESSAGES:
            log.warning("line: an outage left more than %d messages in a chat", MOST_MESSAGES)
        return sorted(messages, key=lambda one: (one.created or 0, one.id or ""))

    async def _before(self, mid: str, message: Message) -> list[Message]:
        id_ = message.id or ""
        if not (id_.isascii() and id_.isdecimal() and len(id_) <= LONGEST_NUMBER):
            log.warning("line: an outage: a chat cannot be read beyond a message whose id is no number")
            return []
        end = of.MessageId(message.delivered or message.created or 0, int(id_))
        request = of.PreviousMessagesRequest(mid, end, PAGE)
        try:
            found = await self._talk.read(
                "getPreviousMessagesV2WithRequest", of.PreviousMessagesArguments(request, REASON)
            )
        except Rejected as refused:
            log.warning("line: an outage: LINE refused older messages of a chat (%s)", refused.reason)
            return []
        return list(found)
