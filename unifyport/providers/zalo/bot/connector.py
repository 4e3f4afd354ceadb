"""The Bot Platform connection: `getUpdates` or a webhook in, `sendMessage` out.

https://bot.zaloplatforms.com/docs. `getUpdates` returns one update and acknowledges it by that: what was
returned and is not durable when the process dies is lost. A webhook is lost only if Zalo does not repeat it,
of which it says nothing.
"""

from typing import Any

import trio
from msgspec import Struct

from unifyport.model.account import Identity
from unifyport.model.message import OutboundMedia, OutboundMessage, OutboundText
from unifyport.providers.bot_webhooks import BotWebhooks
from unifyport.providers.contract.base import WEBHOOK, AnswersProbes, Batch, ConnectorContext, Link
from unifyport.providers.contract.capabilities import (
    DownloadsMedia,
    SendsImages,
    SendsText,
    Sent,
    ShowsTyping,
    Sink,
)
from unifyport.providers.contract.errors import Conflict, Transient
from unifyport.providers.contract.login import LogsOut

from ..downloads import download
from .api import BotApi
from .parse import parse_update
from .render import Request, chat_id, render
from .signature import secret_of

POLL_SECONDS = 30  # the timeout in https://bot.zaloplatforms.com/docs/apis/getUpdates
CHECK_SECONDS = 3600.0
DELIVER_SECONDS = 5.0
_SHORTEST_POLL = 0.5  # seconds between two polls that returned nothing


class _Bot(Struct):
    account_name: str = ""
    display_name: str = ""


class _SentMessage(Struct):
    message_id: str


class BotConnector(AnswersProbes, LogsOut, SendsText, SendsImages, ShowsTyping, DownloadsMedia):
    """One bot."""

    def __init__(self, context: ConnectorContext) -> None:
        self._api = BotApi(context)
        self._bot = context.credentials["bot_token"].partition(":")[0]
        self._hosts = context.endpoints.media_hosts
        secret = secret_of(context.credentials)
        self._webhooks = BotWebhooks(self._api, context, channel="zalo", bot=self._bot, secret=secret)
        self._webhook: str | None = None
        if context.receive == WEBHOOK:
            if context.ingress_url is None:
                raise Transient("public_url_missing")  # ends when the operator configures `public_url`
            self._webhook = context.ingress_url

    async def login(self) -> Identity:
        me: _Bot = await self._api.call("getMe", _Bot, login=True)
        if self._webhook is not None:
            await self._webhooks.set(self._webhook)
        return Identity(self._bot, display_name=me.display_name or me.account_name, username=me.account_name)

    async def receive(self, link: Link) -> None:
        if self._webhook is None:
            await self._webhooks.remove()
            await self._poll(link)
        else:
            await self._watch(link, self._webhook)

    async def _watch(self, link: Link, webhook: str) -> None:
        while True:
            await trio.sleep(CHECK_SECONDS)
            url = await self._webhooks.current()
            link.observed()
            if url != webhook:
                raise Conflict("webhook_moved")

    async def _poll(self, link: Link) -> None:
        while True:
            began = trio.current_time()
            raw = await self._api.next_update(POLL_SECONDS)
            link.observed()
            if raw is None:  # keeps the loop slow if the server answers without waiting
                await trio.sleep_until(began + _SHORTEST_POLL)
                continue
            update = bytes(raw)
            with trio.move_on_after(DELIVER_SECONDS) as scope:  # Zalo does not repeat it
                scope.shield = True
                await link.deliver(Batch([parse_update(update, self._bot)], size=len(update)))
            if scope.cancelled_caught:
                raise Transient("not_durable_in_time")

    async def probe(self) -> None:
        await self._api.call("getMe", _Bot)

    async def send_text(self, message: OutboundText) -> Sent:
        return await self._send(message)

    async def send_image(self, message: OutboundMedia) -> Sent:
        """Zalo fetches it, from `message.url` (https://bot.zaloplatforms.com/docs/apis/sendPhoto)."""
        return await self._send(message)

    async def _send(self, message: OutboundMessage) -> Sent:
        request: Request = message.rendered_by(render)
        sent: _SentMessage = await self._api.call(request.method, _SentMessage, request.fields)
        return Sent(sent.message_id)

    async def show_typing(self, conversation_id: str, message_id: str | None) -> None:
        """https://bot.zaloplatforms.com/docs/apis/sendChatAction"""
        body: dict[str, Any] = {"chat_id": chat_id(conversation_id), "action": "typing"}
        await self._api.call("sendChatAction", object, body)

    async def log_out(self) -> None:
        """Remove the webhook if it is ours. A bot has no session to end."""
        if self._webhook is not None:
            await self._webhooks.remove_own()

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        await download(self._api.http, handle, sink, hosts=self._hosts, limit=limit)

    async def aclose(self) -> None:
        await self._api.http.aclose()
