"""pywa as a business behind our sandbox: verifies and parses its webhooks, answers through its Graph API.

argv: the sandbox's base URL, the number, app secret, verify token, port. One JSON line for each thing that
came in.
"""

import json
import sys

import uvicorn
from fastapi import FastAPI
from pywa import WhatsApp

base, number, secret, verify_token, port = sys.argv[1:]
app = FastAPI()
wa = WhatsApp(
    phone_id=number,
    token="a-token",
    server=app,
    verify_token=verify_token,
    app_secret=secret,
    webhook_endpoint="/hook",
)
wa.api._session.base_url = f"{base}/v{wa.api_version if hasattr(wa, 'api_version') else '24.0'}"


def say(**line):
    print(json.dumps(line), flush=True)


@wa.on_message
def on_message(client, message):
    media = message.media
    say(
        kind="message",
        id=message.id,
        type=str(message.type.value),
        text=message.text,
        sender=message.from_user.wa_id,
        name=message.from_user.name,
        number=message.metadata.phone_number_id,
        media=None if media is None else len(media.get_bytes()),
        reply_to=message.reply_to_message.message_id if message.reply_to_message else None,
    )
    if message.text:
        message.mark_as_read()
        sent = message.reply(f"echo: {message.text}", quote=True)
        say(kind="sent", id=sent.id)


@wa.on_message_status
def on_status(client, status):
    say(
        kind="status",
        id=status.id,
        status=str(status.status.value),
        error=status.error.code if status.error else None,
    )


uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error")
