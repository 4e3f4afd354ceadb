"""Updates that are in order -> events, with what has to be looked up for them."""

import logging
from collections.abc import Iterable
from typing import Any, Final

import attrs
import trio
from telethon.tl import TLObject, types

from unifyport.model.inbound import ProviderEvent
from unifyport.process.clock import Clock
from unifyport.providers.contract.errors import ChannelError
from unifyport.providers.records import Draft

from . import positions, reactions
from .context import Context
from .parse import parse, unparsed
from .peer import Peer, channel_id, id_of
from .peers import Peers
from .pending import Pending

log = logging.getLogger(__name__)
_AT_A_TIME: Final = 8


@attrs.frozen
class Item:
    """`own`: part of the answer to a call of ours. `settles`: the `random_id` of a send whose caller has had
    its answer, and whose message this is. `is_fetched`: it is part of a difference.
    """

    update: Any
    own: bool = False
    settles: int = 0
    is_fetched: bool = False


class Reader:
    """Reads updates of one account. The caller holds `Records.lock`."""

    def __init__(self, me: int, peers: Peers, pending: Pending, clock: Clock) -> None:
        self._me = me
        self._peers = peers
        self._pending = pending
        self._clock = clock

    async def read(
        self, draft: Draft, items: Iterable[Item], gone: frozenset[int] = frozenset()
    ) -> list[ProviderEvent]:
        """The events of updates, in order; what they change is put into `draft`."""
        found: list[ProviderEvent] = []
        random_ids: dict[int, int] = {}
        for place, item in enumerate(items, 1):
            if place % _AT_A_TIME == 0:  # reading one of the largest messages takes a millisecond
                await trio.lowlevel.checkpoint()
            if isinstance(item.update, types.UpdateMessageID):
                random_ids[item.update.id] = item.update.random_id
                continue
            try:
                context = await self._context(draft, item, gone, random_ids)
                found += parse(item.update, context)
                await self._remember(draft, item.update, context)
            except ChannelError:
                raise
            except Exception as error:  # an update that a mistake of ours is about costs itself only
                log.exception("telegram: an update could not be read")
                found.append(unparsed(item.update, self.context(), error))
        return found

    async def _context(
        self, draft: Draft, item: Item, gone: frozenset[int], random_ids: dict[int, int]
    ) -> Context:
        update = item.update
        known: dict[int, Peer] = {}
        for id_ in mentioned(update):
            if (peer := await self._peers.get(id_, draft)) is not None:
                known[id_] = peer
        context = self.context(item.own, known, gone)
        match update:
            case types.UpdateDeleteMessages():
                context.chats = await positions.chats_of(draft, update.messages)
            case types.UpdateMessageReactions():
                chat = id_of(update.peer)
                before = await positions.reactions_of(draft, chat)
                context.reacted = {(chat, id_): who for id_, who in before.items()}
            case types.UpdateNewMessage() | types.UpdateNewChannelMessage() if _is_message(
                update.message
            ) and context.is_own(update.message):
                self._settle(draft, item, context, random_ids.get(update.message.id, 0))
        return context

    def context(
        self, own: bool = False, known: dict[int, Peer] | None = None, gone: frozenset[int] = frozenset()
    ) -> Context:
        now = self._clock.now_ms()
        return Context(self._me, known or {}, now, own, self._pending.answered, gone=gone)

    def _settle(self, draft: Draft, item: Item, context: Context, random_id: int) -> None:
        """Whether a message of the account is a send of ours, and whether it is in progress."""
        message = item.update.message
        ref = item.settles or random_id
        if not ref and not item.own and message.id not in context.answered:
            ref = self._pending.match(message, is_fetched=item.is_fetched) or 0
        if not ref:
            return
        if ref in self._pending.in_progress:
            context.own = True
            if not item.own:
                self._pending.tell(ref, message.id)
        elif ref in self._pending.rows and not item.own:
            change = self._pending.end(ref, message.id)
            draft.put(change.name, change.key, change.value)
            context.settled = {message.id: str(ref)}
        else:
            context.own = True

    async def _remember(self, draft: Draft, update: Any, context: Context) -> None:
        match update:
            case types.UpdateNewMessage(message=types.Message() | types.MessageService() as new):
                await positions.remember_chat(draft, new.id, id_of(new.peer_id))
            case types.UpdateMessageReactions():
                now = reactions.state_of(update.reactions)
                await positions.remember_reactions(draft, id_of(update.peer), update.msg_id, now)
        message: Any = getattr(update, "message", None)
        action = getattr(message, "action", None)
        if isinstance(action, types.MessageActionChatDeleteUser) and action.user_id == self._me:
            await self._peers.note_left(draft, id_of(message.peer_id))
        if isinstance(message, types.Message) and message.from_id is not None:
            peer = context.known.get(id_of(message.from_id))
            if peer is not None:
                await self._peers.note_seen(draft, peer, id_of(message.peer_id), message.id)


def _is_message(message: Any) -> bool:
    return isinstance(message, types.Message)


_PEERS = (types.PeerUser, types.PeerChat, types.PeerChannel)
_NUMBERS = ("user_id", "via_bot_id", "inviter_id")
_DEPTH = 6


def mentioned(thing: Any, depth: int = 0) -> set[int]:
    """The ids of all peers that an object names."""
    if isinstance(thing, _PEERS):
        return {id_of(thing)}
    if depth > _DEPTH:
        return set()
    if isinstance(thing, list):
        return set().union(*(mentioned(each, depth + 1) for each in thing[:100])) if thing else set()
    if not isinstance(thing, TLObject):
        return set()
    found: set[int] = set()
    for name, value in vars(thing).items():
        if isinstance(value, int):
            if name in _NUMBERS and value:
                found.add(value)
            elif name == "channel_id":
                found.add(channel_id(value))
            elif name == "chat_id":
                found.add(-value)
        elif isinstance(value, list) and value and isinstance(value[0], int):
            if name in ("users", "winners", "recent_requesters"):
                found.update(value[:100])
        elif not isinstance(value, str | bytes | float | None | bool):
            found |= mentioned(value, depth + 1)
    return found
