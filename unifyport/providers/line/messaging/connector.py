"""The Messaging API connection: HTTPS requests out, webhooks in (through ingress).

https://developers.line.biz/en/reference/messaging-api/. There is no session to keep up: logged in means
that LINE names a bot for the channel's token. This is checked every hour, and with it that LINE still calls
this gateway.
"""

import re

import msgspec
import trio

from unifyport.model.account import Identity
from unifyport.model.json_text import UNREADABLE
from unifyport.model.message import OutboundMedia, OutboundMessage, OutboundText
from unifyport.providers.contract.base import ConnectorContext, Link
from unifyport.providers.contract.capabilities import (
    CONVERSATION_NOT_FOUND,
    DownloadsMedia,
    MarksRead,
    SendsAudio,
    SendsImages,
    SendsReplies,
    SendsText,
    SendsVideos,
    Sent,
    ShowsTyping,
    Sink,
)
from unifyport.providers.contract.errors import Conflict, Rejected
from unifyport.providers.http import nothing_applied

from .address import WebhookAddress
from .api import LineApi
from .directory import LooksUp
from .errors import refusal
from .people import USER, is_id
from .pushes import Pushes
from .sends import Sends
from .settling import Settling
from .tokens import Tokens

CHECK_SECONDS = 3600.0
LOADING_SECONDS = 20  # 5 to 60, a multiple of 5; a message ends it (#display-a-loading-indicator)
READY_SECONDS = 60.0  # how long a video or audio may take to be prepared
_POLL_SECONDS = 1.0
_MESSAGE_ID = re.compile(r"[0-9A-Za-z]{1,64}")


class _Preparation(msgspec.Struct):
    status: str


class LineConnector(
    SendsText,
    SendsImages,
    SendsVideos,
    SendsAudio,
    SendsReplies,
    MarksRead,
    ShowsTyping,
    DownloadsMedia,
    LooksUp,
):
    """One channel."""

    def __init__(self, context: ConnectorContext) -> None:
        self._api = LineApi(context)
        self._session = context.session
        self._clock = context.clock
        self._tokens = Tokens(context.session, context.clock.now_ms)
        self._pushes = Pushes(self._api, context.session, context.clock.now_ms)
        self._sends = Sends(self._api, context.session, self._tokens, self._pushes)
        self._address = WebhookAddress(self._api, context)
        self._url = context.ingress_url
        self._channel_id = context.credentials["channel_id"]
        self._bot = ""

    async def login(self) -> Identity:
        bot = await self._api.log_in()
        self._bot = bot.user_id
        if self._url is not None:
            await self._address.set(self._url)
        name = bot.premium_id or bot.basic_id
        return Identity(self._channel_id, display_name=bot.display_name, username=name)

    async def receive(self, link: Link) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pushes.flush)
            nursery.start_soon(Settling(self._session, self._pushes, link, self._bot, self._clock).run)
            await self._watch(link)

    async def _watch(self, link: Link) -> None:
        while True:
            if not self._clock.in_doubt:
                await self._tokens.forget_old()
            await trio.sleep(CHECK_SECONDS)
            await self._api.log_in()
            link.observed()
            if self._url is not None and await self._address.current() != self._url:
                raise Conflict("webhook_moved")

    async def send_text(self, message: OutboundText) -> Sent:
        return await self._sends.send(message)

    async def send_image(self, message: OutboundMedia) -> Sent:
        return await self._sends.send(message)

    async def send_video(self, message: OutboundMedia) -> Sent:
        return await self._sends.send(message)

    async def send_audio(self, message: OutboundMedia) -> Sent:
        return await self._sends.send(message)

    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        return await self._sends.send(message, quoted_message_id)

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        """https://developers.line.biz/en/docs/messaging-api/mark-as-read/"""
        token = await self._tokens.read_token(conversation_id, message_id)
        if not token:
            text = "LINE marks as read by tokens of messages, and has given none of this chat"
            raise Rejected(CONVERSATION_NOT_FOUND, text)
        await self._api.post("/v2/bot/chat/markAsRead", {"markAsReadToken": token})

    async def show_typing(self, conversation_id: str, message_id: str | None) -> None:
        """https://developers.line.biz/en/docs/messaging-api/use-loading-indicator/"""
        if not is_id(conversation_id) or not conversation_id.startswith(USER):
            raise Rejected("typing_in_chats_with_users_only", "LINE shows it to users, not in groups")
        body = {"chatId": conversation_id, "loadingSeconds": LOADING_SECONDS}
        await self._api.post("/v2/bot/chat/loading/start", body)

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        message_id = handle.decode(errors="replace")
        if not _MESSAGE_ID.fullmatch(message_id):
            raise Rejected("media_not_found")
        path = f"{self._api.data_url}/v2/bot/message/{message_id}/content"
        with trio.move_on_after(READY_SECONDS):
            await self._until_prepared(f"{path}/transcoding")
        await self._api.http.download(path, sink, limit=limit, gone=(400, 404, 410))

    async def _until_prepared(self, url: str) -> None:
        """Wait for a video or audio; of other files LINE does not tell, and they are there at once.

        https://developers.line.biz/en/reference/messaging-api/#verify-video-or-audio-preparation-status
        """
        while True:
            with nothing_applied():
                answer = await self._api.http.request("GET", url)
            if answer.status != 200:
                if isinstance(failure := refusal(answer), Rejected) or failure is None:
                    return
                raise failure
            try:
                status = msgspec.json.decode(answer.body, type=_Preparation).status
            except UNREADABLE:
                return
            if status == "failed":
                raise Rejected("media_not_found")
            if status != "processing":
                return
            await trio.sleep(_POLL_SECONDS)

    async def aclose(self) -> None:
        await self._api.http.aclose()
