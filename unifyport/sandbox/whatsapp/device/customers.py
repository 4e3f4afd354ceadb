"""What the control port does with phones: customers write, owners write on their own phone, receipts."""

import base64
import itertools
from typing import Any

from google.protobuf import json_format

from unifyport.protocols.binary_node import Jid, MalformedJid, Node
from unifyport.protocols.curve import KeyPair
from unifyport.protocols.whatsapp.media import MediaKind
from unifyport.protocols.whatsapp.whatsapp_pb2 import Message

from .directory import Account
from .groups import Group
from .messages import Sent
from .phone import Phone
from .phone_media import PhoneMedia
from .relay import Relay
from .stanzas import new_id, now

_MEDIA = {
    "image": ("imageMessage", MediaKind.IMAGE, "image/jpeg"),
    "video": ("videoMessage", MediaKind.VIDEO, "video/mp4"),
    "audio": ("audioMessage", MediaKind.AUDIO, "audio/mp4"),
    "voice": ("audioMessage", MediaKind.AUDIO, "audio/ogg; codecs=opus"),
    "document": ("documentMessage", MediaKind.DOCUMENT, "application/pdf"),
    "sticker": ("stickerMessage", MediaKind.STICKER, "image/webp"),
}
_CUSTOMER = 6_580_000_000  # phone number of the first customer of a flood
_RECEIPTS = {"delivered": "", "read": "read", "played": "played"}
_FIRST_LID = 100_000_000_000_000


