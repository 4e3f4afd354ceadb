"""Zalo's Bot Platform as `python-zalo-bot` sees it: what it reads, and what it sends. JSON lines out.

Arguments: the base URL of the platform with `/bot` at its end, the token.
"""

import asyncio
import json
import sys
from typing import Any

import zalo_bot


def tell(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


async def main(base_url: str, token: str) -> None:
    bot = zalo_bot.Bot(token, base_url=base_url)
    async with bot:
        me = await bot.get_me()
        tell(id=me.id, account_name=me.account_name)
        update = await bot.get_update(timeout=20)
        message = update.message
        tell(
            text=message.text,
            chat=message.chat.id,
            sender=message.from_user.id,
            message_id=message.message_id,
        )
        sent = await bot.send_message(message.chat.id, "from python-zalo-bot")
        tell(sent=sent.message_id)
        sent = await bot.send_photo(message.chat.id, "look", "https://photo.example/a.jpg")
        tell(sent=sent.message_id)
        sent = await bot.send_sticker(message.chat.id, "bfe458bf64fa8da4d4eb")
        tell(sent=sent.message_id)
        try:
            await bot.send_message("nobody", "x")
        except Exception as error:
            tell(refused=type(error).__name__)
        try:
            await bot.get_update(timeout=1)
        except Exception as error:
            tell(idle=type(error).__name__)


asyncio.run(main(*sys.argv[1:]))
