"""Files of messages: encrypted here before they are uploaded, decrypted here as they come.

A file is read twice for an upload, as its place is named by the hash of what is uploaded; nothing is kept on
disk for it. A download passes its bytes on as they are decrypted, and fails at its end if they are not what
was sent. A file that the platform no longer has is asked for once, at the sender's phone.
https://github.com/tulir/whatsmeow (`upload.go`, `download.go`, `mediaretry.go`)
"""

import base64
import time
from collections.abc import AsyncIterator
from urllib.parse import quote, urlencode

import msgspec
import trio

from unifyport.model.message import OutboundMedia
from unifyport.net.bodies import FileBody
from unifyport.net.clients import Response
from unifyport.protocols.binary_node import Node
from unifyport.protocols.whatsapp import media_retry
from unifyport.protocols.whatsapp.media import (
    DamagedMedia,
    Decryptor,
    Encryptor,
    MediaKind,
    MediaReader,
    PlainReader,
    new_media_key,
)
from unifyport.protocols.whatsapp.whatsapp_pb2 import MediaRetryNotification
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.capabilities import Sink
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.http import UPLOAD_SECONDS, HttpApi, nothing_applied

from .addresses import read_jid
from .files import FileHandle
from .keys import DeviceKeys
from .limits import PARALLEL_SENDS
from .media_hosts import MediaHosts
from .render import Uploaded
from .requests import Requests
from .socket import NodeSocket

RETRY_SECONDS = 45.0
_GONE = (403, 404, 410)
_UNAUTHORIZED = ("upload_http_401", "upload_http_403")
_KINDS = {kind.name.lower(): kind for kind in MediaKind}
_OVERHEAD = 64  # bytes that encryption may add


class _Stored(msgspec.Struct):
    url: str = ""
    direct_path: str = ""


class EncryptedFile(FileBody):
    """A file as a body, encrypted as it goes out."""

    def __init__(self, path: str, size: int, key: bytes, kind: MediaKind) -> None:
        super().__init__(path, size)
        self.encryptor = Encryptor(key, kind)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in super().__aiter__():
            if data := self.encryptor.update(chunk):
                yield data
        yield self.encryptor.finish()


