"""line-bot-sdk as a judge: its generated models read our request bodies, its parser our webhooks.

argv: the channel secret, a file with `{"requests": [[endpoint, body], ...], "webhooks": [[body, signature],
...]}`. Prints what it made of them, as one JSON line.
"""

import json
import sys

from linebot.v3 import WebhookParser
from linebot.v3.exceptions import InvalidSignatureError
from linebot.v3.messaging import (
    MarkMessagesAsReadByTokenRequest,
    PushMessageRequest,
    ReplyMessageRequest,
    SetWebhookEndpointRequest,
    ShowLoadingAnimationRequest,
)
from linebot.v3.webhook import UnknownEvent

MODELS = {
    "push": PushMessageRequest,
    "reply": ReplyMessageRequest,
    "mark_as_read": MarkMessagesAsReadByTokenRequest,
    "loading": ShowLoadingAnimationRequest,
    "set_webhook": SetWebhookEndpointRequest,
}


def read_request(endpoint, body):
    try:
        return MODELS[endpoint].from_dict(body).to_dict()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def read_webhook(parser, body, signature):
    try:
        payload = parser.parse(body, signature, as_payload=True)
    except InvalidSignatureError:
        return {"error": "signature"}
    events = [
        {
            "type": event.type,
            "known": not isinstance(event, UnknownEvent),
            "message": getattr(getattr(event, "message", None), "type", None),
            "id": event.webhook_event_id,
            "event": event.to_dict() if not isinstance(event, UnknownEvent) else None,
        }
        for event in payload.events
    ]
    return {"destination": payload.destination, "events": events}


def main():
    secret, path = sys.argv[1:]
    with open(path) as file:
        asked = json.load(file)
    parser = WebhookParser(secret)
    answer = {
        "requests": [read_request(*each) for each in asked["requests"]],
        "webhooks": [read_webhook(parser, *each) for each in asked["webhooks"]],
    }
    print(json.dumps(answer), flush=True)


main()