class Customers:
    """All phones. `account` adds a person with a phone."""

    def __init__(self, relay: Relay, media: PhoneMedia) -> None:
        self.phones: dict[Account, Phone] = {}
        self._relay = relay
        self._media = media
        self._calls = itertools.count(1)

    def account(self, phone: str, **settings: Any) -> Account:
        """A new person, with a LID made from the phone number. Raises `ValueError`."""
        if not (phone.isascii() and phone.isdigit() and 7 <= len(phone) <= 15):
            raise ValueError("phone: must be 7 to 15 digits")
        lid = str(settings.pop("lid", None) or _FIRST_LID + int(phone))
        name = str(settings.pop("name", None) or f"+{phone}")
        try:
            account = self._relay.directory.add(Account(phone, lid, name, **settings))
        except TypeError as error:
            raise ValueError(f"account: {error}") from error
        self.phones[account] = Phone(self._relay, account, self._media)
        return account

    def person(self, phone: Any, name: Any = None) -> Account:
        """The person with this phone number, who is added if there is none. Raises `ValueError`."""
        digits = str(phone or "").lstrip("+")
        return self._relay.directory.of_phone(digits) or self.account(digits, name=name)

    def renew(self, account: Account) -> None:
        """Give a person a new phone: another identity key, no sessions, no linked devices."""
        for device in account.companions:
            self._relay.unlink(device)
        account.identity = KeyPair.generate()
        self.phones[account] = Phone(self._relay, account, self._media)

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{from, to, text | media | message, name}`: a person writes from a phone.

        `from`: a phone number; that of a linked account is its owner. `to`: a phone number or a group's id.
        `media`: `{type, content (base64), caption, filename, mime_type}`; `message`: a `Message` as JSON.
        """
        sender = self.person(order.get("from", "6590000001"), order.get("name"))
        chat = self._chat(order.get("to"))
        id = self.phones[sender].write(chat, self.message_of(order), str(order.get("id", "")))
        conversation = chat.jid if isinstance(chat, Group) else sender.jid(lid=chat.lid_addressed)
        return {"message_id": id, "conversation_id": str(conversation)}

    def flood(self, order: dict[str, Any]) -> None:
        """`{to, texts, customers}`: so many customers write these texts, one after the other, by turns."""
        account, texts = self.person(order.get("to")), order.get("texts")
        if not isinstance(texts, list):
            raise ValueError("texts: must be a list")
        writers = [self.phones[self.person(_CUSTOMER + n)] for n in range(int(order.get("customers", 1)))]
        for text, writer in zip(texts, itertools.cycle(writers), strict=False):
            writer.write(account, Message(conversation=str(text)))

    def receipt(self, order: dict[str, Any]) -> None:
        """`{message_id, status}`: the phones with a message say that it is `delivered`, `read`, `played`."""
        status, id = str(order.get("status")), order.get("message_id")
        if status not in _RECEIPTS:
            raise ValueError(f"status: must be one of {', '.join(_RECEIPTS)}")
        found = [(phone, read) for phone in self.phones.values() for read in phone.read if read.id == id]
        if not found:
            raise ValueError("message_id: no phone has such a message")
        for phone, read in found:
            if not read.echo:
                phone.acknowledge(read, _RECEIPTS[status])

    def typing(self, order: dict[str, Any]) -> None:
        """`{from, to, state}`: `composing` or `paused`, with `media: audio` for a recording."""
        sender, to = self.person(order.get("from")), self._chat(order.get("to"))
        if isinstance(to, Group):
            raise ValueError("to: must be a phone number")
        state = Node(str(order.get("state", "composing")), {"media": str(order.get("media", "text"))})
        attrs = {"to": str(to.jid(lid=sender.lid_addressed))}
        self._relay.settings.chat_state(
            self._relay.directory, self.phones[sender].device, Node("chatstate", attrs, [state])
        )

    def call(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{from, to, what, call_id}`: a call is offered (`offer`), or ended (`terminate`)."""
        caller, to = self.person(order.get("from")), self._chat(order.get("to"))
        if isinstance(to, Group):
            raise ValueError("to: must be a phone number")
        call_id = str(order.get("call_id") or f"CALL{next(self._calls):028}")
        jid = str(caller.jid(lid=to.lid_addressed))
        about = {"call-id": call_id, "call-creator": jid} | (
            {"caller_pn": str(caller.phone_jid)} if to.lid_addressed else {}
        )
        content = [Node("audio", {"enc": "opus", "rate": "16000"})]
        offer = Node(str(order.get("what", "offer")), about, content)
        attrs = {"id": new_id("call"), "from": jid, "t": now(), "notify": caller.name, "platform": "android"}
        for device in to.companions:
            device.deliver(Node("call", attrs, [offer]))
        return {"call_id": call_id}

    def sent(self) -> list[dict[str, Any]]:
        """The messages of linked devices, oldest first: as the relay saw them, and as a phone decrypted them.

        `error`: why the relay refused it, 0 for what it took. `text`, `message` (`Message` as JSON): what the
        phone of a recipient read; None if none has.
        """
        read = {
            each.id: each.message
            for phone in self.phones.values()
            for each in phone.read
            if each.sender.account is not phone.account
        }
        return [
            _told(sent, read.get(sent.node.get("id")))
            for sent in self._relay.messages.sent
            if sent.sender.number
        ]

    def _chat(self, value: Any) -> Account | Group:
        text = str(value or "")
        if "@" not in text:
            return self.person(text)
        try:
            jid = Jid.parse(text)
        except MalformedJid:
            raise ValueError("to: must be a phone number or the id of a group") from None
        found = self._relay.groups.find(jid) or self._relay.directory.of_jid(jid)
        if found is None:
            raise ValueError("to: there is no such group or person")
        return found

    def message_of(self, order: dict[str, Any]) -> Message:
        """What `text`, `media` or `message` of an order say. Raises `ValueError`."""
        if "message" in order:
            try:
                return json_format.ParseDict(order["message"], Message())
            except json_format.ParseError as error:
                raise ValueError(f"message: {error}") from None
        if "media" in order:
            return self._file(order["media"])
        if "text" not in order:
            raise ValueError("text: is missing, or `media`, or `message`, WhatsApp's message as JSON")
        return Message(conversation=str(order["text"]))

    def _file(self, value: Any) -> Message:
        if not isinstance(value, dict) or value.get("type") not in _MEDIA:
            raise ValueError(f"media.type: must be one of {', '.join(_MEDIA)}")
        name, kind, mime_type = _MEDIA[value["type"]]
        try:
            content = base64.b64decode(value["content"], validate=True)
        except (KeyError, ValueError, TypeError):
            raise ValueError("media.content: must be base64") from None
        message = Message()
        part = getattr(message, name)
        self._media.fill(part, kind, content)
        part.mimetype = str(value.get("mime_type", mime_type))
        for field, given in (("caption", "caption"), ("fileName", "filename")):
            if given in value and hasattr(part, field):
                setattr(part, field, str(value[given]))
        if value["type"] == "voice":
            part.PTT, part.seconds, part.waveform = True, 3, bytes(64)
        return message


def _told(sent: Sent, message: Message | None) -> dict[str, Any]:
    text = message.conversation or message.extendedTextMessage.text if message is not None else None
    return {
        "id": sent.node.get("id"),
        "from": str(sent.sender.phone_jid),
        "to": sent.node.get("to"),
        "error": sent.error,
        "text": text,
        "message": json_format.MessageToDict(message) if message is not None else None,
    }
