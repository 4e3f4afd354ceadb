"""What a command that sends is on this connection: looked up, uploaded, marked, and sent once.

The platform executes a `random_id` once, so it is the command's `client_ref`. An answer that is lost leaves a
row (`pending.py`), by which the send is settled later.
"""

import contextlib
import secrets
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio
from telethon.tl import types

from unifyport.model.message import OutboundMedia, OutboundMessage
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.capabilities import Sent
from unifyport.providers.contract.errors import ChannelError, LoggedOut, Rejected, SessionLost, Transient

from ..bot.render import Request
from . import mentions
from .answers import sent_ids
from .entities import mentioned_users
from .peer import peer_of_id
from .pending import Row, digest_of
from .plan import plan
from .render import Target, contents, render, render_album
from .render_files import facts_of, uploaded
from .settling import DUPLICATE
from .unpacking import sent_message

if TYPE_CHECKING:
    from .link import UserLink

_KEPT_REQUEST: Final = 64 * 1024  # bytes
_ANSWER_SECONDS: Final = 20.0
_KEEP_SECONDS: Final = 1.0
_NO_WRITING: Final = frozenset({"CHAT_WRITE_FORBIDDEN", "PEER_ID_INVALID", "CHAT_ID_INVALID"})


class Sends:
    """The sending commands of a connection."""

    def __init__(self, parts: "UserLink") -> None:
        self._parts = parts

    async def send(self, message: OutboundMessage, quoted_message_id: str | None = None) -> Sent:
        """Send a message of a command, once."""
        if quoted_message_id is not None:
            message = attrs.evolve(message, reply_to_message_id=quoted_message_id)
        if named := mentions.wanted(message):
            message = mentions.expanded(message, await self._names(named))
        made: Request = message.rendered_by(plan)
        if quoted_message_id is not None and "reply_parameters" not in made.fields:
            made = plan(message)
        conversation = await self._parts.chats.resolve(message.conversation_id)
        peer = await self._parts.peers.input_peer(conversation)
        count = len(made.fields["media"]) if made.method == "sendMediaGroup" else 1
        random_ids = [secrets.randbits(63) or 1 for _ in range(count)]
        target = Target(peer, random_ids, await self._users(made), await self._reply_peer(made))
        request, text = await self._request(made, message, target)
        return await self._send(message, conversation, request, random_ids, text=text)

    async def _request(self, made: Request, message: OutboundMessage, target: Target) -> tuple[Any, str]:
        """The call, and the text that the message will have."""
        if made.method == "sendMediaGroup":
            media = await self._parts.media.album(made, message, target.peer)
            caption = str(made.fields["media"][0].get("caption", ""))
            return render_album(made, target, media), caption
        if isinstance(message, OutboundMedia):
            file = await self._parts.media.upload(message.path, message.size, message.name)
            facts = facts_of(made, message)
            return render(made, target, uploaded(file, facts)), str(made.fields.get("caption", ""))
        found = contents(made, target)
        return render(made, target, found), str(made.fields.get("text", ""))

    async def _names(self, ids: list[str]) -> dict[str, str]:
        """The names of people. Who has none is called by the id; whom the account does not know is refused
        where the mention is rendered.
        """
        found = {}
        for id_ in ids:
            peer = await self._parts.peers.get(int(id_))
            found[id_] = (peer.name if peer is not None else "") or id_
        return found

    async def _users(self, made: Request) -> dict[int, Any]:
        """The users that entities name."""
        entities = [*made.fields.get("entities", ()), *made.fields.get("caption_entities", ())]
        for item in made.fields.get("media", ()) if made.method == "sendMediaGroup" else ():
            entities += item.get("caption_entities", ())
        return {id_: await self._parts.peers.input_user(id_) for id_ in mentioned_users(entities)}

    async def _reply_peer(self, made: Request) -> Any:
        chat = (made.fields.get("reply_parameters") or {}).get("chat_id")
        if chat is None:
            return None
        return await self._parts.peers.input_peer(await self._parts.chats.resolve(str(chat)))

    async def _send(
        self, message: OutboundMessage, conversation: int, request: Any, random_ids: list[int], *, text: str
    ) -> Sent:
        body = bytes(request)
        has_media = not hasattr(request, "no_webpage")
        row = Row(
            conversation,
            digest_of(text, has_media),
            self._parts.context.clock.now_ms(),
            body if len(body) <= _KEPT_REQUEST else b"",
        )
        pending, first = self._parts.updates.pending, random_ids[0]
        with pending.sending([first], row) as changes:
            await self._begin(message, changes, first)
            try:
                found = await self._call_or_find(request, conversation, first)
                return self._sent(found, random_ids, conversation, text)
            except ChannelError as error:
                if not error.maybe_applied:
                    await self._forget(first)
                raise await self._refusal(error, conversation) from None

    async def _begin(self, message: OutboundMessage, changes: list[SessionChange], random_id: int) -> None:
        """Mark the command as sending. Where that fails the send is `not_sent`: no connection may ask for it.

        Cancelled: the row may be on its way to the disk, and its deletion follows it there, ahead of the
        command's outcome.
        """
        try:
            await self._parts.records.sending(message, changes, str(random_id))
        except BaseException as error:
            ended = self._parts.updates.pending.end(random_id)
            if isinstance(error, trio.Cancelled):
                await self._hand_over(ended)
            raise

    async def _hand_over(self, ended: SessionChange) -> None:
        """Put a deletion on the account's road, also once the session is closed. While being cancelled."""
        try:
            await self._parts.records.commit([ended])  # it is handed over before it waits
        except SessionLost:
            with trio.move_on_after(_KEEP_SECONDS, shield=True), contextlib.suppress(SessionLost):
                await self._parts.records.session.keep(ended)

    async def _forget(self, random_id: int) -> None:
        """Nothing was sent: no connection may ask again for it once the caller knows that.

        Raises `Transient` with `maybe_applied` where that cannot be made durable any more.
        """
        try:
            await self._parts.records.commit([self._parts.updates.pending.end(random_id)])
        except SessionLost as error:
            raise Transient(error.reason, maybe_applied=True) from None

    def _sent(self, found: Any, random_ids: list[int], conversation: int, text: str) -> Sent:
        """What an answer says, which goes on to the updates. Raises `Transient` if it names no message."""
        pending, updates, first = self._parts.updates.pending, self._parts.updates, random_ids[0]
        if isinstance(found, int):
            pending.known(first, found)
            updates.answered(None, (first,))
            return Sent(str(found))
        if isinstance(found, types.UpdateShortSentMessage):
            found = sent_message(found, peer_of_id(conversation), text)
        ids = sent_ids(found, random_ids)
        if not ids:  # it was accepted; the message comes with the difference
            updates.gap()
            raise Transient("no_message_in_answer", maybe_applied=True)
        for id_ in ids:
            pending.known(first, id_)
        updates.answered(found, (first,))
        return Sent(str(ids[0]), ",".join(map(str, ids)) if len(ids) > 1 else "")

    async def _call_or_find(self, request: Any, conversation: int, random_id: int) -> Any:
        """The answer, or the id of the message if it comes back before the answer."""
        found: list[int] = []
        failures: list[ChannelError] = []
        answers: list[Any] = []

        async def look() -> None:
            found.append(await self._parts.updates.pending.wait_found(random_id))
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(look)
            try:
                answers.append(await self._call(request, conversation))
            except ChannelError as error:
                failures.append(error)
            nursery.cancel_scope.cancel()
        if answers or found:
            return (answers or found)[0]
        raise failures[0]

    async def _refusal(self, error: ChannelError, conversation: int) -> ChannelError:
        """Of groups that the account is not in the platform says no more than that it must not write."""
        known = await self._parts.peers.get(conversation)
        if getattr(error, "code", "") in _NO_WRITING and known is not None and known.is_left:
            return Rejected("not_a_member", "the account is not in this group", code=error.code)  # type: ignore[attr-defined]
        return error

    async def _call(self, request: Any, conversation: int) -> Any:
        """Send. What the server may have executed without saying so is asked for again once, under the same
        `random_id`.
        """
        rpc, peer = self._parts.rpc, str(conversation)
        try:
            return await rpc.call(request, peer=peer, repeatable=False, max_wait=0)
        except Transient as error:
            if not error.maybe_applied or self._parts.lost.is_set() or DUPLICATE in error.reason:
                raise
        try:
            with trio.move_on_after(_ANSWER_SECONDS):
                return await rpc.call(request, peer=peer, repeatable=False, max_wait=0)
        except (LoggedOut, SessionLost):
            raise
        except ChannelError:  # whatever it says is said of the repeat
            pass
        raise Transient("no_answer", maybe_applied=True)
