"""The connection of a business account: HTTPS requests out, webhooks in (through ingress).

Logged in means that TikTok shows the account's profile for our token. This is checked every ten minutes,
together with the app's webhook: a consent that the owner has withdrawn is noticed although the account sends
nothing.
"""

from typing import Any

import trio
from msgspec import Struct

from unifyport.model import directory
from unifyport.model.account import Identity
from unifyport.model.message import OutboundMedia, OutboundMessage, OutboundText
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import ConnectorContext, KeepsTokens, Link
from unifyport.providers.contract.capabilities import (
    CONVERSATION_NOT_FOUND,
    DownloadsMedia,
    ListsConversationMembers,
    ListsConversations,
    MarksRead,
    ReadsConversations,
    SendsImages,
    SendsReplies,
    SendsText,
    Sent,
    ShowsTyping,
    Sink,
)
from unifyport.providers.contract.errors import LoggedOut, Rejected, Transient
from unifyport.providers.contract.login import Authorization, Authorizes, Dialog, LogsOut
from unifyport.providers.http import UPLOAD_SECONDS, new_form, nothing_applied

from .api import BusinessApi, json_list
from .directory import Messages, Rows, conversation_of, member_of, page_of, read_cursor
from .media import Media
from .render import IMAGE_TYPES, complete, render_action
from .tokens import BusinessGranted, consent_url
from .webhooks import Webhook

CHECK_SECONDS = 600.0
_SEND = "business/message/send/"
_MOST_ROWS = 100
_BUSINESS = ("business", b"")  # of the session: the business account that the tokens are of


class _Profile(Struct):
    username: str = ""
    display_name: str = ""


class _Named(Struct, frozen=True):
    message_id: str = ""


class _Sent(Struct):
    """The id is in `message`; some have seen it outside."""

    message: _Named = _Named()
    message_id: str = ""


class _Uploaded(Struct):
    media_id: str


