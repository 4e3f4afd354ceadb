"""Sends whose answers were lost are asked for again, under the same `random_id`, until it is known what
became of them. The platform executes a `random_id` once: it answers the repeat as the first time, or says
that it had it already, and then the message is in the conversation's history. After an hour nothing is asked
any more.
"""

import logging
import math
from typing import TYPE_CHECKING, Any, Final

import trio
from telethon.extensions import BinaryReader
from telethon.tl import functions, types

from unifyport.process.clock import STEP_MS
from unifyport.providers.contract.errors import ChannelError, LoggedOut, Rejected, SessionLost

from .answers import sent_ids
from .peer import peer_of_id
from .pending import Pending, Row, digest_of
from .unpacking import sent_message

if TYPE_CHECKING:
    from .link import UserLink

log = logging.getLogger(__name__)
ASKED_FOR_MS: Final = 3_600_000
DUPLICATE: Final = "random_id_duplicate"
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 300.0
_LOOKED_AT: Final = 50  # messages of a conversation


async def settle(parts: "UserLink", pending: Pending) -> None:
    """Until cancelled. Raises `LoggedOut` and `SessionLost`."""
    await parts.updates.is_complete.wait()  # a message that came back has settled its send
    pause = _FIRST_PAUSE
    while True:
        pending.lost = trio.Event()
        left = [random_id for random_id in list(pending.rows) if random_id not in pending.in_progress]
        for random_id in left:
            try:
                await _settle(parts, pending, random_id)
            except (LoggedOut, SessionLost):
                raise
            except ChannelError as error:
                log.info("telegram: a send without an answer is not settled yet: %s", error.reason)
        with trio.move_on_after(pause if left else math.inf) as waiting:
            await pending.lost.wait()
        pause = min(pause * 2, _LONGEST_PAUSE) if waiting.cancelled_caught else _FIRST_PAUSE


async def _settle(parts: "UserLink", pending: Pending, random_id: int) -> None:
    row, clock = pending.rows.get(random_id), parts.context.clock
    if row is None or clock.in_doubt:
        return
    if not -STEP_MS <= clock.now_ms() - row.at <= ASKED_FOR_MS:
        log.warning("telegram: a send has no answer after an hour: its outcome stays unknown")
        await parts.records.commit([pending.end(random_id)])
        return
    found = None
    if row.request:
        found = await _ask_again(parts, pending, random_id, row)
    if found is None and random_id in pending.rows:
        found = await _look_for(parts, row)
    if found is not None and random_id in pending.rows:
        parts.updates.answered(found, settles=random_id)


async def _ask_again(parts: "UserLink", pending: Pending, random_id: int, row: Row) -> Any:
    """The updates of its answer; None if the platform had it already."""
    reader = BinaryReader(row.request)
    try:
        request = reader.tgread_object()
    except Exception:  # it was written by another version, whose layer had other objects
        log.info("telegram: a send without an answer cannot be asked for again")
        return None
    finally:
        reader.close()
    try:
        found = await parts.rpc.call(request, peer=str(row.conversation), repeatable=False, max_wait=0)
    except ChannelError as error:
        if DUPLICATE in error.reason:
            return None
        if isinstance(error, Rejected):
            log.warning("telegram: a send without an answer was refused later: it was not sent")
            await parts.records.commit([pending.end(random_id)])
            return None
        raise
    if isinstance(found, types.UpdateShortSentMessage):
        return sent_message(found, peer_of_id(row.conversation), getattr(request, "message", ""))
    return found if sent_ids(found, [random_id]) else None


async def _look_for(parts: "UserLink", row: Row) -> Any:
    """The message in its conversation, as an update, if it is one of the last ones there."""
    peer = await parts.peers.input_peer(row.conversation)
    found = await parts.rpc.call(
        functions.messages.GetHistoryRequest(peer, 0, None, 0, _LOOKED_AT, 0, 0, 0),
        peer=str(row.conversation),
    )
    known = parts.updates.pending.answered
    for message in sorted(found.messages, key=lambda each: each.id):
        if not isinstance(message, types.Message) or not (message.out or message.post) or message.id in known:
            continue
        same = digest_of(message.message or "", message.media is not None) == row.digest
        if same and abs(message.date.timestamp() * 1000 - row.at) <= ASKED_FOR_MS:
            update = types.UpdateNewMessage(message, 0, 0)
            return types.Updates([update], found.users, found.chats, None, 0)
    return None
