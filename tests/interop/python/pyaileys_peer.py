"""The pyaileys peer of the WhatsApp device tests: a client that takes orders as JSON lines on standard input
and tells answers and events as JSON lines on standard output. Its only trust anchor is the relay's key and
each of its connections goes to the relay.

usage: python pyaileys_peer.py WEBSOCKET_URL ROOT_KEY_HEX MEDIA_URL DIRECTORY
"""

import asyncio
import hashlib
import http.client
import json
import logging
import os
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pyaileys.crypto.noise as noise
from pyaileys import WhatsAppClient
from pyaileys.proto import WAProto_pb2 as proto
from pyaileys.socket_config import SocketConfig

URL, ROOT_KEY, MEDIA_URL, DIRECTORY = sys.argv[1:5]
noise.WA_CERT_PUBLIC_KEY = bytes.fromhex(ROOT_KEY)


class ToRelay(urllib.request.HTTPSHandler):
    def https_open(self, request):
        request.host = urlsplit(MEDIA_URL).netloc
        return self.do_open(http.client.HTTPConnection, request)


urllib.request.install_opener(urllib.request.build_opener(ToRelay()))
if os.environ.get("PEER_LOG"):
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)

received = {}
MEDIA = {
    "imageMessage": "image",
    "videoMessage": "video",
    "documentMessage": "document",
    "stickerMessage": "sticker",
    "audioMessage": "audio",
}


def tell(**what):
    print(json.dumps(what), flush=True)


def told_of(event):
    message = event["message"]
    told = {
        "event": "message",
        "id": event["id"],
        "chat": event["chat_jid"],
        "from": event["sender_jid"],
        "text": event["text"],
        "kind": "text",
    }
    for field, kind in MEDIA.items():
        if message.HasField(field):
            received[event["id"]] = message
            told["kind"] = "voice" if kind == "audio" and message.audioMessage.ptt else kind
    if message.HasField("reactionMessage"):
        reaction = message.reactionMessage
        told |= {"kind": "reaction", "text": reaction.text, "target": reaction.key.id}
    elif message.HasField("locationMessage"):
        place = message.locationMessage
        told |= {"kind": "location", "latitude": place.degreesLatitude, "longitude": place.degreesLongitude}
    elif message.HasField("contactMessage"):
        told |= {"kind": "contact", "text": message.contactMessage.vcard}
    elif message.HasField("protocolMessage"):
        change = message.protocolMessage
        told |= {
            "kind": proto.Message.ProtocolMessage.Type.Name(change.type).lower(),
            "target": change.key.id,
        }
        if change.HasField("editedMessage"):
            edited = change.editedMessage
            told |= {"kind": "edit", "text": edited.conversation or edited.extendedTextMessage.text}
    elif message.HasField("senderKeyDistributionMessage") and told["text"] is None:
        told["kind"] = "key"
    return told


async def on_message(event):
    tell(**told_of(event))


async def on_error(event):
    tell(event="undecryptable", id=event.get("stanza_id"), error=event.get("error"))


async def on_receipt(node):
    sender = node.attrs.get("participant") or node.attrs["from"]
    ids = [node.attrs["id"]]
    tell(
        event="receipt", ids=ids, type=node.attrs.get("type", ""), chat=node.attrs["from"], **{"from": sender}
    )


class Orders:
    """The orders by name; each takes the fields of an order."""

    def __init__(self, client):
        self._client = client

    async def text(self, to, text, **_):
        return {"id": await self._client.send_text(to, text, wait_ack=True)}

    async def media(self, to, kind, path, text=None, **_):
        data = Path(path).read_bytes()
        send = {
            "image": lambda: self._client.send_image(to, data, caption=text, wait_ack=True),
            "video": lambda: self._client.send_video(to, data, caption=text, wait_ack=True),
            "document": lambda: self._client.send_document(to, data, filename="paper.pdf", wait_ack=True),
            "voice": lambda: self._client.send_voice_note(to, data, wait_ack=True),
            "sticker": lambda: self._client.send_sticker(to, data, wait_ack=True),
        }[kind]
        return {"id": await send()}

    async def download(self, id, **_):
        data = await self._client.download_message_media(received[id])
        return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


async def obey(orders, order):
    number, name = order.pop("n"), order.pop("do")
    try:
        tell(n=number, result=await getattr(orders, name)(**order))
    except Exception as error:
        tell(n=number, error=repr(error))


async def main():
    client, state = await WhatsAppClient.from_auth_folder(
        DIRECTORY, socket=SocketConfig(ws_url=URL, sync_full_history=False)
    )

    async def on_update(update):
        if update.qr:
            tell(event="qr", codes=[update.qr])
        if update.connection == "open":
            me = state.creds.me
            tell(event="open", jid=me.id, lid=me.lid)
        elif update.connection == "close":
            tell(event="closed", error=str(update.last_disconnect))

    async def on_creds(_):
        await state.save_creds()

    client.on("connection.update", on_update)
    client.on("creds.update", on_creds)
    client.on("message.decrypted", on_message)
    client.on("message.decrypt_error", on_error)
    client.on("stanza.receipt", on_receipt)
    await client.connect()
    orders, loop, tasks = Orders(client), asyncio.get_running_loop(), set()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        task = asyncio.create_task(obey(orders, json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


asyncio.run(main())
