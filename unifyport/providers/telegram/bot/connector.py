"""The Bot API connection: `getUpdates` or a webhook in, `sendMessage` out (https://core.telegram.org/bots/api).

Requesting a higher offset confirms an update, so the offset moves only after the update is durable. It is
sent in one request, to confirm, and then left out: after a week without updates Telegram restarts `update_id`
at a random number, and an old offset could then confirm updates that were never read. Updates that are
repeated because of this are recognised by their dedupe key, so the offset is not stored.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import msgspec
import trio
from msgspec import Raw, Struct

from unifyport.model.account import Identity
from unifyport.model.json_text import without_lone_surrogates
from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.net.clients import Response
from unifyport.providers.contract.base import WEBHOOK, AnswersProbes, Batch, ConnectorContext, Link
from unifyport.providers.contract.capabilities import (
    DownloadsMedia,
    SendsContacts,
    SendsFiles,
    SendsText,
    Sent,
    Sink,
)
from unifyport.providers.contract.errors import Conflict, LoggedOut, Rejected, Transient
from unifyport.providers.contract.login import LogsOut
from unifyport.providers.http import CALL_SECONDS, UPLOAD_SECONDS, HttpApi, decode, new_form

from .errors import Migrated, failure
from .limits import PARALLEL_SENDS
from .parse import parse_updates
from .render import render_contacts, render_media, render_text
from .services import migration
from .shapes import User
from .signature import secret_of
from .updates import ALLOWED_UPDATES

POLL_SECONDS = 50  # the longest poll of the Bot API server (github.com/tdlib/telegram-bot-api, Client.h)
CHECK_SECONDS = 3600.0
_BATCH = 100  # the most updates that one getUpdates returns
_SHORTEST_POLL = 0.5  # seconds between two polls that returned nothing


class _Parameters(Struct):
    retry_after: float | None = None
    migrate_to_chat_id: int | None = None


class _Answer(Struct):
    ok: bool
    result: Raw = Raw()
    error_code: int = 0
    description: str = ""
    parameters: _Parameters | None = None


class _SentMessage(Struct):
    message_id: int


class _File(Struct):
    file_path: str = ""
    file_size: int = 0


class _WebhookInfo(Struct):
    url: str = ""


class BotConnector(AnswersProbes, LogsOut, SendsText, SendsFiles, SendsContacts, DownloadsMedia):
    """One bot."""

    def __init__(self, context: ConnectorContext) -> None:
        token = context.credentials["token"]
        api = context.endpoints.bot_api_url.rstrip("/")
        self._base, self._files = f"{api}/bot{token}", f"{api}/file/bot{token}"
        self._http = HttpApi(context, parallel_sends=PARALLEL_SENDS)
        self._bot_id = token.partition(":")[0]
        self._link: Link | None = None
        self._webhook: str | None = None
        if context.receive == WEBHOOK:
            if context.ingress_url is None:
                raise Transient("public_url_missing")  # ends when the operator configures `public_url`
            self._webhook, self._secret = context.ingress_url, secret_of(context.credentials)

    async def login(self) -> Identity:
        me = await self._call("getMe", User, login=True)
        self._bot_id = str(me.id)
        if self._webhook is not None:
            await self._set_webhook(self._webhook)
        return Identity(self._bot_id, display_name=me.first_name, username=me.username)

    async def _set_webhook(self, url: str) -> None:
        body = {"url": url, "secret_token": self._secret, "allowed_updates": ALLOWED_UPDATES}
        try:
            await self._call("setWebhook", bool, body)
        except Rejected:  # the platform cannot call this address, at least now
            raise Transient("webhook_refused") from None

    async def receive(self, link: Link) -> None:
        self._link = link
        if self._webhook is None:
            await self._poll(link)
        else:
            await self._watch(link, self._webhook)

    async def _watch(self, link: Link, webhook: str) -> None:
        while True:
            await trio.sleep(CHECK_SECONDS)
            info = await self._call("getWebhookInfo", _WebhookInfo)
            link.observed()
            if info.url != webhook:
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
            events, highest = parse_updates(updates, self._bot_id)
            await link.deliver(Batch(events, size=size))
            if highest is None:
                # No update has an id, so nothing can be confirmed: polling again at once would loop.
                raise Transient("updates_without_id")
            offset = highest + 1

    async def _updates(self, offset: int | None, link: Link) -> tuple[list[Raw], int]:
        # With an offset to confirm, do not wait for updates: a crash meanwhile would repeat the batch.
        wait = POLL_SECONDS if offset is None else 0
        body: dict[str, Any] = {"timeout": wait, "limit": _BATCH, "allowed_updates": ALLOWED_UPDATES}
        if offset is not None:
            body["offset"] = offset
        try:
            raw = await self._ask("getUpdates", json=body, timeout=CALL_SECONDS + wait)
        except Conflict as conflict:
            if conflict.reason != "webhook_is_set":
                raise
            await self._call("deleteWebhook", bool)
            return [], 0
        link.observed()
        return decode(raw, list[Raw]), len(raw)

    async def probe(self) -> None:
        await self._call("getMe", User)

    async def send_text(self, message: OutboundText) -> Sent:
        return await self._send(message, self._post_text)

    async def send_file(self, message: OutboundMedia) -> Sent:
        return await self._send(message, self._post_file)

    async def send_contacts(self, message: OutboundContacts) -> Sent:
        return await self._send(message, self._post_contact)

    async def _post_text(self, message: OutboundMessage) -> Raw:
        return await self._ask("sendMessage", json=message.rendered_by(render_text))

    async def _post_file(self, message: OutboundMessage) -> Raw:
        assert isinstance(message, OutboundMedia)
        method, field, fields = message.rendered_by(render_media)
        return await self._ask(method, body=new_form(message, fields, field), timeout=UPLOAD_SECONDS)

    async def _post_contact(self, message: OutboundMessage) -> Raw:
        return await self._ask("sendContact", json=message.rendered_by(render_contacts))

    async def _send(
        self, message: OutboundMessage, post: Callable[[OutboundMessage], Awaitable[Raw]]
    ) -> Sent:
        """Send a message; if its group has another number by now, report that and send it there."""
        try:
            result = await post(message)
        except Migrated as migrated:
            there = str(migrated.chat_id)
            if self._link is not None:
                moved = migration(self._bot_id, message.conversation_id, there, time.time_ns() // 1_000_000)
                await self._link.deliver(Batch([moved]))
            result = await post(attrs.evolve(message, conversation_id=there, rendered=None))
        return Sent(str(decode(result, _SentMessage).message_id))

    async def log_out(self) -> None:
        """Remove the webhook if it is ours. A bot has no session to end."""
        if self._webhook is not None:
            info = await self._call("getWebhookInfo", _WebhookInfo)
            if info.url == self._webhook:
                await self._call("deleteWebhook", bool)

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        try:
            file = await self._call("getFile", _File, {"file_id": handle.decode()})
        except Rejected as rejected:
            large = "too big" in rejected.detail
            raise Rejected("too_large" if large else "media_not_found") from None
        if not file.file_path or file.file_size > limit:
            raise Rejected("too_large" if file.file_path else "media_not_found")
        url = f"{self._files}/{file.file_path.lstrip('/')}"
        await self._http.download(url, sink, limit=limit, size=file.file_size, gone=(404,))

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _call(
        self, method: str, shape: Any, body: dict[str, Any] | None = None, *, login: bool = False
    ) -> Any:
        return decode(await self._ask(method, json=body or {}, login=login), shape)

    async def _ask(self, method: str, *, login: bool = False, **options: Any) -> Raw:
        """Call a method; returns the `result` of an `ok` answer. Raises a failure class."""
        return _result(await self._http.request("POST", f"{self._base}/{method}", **options), login)


def _decode(body: bytes) -> _Answer:
    try:
        return msgspec.json.decode(body, type=_Answer)
    except msgspec.DecodeError:
        return msgspec.json.decode(without_lone_surrogates(body), type=_Answer)


def _result(response: Response, login: bool) -> Raw:
    try:
        answer = _decode(response.body)
    except msgspec.DecodeError:
        if response.status in (401, 404) and login:
            raise LoggedOut("invalid_credentials") from None
        raise Transient(f"http_{response.status}_not_json", maybe_applied=True) from None
    if answer.ok:
        return answer.result
    told = answer.parameters or _Parameters()
    raise failure(
        answer.error_code or response.status,
        answer.description,
        told.retry_after,
        moved_to=told.migrate_to_chat_id,
        login=login,
    )
