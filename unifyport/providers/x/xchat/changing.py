"""Reactions, edits, deletions, read marks and new groups. Each is known again when X reports it back."""

from collections.abc import Callable, Sequence
from typing import TypeVarTuple

from unifyport.model.unit import SessionChange
from unifyport.providers.contract.capabilities import Target
from unifyport.providers.contract.errors import Rejected

from .made import Encoded
from .making import Making
from .records import REACTION, Draft, message_place
from .senders_keys import SendersKeys
from .sending import MAX_TEXT, Failed, Handing, conversation
from .threads import CryptoError, compute

Arguments = TypeVarTuple("Arguments")
MAX_MEMBERS = 50
_MAX_EMOJI = 64


class Changing:
    """The commands of one connection that are no sends."""

    def __init__(self, handing: Handing, making: Making, keys: SendersKeys) -> None:
        self._handing = handing
        self._making = making
        self._keys = keys

    async def react(self, target: Target, emoji: str) -> None:
        """Set the account's reaction, in place of another one; empty: remove it. Raises failure classes."""
        if len(emoji) > _MAX_EMOJI:
            raise Rejected("unsupported_reaction")
        handing = self._handing
        place = conversation(handing.me, target.conversation_id)
        kept = await handing.kept(place, target.message_id)
        row = message_place(place, target.message_id)
        before = (await handing.session.get(REACTION, row) or b"").decode()
        if not emoji and not before:
            return
        key = await self._keys.find(place)
        if before and before != emoji:
            await self._send(await self._made(self._making.reaction, key, kept.sequence, before, True))
            await handing.session.commit([SessionChange(REACTION, row, None)])
        if emoji:
            await self._send(await self._made(self._making.reaction, key, kept.sequence, emoji, False))
            await handing.session.commit([SessionChange(REACTION, row, emoji.encode())])

    async def edit(self, target: Target, text: str) -> None:
        """Raises failure classes."""
        handing = self._handing
        if not text or len(text) > MAX_TEXT:
            raise Rejected("text_too_long" if text else "empty_text")
        place = conversation(handing.me, target.conversation_id)
        kept = await handing.kept(place, target.message_id)
        if kept.sender != handing.me:
            raise Rejected("not_own_message", "only messages of the account can be edited")
        key = await self._keys.find(place)
        await self._send(await self._made(self._making.edit, key, kept.sequence, text))

    async def revoke(self, target: Target) -> None:
        """Delete a message of the account for everybody. Raises failure classes."""
        handing = self._handing
        place = conversation(handing.me, target.conversation_id)
        kept = await handing.kept(place, target.message_id)
        if kept.sender != handing.me:
            raise Rejected("not_own_message", "only messages of the account can be taken back")
        made = await compute(self._making.deletion, place, [kept.sequence])
        await handing.session.commit([handing.row(made.signature.message_id, place)])
        await handing.transport.delete(place, made)

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        """Raises failure classes."""
        handing = self._handing
        if message_id is None:
            raise Rejected("message_id_required")
        place = conversation(handing.me, conversation_id)
        kept = await handing.kept(place, message_id)
        mark = await compute(self._making.read_mark, place, kept.sequence, handing.clock.now_ms())
        await handing.transport.mark_read(place, kept.sequence, mark)

    async def create_group(self, group: str, title: str, members: Sequence[str]) -> None:
        """Create a group under an id that X has given. Raises failure classes."""
        if not 1 <= len(members) < MAX_MEMBERS:
            raise Rejected("invalid_members", f"XChat takes 1 to {MAX_MEMBERS - 1} ids of users")
        draft = Draft(self._handing.session)
        keys = await self._keys.members_keys(list(members), draft)
        creation = await compute(self._making.group, group, title, keys)
        await self._handing.transport.create_group(creation)
        self._keys.kept(creation.change, draft)
        await self._handing.session.commit(draft.changes)

    async def _made(self, make: Callable[[*Arguments], Encoded], *arguments: *Arguments) -> Encoded:
        try:
            return await compute(make, *arguments)
        except CryptoError:
            raise Rejected("not_encryptable", "XChat's library refuses the message") from None

    async def _send(self, made: Encoded) -> None:
        await self._handing.session.commit([self._handing.row(made.message_id, made.conversation)])
        try:
            await self._handing.hand_over(made)
        except Failed as failed:
            raise failed.failure from None
