"""Sending: sealed for a user or a group, or plain where the server says that the user does not seal.

A refusal that is about keys (`errors.key_decision`) is repaired and the message sent once more, under a new
number: nothing was applied. A message to a group is always sealed, unless the server refuses just that. The
echo of a message tells whether it was sealed (`items.py`).
"""

import contextlib
from collections.abc import Callable

from unifyport.model.message import OutboundMedia, OutboundMessage
from unifyport.protocols.letter_sealing import messages
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND, Sent, Target
from unifyport.providers.contract.errors import Rejected, Transient

from . import call_structures as of
from .chats import id_of, is_id
from .echoes import Echoes
from .errors import KeyDecision, key_decision
from .keyring import Keyring
from .media import MediaFiles
from .operations import REACTIONS
from .people import People
from .records import Me
from .render import CONTACT, STICKER, Rendered, assemble, render
from .sealing import seal_message
from .structures import Message, ReactionType
from .talk import Talk, TalkRefusal

_NEVER_SEALED = (STICKER, CONTACT)
_NUMBERS = {emoji.rstrip("\ufe0f"): number for number, emoji in REACTIONS.items()}


class Sends:
    """The sending commands of one connection."""

    def __init__(
        self,
        talk: Talk,
        me: Me,
        *,
        keyring: Keyring,
        echoes: Echoes,
        people: People,
        media: MediaFiles,
    ) -> None:
        self._talk = talk
        self._me = me
        self._keyring = keyring
        self._echoes = echoes
        self._people = people
        self._media = media

    async def send(self, message: OutboundMessage, quoted: str | None = None) -> Sent:
        """Send a message of a command, once. Raises failure classes."""
        if quoted is not None:
            _message_number(quoted)
        mid = message.conversation_id
        keys = await self._keys(mid)
        if isinstance(message, OutboundMedia):
            if keys is None:
                return await self._send_plain_file(message, quoted)
            rendered = await self._media.upload_sealed(message)
        else:
            names = await self._people.names_of(message.mentions) if message.mentions else {}
            rendered = render(message, names)
        made = self._assemble(rendered, mid, keys, quoted)
        try:
            return await self._hand_over(message, made, again=False)
        except TalkRefusal as refused:
            decision = key_decision(refused.error)
            if decision is None:
                raise refused.failure from None
        await self._repair(decision, mid)
        keys = None if decision is KeyDecision.PLAIN else await self._keys(mid)
        if keys is None and isinstance(message, OutboundMedia):
            return await self._send_plain_file(message, quoted, again=True)
        try:
            return await self._hand_over(message, self._assemble(rendered, mid, keys, quoted), again=True)
        except TalkRefusal as refused:
            raise refused.failure from None

    async def _send_plain_file(
        self, message: OutboundMedia, quoted: str | None, *, again: bool = False
    ) -> Sent:
        """The object store makes the message, and knows no quotes."""
        if quoted is not None:
            raise Rejected("quote_not_possible", "LINE quotes with no file in a chat that is not sealed")
        return await self._media.send_plain(message, self._echoes, again=again)

    async def _keys(self, mid: str) -> messages.Keys | None:
        """The keys of a chat; None: plain. Raises failure classes."""
        if mid.startswith("u"):
            return await self._keyring.to_user(mid)
        return await self._keyring.to_group(mid)

    def _assemble(
        self, rendered: Rendered, mid: str, keys: messages.Keys | None, quoted: str | None
    ) -> Message:
        chunks, metadata = None, dict(rendered.metadata)
        if keys is not None and rendered.content_type not in _NEVER_SEALED:
            address = messages.Address(self._me.mid, mid, rendered.content_type)
            chunks, marks = seal_message(dict(rendered.content), address, keys)
            metadata |= marks
        sealed = Rendered(rendered.content_type, rendered.content, metadata)
        return assemble(sealed, mid, chunks=chunks, quoted=quoted, sender=self._me.mid)

    async def _hand_over(self, message: OutboundMessage, made: Message, *, again: bool) -> Sent:
        """Raises `TalkRefusal`, failure classes, and what `Session.sending` raises."""
        number = await self._echoes.sending(message, again=again)
        answer: Message = await self._talk.ask("sendMessage", of.SendMessageArguments(number, made))
        if not is_id(answer.id):
            raise Transient("malformed_answer", maybe_applied=True)
        self._echoes.answered(id_of(answer.id))
        return Sent(id_of(answer.id))

    async def _repair(self, decision: KeyDecision, mid: str) -> None:
        match decision:
            case KeyDecision.OWN_KEY:
                await self._keyring.own.register()
            case KeyDecision.PEER_KEY | KeyDecision.SEAL_AGAIN:
                await self._keyring.forget_peer(mid)
                await self._keyring.forget_group(mid)
            case KeyDecision.GROUP_KEY:
                await self._keyring.renew_group(mid)
            case KeyDecision.PLAIN if mid.startswith("u"):
                await self._keyring.plain(mid)

    # -- what changes a message -----------------------------------------------------------------------------

    async def unsend(self, target: Target) -> None:
        """Raises failure classes."""
        if target.sender_id not in (None, self._me.mid):
            raise Rejected("not_own_message", "only messages of the account can be taken back")
        id_ = str(_message_number(target.message_id))
        await self._change("unsendMessage", lambda number: of.UnsendMessageArguments(number, id_))

    async def react(self, target: Target, emoji: str) -> None:
        """Set or, with an empty `emoji`, remove the reaction. Raises failure classes."""
        id_ = _message_number(target.message_id)
        if not emoji:
            await self._change(
                "cancelReaction",
                lambda number: of.CancelReactionArguments(of.CancelReactionRequest(number, id_)),
            )
            return
        kind = _NUMBERS.get(emoji.rstrip("\ufe0f"))
        if kind is None:
            raise Rejected("unsupported_reaction", f"LINE has the reactions {' '.join(REACTIONS.values())}")
        reaction = ReactionType(kind)
        await self._change("react", lambda number: of.ReactArguments(of.ReactRequest(number, id_, reaction)))

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        """Raises failure classes."""
        if message_id is None:
            raise Rejected("message_id_required")
        id_ = str(_message_number(message_id))
        chat = chat_id(conversation_id)
        await self._change("sendChatChecked", lambda number: of.SendChatCheckedArguments(number, chat, id_))

    async def _change(self, name: str, arguments: Callable[[int], object]) -> None:
        number = await self._echoes.number()
        await self._talk.write(name, arguments(number))


def chat_id(conversation_id: str) -> str:
    """Raises `Rejected(CONVERSATION_NOT_FOUND)`."""
    with contextlib.suppress(ValueError):
        return id_of(conversation_id)
    raise Rejected(CONVERSATION_NOT_FOUND)


def _message_number(message_id: str) -> int:
    """An id of a message, which is a decimal number of 64 bits. Raises `Rejected`."""
    if message_id.isascii() and message_id.isdigit() and len(message_id) <= 19:
        number = int(message_id)
        if number < 2**63:
            return number
    raise Rejected("message_not_found", "message ids of LINE are numbers")
