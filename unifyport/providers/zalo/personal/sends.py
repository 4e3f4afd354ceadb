"""What a command is on this connection: rendered, sent, and remembered.

A message is marked as sending, with its client id as `client_ref`, right before the request that sends it;
a file is uploaded before that. The echo of the message brings the client id back and settles a send whose
answer was lost.
"""

from typing import Any

from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.capabilities import CONTACT_NOT_FOUND, Sent, Target
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.http import UPLOAD_SECONDS, nothing_applied

from . import lookups, requests
from .calls import Call, read_answer
from .files import File, Picture, file_call, is_picture, picture_call, sticker_call
from .icons import icon_of
from .link import PersonalLink
from .messages import Reference
from .people import is_group
from .records import SENT
from .render import MAX_MENTIONS, phone_of, text_call, text_of
from .shapes import exact
from .voice import voice_call

_EXTENSIONS = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
_NAMES = {"image": "image", "video": "video.mp4", "audio": "audio.m4a", "document": "file"}


class Sends:
    """The sending commands of a connection that is up."""

    def __init__(self, link: PersonalLink) -> None:
        self._link = link
        self.session = link.session
        self.next_client_id = link.next_client_id
        self.now_ms = link.clock.now_ms

    # -- messages -------------------------------------------------------------------------------------------

    async def send(self, message: OutboundMessage, quoted: str | None = None) -> Sent:
        """Send a message of a command, once."""
        if isinstance(message, OutboundMedia):
            return await self._send_file(message)
        client_id = self._link.next_client_id()
        session = self.session
        if sticker := message.provider_data.get("sticker"):
            call = sticker_call(session, message.conversation_id, sticker, client_id)
            return await self._post(message, call, str(client_id), "chat.sticker")
        reference = None
        if quoted is not None:
            reference = await self._reference(message.conversation_id, quoted)
        said = text_of(message, await self._names(message))
        call = text_call(session, message, said, client_id=client_id, quoted=reference)
        return await self._post(message, call, str(client_id), "webchat", said.text)

    async def send_card(self, message: OutboundContacts) -> Sent:
        """A card of a person whom Zalo knows by the phone number."""
        link, chat = self._link, message.conversation_id
        phone = phone_of(message)
        try:
            found = await self.look_up(lookups.find_call(link.session, phone))
        except Rejected as refused:
            raise Rejected(CONTACT_NOT_FOUND, "nobody at Zalo has this number", code=refused.code) from None
        user_id = exact(found.get("uid")) if isinstance(found, dict) else ""
        if not user_id:
            raise Rejected(CONTACT_NOT_FOUND, "nobody at Zalo has this number")
        pictures = await self.look_up(lookups.qr_call(link.session, user_id))
        picture = pictures.get(user_id) if isinstance(pictures, dict) else None
        card = {"contactUid": user_id, "qrCodeUrl": picture or "", "phone": phone}
        client_id = link.next_client_id()
        call = lookups.card_call(link.session, chat, card, client_id)
        return await self._post(message, call, str(client_id), "chat.recommended")

    async def _names(self, message: OutboundMessage) -> dict[str, str]:
        """The names of those whom a text of a group mentions, as far as Zalo says them."""
        ids = [id_ for id_ in message.mentions if id_.isdigit()][:MAX_MENTIONS]
        if not ids or not is_group(message.conversation_id):
            return {}
        try:
            data = await self.look_up(lookups.members_info_call(self.session, ids))
        except Rejected:
            return {}
        profiles = data.get("profiles") if isinstance(data, dict) else None
        found = profiles if isinstance(profiles, dict) else {}
        shown = {id_.partition("_")[0]: value for id_, value in found.items() if isinstance(value, dict)}
        names = {id_: value.get("displayName") for id_, value in shown.items()}
        return {id_: name for id_, name in names.items() if isinstance(name, str) and name}

    async def _send_file(self, message: OutboundMedia) -> Sent:
        session, chat = self.session, message.conversation_id
        name = message.name or _NAMES[message.type]
        if not is_picture(name):
            name += _EXTENSIONS.get(message.mime_type, "") if message.type == "image" else ""
        if message.text and not is_picture(name):
            raise Rejected("no_caption", "Zalo shows no text with a file that is no picture")
        client_id = self._link.next_client_id()
        found = await self._link.uploads.upload(message, name, client_id)
        match found.content:
            case Picture() as picture:
                call = picture_call(session, chat, picture, message.text, client_id=client_id)
                return await self._post(message, call, str(client_id), "chat.photo", message.text)
            case File() as file if message.voice is not None:
                call = voice_call(session, chat, file, client_id)
                return await self._post(message, call, str(client_id), "chat.voice")
            case File() as file:
                call = file_call(session, chat, file, found.client_id)
                return await self._post(message, call, found.client_id, "share.file", name)

    async def _post(
        self, message: OutboundMessage, call: Call, client_id: str, kind: str, text: str = ""
    ) -> Sent:
        """Mark the message as sending, send it, and remember it."""
        link, now = self._link, self._link.clock.now_ms()
        marked = SessionChange(SENT, client_id.encode(), str(now).encode())
        await link.records.sending(message, [marked, link.client_change()], client_id)
        data = read_answer(await link.transport.ask(call), link.session.cipher)
        message_id = _message_id(data)
        link.remember_sent(
            Reference(
                message.conversation_id,
                message_id,
                client_id,
                link.session.uid,
                "",
                kind,
                now,
                text[:1024],
            )
        )
        return Sent(message_id)

    # -- what changes a message -----------------------------------------------------------------------------

    async def revoke(self, target: Target) -> None:
        reference = await self._reference(target.conversation_id, target.message_id)
        if reference.sender != self.session.uid:
            raise Rejected("not_allowed", "only messages of the account can be taken back")
        self._link.own_changes.deleted(target.conversation_id, reference.message_id)
        await self.change(requests.undo_call(self.session, reference, self._link.next_client_id()))

    async def react(self, target: Target, emoji: str) -> None:
        icon = icon_of(emoji) if emoji else None
        if emoji and icon is None:
            raise Rejected("unsupported_reaction", "Zalo has no such reaction")
        reference = await self._reference(target.conversation_id, target.message_id)
        shown = icon.emoji if icon is not None else ""
        self._link.own_changes.reacted(target.conversation_id, reference.message_id, shown)
        await self.change(requests.react_call(self.session, reference, icon, self._link.next_client_id()))

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        if message_id is None:
            raise Rejected("message_id_required")
        reference = await self._reference(conversation_id, message_id)
        await self.change(requests.receipt_call(self.session, [reference], seen=True))

    async def show_typing(self, conversation_id: str) -> None:
        await self.change(requests.typing_call(self.session, conversation_id))

    async def change(self, call: Call) -> Any:
        """The answer to a request. Raises its failure class."""
        return read_answer(await self._link.transport.ask(call), self.session.cipher)

    async def change_with_file(self, call: Call, body: bytes, content_type: str) -> Any:
        """The answer to a request whose body is a form with a file. Raises its failure class."""
        transport = self._link.transport
        answer = await transport.ask(call, body=body, content_type=content_type, timeout=UPLOAD_SECONDS)
        return read_answer(answer, self.session.cipher)

    async def look_up(self, call: Call) -> Any:
        """The answer to a request that changes nothing."""
        with nothing_applied():
            return await self.change(call)

    async def _reference(self, conversation_id: str, message_id: str) -> Reference:
        """Raises `Rejected("message_not_found")` for a message that is not remembered."""
        found = await self._link.references.of(conversation_id, message_id)
        if found is None:
            raise Rejected("message_not_found", "nothing is known of this message any more")
        return found


def _message_id(data: Any) -> str:
    """Of the answer to a send. One that cannot be read does not say whether it was applied."""
    try:
        found = exact(data.get("msgId")) if isinstance(data, dict) else ""
    except ValueError:
        found = ""
    if not found:
        raise Transient("malformed_answer", maybe_applied=True)
    return found
