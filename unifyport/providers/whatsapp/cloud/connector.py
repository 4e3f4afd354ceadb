"""The Cloud API connection: HTTPS requests out, webhooks in (through ingress).

https://developers.facebook.com/docs/whatsapp/cloud-api. There is no session: logged in means that the Graph
API returns our number for our token. This is checked every hour, so that a revoked token is noticed although
the account sends nothing.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
import trio
from msgspec import Struct

from unifyport.model.account import Identity
from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.net.bodies import Multipart
from unifyport.net.clients import ConnectionLost, NotConnected, TooLarge, download, new_client, request
from unifyport.providers.contract.base import OTHER_CALLS, ConnectorContext, Link
from unifyport.providers.contract.capabilities import (
    DownloadsMedia,
    MarksRead,
    ReactsToMessages,
    SendsAudio,
    SendsContacts,
    SendsDocuments,
    SendsImages,
    SendsReplies,
    SendsText,
    SendsVideos,
    Sent,
    Sink,
    Target,
)
from unifyport.providers.contract.errors import LoggedOut, Rejected, Transient

from .errors import failure
from .limits import PARALLEL_SENDS
from .parse import hex_digest
from .render import complete, render_reaction, render_read

CALL_SECONDS = 20.0
UPLOAD_SECONDS = 120.0  # the command's own deadline is shorter
DOWNLOAD_SECONDS = 120.0
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
    SendsImages,
    SendsVideos,
    SendsAudio,
    SendsDocuments,
    SendsContacts,
    SendsReplies,
    ReactsToMessages,
    MarksRead,
    DownloadsMedia,
):
    """One business number."""

    def __init__(self, context: ConnectorContext) -> None:
        endpoints, credentials = context.endpoints, context.credentials
        self._number = credentials["phone_number_id"]
        self._base = f"{endpoints.graph_api_url.rstrip('/')}/{endpoints.graph_api_version}"
        self._origins = {_origin(endpoints.graph_api_url), _origin(endpoints.media_url)}
        self._headers = {"authorization": f"Bearer {credentials['access_token']}"}
        self._session = context.session
        self._client = new_client(
            context.ssl_context, connections=PARALLEL_SENDS + OTHER_CALLS, proxy=context.proxy
        )

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

    async def send_image(self, message: OutboundMedia) -> Sent:
        return await self._send_file(message)

    async def send_video(self, message: OutboundMedia) -> Sent:
        return await self._send_file(message)

    async def send_audio(self, message: OutboundMedia) -> Sent:
        return await self._send_file(message)

    async def send_document(self, message: OutboundMedia) -> Sent:
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
        await self._session.sending(message)
        return await self._post_message(body)

    async def _post_message(self, body: dict[str, Any]) -> Sent:
        accepted = await self._call("POST", f"{self._number}/messages", _Accepted, body)
        if not accepted.messages:
            raise Transient("malformed_answer", maybe_applied=True)
        return Sent(accepted.messages[0].id)

    async def _send_file(self, message: OutboundMedia, quoted: str | None = None) -> Sent:
        """Upload the file, then send the message."""
        fields = {"messaging_product": "whatsapp", "type": message.mime_type}
        form = Multipart(
            fields, "file", message.path, message.name or message.type, message.mime_type, message.size
        )
        uploaded = await self._ask(
            "POST",
            f"{self._number}/media",
            _Named,
            content=form,
            headers=form.headers,
            timeout=UPLOAD_SECONDS,
        )
        return await self._send(message, complete(message, uploaded.id, quoted=quoted))

    async def mark_read(self, conversation_id: str, message_id: str) -> None:
        marked = await self._call("POST", f"{self._number}/messages", _Success, render_read(message_id))
        if not marked.success:
            raise Rejected("not_marked_as_read")

    async def download(self, file_id: str, sink: Sink, limit: int) -> None:
        if not file_id.isascii() or not file_id.isalnum():
            raise Rejected("media_not_found")
        try:
            media = await self._call("GET", f"{file_id}?phone_number_id={self._number}", _Media)
        except Rejected:
            raise Rejected("media_not_found") from None
        if media.file_size > limit:
            raise Rejected("too_large")
        if _origin(media.url) not in self._origins:
            raise Rejected("media_host_not_allowed")  # our token goes to the configured origins only
        digest = hashlib.sha256()

        async def hashing(chunk: bytes) -> None:
            digest.update(chunk)
            await sink(chunk)

        try:
            status, length = await download(
                self._client, media.url, hashing, limit=limit, timeout=DOWNLOAD_SECONDS, headers=self._headers
            )
        except TooLarge:
            raise Rejected("too_large") from None
        except (NotConnected, ConnectionLost) as error:
            raise Transient(str(error)) from None
        if status in (404, 410):
            raise Rejected("media_not_found")
        if status != 200:
            raise Transient(f"media_http_{status}")
        if media.file_size and length != media.file_size:
            raise Transient("media_damaged")
        expected = hex_digest(media.sha256)
        if expected and not hmac.compare_digest(expected, digest.hexdigest()):
            raise Transient("media_damaged")

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _call(
        self, method: str, path: str, shape: Any, body: dict[str, Any] | None = None, *, login: bool = False
    ) -> Any:
        """Call the Graph API; returns the answer decoded as `shape`. Raises a failure class."""
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"content-type": "application/json"}
        return await self._ask(
            method, path, shape, content=content, headers=headers, timeout=CALL_SECONDS, login=login
        )

    async def _ask(
        self,
        method: str,
        path: str,
        shape: Any,
        *,
        content: bytes | Multipart | None,
        headers: Mapping[str, str],
        timeout: float,
        login: bool = False,
    ) -> Any:
        try:
            response = await request(
                self._client,
                method,
                f"{self._base}/{path}",
                content=content,
                headers={**self._headers, **headers},
                timeout=timeout,
            )
        except NotConnected as error:
            raise Transient(str(error)) from None
        except ConnectionLost as error:
            raise Transient(str(error), maybe_applied=True) from None
        if response.status != 200:
            raise self._failure(response.status, response.body, login=login)
        try:
            return msgspec.json.decode(response.body, type=shape)
        except msgspec.DecodeError:
            raise Transient("malformed_answer", maybe_applied=True) from None

    def _failure(self, status: int, body: bytes, *, login: bool) -> Exception:
        try:
            error = msgspec.json.decode(body, type=_Failure).error
        except msgspec.DecodeError:
            if status == 401 and login:
                return LoggedOut("invalid_credentials")
            return Transient(f"http_{status}_not_json", maybe_applied=status >= 500)
        return failure(error.code, status, error.message, login=login)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        return "", None, None
