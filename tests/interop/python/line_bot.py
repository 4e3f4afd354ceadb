"""A bot of line-bot-sdk behind our sandbox: verifies and parses its webhooks, answers through its API.

argv: the sandbox's base URL, the channel's id, secret and access token, a port. One JSON line for each
thing that came in, or went out.
"""

import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

from linebot.v3 import WebhookParser
from linebot.v3.exceptions import InvalidSignatureError
from linebot.v3.messaging import (
    ApiClient,
    ApiException,
    Configuration,
    MarkMessagesAsReadByTokenRequest,
    MessagingApi,
    MessagingApiBlob,
    PushMessageRequest,
    ReplyMessageRequest,
    SetWebhookEndpointRequest,
    TextMessage,
)

base, channel, secret, token, port = sys.argv[1:]
parser = WebhookParser(secret)


class LocalClient(ApiClient):
    """One host for all calls: the generated code has that of files as a constant."""

    def call_api(self, *arguments, **options):
        return super().call_api(*arguments, **{**options, "_host": None})


client = LocalClient(Configuration(host=base, access_token=token))
api, blob = MessagingApi(client), MessagingApiBlob(client)


def say(**line):
    print(json.dumps(line), flush=True)


def answer(event):
    message = event.message
    if message.type != "text":
        say(kind="file", type=message.type, size=len(blob.get_message_content(message.id)))
        return
    api.mark_messages_as_read_by_token(
        MarkMessagesAsReadByTokenRequest(mark_as_read_token=message.mark_as_read_token)
    )
    profile = api.get_profile(event.source.user_id)
    say(kind="message", id=message.id, text=message.text, name=profile.display_name)
    echo = TextMessage(text=f"echo: {message.text}", quote_token=message.quote_token)
    first = api.reply_message(ReplyMessageRequest(reply_token=event.reply_token, messages=[echo]))
    say(kind="reply", id=first.sent_messages[0].id)
    try:
        api.reply_message(ReplyMessageRequest(reply_token=event.reply_token, messages=[echo]))
    except ApiException as error:
        say(kind="refused", status=error.status, message=json.loads(error.body)["message"])
    push = PushMessageRequest(to=event.source.user_id, messages=[TextMessage(text="more")])
    key = str(uuid.uuid4())
    sent = api.push_message(push, x_line_retry_key=key)
    say(kind="push", id=sent.sent_messages[0].id)
    try:
        api.push_message(push, x_line_retry_key=key)
    except ApiException as error:
        again = json.loads(error.body)
        say(kind="again", status=error.status, id=again["sentMessages"][0]["id"])


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        try:
            events = parser.parse(body, self.headers["x-line-signature"])
        except InvalidSignatureError:
            self.send_response(400)
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        for event in events:
            answer(event)

    def log_message(self, *arguments):
        pass


server = HTTPServer(("127.0.0.1", int(port)), Handler)
api.set_webhook_endpoint(SetWebhookEndpointRequest(endpoint=f"http://127.0.0.1:{port}/hook"))
say(kind="ready", bot=api.get_bot_info().user_id, endpoint=api.get_webhook_endpoint().endpoint)
server.serve_forever()
