"""`<message>` stanzas: decrypted once, told as events, acknowledged after both are durable.

    what it is                                      event                    also
    --------------------------------------------    ---------------------    ---------------------------------
    told before                                     -                        -
    its keys are used up: decrypted before          -                        delivery receipt
    decrypts                                        the message              delivery receipt
    decrypts to what is no message                  the message, `unknown`   -
    does not decrypt                                - (a row of its own)     retry receipt, see `recovery.py`
    does not decrypt, and we have given up          `undecryptable`          -
    from the account's own devices, no content      -                        `controls.py`
    of a status broadcast or newsletter             on request, `posts.py`   -

Every stanza gets exactly one acknowledgement, whatever became of it.
"""

import functools
import logging
from collections.abc import Collection

import attrs
import trio

from unifyport.model.inbound import (
    Conversation,
    ConversationMoved,
    Ignored,
    MoveReason,
    ProviderEvent,
    Unparsed,
    dedupe_key,
)
from unifyport.process.clock import Clock
from unifyport.protocols.binary_node import Jid, Node
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.protocols.whatsapp.messages import MalformedMessage

from . import memory, people
from .additions import examine
from .addresses import STATUS
from .contents import Incoming, content_of
from .controls import TakesHistory, concerns_device, work_of
from .decryption import Decryption, Undecryptable, has_content
from .failures import Failures
from .group_cache import GroupCache
from .keys import DeviceKeys
from .outcomes import Outcome
from .parse import parse, undecryptable
from .posts import BROADCASTS, NEWSLETTERS, OnRequest, is_over, kind_of, newsletter_events, post_of
from .presence import Presence
from .ratchets import Ratchets
from .records import Draft
from .recovery import Recovery
from .stanzas import Head, ack, members_of
from .wrappers import unwrap

log = logging.getLogger(__name__)
_LONG = 32 * 1024  # bytes of a message; to read more would hold the loop


