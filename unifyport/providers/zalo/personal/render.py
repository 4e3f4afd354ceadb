"""Our message -> the request that sends it. Pure.

`client_id` is a number of ours, unix milliseconds or above the last one used: Zalo gives it back as
`cliMsgId` of the message, by which its echo settles the send. A person is addressed by `toid`, a group by
`grid`. As in https://github.com/RFS-ADRENO/zca-js 2.2.0 (`src/apis/sendMessage.ts`).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from unifyport.model.entities import in_utf16
from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.fields import invalid

from .calls import Call, Session
from .kinds import EVERYBODY, KINDS
from .messages import Reference
from .people import is_conversation, is_group, receiver

MAX_TEXT: Final = 2000  # characters; Zalo publishes no limit
MAX_MENTIONS: Final = 200
ALL: Final = "all"  # the anchor of everybody
STYLES: Final = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "red": "c_db342e",
    "orange": "c_f27806",
    "yellow": "c_f7b503",
    "green": "c_15a85f",
    "small": "f_13",
    "big": "f_18",
    "unordered_list": "lst_1",
    "ordered_list": "lst_2",
}
_ANCHOR = re.compile(r"\{\{@([0-9]{1,32}|all)\}\}")
_NOT_QUOTED: Final = frozenset({"group.poll"})


@attrs.frozen
class Text:
    """A text with its mentions, which count in code points of `text`."""

    text: str
    mentions: tuple[Mapping[str, Any], ...] = ()


def check(message: OutboundMessage) -> None:
    """Raises `Rejected` for a message that can only be refused."""
    if not is_conversation(message.conversation_id):
        raise Rejected("invalid_recipient", "to.id is a user's id, or g and a group's id")
    if is_group(message.conversation_id) != (message.conversation_type == "group"):
        raise Rejected("invalid_recipient", "to.type is group for an id that begins with g, else user")
    if len(message.text) > MAX_TEXT:
        raise Rejected("text_too_long", f"at most {MAX_TEXT} characters")
    styles_of(message.text, message.provider_data.get("styles", []))
    sticker = message.provider_data.get("sticker")
    if sticker is not None:
        _check_sticker(message, sticker)
    match message:
        case OutboundText() if not message.text and sticker is None:
            raise Rejected("empty_text", "message.text is empty")
        case OutboundMedia() | OutboundContacts() if message.reply_to_message_id is not None:
            raise Rejected("only_texts_quote", "Zalo takes a quote with a text only")
        case OutboundMedia() if message.text and message.type != "image":
            raise Rejected("no_caption", "Zalo shows no text with a file that is no picture")
        case OutboundContacts():
            phone_of(message)


def _check_sticker(message: OutboundMessage, sticker: Mapping[str, Any]) -> None:
    for name in ("id", "cateId", "type"):
        number = sticker.get(name)
        if type(number) is not int or not 0 <= number < 2**53:
            raise invalid(f"sticker.{name}", "must be a number of the catalogue")
    if message.text or message.reply_to_message_id is not None:
        raise Rejected("no_caption", "Zalo shows neither a text nor a quote with a sticker")


def phone_of(message: OutboundContacts) -> str:
    """The digits of the one number of the one contact. Raises `Rejected`."""
    [contact, *others] = message.contacts
    digits = re.sub(r"[^0-9]", "", contact.phones[0].number) if contact.phones else ""
    if others or not digits:
        raise Rejected("unsupported_contact", "Zalo takes one contact in a message, with a phone number")
    return digits


def text_of(message: OutboundMessage, names: Mapping[str, str]) -> Text:
    """The text with `@name` in place of anchors. `names`: user id -> name in this group.

    Ids that `mentions` does not have keep their anchor; outside of a group a name is only text.
    """
    pieces: list[str] = []
    marks: list[dict[str, Any]] = []
    at = length = 0
    for found in _ANCHOR.finditer(message.text):
        id_ = found[1]
        if id_ not in message.mentions or len(marks) == MAX_MENTIONS:
            continue
        before = message.text[at : found.start()]
        name = "@All" if id_ == ALL else f"@{names.get(id_) or id_}"
        pieces += [before, name]
        length += len(before)
        marks.append({"user": EVERYBODY if id_ == ALL else id_, "offset": length, "length": len(name)})
        length += len(name)
        at = found.end()
    text = "".join([*pieces, message.text[at:]])
    return Text(text, tuple(marks) if is_group(message.conversation_id) else ())


def text_call(
    session: Session,
    message: OutboundMessage,
    said: Text,
    *,
    client_id: int,
    quoted: Reference | None = None,
) -> Call:
    """A text, with styles, mentions and a quote. Raises `Rejected` for what cannot be quoted."""
    in_group = is_group(message.conversation_id)
    fields: dict[str, Any] = {"message": said.text, "clientId": client_id, "ttl": 0}
    fields |= receiver(message.conversation_id)
    if in_group:
        fields["visibility"] = 0
    else:
        fields["imei"] = session.device.imei
    if said.mentions:
        fields["mentionInfo"] = _json(_mentions(said))
    if styles := styles_of(said.text, message.provider_data.get("styles", [])):
        fields["textProperties"] = _json({"styles": styles, "ver": 0})
    if quoted is not None:
        fields |= _quote(quoted)
    action = "quote" if quoted else "sms" if not in_group else "mention" if said.mentions else "sendmsg"
    service, room = ("group", "group") if in_group else ("chat", "message")
    return session.call(service, f"/api/{room}/{action}", fields, nretry="0")


def styles_of(text: str, styles: Any) -> list[dict[str, Any]]:
    """`[{"style", "offset", "length"}]` in code points -> Zalo's, in UTF-16 units. Raises `Rejected`."""
    if not isinstance(styles, list):
        raise invalid("styles", "must be a list")
    marks = []
    for each in styles:
        if not isinstance(each, dict) or each.get("style") not in STYLES:
            raise invalid("styles", f"style must be one of {', '.join(STYLES)}")
        offset, length = each.get("offset"), each.get("length")
        if type(offset) is not int or type(length) is not int or offset < 0 or length < 1:
            raise invalid("styles", "offset and length must be numbers")
        if offset + length <= len(text):
            marks.append({"offset": offset, "length": length, "st": STYLES[each["style"]]})
    return [
        {"start": mark["offset"], "len": mark["length"], "st": mark["st"]} for mark in in_utf16(text, marks)
    ]


def _mentions(said: Text) -> list[dict[str, Any]]:
    return [
        {
            "pos": mark["offset"],
            "len": mark["length"],
            "uid": mark["user"],
            "type": 1 if mark["user"] == EVERYBODY else 0,
        }
        for mark in in_utf16(said.text, said.mentions)
    ]


def _quote(quoted: Reference) -> dict[str, Any]:
    kind = KINDS.get(quoted.kind)
    if kind is None or quoted.kind in _NOT_QUOTED:
        raise Rejected("cannot_be_quoted", "Zalo does not let this kind of message be quoted")
    fields: dict[str, Any] = {
        "qmsgOwner": quoted.sender,
        "qmsgId": quoted.message_id,
        "qmsgCliId": quoted.client_id,
        "qmsgType": kind.code,
        "qmsgTs": str(quoted.at),
        "qmsg": quoted.text if quoted.kind == "webchat" else "",
        "qmsgTTL": 0,
    }
    if is_group(quoted.conversation_id) and quoted.kind != "webchat":
        fields["qmsgAttach"] = _json({"title": quoted.text})
    return fields


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
