"""What a part of a difference or of a history holds, as updates in order and events."""

from typing import Any

from telethon.tl import types

from unifyport.model.inbound import PlatformEvent, ProviderEvent, Unparsed

from .fetched import Fetched, Gap
from .peers import Peers
from .reading import Item, Reader
from .standing import Standing
from .unpacking import NOWHERE, box_of


class Missed:
    """Of one account."""

    def __init__(self, standing: Standing, reader: Reader, peers: Peers) -> None:
        self._standing = standing
        self._reader = reader
        self._peers = peers

    def items(self, found: Fetched, now: float) -> list[Item]:
        """The updates, in order: new messages before what happened to them."""
        items = [
            Item(each, is_fetched=True) for each in found.updates if isinstance(each, types.UpdateMessageID)
        ]
        items += [Item(each, is_fetched=True) for each in found.messages]
        for update in found.updates:
            pts, count, box = getattr(update, "pts", None), getattr(update, "pts_count", None), box_of(update)
            if box == NOWHERE:
                items.append(Item(update, is_fetched=True))
            elif isinstance(update, types.UpdateChannelTooLong):
                self._standing.box.want(update.channel_id, now)
            elif isinstance(pts, int) and isinstance(count, int) and box != found.box:
                items += self._standing.offer(box, pts, count, Item(update, is_fetched=True), now)
            elif not isinstance(update, types.UpdateMessageID):
                items.append(Item(update, is_fetched=True))
        return items

    async def said(self, found: Fetched) -> list[ProviderEvent]:
        """What is to be told of the part itself."""
        said: list[ProviderEvent] = []
        if found.gap is not None:
            said.append(await self._gap_event(found.gap))
        if found.unreadable is not None:
            place, body = found.unreadable
            key = self._reader.context().key("unreadable", found.box, place)
            said.append(Unparsed(key, body, "parse: unreadable"))
        return said

    async def _gap_event(self, gap: Gap) -> PlatformEvent:
        """Messages that were too many to be fetched, or could not be."""
        details: dict[str, Any] = {"after_message_id": str(gap.after)}
        if gap.before:
            details["before_message_id"] = str(gap.before)
        peer = await self._peers.get(gap.chat) if gap.chat else None
        context = self._reader.context(known={gap.chat: peer} if peer is not None else None)
        key = context.key("gap", gap.chat, gap.after, gap.before)
        chat = context.conversation(gap.chat) if gap.chat else None
        return PlatformEvent(key, "gap", context.now, chat, details=details)