class BusinessConnector(
    Authorizes,
    KeepsTokens,
    LogsOut,
    SendsText,
    SendsImages,
    SendsReplies,
    MarksRead,
    ShowsTyping,
    ListsConversations,
    ReadsConversations,
    ListsConversationMembers,
    DownloadsMedia,
):
    """One business account."""

    def __init__(self, context: ConnectorContext) -> None:
        self._api = BusinessApi(context, self._on_granted)
        self._app = {"client_id": context.credentials["client_key"]}
        self._app["client_secret"] = context.credentials["client_secret"]
        self._endpoints = context.endpoints
        self._session = context.session
        self._webhook = Webhook(self._api, context)
        self._media = Media(self._api, context.endpoints.media_domains)
        self._granted: BusinessGranted | None = None
        self._business = ""
        self._has_just_authorized = False

    # -- login -----------------------------------------------------------------------------------------------

    async def authorize(self, dialog: Dialog) -> Authorization:
        scopes = self._endpoints.scopes.split(",")
        page = consent_url(self._endpoints.authorize_url, self._app["client_id"], scopes)
        await self._api.tokens.exchange(await dialog.ask_consent(page, scopes))
        self._has_just_authorized = True
        return Authorization(await self._identify())

    async def login(self) -> Identity:
        identity = await self._identify()
        await self._webhook.set()
        return identity

    async def _identify(self) -> Identity:
        """Raises `LoggedOut` if there are no tokens, or TikTok refuses them."""
        token, stored = await self._api.token(), await self._session.get(*_BUSINESS)
        if self._granted is None and stored is None:  # killed between the tokens and this record
            await self._api.tokens.renew(token)
        known = (stored or b"").decode()
        self._business = (self._granted.open_id if self._granted is not None else "") or known
        if not self._business:
            raise LoggedOut("unknown_business_id")
        if self._business != known:
            await self._session.commit([SessionChange(*_BUSINESS, self._business.encode())])
        return await self._read_profile()

    def _on_granted(self, granted: BusinessGranted) -> None:
        self._granted = granted

    async def _read_profile(self) -> Identity:
        query = {"business_id": self._business, "fields": json_list("username", "display_name")}
        with nothing_applied():
            profile = await self._api.call("GET", "business/get/", _Profile, query=query, login=True)
        return Identity(self._business, display_name=profile.display_name, username=profile.username)

    async def receive(self, link: Link) -> None:
        while True:
            await trio.sleep(CHECK_SECONDS)
            await self._read_profile()
            await self._webhook.set()
            link.observed()

    async def log_out(self) -> None:
        """Withdraw the consent. One that another account lives by stays: that account is authorized by it."""
        if self._has_just_authorized:
            return
        body = {**self._app, "access_token": await self._api.token()}
        await self._api.call_as_app("POST", "tt_user/oauth2/revoke/", Any, json=body)

    async def keep_fresh(self) -> None:
        await self._api.tokens.keep_fresh()

    # -- messages --------------------------------------------------------------------------------------------

    async def send_text(self, message: OutboundText) -> Sent:
        return await self._send(message)

    async def send_image(self, message: OutboundMedia) -> Sent:
        """Upload the image, then send it."""
        if message.mime_type not in IMAGE_TYPES:
            raise Rejected("unsupported_file_type", "TikTok takes JPEG and PNG only")
        await self._media.check_image(self._business, message.conversation_id)
        form = new_form(message, {"business_id": self._business, "media_type": "IMAGE"}, "file")
        with nothing_applied():
            uploaded = await self._api.call(
                "POST", "business/message/media/upload/", _Uploaded, body=form, timeout=UPLOAD_SECONDS
            )
        return await self._send(message, uploaded.media_id)

    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        return await self._send(message)  # the request names the quoted message

    async def _send(self, message: OutboundMessage, media_id: str = "") -> Sent:
        body = complete(message, self._business, media_id)
        await self._api.token()  # what may fail without effect comes before the message is marked
        await self._session.sending(message)
        sent = await self._api.call("POST", _SEND, _Sent, json=body)
        message_id = sent.message.message_id or sent.message_id
        if not message_id:
            raise Transient("answer_without_message_id", maybe_applied=True)
        return Sent(message_id)

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        """Mark the whole conversation: TikTok knows no message here."""
        await self._act(conversation_id, "MARK_READ")

    async def show_typing(self, conversation_id: str, message_id: str | None) -> None:
        await self._act(conversation_id, "TYPING")

    async def _act(self, conversation_id: str, action: str) -> None:
        await self._api.call("POST", _SEND, Any, json=render_action(self._business, conversation_id, action))

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        await self._media.download(self._business, handle, sink, limit)

    # -- conversations ---------------------------------------------------------------------------------------

    async def list_conversations(
        self, types: list[str], label_id: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Conversation]:
        """Those of the last 90 days: answered ones first, then those that wait for a first answer."""
        if label_id is not None:
            raise Rejected("no_such_label")
        if types and "user" not in types:
            return directory.Page([])
        name, cursor = read_cursor(after)
        query = {
            "business_id": self._business,
            "conversation_type": name,
            "limit": min(limit, _MOST_ROWS),
            "cursor": cursor,
        }
        rows = await self._api.call("GET", "business/message/conversation/list/", Rows, query=query)
        return page_of(name, rows, cursor)

    async def get_conversation(self, conversation_id: str) -> directory.Conversation:
        return conversation_of(conversation_id, await self._read_conversation(conversation_id))

    async def list_conversation_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        found = await self._read_conversation(conversation_id)
        return directory.Page([member_of(each) for each in found.participants])

    async def _read_conversation(self, conversation_id: str) -> Messages:
        query = {"business_id": self._business, "conversation_id": conversation_id}
        try:
            found: Messages = await self._api.call(
                "GET", "business/message/content/list/", Messages, query=query
            )
        except Rejected as error:
            if error.reason == "invalid_parameter":  # TikTok's word for an id that it has not given
                raise Rejected(CONVERSATION_NOT_FOUND, error.detail, code=error.code) from None
            raise
        return found

    async def aclose(self) -> None:
        await self._api.http.aclose()
