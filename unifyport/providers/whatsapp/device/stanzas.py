"""The head of a stanza: who wrote it, in which conversation, when. Pure.

A person is named in one of two ways, and the other one may stand beside it: `sender_pn`, `participant_lid`
and their like. https://github.com/tulir/whatsmeow (`message.go`, `parseMessageSource`)
"""

from typing import Any

import attrs

from unifyport.model.times import LAST_MS
from unifyport.protocols.binary_node import BROADCAST, LID, NEWSLETTER, Jid, MalformedNode, Node

from .addresses import STATUS, is_person, plain, read_jid
from .keys import DeviceKeys

LONGEST_ID = 128  # bytes
_LAST_SECOND = LAST_MS // 1000


@attrs.frozen
class Head:
    """Of a message, receipt, call or presence. `chat`: without device. `sender`: the device that wrote.

    `sender_other`, `chat_other`: the same person by the other kind of id, if the stanza says it.
    """

    id: str
    chat: Jid
    sender: Jid
    from_me: bool
    at: int  # unix ms
    name: str = ""
    sender_other: Jid | None = None
    chat_other: Jid | None = None
    category: str = ""
    listed: bool = False  # it came by a broadcast list

    @property
    def group(self) -> bool:
        return self.chat.is_group

    @property
    def broadcast(self) -> bool:
        return self.chat.server == BROADCAST

    @property
    def status(self) -> bool:
        return self.chat == STATUS

    @property
    def by_sender_key(self) -> bool:
        """Whether what is written there is encrypted once for all, with a sender key."""
        return self.group or self.status

    @property
    def newsletter(self) -> bool:
        return self.chat.server == NEWSLETTER


def head_of(node: Node, keys: DeviceKeys) -> Head:
    """Raises `MalformedNode`."""
    id_ = node.need("id")
    if not 0 < len(id_.encode()) <= LONGEST_ID:
        raise MalformedNode("the id of a stanza is empty or too long")
    source = _jid(node, "from")
    if source is None:
        raise MalformedNode("a stanza without a sender")
    at = time_of(node)
    common: dict[str, Any] = {
        "id": id_,
        "at": at,
        "name": node.get("notify")[:256],
        "category": node.get("category"),
    }
    if source.is_group or source.server in (BROADCAST, NEWSLETTER):
        sender = _jid(node, "participant") or source
        other = _jid(node, "participant_pn" if sender.server == LID else "participant_lid")
        mine = is_person(sender) and keys.is_mine(sender)
        return Head(chat=source, sender=sender, from_me=mine, sender_other=other, **common)
    if is_person(source) and keys.is_mine(source):
        recipient = _jid(node, "recipient")
        chat = (recipient or source).bare
        other = _jid(node, "peer_recipient_pn" if chat.server == LID else "peer_recipient_lid")
        return Head(chat=chat, sender=source, from_me=True, chat_other=other, **common)
    other = _jid(node, "sender_pn" if source.server == LID else "sender_lid")
    return Head(
        chat=source.bare, sender=source, from_me=False, sender_other=other, chat_other=other, **common
    )


def time_of(node: Node, name: str = "t") -> int:
    """A time that a stanza states in seconds, as unix ms; 0 where there is none that can be shown."""
    seconds = node.number(name)
    return seconds * 1000 if 0 < seconds <= _LAST_SECOND else 0


def _jid(node: Node, name: str) -> Jid | None:
    jid = node.jid(name)
    return plain(jid) if jid is not None else None


def members_of(node: Node) -> dict[str, str]:
    """`participant` and `recipient` of a stanza, which every answer to it repeats."""
    return {name: node.get(name) for name in ("participant", "recipient") if node.get(name)}


def ack(node: Node, me: Jid) -> Node:
    """The acknowledgement of a stanza: the platform does not send it again."""
    attributes = {"class": node.tag, "id": node.get("id"), "to": node.get("from")}
    attributes |= members_of(node)
    if node.tag == "message":
        attributes["from"] = str(me)
    elif node.get("type"):
        attributes["type"] = node.get("type")
    return Node("ack", attributes)


def message_ids(node: Node) -> list[str]:
    """The messages that a receipt is about, at most 500."""
    found = [node.get("id")]
    for part in node.all("list"):
        found += [item.get("id") for item in part.all("item")]
    return [id_ for id_ in found[:500] if 0 < len(id_) <= LONGEST_ID]


def receipt_participants(node: Node) -> list[tuple[str, Jid, int]]:
    """Of a receipt of several members: (message id, member, unix ms)."""
    found = []
    for part in node.all("participants"):
        for user in part.all("user"):
            jid = read_jid(user.get("jid"))
            if jid is not None and part.get("key"):
                found.append((part.get("key"), jid, time_of(user)))
    return found
