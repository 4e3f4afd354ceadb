"""The Kurigram peer of the Telegram user-account tests: a client that takes orders as JSON lines on standard
input and tells answers and events as JSON lines on standard output.

usage: python kurigram_peer.py DATA_CENTRE HOST:PORT KEY_FILE DIRECTORY TRANSPORT
KEY_FILE: modulus, exponent and fingerprint as JSON.
"""

import asyncio
import hashlib
import json
import logging
import os
import sys
from pathlib import Path

from pyrogram import Client, enums, raw
from pyrogram.connection.transport import TCPAbridged, TCPAbridgedO, TCPIntermediate, TCPIntermediatePadded
from pyrogram.crypto import rsa
from pyrogram.errors import SessionPasswordNeeded
from pyrogram.qrlogin import QRLogin
from pyrogram.storage import SQLiteStorage
from pyrogram.types import ReplyParameters

DC, ADDRESS, KEY_FILE, DIRECTORY, TRANSPORT = sys.argv[1:6]
HOST, _, PORT = ADDRESS.rpartition(":")
TRANSPORTS = {
    "abridged": TCPAbridged,
    "intermediate": TCPIntermediate,
    "padded": TCPIntermediatePadded,
    "obfuscated": TCPAbridgedO,
}
KEY = json.loads(Path(KEY_FILE).read_text())
FINGERPRINT = int.from_bytes(KEY["fingerprint"].to_bytes(8, "big"), "big", signed=True)
rsa.server_public_keys[FINGERPRINT] = rsa.PublicKey(m=KEY["n"], e=KEY["e"])
if os.environ.get("PEER_LOG"):
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)


class Storage(SQLiteStorage):
    """Where a new login begins."""

    async def dc_id(self, value=object):
        return await super().dc_id(int(DC) if value == 2 else value)

    async def server_address(self, value=object):
        return await super().server_address(HOST if value == "149.154.167.51" else value)

    async def port(self, value=object):
        return await super().port(int(PORT) if value == 443 else value)


def tell(**what):
    print(json.dumps(what), flush=True)


def told_of(message, name="message"):
    media = message.media.value if message.media else "text"
    return {
        "event": name,
        "id": message.id,
        "chat": message.chat.id,
        "from": (message.from_user or message.sender_chat or message.chat).id,
        "text": message.text or message.caption or "",
        "kind": {"location": "geo"}.get(media, media),
        "out": bool(message.outgoing),
        "quoted": message.reply_to_message_id,
        "album": message.media_group_id,
        "entities": [each.type.name for each in message.entities or message.caption_entities or []],
    }


class Orders:
    """The orders by name; each takes the fields of an order."""

    def __init__(self, client):
        self._client = client
        self._hash = ""

    async def send_code(self, phone, **_):
        sent = await self._client.send_code(phone)
        self._hash = sent.phone_code_hash
        return {"type": str(sent.type)}

    async def sign_in(self, phone, code, **_):
        try:
            await self._client.sign_in(phone, self._hash, code)
        except SessionPasswordNeeded:
            return {"password": True}
        return await self._opened()

    async def password(self, password, **_):
        await self._client.check_password(password)
        return await self._opened()

    async def qr(self, **_):
        """Shows a code; when it is scanned, `scanned` is told."""
        login = QRLogin(self._client)
        await login.recreate()
        asyncio.get_running_loop().create_task(self._wait(login))
        await asyncio.sleep(0.3)  # until it listens: Kurigram misses what comes before
        return {"url": login.url}

    async def _wait(self, login):
        try:
            await login.wait()
            tell(event="scanned", **await self._opened())
        except SessionPasswordNeeded:
            tell(event="scanned", password=True)
        except Exception as error:
            tell(event="scanned", error=repr(error))

    async def _opened(self):
        await self._client.invoke(raw.functions.updates.GetState())
        self._client.me = await self._client.get_me()
        await self._client.initialize()
        return await self.me()

    async def me(self, **_):
        me = await self._client.get_me()
        return {"id": me.id, "dc": await self._client.storage.dc_id()}

    async def resolve(self, name, **_):
        return {"id": (await self._client.get_chat(name)).id}

    async def text(self, to, text, reply_to=None, **_):
        quoted = ReplyParameters(message_id=reply_to) if reply_to else None
        html = enums.ParseMode.HTML
        message = await self._client.send_message(to, text, reply_parameters=quoted, parse_mode=html)
        return {"id": message.id}

    async def media(self, to, path, kind="photo", text="", **_):
        if isinstance(path, list):
            raise NotImplementedError
        message = await getattr(self._client, f"send_{kind}")(to, path, caption=text)
        return {"id": message.id}

    async def download(self, chat, id, **_):
        message = await self._client.get_messages(chat, id)
        data = (await self._client.download_media(message, in_memory=True)).getvalue()
        return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}

    async def edit(self, to, id, text, **_):
        await self._client.edit_message_text(to, id, text)

    async def delete(self, to, id, **_):
        await self._client.delete_messages(to, id)

    async def read(self, to, id, **_):
        await self._client.read_chat_history(to, id)

    async def react(self, to, id, text, **_):
        await self._client.send_reaction(to, id, text)

    async def group(self, title, people, **_):
        return {"id": (await self._client.create_group(title, people)).id}

    async def supergroup(self, title, people, **_):
        made = await self._client.create_supergroup(title)
        await self._client.add_chat_members(made.id, people)
        return {"id": made.id}

    async def title(self, to, title, **_):
        await self._client.set_chat_title(to, title)

    async def members(self, chat, **_):
        return [each.user.id async for each in self._client.get_chat_members(chat)]

    async def dialogs(self, **_):
        return [
            {"id": each.chat.id, "unread": each.unread_messages_count, "text": each.top_message.text}
            async for each in self._client.get_dialogs()
        ]

    async def typing(self, to, **_):
        await self._client.send_chat_action(to, enums.ChatAction.TYPING)

    async def log_out(self, **_):
        await self._client.log_out()


async def obey(orders, order):
    number, name = order.pop("n"), order.pop("do")
    try:
        tell(n=number, result=await getattr(orders, name)(**order))
    except Exception as error:
        tell(n=number, error=repr(error))


def listen(client):
    @client.on_message()
    async def new(_, message):
        if not message.service:
            tell(**told_of(message))
        else:
            tell(event="action", chat=message.chat.id, title=message.new_chat_title)

    @client.on_edited_message()
    async def edited(_, message):
        tell(**told_of(message, "edited"))

    @client.on_deleted_messages()
    async def deleted(_, messages):
        tell(event="deleted", ids=[each.id for each in messages])

    @client.on_raw_update(group=1)  # QRLogin has its own in group 0
    async def update(_, update, users, chats):
        if isinstance(update, raw.types.UpdateReadHistoryOutbox):
            tell(event="read", chat=update.peer.user_id, max_id=update.max_id)
        elif isinstance(update, raw.types.UpdateUserTyping):
            tell(event="typing")
        elif isinstance(update, raw.types.UpdateMessageReactions):
            given = [each.reaction.emoticon for each in update.reactions.results]
            tell(event="reactions", id=update.msg_id, given=given)


async def main():
    client = Client(
        "peer",
        api_id=1,
        api_hash="hash",
        storage_engine=Storage("peer", Path(DIRECTORY)),
        protocol_factory=TRANSPORTS[TRANSPORT],
    )
    listen(client)
    await client.connect()
    tell(event="connected")
    orders, loop, tasks = Orders(client), asyncio.get_running_loop(), set()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        task = asyncio.create_task(obey(orders, json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


asyncio.run(main())
