"""aiogram sends what our connector renders. argv: base URL, token, a file with JSON lines (method, fields).

A field that aiogram's method does not have is reported; aiogram's models parse each answer.
"""

import asyncio
import json
import sys
from pathlib import Path

from aiogram import Bot, methods
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

base, token, path = sys.argv[1:]


async def main() -> None:
    bot = Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(base)))
    for line in Path(path).read_text().splitlines():
        name, fields = json.loads(line)
        method = getattr(methods, name[0].upper() + name[1:])
        said = {"method": name, "unknown": sorted(fields.keys() - method.model_fields.keys())}
        try:
            answer = await bot(method(**fields))
            one = answer[0] if isinstance(answer, list) else answer
            said["content"] = (
                str(one.content_type.value) if hasattr(one, "content_type") else type(one).__name__
            )
        except Exception as error:  # whatever it is, the test shows it
            said["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(said), flush=True)
    await bot.session.close()


asyncio.run(main())
