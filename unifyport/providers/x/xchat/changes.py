"""Opened events that are no messages -> provider events: deletions, read marks, failures, changes of groups.

What only its author may do to a message is believed of its author only, as long as the message is known.
"""

from typing import Any

import msgspec

from unifyport.model.inbound import (
    GroupChanged,
    Ignored,
    MessageDeleted,
    ProviderEvent,
    Status,
    StatusChanged,
)

from ..api.people import sender
from .heads import Head
from .index import Index
from .opening import Refused, Verified
from .records import MESSAGE, SENT, Draft, Sent, message_place

_GROUP_CHANGES = {
    "AdminsAdded": ("promoted", "admin_ids"),
    "AdminsRemoved": ("demoted", "admin_ids"),
    "MembersAdded": ("member_added", "member_ids"),
    "MembersRemoved": ("member_removed", "member_ids"),
}


class Changes(Index):
    """The readers of one account."""

    async def _deleted(
        self, head: Head, plain: dict[str, Any], result: Verified, draft: Draft
    ) -> list[ProviderEvent]:
        for_all, mine = bool(plain.get("delete_for_all")), head.sender == self._me
        if not for_all and not mine:
            return [Ignored(self._key(head))]
        targets = []
        for sequence in (plain.get("message_ids") or [])[:100]:
            target = await self._target(head, sequence, draft)
            original = await self.kept(head.conversation, target, draft)
            if for_all and original is not None and original.sender != head.sender:
                return [self._quarantined(Refused(result.item.encoded, "deletion_of_another"))]
            targets.append(target)
            draft.put(MESSAGE, message_place(head.conversation, target), None)
        if not targets:
            return [Ignored(self._key(head))]
        if mine:
            if (own := await self._own(head, draft)) is not None:
                return [own]
            return [
                self._echo(head, {"change": "deleted", "target_message_id": each}, more=(each,))
                for each in targets
            ]
        chat = self._chat(head)
        return [MessageDeleted(self._key(head), chat, targets[0], head.at, targets[1:])]

    async def _read(
        self, head: Head, plain: dict[str, Any], result: Verified, draft: Draft
    ) -> list[ProviderEvent]:
        if head.sender == self._me:
            if (own := await self._own(head, draft)) is not None:
                return [own]
            return [self._other(head, plain, "chat.read")]
        target = await self._target(head, plain.get("seen_until_id"), draft)
        chat = self._chat(head)
        who = sender(head.sender, {}) if chat.type == "group" else None
        return [StatusChanged(self._key(head), chat, [target], Status.READ, self._at(head), participant=who)]

    async def _failed(
        self, head: Head, plain: dict[str, Any], result: Verified, draft: Draft
    ) -> list[ProviderEvent]:
        """X has not taken what this gateway sent. Of anything else it says nothing that is told."""
        stored = await draft.get(SENT, head.message_id.encode())
        key = self._key(head, "failure", str(head.sequence))
        ref = "" if stored is None else msgspec.msgpack.decode(stored, type=Sent).client_ref
        if not ref:
            return [Ignored(key)]
        draft.put(SENT, head.message_id.encode(), None)
        word = str(plain.get("failure") or "failure")[:64]
        chat = self._chat(head)
        error = {"code": word, "title": "X did not deliver the message"}
        ids = [head.message_id]
        return [StatusChanged(key, chat, ids, Status.FAILED, self._at(head), error, client_ref=ref)]

    async def _group(
        self, head: Head, plain: dict[str, Any], result: Verified, draft: Draft
    ) -> list[ProviderEvent]:
        change = plain.get("change") or {}
        kind = str(change.get("change_type") or "")
        made: dict[str, Any] | None = None
        if kind in _GROUP_CHANGES:
            name, field = _GROUP_CHANGES[kind]
            made = {"kind": name, "member_ids": [str(id_)[:32] for id_ in (change.get(field) or [])[:1000]]}
        elif kind == "TitleChanged":
            title = change.get("new_title")
            made = {"kind": "renamed", "name": str(title or "")[:1024]}
        if made is None:
            return [self._other(head, plain, f"chat.group.{kind[:48] or 'change'}")]
        chat = self._chat(head)
        return [GroupChanged(self._key(head), chat, head.sender, [made], self._at(head))]

    async def _silent(
        self, head: Head, plain: dict[str, Any], result: Verified, draft: Draft
    ) -> list[ProviderEvent]:
        return [Ignored(self._key(head))]
