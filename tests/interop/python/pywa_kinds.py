"""pywa behind our sandbox: what its models read in each webhook.

argv: number, app secret, verify token, port.
One JSON line for each webhook: the field, and the classes of the updates that pywa's handlers got.
"""

import json
import sys

import uvicorn
from fastapi import FastAPI
from pywa import WhatsApp, handlers

number, secret, verify_token, port = sys.argv[1:]
app = FastAPI()
wa = WhatsApp(
    phone_id=number,
    token="a-token",
    server=app,
    verify_token=verify_token,
    app_secret=secret,
    webhook_endpoint="/hook",
)


def say(**line):
    print(json.dumps(line), flush=True)


def told(client, update):
    kind = getattr(update, "type", None)
    say(update=type(update).__name__, type=None if kind is None else str(getattr(kind, "value", kind)))


for handler in handlers.Handler.__subclasses__() + handlers._FactoryHandler.__subclasses__():
    if handler not in (handlers._FactoryHandler, handlers.RawUpdateHandler):
        wa.add_handlers(handler(told))
wa.add_handlers(handlers.RawUpdateHandler(lambda client, update: say(field=update.field)))

uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error")
