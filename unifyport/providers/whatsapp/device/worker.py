"""Handles the stanzas of the inbox in batches: one unit of events and state, then the replies.

It never waits for an answer of the platform; what needs one is handed to `later`.
"""

import functools
import logging
from collections.abc import Awaitable, Callable

from unifyport.model.inbound import ProviderEvent, Unparsed, dedupe_key
from unifyport.protocols.binary_node import MalformedNode, Node
from unifyport.providers.contract.base import Batch, Link
from unifyport.providers.contract.errors import ChannelError

from .inbox import Inbox
from .outcomes import Outcome
from .parts import Parts
from .receipts import RETRY, events_of
from .records import Draft
from .stanzas import Head, ack, head_of

log = logging.getLogger(__name__)
MOST_CHANGES = 800  # of a batch; a stanza may add some more
HANDLED = ("message", "receipt", "notification", "call")

Later = Callable[[Callable[[], Awaitable[None]]], None]


class Worker:
    def __init__(self, parts: Parts, inbox: Inbox, later: Later) -> None:
        self._parts = parts
        self._inbox = inbox
        self._later = later

    async def run(self, link: Link) -> None:
        """Until cancelled. Raises a failure class."""
        while True:
            batch = await self._inbox.take()
            while batch:
                batch = await self._handle_some(link, batch)

    async def _handle_some(self, link: Link, batch: list[tuple[Node, int]]) -> list[tuple[Node, int]]:
        """Handle stanzas in one unit, as many as it holds; returns the rest."""
        outcomes: list[Outcome] = []
        async with self._parts.records.lock:
            draft = Draft(self._parts.records)
            heads = [self._head(node) for node, _ in batch]
            seen = await self._seen(batch, heads)
            moved: list[ProviderEvent] = []
            for head in heads:  # before any is read: a receipt may name a person by one id only
                if head is not None:
                    moved += await self._parts.messages.learn(draft, head)
            taken = 0
            for (node, _), head in zip(batch, heads, strict=True):
                outcomes.append(await self._outcome(draft, node, head, seen))
                taken += 1
                if len(draft) > MOST_CHANGES:
                    break
            events = moved + [event for outcome in outcomes for event in outcome.events]
            size = sum(size for _, size in batch[:taken])
            if events or draft.changes:
                await self._parts.records.deliver(link, Batch(events, draft.changes, size))
            else:
                await self._parts.records.commit(())
        for outcome in outcomes:
            for reply in outcome.replies:
                await self._parts.socket.send(reply)
            for work in outcome.later:
                self._later(work)
        return batch[taken:]

    def _head(self, node: Node) -> Head | None:
        if node.tag not in ("message", "receipt"):
            return None
        try:
            return head_of(node, self._parts.keys)
        except MalformedNode:
            return None

    async def _seen(self, batch: list[tuple[Node, int]], heads: list[Head | None]) -> set[bytes]:
        """The keys of messages that have come before."""
        found = [
            self._parts.messages.key_of(head)
            for (node, _), head in zip(batch, heads, strict=True)
            if head is not None and node.tag == "message"
        ]
        return await self._parts.records.session.seen(found) if found else set()

    async def _outcome(self, draft: Draft, node: Node, head: Head | None, seen: set[bytes]) -> Outcome:
        """A stanza that cannot be read costs itself only; so does one that a mistake of ours is about."""
        try:
            match node.tag:
                case "message":
                    return await self._parts.messages.read(draft, node, _present(head), seen)
                case "receipt":
                    return await self._receipt(draft, node, _present(head))
                case "notification":
                    return await self._parts.notifications.read(draft, node)
                case "chatstate" | "presence":
                    return await self._parts.presence.read(draft, node)
                case _:
                    return await self._parts.notifications.call(draft, node)
        except ChannelError:
            raise
        except Exception as error:
            if not isinstance(error, MalformedNode):
                log.exception("whatsapp: a stanza could not be handled")
            raw = str(node)[:4096].encode()
            key = dedupe_key("whatsapp", self._parts.keys.me.user, "unparsed", node.tag, raw.hex())
            return Outcome([Unparsed(key, raw, str(error)[:200])], [ack(node, self._parts.keys.me)])

    async def _receipt(self, draft: Draft, node: Node, head: Head) -> Outcome:
        if node.get("type") == RETRY:
            return Outcome(later=[functools.partial(self._answer_retry, node)])
        outcome = Outcome(replies=[ack(node, self._parts.keys.me)])
        if not head.broadcast and not head.newsletter:
            chat = await self._parts.messages.conversation(draft, head.chat)
            outcome.events = await events_of(draft, node, head, chat, self._parts.keys.me.user)
        return outcome

    async def _answer_retry(self, node: Node) -> None:
        try:
            await self._parts.retries.answer(node, self._parts.socket)
        except MalformedNode:
            log.info("whatsapp: a retry receipt could not be read")
        await self._parts.socket.send(ack(node, self._parts.keys.me))


def _present(head: Head | None) -> Head:
    if head is None:
        raise MalformedNode("a stanza without id, sender or time")
    return head
