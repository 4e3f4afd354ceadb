"""Kinds of messages: one row of `KINDS` for each field of `Message` that is said to a human.

A row says our type, and the function that says the field's text, files and typed fields. Names and numbers of
the fields are those of the public definitions (`protocols/whatsapp/whatsapp.proto`). What carries a message
inside is in `wrappers.py`; what changes another message, or is between devices, in `parse.py`.
"""

import base64
from collections.abc import Callable
from typing import Any

import attrs

from unifyport.model.inbound import Attachment, Button, MessageType
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa

from .files import FileHandle
from .limits import MOST_LISTED


@attrs.define
class Said:
    """What a field says. `fields` become fields of the message in the event."""

    text: str = ""
    file: FileHandle | None = None
    title: str = ""  # of the file
    duration_ms: int | None = None
    fields: dict[str, Any] = attrs.field(factory=dict)
    button: Button | None = None


@attrs.frozen
class Kind:
    type: MessageType
    say: Callable[[Any], Said]
    name: str  # the platform's word, without `Message`


def _text(message: wa.ExtendedTextMessage) -> Said:
    preview = {"url": message.matchedText, "title": message.title, "description": message.description}
    shown = {name: value for name, value in preview.items() if value}
    return Said(message.text, fields={"link_preview": shown} if message.title else {})


def _image(message: wa.ImageMessage) -> Said:
    size = {"width": message.width, "height": message.height}
    return Said(message.caption, FileHandle.of("image", message), fields={k: v for k, v in size.items() if v})


def _video(message: wa.VideoMessage) -> Said:
    flags = {"animated": True} if message.gifPlayback else {}
    file = FileHandle.of("video", message)
    return Said(message.caption, file, duration_ms=message.seconds * 1000 or None, fields=flags)


def _round_video(message: wa.VideoMessage) -> Said:
    said = _video(message)
    said.fields["round"] = True
    return said


def _audio(message: wa.AudioMessage) -> Said:
    fields: dict[str, Any] = {"voice": True} if message.PTT else {}
    if message.waveform:
        fields["waveform"] = base64.b64encode(message.waveform).decode()
    file = FileHandle.of("audio", message)
    return Said("", file, duration_ms=message.seconds * 1000 or None, fields=fields)


def _document(message: wa.DocumentMessage) -> Said:
    file = FileHandle.of("document", message)
    return Said(message.caption, file, title=message.fileName or message.title)


def _sticker(message: wa.StickerMessage) -> Said:
    fields = {"animated": True} if message.isAnimated or message.isLottie else {}
    return Said(message.accessibilityLabel, FileHandle.of("sticker", message), fields=fields)


def _location(message: wa.LocationMessage) -> Said:
    return _place(message.degreesLatitude, message.degreesLongitude, message.name, message.address)


def _live_location(message: wa.LiveLocationMessage) -> Said:
    said = _place(message.degreesLatitude, message.degreesLongitude, message.caption, "")
    said.fields["live"] = True
    return said


def _place(latitude: float, longitude: float, name: str, address: str) -> Said:
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # nor a number at all
        return Said("\n".join(part for part in (name, address) if part))
    shown: dict[str, Any] = {"latitude": latitude, "longitude": longitude}
    shown |= {key: value for key, value in (("name", name), ("address", address)) if value}
    text = "\n".join(part for part in (name, address, f"{latitude:.6f},{longitude:.6f}") if part)
    return Said(text, fields={"location": shown})


def _contact(message: wa.ContactMessage) -> Said:
    card = {"display_name": message.displayName, "vcard": message.vcard}
    return Said(message.vcard or message.displayName, fields={"contacts": [card]})


def _contacts(message: wa.ContactsArrayMessage) -> Said:
    said = [_contact(each) for each in message.contacts[:MOST_LISTED]]
    cards = [each.fields["contacts"][0] for each in said]
    return Said("\n".join(each.text for each in said), fields={"contacts": cards})


def _poll(message: wa.PollCreationMessage) -> Said:
    options = [option.optionName for option in message.options[:MOST_LISTED]]
    shown = {"question": message.name, "options": options, "selectable": message.selectableOptionsCount}
    return Said("\n- ".join([message.name, *options]), fields={"poll": shown})


def _event(message: wa.EventMessage) -> Said:
    place = message.location.name or message.location.address
    text = "\n".join(part for part in (message.name, message.description, place, message.joinLink) if part)
    shown = {"name": message.name, "starts_at": message.startTime, "canceled": message.isCanceled}
    return Said(text, fields={"event": {name: value for name, value in shown.items() if value}})


def _group_invite(message: wa.GroupInviteMessage) -> Said:
    text = "\n".join(part for part in (message.caption, message.groupName) if part)
    shown = {"group_id": message.groupJID, "name": message.groupName, "expires_at": message.inviteExpiration}
    return Said(text, fields={"group_invite": {name: value for name, value in shown.items() if value}})


def _button(message: wa.ButtonsResponseMessage | wa.TemplateButtonReplyMessage) -> Said:
    reply = isinstance(message, wa.ButtonsResponseMessage)
    id_ = message.selectedButtonID if reply else message.selectedID  # type: ignore[union-attr]
    title = message.selectedDisplayText or id_
    return Said(title, button=Button(id_, title))


