"""What waits for the owner of an account's update state: pushed updates, and answers to calls.

Putting something in never waits, so that a reader of the connection, or a send, is never held up. When it is
full, what was pushed is dropped and the difference asked for.
"""

import logging
from collections import deque
from typing import Any, Final

import attrs
import trio
from telethon.tl import types

from .peer import number_of, peer_of_id

log = logging.getLogger(__name__)
MOST_WAITING: Final = 512  # containers


@attrs.frozen
class Pushed:
    found: Any
    own: bool = False
    random_ids: tuple[int, ...] = ()  # sends that this answers
    settles: int = 0


class Inbox:
    def __init__(self) -> None:
        self.waiting: deque[Pushed] = deque()
        self.wake = trio.Event()

    def push(self, update: Any) -> None:
        """Take what the server pushed. Never waits; what is too much is dropped and asked for again."""
        self.put(Pushed(update))

    def gap(self) -> None:
        """Something may be missing: get the difference."""
        self.put(Pushed(types.UpdatesTooLong()))

    def answered(self, found: Any, random_ids: tuple[int, ...] = (), settles: int = 0) -> None:
        """Take the answer to a call of this account, which moves the same sequences. `random_ids`: the sends
        that it ends; `settles`: a send whose caller has had its answer.
        """
        self.put(Pushed(found, not settles, random_ids, settles))

    def affected(self, conversation: int, pts: int, count: int) -> None:
        """An answer says that a call of this account has moved a sequence, and no more."""
        number = number_of(conversation) if isinstance(peer_of_id(conversation), types.PeerChannel) else 0
        update: Any = types.UpdateDeleteMessages([], pts, count)
        if number:
            update = types.UpdateDeleteChannelMessages(number, [], pts, count)
        self.answered(types.Updates([update], [], [], None, 0))

    def put(self, pushed: Pushed) -> None:
        if len(self.waiting) >= MOST_WAITING:
            log.warning("telegram: more updates than can be handled: the difference is asked for")
            kept = [each for each in self.waiting if each.random_ids or each.settles]
            self.waiting.clear()
            self.waiting.extend([*kept[-MOST_WAITING:], Pushed(types.UpdatesTooLong())])
        self.waiting.append(pushed)
        self.wake.set()
