"""A person's phone, device 0 of an account: it reads and writes messages, encrypted as every device does.

Customers and the owners of linked accounts are phones. What a phone does happens at once.
"""

import os
from collections.abc import Iterable

import attrs

from unifyport.protocols.binary_node import Jid, Node
from unifyport.protocols.signal.errors import SignalError
from unifyport.protocols.whatsapp.history_pb2 import HistorySync
from unifyport.protocols.whatsapp.messages import MalformedMessage, pad, read_message, unpad
from unifyport.protocols.whatsapp.whatsapp_pb2 import (
    DeviceSentMessage,
    Message,
    ProtocolMessage,
    SenderKeyDistributionMessage,
)

from .directory import Account, Device
from .groups import Group
from .phone_keys import PhoneKeys
from .phone_media import KINDS, PhoneMedia
from .relay import Relay
from .stanzas import now

MAX_RETRIES = 4


@attrs.frozen
class Read:
    """A message that the phone decrypted. `chat`: the group, or the person on the other side.

    `message` is what the sender wrote; `echo`: another device of this account sent it.
    """

    id: str
    chat: Group | Account
    sender: Device
    message: Message
    echo: bool = False


class Phone:
    """The phone of `account`. `broken`: (id, error) of messages that did not decrypt."""

    def __init__(self, relay: Relay, account: Account, media: PhoneMedia) -> None:
        self.account = account
        self.keys = PhoneKeys(account, relay.prekeys)
        self.device = self.keys.device
        self.read: list[Read] = []
        self.broken: list[tuple[str, SignalError]] = []
        self._relay = relay
        self._media = media
        self._written: dict[str, tuple[Account | Group, Message]] = {}
        self._retries: dict[str, int] = {}
        self.device.receiver = self
        account.devices[0] = self.device

    # -- writing ---------------------------------------------------------------------------------------------

    def write(self, to: Account | Group, message: Message, id: str = "") -> str:
        """Send a message; its id. Own devices get a copy. Raises `ValueError` if the relay refuses it."""
        id = id or "3A" + os.urandom(9).hex().upper()
        self._written[id] = to, message
        node = self._in_group(to, message, id) if isinstance(to, Group) else self._to_person(to, message, id)
        refused = self._relay.messages.take(self.device, node).get("error")
        if refused:
            raise ValueError(f"the message is refused: {refused}")
        return id

    def write_to_own(self, device: Device, message: Message) -> str:
        """Send a message to one of the own devices, about the account itself (history)."""
        id = "3A" + os.urandom(9).hex().upper()
        kind, body = self.keys.encrypt(device, pad(message.SerializeToString()))
        attrs = {"id": id, "to": str(device.phone_jid), "type": "text", "category": "peer"}
        self._relay.messages.take(self.device, Node("message", attrs, [_enc(kind, body)]))
        return id

    def share_history(self, device: Device, sync: HistorySync) -> str:
        """Give an own device a piece of the phone's history; the id of the message that points to it."""
        told = ProtocolMessage(
            type=ProtocolMessage.Type.HISTORY_SYNC_NOTIFICATION,
            historySyncNotification=self._media.history(sync),
        )
        return self.write_to_own(device, Message(protocolMessage=told))

    def _to_person(self, to: Account, message: Message, id: str) -> Node:
        lid = self.account.lid_addressed
        others = [each for each in to.devices.values() if each is not self.device]
        own = [each for each in self.account.companions if to is not self.account]
        copy = Message(
            deviceSentMessage=DeviceSentMessage(destinationJID=str(to.jid(lid=lid)), message=message)
        )
        participants = [
            *self._encrypted(others, message, lid=lid),
            *self._encrypted(own, copy, lid=lid),
        ]
        attrs = {"id": id, "to": str(to.jid(lid=lid)), "type": _type_of(message)}
        return Node("message", attrs, [Node("participants", {}, participants)])

    def _in_group(self, group: Group, message: Message, id: str) -> Node:
        holders = self.keys.holders(group)
        members = [device for member in group.members for device in member.devices.values()]
        lacking = [device for device in members if device not in holders and device is not self.device]
        key = Message(
            senderKeyDistributionMessage=SenderKeyDistributionMessage(
                groupID=str(group.jid), axolotlSenderKeyDistributionMessage=self.keys.distribution(group)
            )
        )
        participants = self._encrypted(lacking, key, lid=group.lid_addressed)
        holders.update(lacking)
        shared = self.keys.encrypt_group(group, pad(message.SerializeToString()))
        content = [Node("participants", {}, participants)] if participants else []
        attrs = {"id": id, "to": str(group.jid), "type": _type_of(message)}
        return Node("message", attrs, [*content, _enc("skmsg", shared)])

    def _encrypted(self, devices: Iterable[Device], message: Message, *, lid: bool) -> list[Node]:
        found = []
        for device in devices:
            kind, body = self.keys.encrypt(device, pad(message.SerializeToString()))
            found.append(Node("to", {"jid": str(device.jid(lid=lid))}, [_enc(kind, body)]))
        return found

    def acknowledge(self, read: Read, type: str = "") -> None:
        """Send a receipt for a message: delivered without a type, `read`, `played`."""
        lid = self.account.lid_addressed
        attrs = {"id": read.id} | ({"type": type} if type else {})
        if isinstance(read.chat, Group):
            attrs["to"] = str(read.chat.jid)
            attrs["participant"] = str(read.sender.jid(lid=read.chat.lid_addressed))
        else:
            attrs["to"] = str(read.sender.jid(lid=lid))
        self._relay.receipts.take(self.device, Node("receipt", attrs))

    # -- reading ---------------------------------------------------------------------------------------------

    def push(self, node: Node) -> None:
        """Take a stanza from the relay."""
        self.device.pending.acknowledge(node.tag, Node("ack", {**node.attrs, "to": node.get("from")}))
        if node.tag == "message":
            self._message(node)
        elif node.tag == "receipt" and node.get("type") == "retry":
            self._send_again(node)
        elif node.tag == "receipt" and node.get("type") == "server-error":
            self._media.upload_again(self.account, node)
        elif node.tag == "notification" and node.get("type") == "encrypt" and node.child("count"):
            self.keys.refill()

    def _message(self, node: Node) -> None:
        group = self._relay.groups.find(node.jid("from"))
        sender = self._relay.directory.device(node.jid("participant") or node.jid("from"))
        if sender is None:
            return
        for enc in node.all("enc"):
            try:
                plain = self._decrypt(sender, group, enc)
                message = read_message(unpad(plain, enc.number("v", 2)))
            except (SignalError, MalformedMessage) as error:
                self._cannot_read(node, sender, error)
                return
            self._take(node, sender, group, message)

    def _decrypt(self, sender: Device, group: Group | None, enc: Node) -> bytes:
        body = enc.bytes_of() or b""
        if enc.get("type") == "skmsg" and group is not None:
            return self.keys.decrypt_group(group, sender, body)
        return self.keys.decrypt(sender, enc.get("type"), body)

    def _take(self, node: Node, sender: Device, group: Group | None, message: Message) -> None:
        if message.HasField("senderKeyDistributionMessage"):
            key = message.senderKeyDistributionMessage
            about = self._relay.groups.find(Jid.parse(key.groupID))
            if about is not None:
                self.keys.accept_distribution(about, sender, key.axolotlSenderKeyDistributionMessage)
            message.ClearField("senderKeyDistributionMessage")
            if not message.ListFields() or [f.name for f, _ in message.ListFields()] == [
                "messageContextInfo"
            ]:
                return
        echo = sender.account is self.account
        chat: Group | Account = group or sender.account
        if message.HasField("deviceSentMessage"):
            sent = message.deviceSentMessage
            other = self._relay.directory.of_jid(Jid.parse(sent.destinationJID))
            message, chat = sent.message, group or other or chat
        read = Read(node.need("id"), chat, sender, message, echo)
        self.read.append(read)
        self._media.keep(read.id, message)
        if not echo:
            self.acknowledge(read)

    def _cannot_read(self, node: Node, sender: Device, error: SignalError | MalformedMessage) -> None:
        """Ask the sender to send the message again, in a new session."""
        id = node.need("id")
        if isinstance(error, SignalError):
            self.broken.append((id, error))
        self._retries[id] = count = self._retries.get(id, 0) + 1
        if count > MAX_RETRIES:
            return
        attrs = {"id": id, "type": "retry", "to": node.need("from")}
        attrs |= {name: node.attrs[name] for name in ("participant", "recipient") if name in node.attrs}
        retry = Node("retry", {"count": str(count), "id": id, "t": node.get("t"), "v": "1"})
        registration = Node("registration", {}, self.device.registration)
        self._relay.receipts.take(self.device, Node("receipt", attrs, [retry, registration]))

    def _send_again(self, node: Node) -> None:
        device = self._relay.directory.device(node.jid("participant") or node.jid("from"))
        to, message = self._written.get(node.need("id"), (None, None))
        if device is None or to is None or message is None:
            return
        self.keys.renew(device)
        again = Message()
        again.CopyFrom(message)
        attrs = {"id": node.need("id"), "type": _type_of(message), "t": now()}
        if isinstance(to, Group):
            key = again.senderKeyDistributionMessage
            key.groupID, key.axolotlSenderKeyDistributionMessage = str(to.jid), self.keys.distribution(to)
            attrs |= {"to": str(to.jid), "participant": str(device.jid(lid=to.lid_addressed))}
        else:
            attrs["to"] = str(device.jid(lid=self.account.lid_addressed))
        kind, body = self.keys.encrypt(device, pad(again.SerializeToString()))
        count = node.child("retry")
        enc = Node("enc", {"v": "2", "type": kind, "count": count.get("count", "1") if count else "1"}, body)
        self._relay.messages.take(self.device, Node("message", attrs, [enc]))


def _enc(kind: str, body: bytes) -> Node:
    return Node("enc", {"v": "2", "type": kind}, body)


def _type_of(message: Message) -> str:
    if message.HasField("reactionMessage"):
        return "reaction"
    if message.HasField("pollCreationMessage") or message.HasField("pollUpdateMessage"):
        return "poll"
    return "media" if any(message.HasField(name) for name in KINDS) else "text"
