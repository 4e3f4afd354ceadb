"""Cloud API webhooks -> provider events. Pure.

Shapes: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components. One request holds any
number of `entry[].changes[]`, each about the number in its `metadata.phone_number_id`. Every item of a change
is parsed in its own `try`: an item that cannot be read becomes `Unparsed` and never stops the others.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw, Struct

from unifyport.model.inbound import (
    Attachment,
    Button,
    Content,
    Conversation,
    Ignored,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    ProviderEvent,
    ReactionChanged,
    Sender,
    Status,
    StatusChanged,
    Unparsed,
    dedupe_key,
)
from unifyport.providers.contract.ingress import Addressed


class Change(Struct):
    field: str
    value: Raw = Raw(b"{}")


class Entry(Struct):
    changes: list[Raw] | None = None


class Webhook(Struct):
    entry: list[Raw]


class Metadata(Struct):
    phone_number_id: str


class Profile(Struct, frozen=True):
    name: str = ""
    username: str = ""


class Customer(Struct):
    """`wa_id`: the phone number without `+`, empty if it is hidden. `user_id`: the business-scoped id."""

    wa_id: str = ""
    user_id: str = ""
    profile: Profile = Profile()


_NULL = Raw(b"null")


class Value(Struct):
    """Each list is decoded by itself, so that a malformed one does not affect the others."""

    metadata: Metadata
    contacts: Raw = _NULL
    messages: Raw = _NULL
    statuses: Raw = _NULL
    errors: Raw = _NULL


class Text(Struct):
    body: str


class File(Struct):
    id: str
    mime_type: str = ""
    sha256: str = ""
    caption: str = ""
    filename: str = ""


class Location(Struct):
    latitude: float
    longitude: float
    name: str = ""
    address: str = ""


class Choice(Struct):
    id: str
    title: str


class Form(Struct):
    response_json: str = ""
    name: str = ""
    body: str = ""


class Interactive(Struct):
    type: str
    button_reply: Choice | None = None
    list_reply: Choice | None = None
    nfm_reply: Form | None = None


class TemplateButton(Struct):
    text: str
    payload: str = ""


class Reaction(Struct):
    message_id: str
    emoji: str = ""


class Order(Struct):
    text: str = ""


class Context(Struct):
    id: str | None = None


class Revoke(Struct):
    original_message_id: str


class Edit(Struct):
    original_message_id: str
    message: Raw


class Name(Struct, frozen=True):
    formatted_name: str = ""
    first_name: str = ""
    last_name: str = ""


class Phone(Struct):
    phone: str = ""


class Card(Struct):
    name: Name = Name()
    phones: list[Phone] = []


class Body(Struct):
    """The content of a message, or the new content of an edited one."""

    type: str
    context: Context | None = None
    text: Text | None = None
    image: File | None = None
    video: File | None = None
    audio: File | None = None
    document: File | None = None
    sticker: File | None = None
    location: Location | None = None
    contacts: list[Card] | None = None
    interactive: Interactive | None = None
    button: TemplateButton | None = None
    order: Order | None = None


class Message(Body, rename={"from_": "from"}):
    id: str = ""
    timestamp: str | int = ""
    from_: str = ""
    from_user_id: str = ""
    group_id: str = ""
    reaction: Reaction | None = None
    revoke: Revoke | None = None
    edit: Edit | None = None


class ErrorData(Struct, frozen=True):
    details: str = ""


class Error(Struct):
    code: int
    title: str = ""
    message: str = ""
    error_data: ErrorData = ErrorData()


class StatusItem(Struct):
    id: str
    status: str
    timestamp: str | int
    recipient_id: str = ""
    recipient_user_id: str = ""
    recipient_type: str = ""
    biz_opaque_callback_data: str = ""
    errors: list[Error] = []


_ITEMS = msgspec.json.Decoder(list[Raw] | None)
_FILES = ("image", "video", "audio", "document", "sticker")
_UNINTERESTING = frozenset({"system", "request_welcome"})  # notices about a customer's account, no messages
_STATUSES = {str(status): status for status in Status}
_SILENT_STATUSES = frozenset({"played", "deleted"})  # no standard event corresponds to them
_DIGITS = re.compile(r"[0-9]{1,11}")
_PHONE_NUMBER = re.compile(r"[0-9]{5,20}")


def parse_webhook(body: bytes, identity: str) -> list[Addressed]:
    """Every item of a webhook, in order. Items without a number are addressed to `identity`. Never raises."""
    found: list[Addressed] = []
    try:
        entries = msgspec.json.decode(body, type=Webhook).entry
    except Exception as error:
        return [_unreadable(body, identity, error)]
    for entry in entries:
        try:
            changes = msgspec.json.decode(entry, type=Entry).changes or []
        except Exception as error:
            found.append(_unreadable(bytes(entry), identity, error))
            continue
        for change in changes:
            found += _of_change(bytes(change), identity)
    return found


def _of_change(raw: bytes, identity: str) -> list[Addressed]:
    try:
        change = msgspec.json.decode(raw, type=Change)
        if change.field != "messages":  # templates, account notices, calls: no standard event
            return [Addressed(identity, Ignored(_raw_key(identity, raw)), raw)]
        value = msgspec.json.decode(change.value, type=Value)
    except Exception as error:
        return [_unreadable(raw, identity, error)]
    number = value.metadata.phone_number_id
    customers = _customers(value.contacts)
    found: list[Addressed] = []
    readers: list[tuple[Raw, Callable[[bytes], Addressed]]] = [
        (value.messages, lambda item: _of_message(item, number, customers)),
        (value.statuses, lambda item: _of_status(item, number)),
        (value.errors, lambda item: _of_error(item, number)),
    ]
    for items, read in readers:
        try:
            found += [read(bytes(item)) for item in _list(items)]
        except msgspec.DecodeError as error:
            found.append(_unreadable(bytes(items), number, error))
    return found


def _list(items: Raw) -> list[Raw]:
    """The items of a list; absent and null are an empty list. Raises `DecodeError` if it is not a list."""
    return _ITEMS.decode(items) or []


def _of_error(raw: bytes, number: str) -> Addressed:
    return Addressed(number, Unparsed(_raw_key(number, raw), raw, "platform_error"), raw)


def _of_message(raw: bytes, number: str, customers: Mapping[str, Customer]) -> Addressed:
    message: Message | None = None
    try:
        message = msgspec.json.decode(raw, type=Message)
        at = _milliseconds(message.timestamp)
        return Addressed(number, _message(message, number, at, customers), raw, at)
    except Exception as error:
        unparsed = Unparsed(_raw_key(number, raw), raw, f"parse: {type(error).__name__}")
        _recognise(unparsed, raw, number, customers)
        return Addressed(number, unparsed, raw, unparsed.sent_at)


def _message(message: Message, number: str, at: int, customers: Mapping[str, Customer]) -> ProviderEvent:
    if not message.id:
        raise ValueError("no id")
    key = dedupe_key("whatsapp", number, "message", message.id)
    if message.type in _UNINTERESTING:
        return Ignored(key)
    sender = _sender(message, customers)
    conversation = _conversation(message, sender)
    if message.reaction is not None:
        reaction = message.reaction
        return ReactionChanged(key, conversation, sender, message.id, reaction.message_id, reaction.emoji, at)
    if message.revoke is not None:
        return MessageDeleted(key, conversation, message.revoke.original_message_id, at)
    if message.edit is not None:
        edited = msgspec.json.decode(message.edit.message, type=Body)
        content = _content(edited, message.edit.original_message_id)
        return MessageEdited(key, conversation, sender, content, at)
    return MessageReceived(key, conversation, sender, _content(message, message.id), at)


def _customers(items: Raw) -> dict[str, Customer]:
    """Customers by each of their ids. Entries that cannot be read are left out: only names are lost."""
    found: dict[str, Customer] = {}
    try:
        known = _list(items)
    except msgspec.DecodeError:
        return found
    for item in known:
        try:
            customer = msgspec.json.decode(item, type=Customer)
        except msgspec.DecodeError:
            continue
        found |= {name: customer for name in (customer.wa_id, customer.user_id) if name}
    return found


def _sender(message: Message, customers: Mapping[str, Customer]) -> Sender:
    id_ = message.from_ or message.from_user_id
    if not id_:
        raise ValueError("no sender")
    known = customers.get(id_, Customer())
    phone = f"+{id_}" if _PHONE_NUMBER.fullmatch(id_) else ""
    return Sender(id_, "user", known.profile.name, known.profile.username, phone)


def _conversation(message: Message, sender: Sender) -> Conversation:
    if message.group_id:
        return Conversation(message.group_id, "group")
    return Conversation(sender.id, "user", sender.name)


def _content(body: Body, message_id: str) -> Content:
    content = Content(message_id, "unknown")
    if body.context is not None:
        content.reply_to_message_id = body.context.id
    if body.text is not None:
        content.type, content.text = "text", body.text.body
    elif body.location is not None:
        content.type, content.text = "location", _place(body.location)
    elif body.contacts is not None:
        content.type, content.text = "contact", "\n".join(_vcard(card) for card in body.contacts)
    elif body.button is not None:
        content.type, content.text = "text", body.button.text
        content.button = Button(body.button.payload, body.button.text)
    elif body.interactive is not None:
        _choice(body.interactive, content)
    elif body.order is not None:
        content.text = body.order.text
    else:
        for kind in _FILES:
            file: File | None = getattr(body, kind)
            if file is not None:
                content.type = kind  # type: ignore[assignment]
                content.text, content.attachments = file.caption, [_attachment(kind, file)]
                break
    return content


def _choice(interactive: Interactive, content: Content) -> None:
    """Fill `content` from a button, a list row, or a form, whose answers (JSON) become the text."""
    choice = interactive.button_reply or interactive.list_reply
    if choice is not None:
        content.type, content.text = "text", choice.title
        content.button = Button(choice.id, choice.title)
    elif interactive.nfm_reply is not None:
        content.type, content.text = "text", interactive.nfm_reply.response_json


def _attachment(kind: str, file: File) -> Attachment:
    return Attachment(
        type=kind,
        file_id=file.id,
        title=file.filename,
        mime_type=file.mime_type,
        sha256=hex_digest(file.sha256),
    )


def hex_digest(digest: str) -> str:
    """A SHA-256 digest as hex: Meta writes it in base64 or in hex. Empty for anything else."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        return digest.lower()
    try:
        plain = base64.b64decode(digest, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return plain.hex() if len(plain) == hashlib.sha256().digest_size else ""


def _place(location: Location) -> str:
    point = f"{location.latitude:.6f},{location.longitude:.6f}"
    return "\n".join(part for part in (location.name, location.address, point) if part)


def _vcard(card: Card) -> str:
    name = card.name
    full = name.formatted_name or f"{name.first_name} {name.last_name}".strip()
    phones = "".join(f"TEL:{phone.phone}\n" for phone in card.phones if phone.phone)
    return f"BEGIN:VCARD\nVERSION:3.0\nN:{name.last_name};{name.first_name};;;\nFN:{full}\n{phones}END:VCARD"


def _of_status(raw: bytes, number: str) -> Addressed:
    try:
        item = msgspec.json.decode(raw, type=StatusItem)
        at = _milliseconds(item.timestamp)
        recipient = item.recipient_id or item.recipient_user_id
        key = dedupe_key("whatsapp", number, "status", item.id, item.status, item.timestamp, recipient)
        return Addressed(number, _status(item, key, recipient, at), raw, at)
    except Exception as error:
        reason = f"parse: {type(error).__name__}"
        return Addressed(number, Unparsed(_raw_key(number, raw), raw, reason), raw)


def _status(item: StatusItem, key: bytes, recipient: str, at: int) -> ProviderEvent:
    if item.status in _SILENT_STATUSES:
        return Ignored(key)
    if not recipient:
        raise ValueError("no recipient")
    conversation = Conversation(recipient, "group" if item.recipient_type == "group" else "user")
    error = None
    if item.errors:
        first = item.errors[0]
        error = {
            "code": first.code,
            "title": first.title or first.message,
            "details": first.error_data.details,
        }
    return StatusChanged(
        key, conversation, [item.id], _STATUSES[item.status], at, error, item.biz_opaque_callback_data
    )


def _milliseconds(seconds: str | int) -> int:
    """Unix milliseconds. Raises `ValueError` if it is not a number of seconds."""
    if not _DIGITS.fullmatch(str(seconds)):
        raise ValueError("timestamp")
    return int(seconds) * 1000


def _raw_key(number: str, raw: bytes) -> bytes:
    return dedupe_key("whatsapp", number, "raw", hashlib.sha256(raw).hexdigest())


def _unreadable(raw: bytes, identity: str, error: Exception) -> Addressed:
    reason = f"parse: {type(error).__name__}"
    return Addressed(identity, Unparsed(_raw_key(identity, raw), raw, reason), raw)


class _Outline(Struct, rename={"from_": "from"}):
    """The fields of a message that an event of type `unknown` needs."""

    id: str
    timestamp: str | int
    from_: str = ""
    from_user_id: str = ""
    group_id: str = ""


def _recognise(unparsed: Unparsed, raw: bytes, number: str, customers: Mapping[str, Customer]) -> None:
    """Fill in sender, conversation, id and time, if they can be read."""
    try:
        outline = msgspec.json.decode(raw, type=_Outline)
        message = Message(
            type="",
            id=outline.id,
            from_=outline.from_,
            from_user_id=outline.from_user_id,
            group_id=outline.group_id,
        )
        sender = _sender(message, customers)
        unparsed.sent_at = _milliseconds(outline.timestamp)
    except Exception:
        return
    unparsed.key = dedupe_key("whatsapp", number, "message", outline.id)
    unparsed.conversation, unparsed.sender = _conversation(message, sender), sender
    unparsed.message_id = outline.id
