"""The X API v2 connection: the activity stream or a webhook in, direct messages out
(https://docs.x.com/x-api).

Events come by the app's stream (`hub.py`) or by its webhook. Neither repeats what was not taken, so what
happened meanwhile is fetched at each opening (`catch_up.py`). What X reports of what we sent is recognised
(`echoes.py`).

Encrypted messages (XChat) come the same ways and go by calls of their own: `chat_*.py`, `../xchat`.
"""

import logging

import trio
from msgspec import Struct

from unifyport.model.account import Identity
from unifyport.model.inbound import ProviderEvent
from unifyport.model.message import OutboundMedia, OutboundMessage, OutboundText
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import WEBHOOK, ConnectorContext, KeepsTokens, Link, SettlesEchoes
from unifyport.providers.contract.capabilities import SendsFiles, SendsText, Sent
from unifyport.providers.contract.errors import (
    Rejected,
    Transient,
)
from unifyport.providers.contract.login import Authorization, Authorizes, Dialog, LogsOut
from unifyport.providers.http import origin_of
from unifyport.providers.oauth import OAuthTokens

from ..xchat.chat import XChat
from .actions import XActions
from .calls import XApi
from .catch_up import MARK, first_mark
from .chat_calls import ChatCalls
from .chat_login import import_for_connection, unlock_for_login
from .chat_marks import begin
from .chat_receiving import ChatReceiver
from .chat_upkeep import keep_complete
from .echoes import HOLD_WEBHOOK_SECONDS, Echoes
from .hub import hub_of
from .oauth import SCOPES, client_of, page_of, revoke
from .receiving import Receiver
from .render import ENCRYPTED_ONLY, Request, render
from .subscriptions import ensure_webhook, is_valid, remove_webhook, subscribe, unsubscribe
from .uploads import upload

log = logging.getLogger("unifyport.x")

CHECK_SECONDS = 3600.0
ME = ("me", b"")
MESSAGES = "messages"  # calls that share the limit of sends


class _Me(Struct):
    id: str
    name: str = ""
    username: str = ""
    profile_image_url: str = ""
    description: str = ""


class _SentMessage(Struct):
    dm_event_id: str
    dm_conversation_id: str = ""