def _list_reply(message: wa.ListResponseMessage) -> Said:
    id_ = message.singleSelectReply.selectedRowID
    title = message.title or id_
    return Said(title, button=Button(id_, title, message.description))


def _interactive_reply(message: wa.InteractiveResponseMessage) -> Said:
    flow = message.nativeFlowResponseMessage
    text = message.body.text or flow.paramsJSON or flow.name
    return Said(text, button=Button(flow.name, message.body.text or flow.name) if flow.name else None)


def _buttons(message: wa.ButtonsMessage) -> Said:
    titles = [button.buttonText.displayText for button in message.buttons]
    parts = (message.text, message.contentText, message.footerText, *(f"- {title}" for title in titles))
    return Said("\n".join(part for part in parts if part))


def _list(message: wa.ListMessage) -> Said:
    rows = [row.title for section in message.sections for row in section.rows]
    parts = (message.title, message.description, message.footerText, *(f"- {row}" for row in rows))
    return Said("\n".join(part for part in parts if part))


def _template(message: wa.TemplateMessage) -> Said:
    inner = message.hydratedTemplate
    if not message.HasField("hydratedTemplate"):
        inner = message.hydratedFourRowTemplate
    parts = (inner.hydratedTitleText, inner.hydratedContentText, inner.hydratedFooterText)
    return Said("\n".join(part for part in parts if part))


def _interactive(message: wa.InteractiveMessage) -> Said:
    parts = (message.header.title, message.header.subtitle, message.body.text, message.footer.text)
    return Said("\n".join(part for part in parts if part))


def _order(message: wa.OrderMessage) -> Said:
    shown = {"id": message.orderID, "items": message.itemCount, "currency": message.totalCurrencyCode}
    text = "\n".join(part for part in (message.orderTitle, message.message) if part)
    return Said(text, fields={"order": {name: value for name, value in shown.items() if value}})


def _product(message: wa.ProductMessage) -> Said:
    product = message.product
    parts = (product.title, product.description, message.body, product.URL)
    shown = {"id": product.productID, "retailer_id": product.retailerID, "title": product.title}
    text = "\n".join(part for part in parts if part)
    return Said(text, fields={"product": {name: value for name, value in shown.items() if value}})


def _album(message: wa.AlbumMessage) -> Said:
    counted = ((message.expectedImageCount, "pictures"), (message.expectedVideoCount, "videos"))
    parts = ", ".join(f"{count} {what}" for count, what in counted if count)
    return Said(f"[album: {parts or 'empty'}]")


def _nothing(message: Any) -> Said:
    return Said()


# Field of `Message` -> what it says. The order is that in which fields are looked for.
KINDS: dict[str, Kind] = {
    "extendedTextMessage": Kind("text", _text, "text"),
    "imageMessage": Kind("image", _image, "image"),
    "videoMessage": Kind("video", _video, "video"),
    "ptvMessage": Kind("video", _round_video, "ptv"),
    "audioMessage": Kind("audio", _audio, "audio"),
    "documentMessage": Kind("document", _document, "document"),
    "stickerMessage": Kind("sticker", _sticker, "sticker"),
    "locationMessage": Kind("location", _location, "location"),
    "liveLocationMessage": Kind("location", _live_location, "live_location"),
    "contactMessage": Kind("contact", _contact, "contact"),
    "contactsArrayMessage": Kind("contact", _contacts, "contacts"),
    "pollCreationMessage": Kind("unknown", _poll, "poll"),
    "pollCreationMessageV2": Kind("unknown", _poll, "poll"),
    "pollCreationMessageV3": Kind("unknown", _poll, "poll"),
    "pollCreationMessageV5": Kind("unknown", _poll, "poll"),
    "pollCreationMessageV6": Kind("unknown", _poll, "poll"),
    "eventMessage": Kind("unknown", _event, "event"),
    "groupInviteMessage": Kind("unknown", _group_invite, "group_invite"),
    "buttonsResponseMessage": Kind("text", _button, "button"),
    "templateButtonReplyMessage": Kind("text", _button, "button"),
    "listResponseMessage": Kind("text", _list_reply, "list_reply"),
    "interactiveResponseMessage": Kind("text", _interactive_reply, "interactive_reply"),
    "buttonsMessage": Kind("text", _buttons, "buttons"),
    "listMessage": Kind("text", _list, "list"),
    "templateMessage": Kind("text", _template, "template"),
    "interactiveMessage": Kind("text", _interactive, "interactive"),
    "orderMessage": Kind("unknown", _order, "order"),
    "productMessage": Kind("unknown", _product, "product"),
    "albumMessage": Kind("unknown", _album, "album"),
    "placeholderMessage": Kind("unknown", _nothing, "placeholder"),
    "encCommentMessage": Kind("unknown", _nothing, "comment"),
    "call": Kind("unknown", _nothing, "call_invitation"),
}


def attachment(type_: str, said: Said, message_id: str) -> Attachment | None:
    """The file of a message, None if there is none that could be fetched."""
    file = said.file
    if file is None:
        return None
    handle = file.dump()
    return Attachment(
        type=type_,
        file_id=message_id,
        title=said.title,
        mime_type=file.mime_type,
        size=file.size or None,
        duration_ms=said.duration_ms,
        sha256=file.sha256.hex(),
        handle=handle,
    )
