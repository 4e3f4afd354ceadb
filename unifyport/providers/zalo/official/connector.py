"""The connection of an Official Account: HTTPS requests out, webhooks in (through ingress).

https://docs.zaloplatforms.com/docs/OA. The app's settings hold our address. Logged in means that Zalo names
the account that our token is for. This is checked every hour, so that a permission that was withdrawn is
noticed although the account sends nothing.
"""

import trio
from msgspec import Struct

from unifyport.model.account import Identity
from unifyport.model.message import OutboundMedia, OutboundMessage, OutboundText
from unifyport.providers.contract.base import ConnectorContext, KeepsTokens, Link
from unifyport.providers.contract.capabilities import (
    DownloadsMedia,
    ReactsToMessages,
    SendsDocuments,
    SendsImages,
    SendsReplies,
    SendsText,
    Sent,
    Sink,
    Target,
)
from unifyport.providers.contract.errors import LoggedOut, Rejected, Transient
from unifyport.providers.contract.login import Authorization, Authorizes, Dialog
from unifyport.providers.http import UPLOAD_SECONDS, new_form, nothing_applied

from ..downloads import download
from .api import OfficialApi
from .directory import Directory
from .limits import MAX_PICTURE
from .oauth import consent_url
from .render import Request, render, render_reaction

CHECK_SECONDS = 3600.0


class _Account(Struct):
    oaid: str | int = ""
    oa_id: str | int = ""
    name: str = ""
    avatar: str = ""


class _Uploaded(Struct):
    """An image has an id, a document a token."""

    attachment_id: str = ""
    token: str = ""


class _SentMessage(Struct):
    message_id: str = ""


class OfficialConnector(
    Authorizes,
    KeepsTokens,
    SendsText,
    SendsImages,
    SendsDocuments,
    SendsReplies,
    ReactsToMessages,
    DownloadsMedia,
    Directory,
):
    """One Official Account."""

    def __init__(self, context: ConnectorContext) -> None:
        self._credentials = context.credentials
        self._endpoints = context.endpoints
        self._session = context.session
        self._api = OfficialApi(context)

    # -- login -----------------------------------------------------------------------------------------------

    async def authorize(self, dialog: Dialog) -> Authorization:
        client = self._api.client
        page = consent_url(self._endpoints.oauth_url, client.client_id, client.verifier)
        await self._api.tokens.exchange(await dialog.ask_consent(page, []))
        return Authorization(await self._identify())

    async def login(self) -> Identity:
        return await self._identify()

    async def _identify(self) -> Identity:
        with nothing_applied():
            account: _Account = await self._api.call("GET", "v2.0/oa/getoa", _Account, login=True)
        found = str(account.oa_id or account.oaid)
        expected = self._credentials.get("oa_id")
        if not found or expected not in (None, "", found):
            raise LoggedOut("unexpected_oa_id" if found else "account_without_id")
        return Identity(found, display_name=account.name, picture_url=account.avatar)

    async def keep_fresh(self) -> None:
        await self._api.tokens.keep_fresh()

    async def receive(self, link: Link) -> None:
        while True:
            await trio.sleep(CHECK_SECONDS)
            await self._identify()
            link.observed()

    # -- messages --------------------------------------------------------------------------------------------

    async def send_text(self, message: OutboundText) -> Sent:
        return await self._send(message)

    async def send_image(self, message: OutboundMedia) -> Sent:
        return await self._send_file(message)

    async def send_document(self, message: OutboundMedia) -> Sent:
        return await self._send_file(message)

    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        return await self._send(message, quoted=quoted_message_id)

    async def _send_file(self, message: OutboundMedia) -> Sent:
        """Upload the file, then send the message."""
        request: Request = message.rendered_by(render)
        if request.upload == "image" and message.size > MAX_PICTURE:
            raise Rejected("too_large", "Zalo takes pictures of at most 1 MiB")
        form = new_form(message, {}, "file")
        with nothing_applied():
            uploaded: _Uploaded = await self._api.call(
                "POST", f"v2.0/oa/upload/{request.upload}", _Uploaded, body=form, timeout=UPLOAD_SECONDS
            )
        file = uploaded.token if request.upload == "file" else uploaded.attachment_id
        if not file:
            raise Transient("malformed_answer")
        return await self._send(message, file)

    async def _send(self, message: OutboundMessage, file: str = "", quoted: str | None = None) -> Sent:
        request: Request = message.rendered_by(render)
        body = request.body(file, quoted)
        await self._api.tokens.current()  # what may fail without effect comes before the message is marked
        await self._session.sending(message)
        sent: _SentMessage = await self._api.post(request.path, _SentMessage, body)
        if not sent.message_id:
            raise Transient("malformed_answer", maybe_applied=True)
        return Sent(sent.message_id)

    async def react_to_message(self, target: Target, emoji: str) -> None:
        body = render_reaction(target.conversation_id, target.message_id, emoji)
        await self._api.post("v2.0/oa/message", object, body)

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        hosts = self._endpoints.media_hosts
        await download(self._api.http, handle, sink, hosts=hosts, limit=limit)

    async def aclose(self) -> None:
        await self._api.http.aclose()