class XConnector(Authorizes, KeepsTokens, LogsOut, SettlesEchoes, SendsText, SendsFiles, XActions):
    """One user of X."""

    def __init__(self, context: ConnectorContext) -> None:
        self._context = context
        self._session = context.session
        self.api = XApi(context)
        self._hub = hub_of(context)
        seed = context.credentials.get("refresh_token") or ""
        self._tokens = OAuthTokens(self.api.http, context.session, client_of(context), seed)
        self.api.http.tokens = self._tokens
        endpoints = context.endpoints
        self.media_origins = {origin_of(endpoints.video_url), origin_of(endpoints.photo_url)}
        self._sealed: ChatReceiver | None = None
        self._echoes = Echoes(context.session, context.clock)
        self._webhook: str | None = None
        if context.receive == WEBHOOK:
            if context.ingress_url is None:
                raise Transient("public_url_missing")  # ends when the operator configures `public_url`
            self._webhook = context.ingress_url

    # -- logging in ------------------------------------------------------------------------------------------

    async def authorize(self, dialog: Dialog) -> Authorization:
        await self._tokens.exchange(await dialog.ask_consent(page_of(self._context), SCOPES))
        me: _Me = await self.api.call("GET", _USER, _Me, login=True)
        await self._session.commit(await first_mark(self.api, me.id))
        identity = _identity(me)
        await unlock_for_login(self._context, ChatCalls(self.api, me.id), me.id, dialog)
        return Authorization(identity)

    async def login(self) -> Identity:
        me: _Me = await self.api.call("GET", _USER, _Me, login=True)
        identity = _identity(me)
        self.user_id = me.id
        calls = ChatCalls(self.api, me.id)
        await import_for_connection(self._context, calls, me.id)
        self.chat_parts = await XChat.load(calls, self._session, me.id, self._context.clock), calls
        if not self.chat_parts[0].ready:
            log.warning("the account has no keys of XChat: encrypted messages are shown as such")
        await begin(self._session, self._context.clock)
        webhook_id = None if self._webhook is None else await self._register(self._webhook)
        await subscribe(self.api, me.id, webhook_id)
        if await self._session.get(MARK, me.id.encode()) is None:
            await self._session.commit(await first_mark(self.api, me.id))
        return identity

    async def _register(self, url: str) -> str:
        """The id of the app's webhook; one account of an app registers it at a time."""
        async with self._hub.registering:
            return (await ensure_webhook(self.api, url, take_over=self._context.take_over)).id

    async def keep_fresh(self) -> None:
        await self._tokens.keep_fresh()

    async def log_out(self) -> None:
        """Take back what was ordered at X, and the authorization if a consent gave it to us."""
        me = await self._session.get(*ME)
        if me is not None:  # a login that was not used has ordered nothing
            await unsubscribe(self.api, me.decode())
            if self._webhook is not None:
                await remove_webhook(self.api, self._webhook)
        if not self._context.credentials.get("refresh_token"):
            await revoke(self.api.http, self._session, self._context)

    # -- receiving -------------------------------------------------------------------------------------------

    async def receive(self, link: Link) -> None:
        me = self.user_id
        await self._session.commit([SessionChange(*ME, me.encode())])
        hourly = self._context.endpoints.read_history_hourly
        assert self.chat_parts is not None, "login comes first"
        chat, calls = self.chat_parts
        sealed = ChatReceiver(chat, calls, self._session, me=me, clock=self._context.clock)
        await sealed.load()
        self._sealed = sealed
        receiver = Receiver(self.api, self._session, me, echoes=self._echoes, chat=sealed, hourly=hourly)
        await receiver.load()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._echoes.remember, link, me)
            nursery.start_soon(keep_complete, sealed, chat, link)
            if self._webhook is not None:
                await self._watch(link, receiver, self._webhook)
            with self._hub.follow(me, link.observed) as follower:
                nursery.start_soon(self._hub.lead, self._context)
                await receiver.follow(link, follower)

    async def settle(self, events: list[ProviderEvent]) -> tuple[list[ProviderEvent], list[SessionChange]]:
        if self._sealed is None:
            return await self._echoes.settle(events, HOLD_WEBHOOK_SECONDS)
        opened, changes = await self._sealed.open(events)
        settled, more = await self._echoes.settle(opened, HOLD_WEBHOOK_SECONDS)
        return settled, [*changes, *more]

    async def _watch(self, link: Link, receiver: Receiver, webhook: str) -> None:
        """Fetch what was missed, and check every hour that the webhook is valid and the login good."""
        check_at = trio.current_time() + CHECK_SECONDS
        while True:
            if trio.current_time() >= receiver.due:
                await receiver.fill_gap(link)
            await trio.sleep_until(min(receiver.due, check_at))
            if trio.current_time() < check_at:
                continue
            check_at = trio.current_time() + CHECK_SECONDS
            if not await is_valid(self.api, webhook):
                raise Transient("webhook_invalid")  # the next login has X check it again
            await self.api.call("GET", _USER, _Me, login=True)
            link.observed()

    # -- sending ---------------------------------------------------------------------------------------------

    async def send_text(self, message: OutboundText) -> Sent:
        request: Request = message.rendered_by(render)
        if request.path == ENCRYPTED_ONLY or await self.is_encrypted(message.conversation_id):
            return await self.chat.sending.send(message)
        return await self._send(message, request, request.body)

    async def send_file(self, message: OutboundMedia) -> Sent:
        request: Request = message.rendered_by(render)
        if request.path == ENCRYPTED_ONLY or await self.is_encrypted(message.conversation_id):
            return await self.chat.sending.send(message)
        self.api.check_window(MESSAGES)
        media_id = await upload(self.api, message)
        return await self._send(message, request, request.with_media(media_id))

    async def _send(self, message: OutboundMessage, request: Request, body: object) -> Sent:
        with self._echoes.sending(message) as change:
            await self._session.sending(message, [change])
            sent: _SentMessage = await self.api.call(
                "POST", request.path, _SentMessage, family=MESSAGES, json=body
            )
            if not sent.dm_event_id:
                raise Transient("malformed_answer", maybe_applied=True)
            self._echoes.answered(message.client_ref, sent.dm_event_id)
            return Sent(sent.dm_event_id, sent.dm_conversation_id)

    async def aclose(self) -> None:
        await self.api.aclose()


_USER = "/2/users/me?user.fields=id,name,username,profile_image_url,description"


def _identity(me: _Me) -> Identity:
    if not me.id.isascii() or not me.id.isdigit():
        raise Rejected("malformed_answer")
    return Identity(me.id, me.name, me.username, me.profile_image_url, bio=me.description)
