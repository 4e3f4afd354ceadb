"""Files of phones: encrypted and put on the media server, kept, and uploaded again when a device asks."""

import zlib
from typing import Any

from unifyport.protocols.binary_node import Node
from unifyport.protocols.whatsapp.history_pb2 import HistorySync
from unifyport.protocols.whatsapp.media import Encryptor, MediaKind, new_media_key
from unifyport.protocols.whatsapp.media_retry import Sealed, answer, read_request
from unifyport.protocols.whatsapp.whatsapp_pb2 import HistorySyncNotification, MediaRetryNotification, Message

from .directory import Account
from .media import MediaServer
from .stanzas import now

KINDS: dict[str, MediaKind] = {
    "imageMessage": MediaKind.IMAGE,
    "videoMessage": MediaKind.VIDEO,
    "audioMessage": MediaKind.AUDIO,
    "documentMessage": MediaKind.DOCUMENT,
    "stickerMessage": MediaKind.STICKER,
}


class PhoneMedia:
    """`kept`: the media key, kind and encrypted file of each message with a file, by message id."""

    def __init__(self, server: MediaServer) -> None:
        self._server = server
        self.kept: dict[str, tuple[bytes, MediaKind, bytes]] = {}

    def fill(self, part: Any, kind: MediaKind, content: bytes) -> None:
        """Encrypt and upload a file, and point the message part to it."""
        key = new_media_key()
        encryptor = Encryptor(key, kind)
        encrypted = encryptor.update(content) + encryptor.finish()
        part.mediaKey = key
        part.fileSHA256, part.fileEncSHA256 = encryptor.file_sha256, encryptor.file_enc_sha256
        part.fileLength = len(content)
        part.directPath = self._server.put(encrypted, kind.path)
        if hasattr(part, "URL"):
            part.URL = self._server.base_url.replace("http:", "https:") + part.directPath

    def keep(self, id: str, message: Message) -> None:
        """Keep the file of a message, so that it can be uploaded again."""
        for name, kind in KINDS.items():
            if message.HasField(name):
                part = getattr(message, name)
                content = self._server.get(part.directPath)
                if content is not None:
                    self.kept[id] = part.mediaKey, kind, content

    def upload_again(self, account: Account, request: Node) -> None:
        """Answer the request of an own device for a file that the media server no longer has."""
        id = request.need("id")
        key, kind, content = self.kept.get(id, (b"", MediaKind.IMAGE, b""))
        sealed = Sealed(
            request.bytes_of("encrypt", "enc_p") or b"", request.bytes_of("encrypt", "enc_iv") or b""
        )
        rmr = request.child("rmr")
        attrs = {"id": id, "type": "mediaretry", "t": now()}
        attrs["from"] = str(account.jid(lid=account.lid_addressed))
        if not key or not read_request(sealed, id, key):
            content_nodes = [Node("error", {"code": "2"})]
        else:
            path = self._server.put(content, kind.path)
            told = MediaRetryNotification(
                stanzaID=id, directPath=path, result=MediaRetryNotification.ResultType.SUCCESS
            )
            reply = answer(told, id, key)
            encrypted = (Node("enc_p", {}, reply.ciphertext), Node("enc_iv", {}, reply.iv))
            content_nodes = [Node("encrypt", {}, encrypted)]
        if rmr is not None:
            content_nodes.append(Node("rmr", {**rmr.attrs}))
        for device in account.companions:
            device.deliver(Node("notification", attrs, content_nodes))

    def history(self, sync: HistorySync) -> HistorySyncNotification:
        """Upload a piece of history; what a device is told of it."""
        told = HistorySyncNotification(syncType=sync.syncType, chunkOrder=sync.chunkOrder)
        self.fill(told, MediaKind.HISTORY, zlib.compress(sync.SerializeToString()))
        return told
