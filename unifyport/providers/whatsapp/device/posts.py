"""Status posts, newsletters, messages of broadcast lists: told only to an account that has asked for them.

    `metadata`            from                   becomes
    ------------------    -------------------    -----------------------------------------------------------
    `status_posts`        `status@broadcast`     `provider.event` `status_post`
    `newsletters`         `…@newsletter`         `provider.event` `newsletter_message`, one for each message
    `broadcasts`          `…@broadcast`          the message in the conversation with its sender, `broadcast`

Newsletters are not encrypted. Several messages may come in one stanza: in a notification, beside each other
or in `<live_updates><messages>`. https://github.com/tulir/whatsmeow (`notification.go`, `message.go`),
https://github.com/WhiskeySockets/Baileys (`messages-recv.ts`)
"""

from collections.abc import Iterator

import attrs

from unifyport.model.inbound import (
    Content,
    Conversation,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    Sender,
    Unparsed,
    dedupe_key,
)
from unifyport.process.clock import Clock
from unifyport.protocols.binary_node import NEWSLETTER, Jid, Node
from unifyport.protocols.whatsapp.messages import MalformedMessage, read_message
from unifyport.providers.contract.counts import Counts

from .addresses import read_jid
from .contents import Incoming
from .parse import parse
from .stanzas import LONGEST_ID, Head, time_of

STATUS_POSTS, NEWSLETTERS, BROADCASTS = "status_posts", "newsletters", "broadcasts"
STATUS_SECONDS = 86_400  # a post is shown for a day


class OnRequest:
    """What the account has asked for. What it has not asked for is counted."""

    def __init__(self, wanted: frozenset[str], counts: Counts) -> None:
        self._wanted = wanted
        self._counts = counts

    def allows(self, kind: str) -> bool:
        """`kind`: of `kind_of`; empty: a message to the account or to a group of it."""
        if not kind or kind in self._wanted:
            return True
        self._counts.add_not_asked_for(kind)
        return False


def kind_of(head: Head) -> str:
    if head.newsletter:
        return NEWSLETTERS
    if head.status:
        return STATUS_POSTS
    return BROADCASTS if head.broadcast else ""


def is_over(head: Head, clock: Clock) -> bool:
    """Whether it is a status post that is no longer shown: its sender is not asked for it again."""
    return head.status and not clock.in_doubt and head.at // 1000 + STATUS_SECONDS < clock.now_ms() // 1000


def post_of(event: ProviderEvent, name: str) -> ProviderEvent:
    """The event of a message as that of a post. What became of an earlier one is in `details`."""
    content: Content | None
    match event:
        case MessageReceived():
            at, content, details = event.sent_at, event.content, {"change": "sent"}
        case MessageEdited():
            at, content, details = event.edited_at, event.content, {"change": "edited"}
        case MessageDeleted():
            change = {"change": "deleted", "target_message_id": event.message_id}
            made = PlatformEvent(event.key, name, event.deleted_at, event.conversation, details=change)
            made.provider_data = event.provider_data
            return made
        case ReactionChanged():
            at, content = event.at, None
            target, emoji = event.target_message_id, event.emoji
            details = {"change": "reaction", "target_message_id": target, "reaction": emoji}
        case PlatformEvent(content=content, name="message_echo") if content is not None:
            return attrs.evolve(event, name=name)
        case _:
            return event
    made = PlatformEvent(
        event.key, name, at, event.conversation, event.sender, content, "inbound", dict(details)
    )
    made.provider_data = event.provider_data
    return made


# -- newsletters ---------------------------------------------------------------------------------------------


def newsletter_events(node: Node, account: str) -> list[ProviderEvent]:
    """Of a `<message>` or a `<notification>` of a newsletter. Counts of views alone are no event."""
    source = read_jid(node.get("from"))
    if source is None or source.server != NEWSLETTER:
        return []
    found = []
    for message in _messages(node):
        plaintext = message.bytes_of("plaintext")
        if plaintext is not None:
            found.append(_newsletter_event(node, message, source, plaintext, account=account))
    return found


def _messages(node: Node) -> Iterator[Node]:
    if node.tag == "message":
        yield node
        return
    for place in (node, node.child("messages"), *node.all("live_updates")):
        if place is None:
            continue
        yield from place.all("message")
        for inner in place.all("messages") if place is not node else ():
            yield from inner.all("message")


def _newsletter_event(
    node: Node, message: Node, source: Jid, plaintext: bytes, *, account: str
) -> ProviderEvent:
    server_id = message.get("server_id")[:LONGEST_ID]
    id_ = (message.get("id") or server_id or node.get("id"))[:LONGEST_ID]
    meta = message.child("meta")
    edited = meta.get("msg_edit_t") if meta is not None else ""
    key = dedupe_key("whatsapp", account, "newsletter", str(source), server_id or id_, edited)
    at = time_of(message) or time_of(node)
    try:
        read = read_message(plaintext)
    except MalformedMessage:
        return Unparsed(key, plaintext[:4096], "malformed_message")
    head = Head(id_, source, source, False, at)
    chat, sender = Conversation(str(source), "channel"), Sender(str(source), "channel")
    event = post_of(parse(Incoming(key, head, chat, sender, read)), "newsletter_message")
    if isinstance(event, PlatformEvent):
        event.details |= {"server_id": server_id} if server_id else {}
    return event
