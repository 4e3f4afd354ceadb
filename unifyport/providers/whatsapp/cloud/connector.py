"""The Cloud API connection: HTTPS requests out, webhooks in (through ingress).

https://developers.facebook.com/docs/whatsapp/cloud-api. There is no session: logged in means that the Graph
API returns our number for our token. This is checked every hour, so that a revoked token is noticed although
the account sends nothing.
"""

import functools
from typing import Any
from urllib.parse import urlencode

import msgspec
import trio
from msgspec import Struct

from unifyport.model import directory
from unifyport.model.account import Identity
from unifyport.model.json_text import UNREADABLE
from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.net.clients import Response
from unifyport.providers.contract.base import ConnectorContext, Link
from unifyport.providers.contract.capabilities import (
    DownloadsMedia,
    ListsTemplates,
    MarksRead,
    ReactsToMessages,
    SendsContacts,
    SendsFiles,
    SendsReplies,
    SendsText,
    Sent,
    ShowsTyping,
    Sink,
    Target,
)
from unifyport.providers.contract.errors import ChannelError, LoggedOut, Rejected, Transient
from unifyport.providers.http import UPLOAD_SECONDS, HttpApi, new_form, origin_of

from .errors import failure
from .kinds import hex_digest
from .limits import PARALLEL_SENDS
from .render import complete, render_reaction, render_read
from .template_checks import TemplateChecks
from .templates import APPROVED, FIELDS, Listing, Page, read_page, shown

CHECK_SECONDS = 3600.0


class _Error(Struct, frozen=True):
    code: int = -1
    message: str = ""


class _Failure(Struct):
    error: _Error


class _Number(Struct):
    id: str
    display_phone_number: str = ""
    verified_name: str = ""


class _Named(Struct):
    id: str


class _Accepted(Struct):
    messages: list[_Named]


class _Success(Struct):
    success: bool = False


class _Media(Struct):
    url: str
    sha256: str = ""
    file_size: int = 0