class MediaFiles:
    """Uploads and downloads of one device, which closes it."""

    def __init__(self, context: ConnectorContext, keys: DeviceKeys, requests: Requests) -> None:
        self._keys = keys
        self._http = HttpApi(context, parallel_sends=PARALLEL_SENDS)
        self._hosts = MediaHosts(context.endpoints.device_media_url, requests)
        self._waiting: dict[str, _Answer] = {}

    async def aclose(self) -> None:
        await self._http.aclose()

    # -- out ------------------------------------------------------------------------------------------------

    async def upload(self, message: OutboundMedia) -> Uploaded:
        """Raises `Transient`, `Rejected`."""
        key, kind = new_media_key(), _KINDS[message.type]
        measured = EncryptedFile(message.path, message.size, key, kind)
        size = 0
        async for chunk in measured:
            size += len(chunk)
        found = measured.encryptor
        token = base64.urlsafe_b64encode(found.file_enc_sha256).rstrip(b"=").decode()
        path = f"/mms/{kind.path}/{token}"
        try:
            stored = await self._store(path, token, EncryptedFile(message.path, size, key, kind))
        except Transient as refused:
            if refused.reason not in _UNAUTHORIZED:
                raise
            self._hosts.forget()  # what authorizes has expired, or is that of another connection
            stored = await self._store(path, token, EncryptedFile(message.path, size, key, kind))
        if not stored.direct_path.startswith("/"):
            raise Transient("malformed_answer")
        return Uploaded(
            url=stored.url,
            path=stored.direct_path,
            key=key,
            sha256=found.file_sha256,
            encrypted_sha256=found.file_enc_sha256,
            size=found.file_length,
            at=int(time.time()),
        )

    async def _store(self, path: str, token: str, body: EncryptedFile) -> _Stored:
        host = await self._hosts.for_upload()
        query = urlencode({"auth": host.auth, "token": token})
        with nothing_applied():
            stored: _Stored = await self._http.call(
                "POST",
                f"{host.url}{path}?{query}",
                _Stored,
                body=body,
                timeout=UPLOAD_SECONDS,
                refused=_refused_upload,
            )
        return stored

    # -- in -------------------------------------------------------------------------------------------------

    async def fetch(self, handle: bytes, socket: NodeSocket, sink: Sink, limit: int) -> None:
        """The file of an attachment. One that has expired is asked for at the sender's phone, once."""
        try:
            file = FileHandle.load(handle)
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise Rejected("media_not_found") from None
        if file.size > limit:
            raise Rejected("too_large")
        try:
            await self.download(file, sink, limit)
        except Rejected as refused:
            if refused.reason != "media_not_found" or not file.message_id or not file.key:
                raise
            file.path = await self._ask_phone(file, socket)
            await self.download(file, sink, limit)

    async def download(self, file: FileHandle, sink: Sink, limit: int) -> None:
        """Raises `Rejected` (`media_not_found`, `too_large`) and `Transient`."""
        joint = "&" if "?" in file.path else "?"
        hashed = base64.urlsafe_b64encode(file.encrypted_sha256).decode()
        kind = _KINDS.get(file.media, MediaKind.DOCUMENT)
        more = urlencode({"hash": hashed, "mms-type": kind.path, "__wa-mms": ""})
        url = f"{self._hosts.url}{quote(file.path, safe='/?&=%-_.~:,;+')}{joint}{more}"
        try:
            reader = _reader(file, kind)

            async def pass_on(chunk: bytes) -> None:
                if data := reader.update(chunk):
                    await sink(data)

            await self._http.download(url, pass_on, limit=limit + _OVERHEAD, gone=_GONE)
            if rest := reader.finish():
                await sink(rest)
        except DamagedMedia:
            raise Transient("media_damaged") from None

    async def _ask_phone(self, file: FileHandle, socket: NodeSocket) -> str:
        """Ask the phone of the account to upload a file again; its new path."""
        sealed = media_retry.ask_again(file.message_id, file.key)
        named = {"jid": file.chat, "from_me": "true" if file.from_me else "false"}
        chat = read_jid(file.chat)
        if chat is not None and chat.is_group:
            named["participant"] = file.sender
        answer = self._waiting.setdefault(file.message_id, _Answer())
        parts = [
            Node("encrypt", {}, [Node("enc_p", {}, sealed.ciphertext), Node("enc_iv", {}, sealed.iv)]),
            Node("rmr", named),
        ]
        head = {"id": file.message_id, "to": str(self._keys.me.bare), "type": "server-error"}
        try:
            await socket.send(Node("receipt", head, parts))
            with trio.move_on_after(RETRY_SECONDS):
                await answer.event.wait()
        finally:
            self._waiting.pop(file.message_id, None)
        if answer.node is None:
            raise Transient("media_expired")  # the phone is off: it may have the file
        return _path_of(answer.node, file)

    def take_answer(self, node: Node) -> None:
        """A phone's answer, for the download that waits for it."""
        answer = self._waiting.get(node.get("id"))
        if answer is not None:
            answer.node = node
            answer.event.set()


class _Answer:
    __slots__ = ("event", "node")

    def __init__(self) -> None:
        self.event = trio.Event()
        self.node: Node | None = None


def _path_of(node: Node, file: FileHandle) -> str:
    """Raises `Rejected("media_not_found")` if the phone does not have the file any more."""
    error = node.child("error")
    if error is not None:
        raise Rejected("media_not_found", code=error.number("code"))
    sealed = media_retry.Sealed(
        node.bytes_of("encrypt", "enc_p") or b"", node.bytes_of("encrypt", "enc_iv") or b""
    )
    try:
        answer = media_retry.read_answer(sealed, file.message_id, file.key)
    except media_retry.BadRetryAnswer:
        raise Rejected("media_not_found") from None
    if answer.result != MediaRetryNotification.SUCCESS or not answer.directPath.startswith("/"):
        raise Rejected("media_not_found")
    return answer.directPath


def _reader(file: FileHandle, kind: MediaKind) -> MediaReader:
    """Files of newsletters are not encrypted. Raises `DamagedMedia` for a key that is none."""
    if not file.encrypted_sha256:
        return PlainReader(file.sha256)
    return Decryptor(file.key, kind, file_sha256=file.sha256, file_enc_sha256=file.encrypted_sha256)


def _refused_upload(answer: Response) -> Rejected | Transient | None:
    if answer.status == 200:
        return None
    if answer.status == 413:
        return Rejected("too_large", code=answer.status)
    return Transient(f"upload_http_{answer.status}")
