"""python-telegram-bot as a bot on our sandbox: argv: base URL, token.

Echoes each text; JSON lines on stdout.
"""

import json
import sys

from telegram import Update
from telegram.ext import ApplicationBuilder, ContextTypes, MessageHandler, filters


async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    message = update.effective_message
    sent = await message.reply_text(f"echo: {message.text}")
    print(
        json.dumps({"got": message.text, "from": message.from_user.id, "sent": sent.message_id}), flush=True
    )


async def started(application) -> None:
    me = await application.bot.get_me()
    print(json.dumps({"me": me.id, "is_bot": me.is_bot}), flush=True)


base, token = sys.argv[1:]
application = ApplicationBuilder().token(token).base_url(f"{base}/bot").post_init(started).build()
application.add_handler(MessageHandler(filters.TEXT, echo))
application.run_polling(timeout=5)