class CloudConnector(
    SendsText,
    SendsFiles,
    SendsContacts,
    SendsReplies,
    ReactsToMessages,
    MarksRead,
    ShowsTyping,
    ListsTemplates,
    DownloadsMedia,
):
    """One business number."""

    def __init__(self, context: ConnectorContext) -> None:
        endpoints, credentials = context.endpoints, context.credentials
        self._number = credentials["phone_number_id"]
        self._base = f"{endpoints.graph_api_url.rstrip('/')}/{endpoints.graph_api_version}"
        self._origins = {origin_of(endpoints.graph_api_url), origin_of(endpoints.media_url)}
        self._session = context.session
        self._business = credentials.get("business_account_id")
        self._templates = TemplateChecks(self._ask_for_templates)
        headers = {"authorization": f"Bearer {credentials['access_token']}"}
        self._http = HttpApi(context, parallel_sends=PARALLEL_SENDS, headers=headers)

    async def login(self) -> Identity:
        fields = "?fields=id,display_phone_number,verified_name"
        number = await self._call("GET", self._number + fields, _Number, login=True)
        if number.id != self._number:
            raise LoggedOut("unknown_phone_number_id")
        phone = "+" + "".join(letter for letter in number.display_phone_number if letter.isdigit())
        return Identity(self._number, display_name=number.verified_name, phone=phone if phone != "+" else "")

    async def receive(self, link: Link) -> None:
        while True:
            await trio.sleep(CHECK_SECONDS)
            await self.login()
            link.observed()

    async def send_text(self, message: OutboundText) -> Sent:
        return await self._send(message, complete(message))

    async def send_file(self, message: OutboundMedia) -> Sent:
        return await self._send_file(message)

    async def send_contacts(self, message: OutboundContacts) -> Sent:
        return await self._send(message, complete(message))

    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        if isinstance(message, OutboundMedia):
            return await self._send_file(message, quoted_message_id)
        return await self._send(message, complete(message, quoted=quoted_message_id))

    async def react_to_message(self, target: Target, emoji: str) -> None:
        await self._post_message(render_reaction(target.conversation_id, target.message_id, emoji))

    async def _send(self, message: OutboundMessage, body: dict[str, Any]) -> Sent:
        """Send a message of a command. Until it is marked as being sent, nothing has been."""
        if body["type"] == "template" and self._business is not None:
            await self._templates.check(body["template"])
        await self._session.sending(message)
        return await self._post_message(body)

    async def _post_message(self, body: dict[str, Any]) -> Sent:
        accepted = await self._call("POST", f"{self._number}/messages", _Accepted, json=body)
        if not accepted.messages or not accepted.messages[0].id:
            raise Transient("malformed_answer", maybe_applied=True)
        return Sent(accepted.messages[0].id)

    async def _send_file(self, message: OutboundMedia, quoted: str | None = None) -> Sent:
        """Upload the file, then send the message."""
        fields = {"messaging_product": "whatsapp", "type": message.mime_type}
        form = new_form(message, fields, "file")
        path = f"{self._number}/media"
        uploaded = await self._call("POST", path, _Named, body=form, timeout=UPLOAD_SECONDS)
        return await self._send(message, complete(message, uploaded.id, quoted=quoted))

    async def list_message_templates(
        self, after: str | None, limit: int
    ) -> directory.Page[directory.MessageTemplate]:
        query = {"status": APPROVED, "limit": limit} | ({"after": after} if after else {})
        page = await self._ask_for_templates(query)
        return directory.Page([shown(each) for each in page.templates if each.status == APPROVED], page.after)

    async def _ask_for_templates(self, query: dict[str, Any]) -> Page:
        if self._business is None:
            raise Rejected("business_account_id_required", "the account needs business_account_id")
        path = f"{self._business}/message_templates?{urlencode({'fields': FIELDS, **query})}"
        return read_page(await self._call("GET", path, Listing))

    async def show_typing(self, conversation_id: str, message_id: str | None) -> None:
        """WhatsApp shows it in answer to a message, and marks that as read."""
        if message_id is None:
            raise Rejected("message_id_required")
        await self._mark(render_read(message_id, typing=True))

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        if message_id is None:
            raise Rejected("message_id_required")
        await self._mark(render_read(message_id))

    async def _mark(self, body: dict[str, Any]) -> None:
        marked = await self._call("POST", f"{self._number}/messages", _Success, json=body)
        if not marked.success:
            raise Rejected("not_marked_as_read")

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        file_id = handle.decode(errors="replace")
        if not file_id.isascii() or not file_id.isalnum():
            raise Rejected("media_not_found")
        try:
            media = await self._call("GET", f"{file_id}?phone_number_id={self._number}", _Media)
        except Rejected:
            raise Rejected("media_not_found") from None
        if media.file_size > limit:
            raise Rejected("too_large")
        if origin_of(media.url) not in self._origins:
            raise Rejected("media_host_not_allowed")  # our token goes to the configured origins only
        digest = hex_digest(media.sha256)
        await self._http.download(media.url, sink, limit=limit, size=media.file_size, sha256=digest)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _call(self, method: str, path: str, shape: Any, *, login: bool = False, **options: Any) -> Any:
        """Call the Graph API; returns the answer decoded as `shape`. Raises a failure class."""
        refused = functools.partial(_refusal, login=login)
        return await self._http.call(method, f"{self._base}/{path}", shape, refused=refused, **options)


def _refusal(response: Response, *, login: bool) -> ChannelError | None:
    if response.status == 200:
        return None
    try:
        error = msgspec.json.decode(response.body, type=_Failure).error
    except UNREADABLE:
        if response.status == 401 and login:
            return LoggedOut("invalid_credentials")
        return Transient(f"http_{response.status}_not_json", maybe_applied=response.status >= 500)
    return failure(error.code, response.status, error.message, login=login)
