"""The Bot API connection: `getUpdates` or a webhook in, `sendMessage` out (https://core.telegram.org/bots/api).

Requesting a higher offset confirms an update, so the offset moves only after the update is durable. It is
sent in one request, to confirm, and then left out: after a week without updates Telegram restarts `update_id`
at a random number, and an old offset could then confirm updates that were never read. Updates that are
repeated because of this are recognised by their dedupe key, so the offset is not stored.
"""

import contextlib
from typing import Any

import attrs
import trio
from msgspec import Raw, Struct

from unifyport.model.account import Identity
from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.providers.bot_webhooks import BotWebhooks
from unifyport.providers.contract.base import WEBHOOK, AnswersProbes, Batch, ConnectorContext, Link
from unifyport.providers.contract.capabilities import (
    DownloadsMedia,
    SendsContacts,
    SendsFiles,
    SendsReplies,
    SendsText,
    Sent,
    Sink,
)
from unifyport.providers.contract.errors import ChannelError, Conflict, Rejected, Transient
from unifyport.providers.contract.login import LogsOut
from unifyport.providers.http import (
    CALL_SECONDS,
    UPLOAD_SECONDS,
    decode,
    decode_long,
    form_with_files,
    new_form,
)

from . import albums
from .actions import BotActions
from .api import BotApi
from .errors import Migrated
from .moves import left_behind
from .polled import parse_updates
from .presses import METHOD, answer_to
from .render import Request, names_message, render
from .shapes import User
from .signature import secret_of
from .updates import ALLOWED_UPDATES

POLL_SECONDS = 50  # the longest poll of the Bot API server (github.com/tdlib/telegram-bot-api, Client.h)
CHECK_SECONDS = 3600.0
_BATCH = 100  # the most updates that one getUpdates returns
_ANSWER_SECONDS = 5.0
_SHORTEST_POLL = 0.5  # seconds between two polls that returned nothing


class _SentMessage(Struct):
    message_id: int


class _File(Struct):
    file_path: str = ""
    file_size: int = 0


class BotConnector(
    AnswersProbes, LogsOut, SendsText, SendsFiles, SendsContacts, SendsReplies, DownloadsMedia, BotActions
):
    """One bot."""

    def __init__(self, context: ConnectorContext) -> None:
        self._api = BotApi(context)
        self._bot_id = context.credentials["token"].partition(":")[0]
        self._link: Link | None = None
        self._webhooks = BotWebhooks(
            self._api,
            context,
            channel="telegram",
            bot=self._bot_id,
            secret=secret_of(context.credentials),
            more={"allowed_updates": ALLOWED_UPDATES},
        )
        self._webhook: str | None = None
        if context.receive == WEBHOOK:
            if context.ingress_url is None:
                raise Transient("public_url_missing")  # ends when the operator configures `public_url`
            self._webhook = context.ingress_url

    async def login(self) -> Identity:
        me = await self._api.call("getMe", User, login=True)
        self._bot_id = str(me.id)
        if self._webhook is not None:
            await self._webhooks.set(self._webhook)
        else:
            with contextlib.suppress(Rejected, Transient):  # then the first poll tells
                await self._webhooks.remove()
        return Identity(self._bot_id, display_name=me.first_name, username=me.username)

    async def receive(self, link: Link) -> None:
        self._link = link
        if self._webhook is None:
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
        offset: int | None = None
        while True:
            began = trio.current_time()
            updates, size = await self._updates(offset, link)
            if not updates:
                if offset is None:  # keeps the loop slow if the server answers without waiting
                    await trio.sleep_until(began + _SHORTEST_POLL)
                offset = None
                continue
            events, highest = await parse_updates(updates, self._bot_id)
            await link.deliver(Batch(events, size=size))
            await self._answer_presses(updates)
            if highest is None:
                # No update has an id, so nothing can be confirmed: polling again at once would loop.
                raise Transient("updates_without_id")
            offset = highest + 1

    async def _answer_presses(self, updates: list[Raw]) -> None:
        """Answer the buttons that were pressed, before their updates are confirmed; what fails is left."""
        answers = [answer for answer in map(answer_to, map(bytes, updates)) if answer is not None]
        if not answers:
            return

        async def answer(parameters: dict[str, Any]) -> None:
            with contextlib.suppress(ChannelError):
                await self._api.call(METHOD, bool, parameters)

        with trio.move_on_after(_ANSWER_SECONDS):
            async with trio.open_nursery() as nursery:
                for parameters in answers:
                    nursery.start_soon(answer, parameters)

    async def _updates(self, offset: int | None, link: Link) -> tuple[list[Raw], int]:
        # With an offset to confirm, do not wait for updates: a crash meanwhile would repeat the batch.
        wait = POLL_SECONDS if offset is None else 0
        body: dict[str, Any] = {"timeout": wait, "limit": _BATCH, "allowed_updates": ALLOWED_UPDATES}
        if offset is not None:
            body["offset"] = offset
        try:
            raw = await self._api.ask("getUpdates", json=body, timeout=CALL_SECONDS + wait)
        except Conflict as conflict:
            if conflict.reason != "webhook_is_set":
                raise
            await self._webhooks.remove()
            return [], 0
        link.observed()
        return await decode_long(raw, list[Raw]), len(raw)

    async def probe(self) -> None:
        await self._api.call("getMe", User)

    async def send_text(self, message: OutboundText) -> Sent:
        return await self._send(message)

    async def send_file(self, message: OutboundMedia) -> Sent:
        return await self._send(message)

    async def send_contacts(self, message: OutboundContacts) -> Sent:
        return await self._send(message)

    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        return await self._send(message)  # the request names the quoted message

    async def _send(self, message: OutboundMessage) -> Sent:
        """Send a message; if its group has another number by now, report that and send it there.

        A reply is refused then: the message that it quotes is left behind.
        """
        try:
            return await self._post(message)
        except Migrated as migrated:
            there = await self._report_move(message.conversation_id, migrated)
            if names_message(message):
                raise left_behind(migrated) from None
            return await self._post(attrs.evolve(message, conversation_id=there, rendered=None))

    async def _post(self, message: OutboundMessage) -> Sent:
        request: Request = message.rendered_by(render)
        if isinstance(message, OutboundMedia):
            form = new_form(message, request.form(), request.file)
            result = await self._api.ask(request.method, body=form, timeout=UPLOAD_SECONDS)
        elif message.files:
            form = form_with_files(message, request.form())
            result = await self._api.ask(request.method, body=form, timeout=UPLOAD_SECONDS)
        else:
            result = await self._api.ask(request.method, json=request.fields)
        if request.method != albums.METHOD:
            return Sent(str(decode(result, _SentMessage).message_id))
        ids = [str(each.message_id) for each in decode(result, list[_SentMessage])]
        if not ids:
            raise Transient("malformed_answer", maybe_applied=True)
        return Sent(ids[0], ",".join(ids))

    async def log_out(self) -> None:
        """Remove the webhook if it is ours. A bot has no session to end."""
        if self._webhook is not None:
            await self._webhooks.remove_own()

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        try:
            file = await self._api.call("getFile", _File, {"file_id": handle.decode()})
        except Rejected as rejected:
            large = "too big" in rejected.detail
            raise Rejected("too_large" if large else "media_not_found") from None
        if not file.file_path or file.file_size > limit:
            raise Rejected("too_large" if file.file_path else "media_not_found")
        url = f"{self._api.files}/{file.file_path.lstrip('/')}"
        await self._api.http.download(url, sink, limit=limit, size=file.file_size, gone=(404,))

    async def aclose(self) -> None:
        await self._api.http.aclose()
