"""X's older direct messages of one account: texts out, read marks, message requests, files in.

X is not known to take a repetition of a `request_id` for the same message, so no send is repeated: one whose
answer was lost is ended by its entry (`classic_polling.py`). What X wants encrypted never goes this road:
the connection asks XChat first (`roads.py`). Facts: https://github.com/mautrix/twitter, `messaging.go`.
"""

from typing import Any
from uuid import uuid4

import msgspec

from unifyport.model.inbound import PlatformEvent
from unifyport.model.json_text import UNREADABLE
from unifyport.model.message import OutboundMessage, OutboundText
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND, Sent, Sink
from unifyport.providers.contract.errors import ChannelError, Rejected, Transient
from unifyport.providers.contract.session import Session
from unifyport.providers.http import origin_of

from ..api.limits import MAX_TEXT
from ..api.people import PAIR, USER, canonical, pair_of
from . import classic_shapes as shapes
from .classic_content import file_of
from .classic_parse import read_page
from .classic_polling import DM, REQUEST, SENT, ClassicPolling
from .client import WebClient

_SEND = {"cards_platform": "Web-12", "include_cards": 1, "dm_users": False, "recipient_ids": False}


class Classic(ClassicPolling):
    """`load` comes first, then `run` beside commands."""

    def __init__(self, client: WebClient, session: Session, clock: Clock, endpoints: Any) -> None:
        super().__init__(client, session, clock)
        self._media = {origin_of(endpoints.video_url), origin_of(endpoints.photo_url)}

    def is_group(self, conversation_id: str) -> bool:
        """Whether an id is that of a group in which a message without encryption was seen."""
        id_ = canonical(conversation_id)
        return USER.fullmatch(id_) is not None and id_ in self._places

    def knows(self, conversation_id: str) -> bool:
        """Whether a message without encryption was seen in a conversation."""
        id_ = canonical(conversation_id)
        return not id_.startswith("g") and self._place(id_) in self._places

    async def send(self, message: OutboundMessage, quoted: str | None = None) -> Sent:
        """Send a text, once; a message request is accepted before. Errors as `SendsText.send_text`."""
        if not isinstance(message, OutboundText):
            raise Rejected("unsupported_message_type", "only texts go to conversations without encryption")
        if not message.text:
            raise Rejected("empty_text", "a text message needs a text")
        if len(message.text) > MAX_TEXT:
            raise Rejected("text_too_long", f"X takes at most {MAX_TEXT} characters")
        place = self._place(message.conversation_id, message.conversation_type)
        if place in self._requests:
            await self.accept(place)
        request_id, now = str(uuid4()), self._clock.now_ms()
        body = {**_SEND, "conversation_id": place, "text": message.text, "request_id": request_id}
        if quoted is not None:
            body["reply_to_dm_id"] = quoted
        self._sent[request_id] = now
        row = SessionChange(SENT, request_id.encode(), str(now).encode())
        try:
            await self._session.sending(message, [row], client_ref=request_id)
            answer = await self._client.post(f"{DM}/new2.json", json=body)
            return Sent(self._sent_id(answer, request_id), place)
        except ChannelError as error:
            if error.maybe_applied:
                self._hurry.set()  # the entry ends it
            else:
                self._sent.pop(request_id, None)
            raise

    def _sent_id(self, answer: dict[str, Any], request_id: str) -> str:
        """The id that X has given the message. Raises `Transient`: the entry says it later."""
        try:
            page = msgspec.json.decode(msgspec.json.encode(answer), type=shapes.Page)
        except UNREADABLE:
            raise Transient("malformed_answer", maybe_applied=True) from None
        for item in read_page(page, self._me).items:
            event = item.event
            if item.request_id == request_id and isinstance(event, PlatformEvent) and event.content:
                return event.content.id
        raise Transient("malformed_answer", maybe_applied=True)

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        """Raises `Rejected`, and `Transient` where X may have done it."""
        if message_id is None or USER.fullmatch(message_id) is None:
            raise Rejected("message_not_found")
        place = self._place(conversation_id)
        form = {"conversationId": place, "last_read_event_id": message_id}
        await self._client.post(f"{DM}/conversation/{place}/mark_read.json", form=form)

    async def accept(self, conversation_id: str) -> None:
        """Accept a message request. Raises failure classes."""
        place = self._place(conversation_id)
        await self._client.post(f"{DM}/conversation/{place}/accept.json", form={})
        await self._session.commit([SessionChange(REQUEST, place.encode(), None)])
        self._requests.discard(place)

    async def download(self, handle: bytes, sink: Sink, limit: int) -> bool:
        """Stream a file into `sink`. False: the handle is of no file of these messages. Raises `Rejected`."""
        file = file_of(handle)
        if file is None:
            return False
        if file.path:
            await self._client.download_file(f"/{file.path}", sink, limit)
        elif origin_of(file.url) in self._media:
            await self._client.download(file.url, sink, limit=limit, cookies=False)
        else:
            raise Rejected("media_host_not_allowed")  # no file of a message leads us to another host
        return True

    def _place(self, conversation_id: str, type_: str = "") -> str:
        """X's name of a conversation. Numbers are users, or groups that were seen. Raises `Rejected`."""
        id_ = canonical(conversation_id)
        if id_.startswith("g"):
            raise Rejected("encrypted_conversation", "X takes messages to this group encrypted only")
        if PAIR.fullmatch(id_):
            return id_
        if USER.fullmatch(id_) is None:
            raise Rejected(CONVERSATION_NOT_FOUND)
        return id_ if type_ == "group" or id_ in self._places else pair_of(self._me, id_)
