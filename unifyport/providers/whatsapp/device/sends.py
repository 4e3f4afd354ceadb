"""What a command is on this connection: rendered, sent, and remembered."""

import os
import time

from unifyport.model.message import OutboundMedia, OutboundMessage
from unifyport.model.unit import SessionChange
from unifyport.protocols.binary_node import Jid, Node
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND, Sent, Target
from unifyport.providers.contract.errors import Rejected

from . import memory, people
from .addresses import read_recipient
from .link import DeviceLink
from .outgoing import new_message_id
from .records import Draft
from .render import (
    Beside,
    Quoted,
    mentioned_ids,
    message_key,
    render,
    render_edit,
    render_reaction,
    render_revoke,
)
from .wrappers import unwrap

_UNKNOWN = "no message of this conversation in the last 14 days is known by this id"


class Sends:
    """The sending commands of a connection that is up."""

    def __init__(self, link: DeviceLink) -> None:
        self._link = link
        self._records = link.records

    async def send(self, message: OutboundMessage, quoted: str | None = None) -> Sent:
        """Send a message of a command, once."""
        chat = _conversation(message.conversation_id)
        id_ = new_message_id()
        uploaded = await self._link.media.upload(message) if isinstance(message, OutboundMedia) else None
        content = render(message, await self._beside(chat, message, quoted), uploaded)
        content.messageContextInfo.messageSecret = os.urandom(32)

        async def hand_over(changes: list[SessionChange]) -> None:
            more = Draft(self._records)
            text = message.text
            found, at = unwrap(content), int(time.time())
            await memory.remember(more, chat, id_, sender=None, at=at, found=found, text=text)
            await self._records.sending(message, [*changes, *more.changes], id_)

        await self._link.outgoing.send(chat, content, id_, hand_over)
        if not chat.is_group:
            self._link.later(lambda: self._link.tokens.give(chat))
        return Sent(id_)

    async def _beside(self, chat: Jid, message: OutboundMessage, quoted: str | None) -> Beside:
        draft = Draft(self._records)
        timer = await self._timer(draft, chat)
        names: dict[str, Jid] = {}
        if message.mentions:
            by_lid = await self._names_by_lid(chat)
            for id_, jid in mentioned_ids(message).items():
                names[id_] = await self._named(draft, jid, by_lid)
        found = await self._quoted(draft, chat, quoted) if quoted else None
        return Beside(quoted=found, timer=timer.seconds, timer_set_at=timer.set_at, names=names)

    async def _timer(self, draft: Draft, chat: Jid) -> memory.Timer:
        """The disappearing timer of a conversation, under whichever of its ids it is known."""
        if chat.is_group:
            info = await self._link.groups.get(chat)
            return memory.Timer(info.timer)
        who = await people.person(draft, chat)
        for jid in (who.phone, who.lid):
            if jid is not None and (found := await memory.timer_of(draft, jid)).seconds:
                return found
        return memory.Timer(0)

    async def _names_by_lid(self, chat: Jid) -> bool:
        return (await self._link.routes.route(chat)).by_lid

    async def _named(self, draft: Draft, jid: Jid, by_lid: bool) -> Jid:
        """A person by the kind of id that the conversation uses, if it is known."""
        who = await people.person(draft, jid)
        return (who.lid if by_lid else who.phone) or jid

    async def _quoted(self, draft: Draft, chat: Jid, quoted: str) -> Quoted:
        known = await memory.recall(draft, chat, quoted)
        if known is None:
            return Quoted(quoted, None if chat.is_group else chat)
        by_lid = await self._names_by_lid(chat)
        me = self._link.keys.my_lid if by_lid else self._link.keys.me
        sender = me if known.from_me else known.sender_jid
        if sender is not None:
            sender = await self._named(draft, sender, by_lid)
        return Quoted(quoted, sender, known.text)

    # -- what changes a message -----------------------------------------------------------------------------

    async def edit(self, target: Target, content: str) -> None:
        chat = _conversation(target.conversation_id)
        key = await self._key(chat, target)
        if not key.fromMe:
            raise Rejected("not_allowed", "only messages of the account can be edited")
        await self._change(chat, render_edit(key, content, _now()))

    async def revoke(self, target: Target) -> None:
        chat = _conversation(target.conversation_id)
        key = await self._key(chat, target)
        if not key.fromMe and not chat.is_group:
            raise Rejected("not_allowed", "only messages of the account can be taken back here")
        await self._change(chat, render_revoke(key))

    async def react(self, target: Target, emoji: str) -> None:
        chat = _conversation(target.conversation_id)
        await self._change(chat, render_reaction(await self._key(chat, target), emoji, _now()))

    async def _key(self, chat: Jid, target: Target) -> wa.MessageKey:
        """Of the message that is named, whose sender is looked up where none is named.

        Raises `Rejected` for a message that is not known: phones say nothing of a change to no message.
        """
        draft = Draft(self._records)
        sender = _conversation(target.sender_id) if target.sender_id else None
        if sender is None:
            known = await memory.recall(draft, chat, target.message_id)
            if known is None:
                raise Rejected("message_not_found", _UNKNOWN)
            sender = None if known.from_me else known.sender_jid
        mine = sender is None or self._link.keys.is_mine(sender)
        named = None
        if sender is not None and chat.is_group:
            named = await self._named(draft, sender.bare, await self._names_by_lid(chat))
        return message_key(await self._wire(chat), target.message_id, from_me=mine, participant=named)

    async def _wire(self, chat: Jid) -> Jid:
        return (await self._link.routes.route(chat)).to

    async def _change(self, chat: Jid, content: wa.Message) -> None:
        await self._link.outgoing.send(chat, content, new_message_id(), self._records.commit)

    # -- receipts -------------------------------------------------------------------------------------------

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        """The platform marks single messages: the newest one that is known marks what was before, too."""
        chat = _conversation(conversation_id)
        if message_id is None:
            raise Rejected("message_id_required")
        attributes = {"id": message_id, "to": str(chat), "type": "read", "t": str(int(time.time()))}
        draft = Draft(self._records)
        known = await memory.recall(draft, chat, message_id)
        sender = known.sender_jid if known is not None else None
        if chat.is_group:
            if sender is None:
                raise Rejected("message_not_found", "the sender of this message is not known any more")
            attributes["participant"] = str(sender)
        elif sender is not None:
            attributes["to"] = str(sender)  # as the person is named in the message itself
        await self._link.socket.send(Node("receipt", attributes))

    async def show_typing(self, conversation_id: str) -> None:
        chat = await self._wire(_conversation(conversation_id))
        await self._link.socket.send(Node("chatstate", {"to": str(chat)}, [Node("composing")]))


def _conversation(conversation_id: str) -> Jid:
    """Raises `Rejected(CONVERSATION_NOT_FOUND)`."""
    try:
        return read_recipient(conversation_id)
    except ValueError:
        raise Rejected(CONVERSATION_NOT_FOUND) from None


def _now() -> int:
    return int(time.time() * 1000)
