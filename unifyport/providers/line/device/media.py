"""Files of messages at LINE's object store: sealed here before they are uploaded, opened here as they come.

    chat        upload                                         download
    --------    -------------------------------------------    --------------------------------
    sealed      /r/talk/<space>/reqid-<uuid>, then a message   /r/talk/<space>/<object id>
                that names the object
    plain       /r/talk/m/reqseq: the upload is the message    /r/talk/m/<message id>

A file that the store is still working on (202), or does not know yet (404), is asked for again for a while. A
sealed file is passed on as it is opened, and fails at its end if its tag does not fit.
`base/obs` of https://github.com/evex-dev/linejs.
"""

import base64
import os
import uuid
from collections.abc import AsyncIterator, Mapping

import msgspec
import trio

from unifyport.model.message import OutboundMedia
from unifyport.net.bodies import FileBody
from unifyport.net.clients import Response
from unifyport.protocols.letter_sealing.content import file_content
from unifyport.protocols.letter_sealing.errors import LetterSealingError
from unifyport.protocols.letter_sealing.files import KEY_MATERIAL_BYTES, TAG_BYTES, FileOpener, FileSealer
from unifyport.providers.contract.capabilities import Sent, Sink
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.http import UPLOAD_SECONDS, nothing_applied

from .appearance import headers
from .chats import is_id
from .echoes import Echoes
from .files import FileHandle
from .gateway import Gateway
from .render import CONTENT_TYPES, Rendered
from .token_keeper import TokenKeeper

SPACES = {"image": "emi", "video": "emv", "audio": "ema", "document": "emf"}
PLAIN_TYPES = {"image": "image", "video": "video", "audio": "audio", "document": "file"}
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds between two requests for a file that is not there yet
MOST_PREVIEW = 4 * 1024 * 1024  # bytes of a picture that is uploaded as its own preview
_NOT_YET = ("media_http_202", "media_not_found")


class SealedFile(FileBody):
    """A file as a body, sealed as it goes out."""

    def __init__(self, path: str, size: int, key_material: bytes) -> None:
        super().__init__(path, size + TAG_BYTES)
        self._sealer = FileSealer(key_material)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in super().__aiter__():
            yield self._sealer.update(chunk)
        yield self._sealer.finish()


class MediaFiles:
    """Uploads and downloads of one connection. `url`: the object store."""

    def __init__(self, gateway: Gateway, tokens: TokenKeeper, url: str) -> None:
        self._gateway = gateway
        self._tokens = tokens
        self._url = url

    # -- out ------------------------------------------------------------------------------------------------

    async def upload_sealed(self, message: OutboundMedia) -> Rendered:
        """Upload a file; the message that names it. Raises `Transient`, `Rejected`."""
        material, space = os.urandom(KEY_MATERIAL_BYTES), SPACES[message.type]
        path = f"/r/talk/{space}/reqid-{uuid.uuid4()}"
        with nothing_applied():
            oid = await self._upload(path, SealedFile(message.path, message.size, material), {"type": "file"})
            if message.type == "image" and message.size <= MOST_PREVIEW:
                again = SealedFile(message.path, message.size, material)
                await self._upload(f"/r/talk/{space}/{oid}__ud-preview", again, {"type": "file"})
        metadata = {"SID": space, "OID": oid, "FILE_SIZE": str(message.size + TAG_BYTES)}
        if message.voice is not None and message.voice.seconds is not None:
            metadata["DURATION"] = str(message.voice.seconds * 1000)
        if message.type in ("image", "video"):
            said = {"category": "original", "fileSize": message.size, "extension": _extension(message)}
            metadata["MEDIA_CONTENT_INFO"] = msgspec.json.encode(said).decode()
        content = file_content(material, message.name or f"line.{_extension(message)}")
        return Rendered(CONTENT_TYPES[message.type], content, metadata)

    async def send_plain(self, message: OutboundMedia, echoes: Echoes, *, again: bool = False) -> Sent:
        """Send a file that is not sealed: the upload is the message. `again`: as of `Echoes.sending`.

        Raises failure classes, and what `Session.sending` raises.
        """
        number = await echoes.sending(message, again=again)
        parameters = {
            "type": PLAIN_TYPES[message.type],
            "oid": "reqseq",
            "reqseq": str(number),
            "tomid": message.conversation_id,
            "name": message.name or f"line.{_extension(message)}",
        }
        if message.voice is not None and message.voice.seconds is not None:
            parameters["duration"] = str(message.voice.seconds * 1000)
        body = FileBody(message.path, message.size)
        id_ = await self._upload("/r/talk/m/reqseq", body, parameters)
        if not is_id(id_):
            raise Transient("malformed_answer", maybe_applied=True)
        echoes.answered(id_)
        return Sent(id_)

    async def _upload(self, path: str, body: FileBody, parameters: Mapping[str, str]) -> str:
        """Store a body; its object id."""
        known = await self._tokens.current()
        described = base64.b64encode(msgspec.json.encode({"ver": "2.0", **parameters})).decode()
        more = {"content-type": "application/octet-stream", "x-obs-params": described}
        answer = await self._gateway.http.request(
            "POST",
            f"{self._url}{path}",
            body=body,
            headers=headers(self._gateway.device, known.access) | more,
            timeout=UPLOAD_SECONDS,
        )
        if (failure := _refused(answer)) is not None:
            raise failure
        oid = answer.headers.get("x-obs-oid", "")
        if not oid or len(oid) > 256:
            raise Transient("malformed_answer", maybe_applied=True)
        return oid

    # -- in -------------------------------------------------------------------------------------------------

    async def fetch(self, handle: bytes, sink: Sink, limit: int) -> None:
        """The file of an attachment. Raises `Rejected` (`media_not_found`, `too_large`) and `Transient`."""
        try:
            file = FileHandle.load(handle)
            path = file.path
        except (msgspec.DecodeError, ValueError):
            raise Rejected("media_not_found") from None
        try:
            await self._fetch_when_there(file, path, sink, limit)
        except LetterSealingError:
            raise Transient("media_damaged") from None

    async def _fetch_when_there(self, file: FileHandle, path: str, sink: Sink, limit: int) -> None:
        for wait in (*WAITS, None):
            try:
                return await self._download(file, path, sink, limit)
            except (Transient, Rejected) as error:
                if error.reason not in _NOT_YET or wait is None:
                    raise
                await trio.sleep(wait)
        raise AssertionError("the last attempt ends it")

    async def _download(self, file: FileHandle, path: str, sink: Sink, limit: int) -> None:
        opener = FileOpener(file.key_material) if file.key_material else None
        known = await self._tokens.current()

        async def pass_on(chunk: bytes) -> None:
            if data := (chunk if opener is None else opener.update(chunk)):
                await sink(data)

        await self._gateway.http.download(
            f"{self._url}{path}",
            pass_on,
            limit=limit + (TAG_BYTES if opener is not None else 0),
            headers=headers(self._gateway.device, known.access),
        )
        if opener is not None:
            opener.finish()


def _extension(message: OutboundMedia) -> str:
    return os.path.splitext(message.name)[1].removeprefix(".") or {"image": "jpg", "video": "mp4"}.get(
        message.type, "bin"
    )


def _refused(answer: Response) -> Rejected | Transient | None:
    if 200 <= answer.status < 300:
        return None
    if answer.status == 413:
        return Rejected("too_large", code=answer.status)
    return Transient(f"upload_http_{answer.status}", maybe_applied=answer.status >= 500)
