"""The Telethon peer of the Telegram user-account tests: a client that takes orders as JSON lines on standard
input and tells answers and events as JSON lines on standard output.

usage: python telethon_peer.py DATA_CENTRE HOST:PORT KEY_FILE DIRECTORY TRANSPORT
"""

import asyncio
import hashlib
import json
import logging
import os
import sys
from pathlib import Path

from telethon import TelegramClient, events, functions, types, utils
from telethon.crypto import rsa
from telethon.errors import SessionPasswordNeededError
from telethon.network import connection
from telethon.sessions import SQLiteSession

DC, ADDRESS, KEY_FILE, DIRECTORY, TRANSPORT = sys.argv[1:6]
TRANSPORTS = {
    "abridged": connection.ConnectionTcpAbridged,
    "intermediate": connection.ConnectionTcpIntermediate,
    "obfuscated": connection.ConnectionTcpObfuscated,
}
TYPING = (types.UpdateUserTyping, types.UpdateChatUserTyping, types.UpdateChannelUserTyping)
rsa.add_key(Path(KEY_FILE).read_text(), old=False)
if os.environ.get("PEER_LOG"):
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)


def tell(**what):
    print(json.dumps(what), flush=True)


def kind_of(message):
    for kind in ("photo", "voice", "audio", "sticker", "video", "poll", "geo", "contact", "document"):
        if getattr(message, kind, None):
            return kind
    return "text"


def told_of(message, name="message"):
    return {
        "event": name,
        "id": message.id,
        "chat": message.chat_id,
        "from": message.sender_id,
        "text": message.raw_text,
        "kind": kind_of(message),
        "out": bool(message.out),
        "quoted": message.reply_to_msg_id,
        "album": message.grouped_id,
        "entities": [type(entity).__name__ for entity in message.entities or []],
    }


class Orders:
    """The orders by name; each takes the fields of an order."""

    def __init__(self, client):
        self._client = client
        self._hash = ""

    async def send_code(self, phone, **_):
        sent = await self._client.send_code_request(phone)
        self._hash = sent.phone_code_hash
        return {"type": type(sent.type).__name__}

    async def sign_in(self, phone, code, **_):
        try:
            await self._client.sign_in(phone, code, phone_code_hash=self._hash)
        except SessionPasswordNeededError:
            return {"password": True}
        return await self.me()

    async def password(self, password, **_):
        await self._client.sign_in(password=password)
        return await self.me()

    async def qr(self, **_):
        """Shows a code; when it is scanned, `scanned` is told."""
        login = await self._client.qr_login()
        asyncio.get_running_loop().create_task(self._wait(login))
        return {"url": login.url}

    async def _wait(self, login):
        try:
            await login.wait(30)
            tell(event="scanned", **await self.me())
        except SessionPasswordNeededError:
            tell(event="scanned", password=True)
        except Exception as error:
            tell(event="scanned", error=repr(error))

    async def me(self, **_):
        me = await self._client.get_me()
        return {"id": me.id, "dc": self._client.session.dc_id}

    async def resolve(self, name, **_):
        found = await self._client.get_entity(name)
        return {"id": utils.get_peer_id(found)}

    async def text(self, to, text, reply_to=None, **_):
        message = await self._client.send_message(to, text, reply_to=reply_to, parse_mode="html")
        return {"id": message.id}

    async def media(self, to, path, kind="photo", text=None, **_):
        options = {"voice_note": kind == "voice", "force_document": kind == "document"}
        message = await self._client.send_file(to, path, caption=text, **options)
        return {"id": [each.id for each in message] if isinstance(message, list) else message.id}

    async def download(self, chat, id, **_):
        message = await self._client.get_messages(chat, ids=id)
        data = await self._client.download_media(message, bytes)
        return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}

    async def edit(self, to, id, text, **_):
        await self._client.edit_message(to, id, text)

    async def delete(self, to, id, **_):
        await self._client.delete_messages(to, [id])

    async def read(self, to, id, **_):
        await self._client.send_read_acknowledge(to, max_id=id)

    async def react(self, to, id, text, **_):
        reaction = [types.ReactionEmoji(text)]
        await self._client(functions.messages.SendReactionRequest(to, id, reaction=reaction))

    async def group(self, title, people, **_):
        made = await self._client(functions.messages.CreateChatRequest(people, title))
        [chat] = made.updates.chats
        return {"id": utils.get_peer_id(chat)}

    async def supergroup(self, title, people, **_):
        made = await self._client(functions.channels.CreateChannelRequest(title, "", megagroup=True))
        await self._client(functions.channels.InviteToChannelRequest(made.chats[0], people))
        return {"id": utils.get_peer_id(made.chats[0])}

    async def title(self, to, title, **_):
        chat = await self._client.get_input_entity(to)
        if isinstance(chat, types.InputPeerChat):
            await self._client(functions.messages.EditChatTitleRequest(chat.chat_id, title))
        else:
            await self._client(functions.channels.EditTitleRequest(chat, title))

    async def members(self, chat, **_):
        return [each.id for each in await self._client.get_participants(chat)]

    async def dialogs(self, **_):
        return [
            {"id": each.id, "name": each.name, "unread": each.unread_count, "text": each.message.raw_text}
            async for each in self._client.iter_dialogs()
        ]

    async def history(self, chat, **_):
        return [told_of(each) async for each in self._client.iter_messages(chat, reverse=True)]

    async def typing(self, to, **_):
        await self._client(functions.messages.SetTypingRequest(to, types.SendMessageTypingAction()))

    async def catch_up(self, **_):
        await self._client.catch_up()

    async def log_out(self, **_):
        await self._client.log_out()


