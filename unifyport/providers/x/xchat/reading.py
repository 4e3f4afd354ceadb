"""Opened events -> provider events (`index.py`, `changes.py`). A message that cannot be decrypted is shown as
such; what cannot be verified is quarantined.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from unifyport.model.inbound import (
    Content,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    Reported,
    StatusChanged,
    Unparsed,
)
from unifyport.process.clock import Clock

from ..api.people import sender
from . import contents
from .changes import Changes
from .heads import Head
from .index import MAX_KEPT_TEXT
from .opening import Refused, Result, Verified
from .records import MESSAGE, REACTION, Draft, message_place

_MAX_EMOJI = 64


class Reading(Changes):
    """`ready`: whether the account has its keys."""

    def __init__(self, me: str, clock: Clock, *, ready: bool) -> None:
        super().__init__(me, clock)
        self._ready = ready

    async def events_of(self, result: Result, draft: Draft) -> list[ProviderEvent]:
        if isinstance(result, Refused):
            return [self._quarantined(result)]
        head, plain = result.item.head, result.plain
        try:
            if plain is None:
                return await self._without_key(result, draft)
            read = _READERS.get(str(plain.get("type")))
            if read is None:
                return [self._other(head, plain)]
            events: list[ProviderEvent] = await read(self, head, plain, result, draft)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return [self._quarantined(Refused(result.item.encoded, f"content: {type(error).__name__}"))]
        for event in events:
            if isinstance(event, Reported) and not isinstance(event, StatusChanged | Unparsed):
                event.provider_data = contents.shown(plain)
        return events

    # -- messages -------------------------------------------------------------------------------------------

    async def _message(
        self, head: Head, plain: dict[str, Any], result: Verified, draft: Draft
    ) -> list[ProviderEvent]:
        said = plain.get("content") or {}
        kind = str(said.get("content_type") or "")
        if kind in ("Reaction", "ReactionRemoved"):
            return await self._reaction(head, said, draft, removed=kind == "ReactionRemoved")
        if kind == "Edit":
            return await self._edit(head, said, result, draft)
        if kind == "Text":
            content = contents.text_content(head.message_id, said, head.conversation, head.version)
        else:
            content = contents.unknown_content(head.message_id, kind or "message")
        await self._keep(head, draft, content.text, result.item.encoded)
        return await self._received(head, content, draft)

    async def _without_key(self, result: Verified, draft: Draft) -> list[ProviderEvent]:
        head = result.item.head
        await self._keep(head, draft, "", "")
        made = contents.undecryptable if self._ready else contents.encrypted
        [event] = await self._received(head, made(head.message_id), draft)
        if isinstance(event, MessageReceived | PlatformEvent):
            named = {"conversation_key_version": str(head.version), "message_id": head.message_id}
            event.provider_data = contents.shown(named)
        return [event]

    async def _received(self, head: Head, content: Content, draft: Draft) -> list[ProviderEvent]:
        if head.sender != self._me:
            chat, who = self._chat(head), sender(head.sender, {})
            return [MessageReceived(self._key(head), chat, who, content, head.at)]
        return [await self._own(head, draft) or self._echo(head, {"change": "sent"}, content)]

    async def _reaction(
        self, head: Head, said: dict[str, Any], draft: Draft, *, removed: bool
    ) -> list[ProviderEvent]:
        target = await self._target(head, said.get("target_message_id"), draft)
        emoji = "" if removed else str(said.get("emoji") or "")[:_MAX_EMOJI]
        if head.sender == self._me:
            change = {"change": "reaction", "target_message_id": target, "reaction": emoji}
            if (own := await self._own(head, draft)) is not None:
                return [own]
            draft.put(REACTION, message_place(head.conversation, target), emoji.encode() or None)
            return [self._echo(head, change)]
        chat, who = self._chat(head), sender(head.sender, {})
        return [ReactionChanged(self._key(head), chat, who, head.message_id, target, emoji, self._at(head))]

    async def _edit(
        self, head: Head, said: dict[str, Any], result: Verified, draft: Draft
    ) -> list[ProviderEvent]:
        target = await self._target(head, said.get("target_message_id"), draft)
        original = await self.kept(head.conversation, target, draft)
        if original is not None and original.sender != head.sender:
            return [self._quarantined(Refused(result.item.encoded, "edit_of_another"))]
        content = contents.edit_content(target, said)
        if original is not None:
            changed = msgspec.structs.replace(original, text=content.text[:MAX_KEPT_TEXT], event="")
            draft.put(MESSAGE, message_place(head.conversation, target), msgspec.msgpack.encode(changed))
        number = head.sequence or 0
        if head.sender == self._me:
            echo = self._echo(head, {"change": "edited"}, content)
            echo.number = number
            return [await self._own(head, draft) or echo]
        chat, who = self._chat(head), sender(head.sender, {})
        return [MessageEdited(self._key(head), chat, who, content, self._at(head), number)]


_READERS: dict[str, Callable[..., Any]] = {
    "Message": Reading._message,
    "KeyChange": Reading._silent,
    "Typing": Reading._silent,
    "MessageDeleted": Reading._deleted,
    "ReadReceipt": Reading._read,
    "Failure": Reading._failed,
    "GroupChange": Reading._group,
}
