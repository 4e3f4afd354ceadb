"""aiogram as a bot on our sandbox: what its models read in each update. argv: base URL, token, count.

First a line with the version of the Bot API, the fields of a message and the kinds of updates that its models
have, then one for each update: its kind, and the type of content that aiogram finds in a message.
"""

import asyncio
import json
import sys

import aiogram
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message, Update

base, token, count = sys.argv[1:]


def say(**line) -> None:
    print(json.dumps(line), flush=True)


async def main() -> None:
    bot = Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(base)))
    await bot.get_me()
    allowed = [name for name in Update.model_fields if name != "update_id"]
    await bot.get_updates(timeout=0, allowed_updates=allowed)
    say(
        version=aiogram.__api_version__,
        message=[field.alias or name for name, field in Message.model_fields.items()],
        update=allowed,
    )
    offset, seen = 0, 0
    while seen < int(count):
        for update in await bot.get_updates(offset=offset, timeout=10, allowed_updates=allowed):
            offset, seen = update.update_id + 1, seen + 1
            content = update.event.content_type if isinstance(update.event, Message) else None
            say(kind=update.event_type, content=None if content is None else str(content.value))
    await bot.session.close()


asyncio.run(main())
