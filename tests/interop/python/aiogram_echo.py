"""aiogram as a bot on our sandbox: argv: base URL, token. Echoes each text; JSON lines on stdout."""

import asyncio
import json
import sys

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message

base, token = sys.argv[1:]
dispatcher = Dispatcher()


@dispatcher.message()
async def echo(message: Message) -> None:
    sent = await message.answer(f"echo: {message.text}")
    print(
        json.dumps({"got": message.text, "from": message.from_user.id, "sent": sent.message_id}), flush=True
    )


async def main() -> None:
    bot = Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(base)))
    me = await bot.get_me()
    print(json.dumps({"me": me.id, "is_bot": me.is_bot}), flush=True)
    await dispatcher.start_polling(bot, handle_signals=False)


asyncio.run(main())