async def obey(orders, order):
    number, name = order.pop("n"), order.pop("do")
    try:
        tell(n=number, result=await getattr(orders, name)(**order))
    except Exception as error:
        tell(n=number, error=repr(error))


def listen(client):
    @client.on(events.NewMessage())
    async def new(event):
        if event.message.action is None:
            tell(**told_of(event.message))

    @client.on(events.MessageEdited())
    async def edited(event):
        tell(**told_of(event.message, "edited"))

    @client.on(events.MessageDeleted())
    async def deleted(event):
        tell(event="deleted", ids=event.deleted_ids)

    @client.on(events.MessageRead())
    async def read(event):
        tell(event="read", chat=event.chat_id, max_id=event.max_id)

    @client.on(events.ChatAction())
    async def action(event):
        photo = event.action_message.id if event.new_photo and event.photo else None
        named = {"title": event.new_title, "users": event.user_ids, "photo": photo}
        tell(event="action", chat=event.chat_id, **named)

    @client.on(events.Raw(types.UpdateMessageReactions))
    async def reactions(update):
        given = [each.reaction.emoticon for each in update.reactions.results]
        tell(event="reactions", id=update.msg_id, given=given)

    @client.on(
        events.Raw((types.UpdateUserTyping, types.UpdateChatUserTyping, types.UpdateChannelUserTyping))
    )
    async def typing(update):
        tell(event="typing")


async def main():
    session = SQLiteSession(str(Path(DIRECTORY) / "peer"))
    if session.auth_key is None:
        host, _, port = ADDRESS.rpartition(":")
        session.set_dc(int(DC), host, int(port))
    client = TelegramClient(
        session, 1, "hash", connection=TRANSPORTS[TRANSPORT], catch_up=True, request_retries=2
    )
    listen(client)
    await client.connect()
    tell(event="connected")
    if await client.is_user_authorized():
        tell(event="open", **await Orders(client).me())
    orders, loop, tasks = Orders(client), asyncio.get_running_loop(), set()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        task = asyncio.create_task(obey(orders, json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


asyncio.run(main())