class Messages:
    """Reads messages of one device. The caller holds `Records.lock`."""

    def __init__(
        self,
        keys: DeviceKeys,
        *,
        ratchets: Ratchets,
        groups: GroupCache,
        recovery: Recovery,
        history: TakesHistory,
        on_request: OnRequest,
        failures: Failures,
        presence: Presence,
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._account = keys.me.user
        self._decryption = Decryption(ratchets)
        self._groups = groups
        self._recovery = recovery
        self._history = history
        self._on_request = on_request
        self._failures = failures
        self._presence = presence
        self._clock = clock

    def key_of(self, head: Head) -> bytes:
        """The dedupe key of a message: by its sender, too, who chooses the id. Which of the sender's two ids
        the stanza has first makes no difference.
        """
        sender = max(str(head.sender.bare), str((head.sender_other or head.sender).bare))
        return dedupe_key("whatsapp", self._account, "message", sender, head.id)

    async def read(self, draft: Draft, node: Node, head: Head, seen: Collection[bytes]) -> Outcome:
        outcome, kind = Outcome(), kind_of(head)
        key = self.key_of(head)
        if not self._on_request.allows(kind):
            pass
        elif kind == NEWSLETTERS:
            outcome.events += newsletter_events(node, self._account)
        elif key not in seen:
            head = attrs.evolve(head, chat=head.sender.bare, listed=True) if kind == BROADCASTS else head
            try:
                message = await self._decryption.read(draft, node, head)
            except Undecryptable as failed:
                await self._recover(draft, node, head, outcome, failed=failed)
            except MalformedMessage:
                outcome.events.append(await self._unreadable(draft, node, head, key))
            else:
                if message is not None:
                    await self._recovery.succeeded(draft, head)
                    await self._take(draft, head, key, message, outcome=outcome)
                outcome.replies.append(self._delivered(node, head))
        outcome.replies.append(ack(node, self._keys.me))
        return outcome

    async def _recover(
        self, draft: Draft, node: Node, head: Head, outcome: Outcome, *, failed: Undecryptable
    ) -> None:
        self._failures.add(head.sender, failed.reason)
        if is_over(head, self._clock):
            return
        asked = await self._recovery.ask_again(
            draft, node, head, reason=failed.reason, with_keys=failed.with_keys
        )
        if asked is not None:
            receipt, row = asked
            outcome.replies.append(receipt)
            outcome.events.append(row)
        else:
            outcome.events.append(await self.given_up(draft, head, failed.reason))

    async def given_up(self, draft: Draft, head: Head, reason: str) -> ProviderEvent:
        """The event of a message that never came in a form that can be read. A later success has its own."""
        key = dedupe_key("whatsapp", self._account, "undecryptable", str(head.sender.bare), head.id)
        if head.status:
            return Ignored(key)
        return undecryptable(await self._incoming(draft, head, key, wa.Message()), reason)

    async def _unreadable(self, draft: Draft, node: Node, head: Head, key: bytes) -> ProviderEvent:
        found = await self._incoming(draft, head, key, wa.Message())
        raw = f"{node.tag} {dict(node.attrs)}".encode()
        if head.status:
            return Unparsed(key, raw, "malformed_message")
        return Unparsed(key, raw, "malformed_message", found.chat, found.sender, head.id, head.at or None)

    # -- what a message says --------------------------------------------------------------------------------

    async def _take(
        self, draft: Draft, head: Head, key: bytes, message: wa.Message, *, outcome: Outcome
    ) -> None:
        if head.from_me and message.HasField("deviceSentMessage"):
            message = message.deviceSentMessage.message
        found = unwrap(message)
        if head.from_me and concerns_device(head, found.message):
            work = work_of(draft, head, found.message, self._history)
            outcome.later += [work] if work is not None else []
            outcome.events.append(Ignored(key))
            return
        if not has_content(message):
            outcome.events.append(Ignored(key))
            return
        incoming = await self._incoming(draft, head, key, message)
        if head.status:
            outcome.events.append(post_of(await _parsed(incoming), "status_post"))
            return
        if head.listed and head.from_me:  # the phone shows it in the conversation with each of the list
            outcome.events.append(Ignored(key))
            return
        await memory.learn_timer(draft, head.chat, found.message)
        if not head.group and not head.listed and self._presence.is_new(head.chat):
            outcome.later.append(functools.partial(self._presence.follow, head.chat))
        about = await examine(draft, self._keys, head, found.message)
        incoming = attrs.evolve(incoming, found=about)
        text = content_of(incoming, found, head.id).text
        sender, at = None if head.from_me else head.sender, head.at // 1000
        await memory.remember(draft, head.chat, head.id, sender=sender, at=at, found=found, text=text)
        outcome.events.append(await _parsed(incoming))

    async def _incoming(self, draft: Draft, head: Head, key: bytes, message: wa.Message) -> Incoming:
        who = await people.person(draft, head.sender)
        chat = await self.conversation(draft, head.chat, "" if head.from_me else head.name)
        return Incoming(key, head, chat, who.sender(head.name), message)

    async def conversation(self, draft: Draft, chat: Jid, title: str = "") -> Conversation:
        """A conversation as events show it."""
        if chat == STATUS:
            return Conversation(str(chat), "channel")
        if chat.is_group:
            info = self._groups.peek(chat)
            return Conversation(str(chat), "group", info.subject if info is not None else "")
        return (await people.person(draft, chat)).conversation(title)

    async def learn(self, draft: Draft, head: Head) -> list[ProviderEvent]:
        """Take the ids that stand beside those of a stanza. Returns events of persons with another number."""
        moved: list[ProviderEvent] = []
        for one, other in ((head.sender, head.sender_other), (head.chat, head.chat_other)):
            former = await people.learn(draft, one, other)
            if former is not None and not head.group:
                moved.append(await self._moved(draft, head, one, former))
        return moved

    async def _moved(self, draft: Draft, head: Head, jid: Jid, former: Jid) -> ProviderEvent:
        person = await people.person(draft, jid)
        key = dedupe_key("whatsapp", self._account, "moved", str(former), str(person.id))
        reason = MoveReason.NUMBER_CHANGED
        return ConversationMoved(key, person.conversation(), str(former), reason, "number_changed", head.at)

    def _delivered(self, node: Node, head: Head) -> Node:
        attributes = {"id": head.id, "to": node.get("from")}
        attributes |= members_of(node)
        if head.category == "peer":
            attributes["type"] = "peer_msg"
        elif head.from_me:
            attributes["type"] = "sender"
        return Node("receipt", attributes)


async def _parsed(incoming: Incoming) -> ProviderEvent:
    if incoming.message.ByteSize() > _LONG:
        return await trio.to_thread.run_sync(parse, incoming)
    return parse(incoming)
