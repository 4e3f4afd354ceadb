"""LINE's Messaging API, played on loopback (https://developers.line.biz/en/reference/messaging-api/).

Every channel exists whose token is issued or whose access token is `line-token-<channel id>`; its secret is
the one that first came with its id, or that the control port names. A channel has one webhook address,
which is called, signed, with every event until it answers with 2xx: within two seconds, and then again as a
redelivery with another reply token. A reply token serves once, within a minute. A push is carried out once
under one retry key. A push to a user who has blocked the account is accepted and dropped.
"""

import os
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import attrs
import msgspec
import trio
from quart import Response, request

from unifyport.providers.line.messaging.signature import SIGNATURE, sign

from ..callbacks import Callbacks, Delivery
from ..http import HttpPlatform, as_json, http
from .calls import LineCalls
from .contents import LineError
from .customers import LineCustomers
from .state import STATELESS_SECONDS, Channel

ANSWER_SECONDS = 2.0
TOKEN = "line-token-"  # noqa: S105 (how access tokens of the sandbox begin)


@attrs.define
class _Issued:
    channel: str
    expires_at: float


class LinePlatform(LineCalls, LineCustomers, HttpPlatform):
    """The platform's state, its application, and the customers' side for the control port."""

    name = "line"

    def __init__(self) -> None:
        super().__init__()
        self.channels: dict[str, Channel] = {}
        self.revoked: set[str] = set()
        self.redelivers = True  # "Webhook redelivery" of the console
        self.callbacks = Callbacks(timeout=ANSWER_SECONDS)
        self._issued: dict[str, _Issued] = {}
        self.protocols = [http(self.app, "messaging_api", ("api_url", "data_api_url"))]
        add = self.app.add_url_rule
        add("/oauth2/v3/token", "token", self._issue, methods=["POST"])
        add("/v2/oauth/verify", "verify", self._verify, methods=["POST"])
        for method, rule, name, call in self.routes():
            add(rule, name, self._route(name, call), methods=[method])

    async def run(self) -> None:
        await self.callbacks.run(wanted=self._prepare)

    def channel(self, channel_id: str, secret: str = "") -> Channel:
        """The channel of an id, which is made by its first mention."""
        if channel_id not in self.channels:
            self.channels[channel_id] = Channel(channel_id, secret)
        channel = self.channels[channel_id]
        channel.secret = channel.secret or secret
        return channel

    # -- tokens ----------------------------------------------------------------------------------------------

    async def _issue(self) -> Response:
        """A stateless channel access token."""
        form = await _form()
        fields = {name: values[0] for name, values in form.items()}
        channel_id, secret = fields.get("client_id", ""), fields.get("client_secret", "")

        async def handle() -> Response:
            await trio.lowlevel.checkpoint()
            known = self.channels.get(channel_id)
            wrong = known is not None and known.secret not in ("", secret)
            if fields.get("grant_type") != "client_credentials" or not channel_id.isdigit() or wrong:
                return as_json({"error": "invalid_client", "error_description": "invalid client_secret"}, 400)
            self.channel(channel_id, secret)
            token = f"stateless.{channel_id}.{os.urandom(8).hex()}"
            self._issued[token] = _Issued(channel_id, time.time() + STATELESS_SECONDS)
            return as_json(
                {"token_type": "Bearer", "access_token": token, "expires_in": STATELESS_SECONDS - 1}
            )

        return await self.answer(channel_id, "token", handle)

    async def _verify(self) -> Response:
        form = await _form()
        token = form.get("access_token", [""])[0]

        async def handle() -> Response:
            await trio.lowlevel.checkpoint()
            channel = self._channel_of(token)
            if channel is None:
                return as_json({"error": "invalid_request", "error_description": "access token expired"}, 400)
            return as_json({"client_id": channel.id, "expires_in": 3138007490, "scope": "P CM"})

        return await self.answer("", "verify", handle)

    def _channel_of(self, token: str) -> Channel | None:
        if token in self.revoked:
            return None
        issued = self._issued.get(token)
        if issued is not None:
            return self.channels[issued.channel] if issued.expires_at > time.time() else None
        channel_id = token.removeprefix(TOKEN)
        return self.channel(channel_id) if token.startswith(TOKEN) and channel_id.isdigit() else None

    def expire_tokens(self) -> None:
        """The time of all stateless tokens is over."""
        self._issued.clear()

    # -- calls -----------------------------------------------------------------------------------------------

    def _route(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(**path: str) -> Response:
            body = await request.get_json(silent=True)
            _, _, token = request.headers.get("Authorization", "").partition(" ")

            async def answer() -> Response:
                await trio.lowlevel.checkpoint()
                try:
                    return _shown(call(self._authorized(name, token), body, **path))
                except LineError as error:
                    return as_json(error.body(), error.status)

            return await self.answer(token, name, answer)

        return handle

    def _authorized(self, method: str, token: str) -> Channel:
        if self.faults.next(method, "logout") is not None:
            self.revoked.add(token)
        channel = self._channel_of(token)
        if channel is None:
            raise LineError(
                401,
                "Authentication failed. Confirm that the access token in the authorization header is valid.",
            )
        return channel

    def rate_limited(self, seconds: int) -> Response:
        return as_json({"message": "The API rate limit has been exceeded. Try again later."}, 429)

    def failed(self) -> Response:
        return as_json({"message": "Internal server error"}, 500)

    # -- webhooks --------------------------------------------------------------------------------------------

    def post(self, channel: Channel, body: bytes, label: str) -> None:
        """Call the webhook of a channel, if it has one and the console lets it be called."""
        if not channel.endpoint or not channel.active:
            raise ValueError(f"the channel {channel.id} has no webhook that is called")
        headers = {"content-type": "application/json; charset=utf-8", SIGNATURE: sign(channel.secret, body)}
        times = 2 if self.faults.next("webhook", "duplicate") is not None else 1
        for _ in range(times):
            self.callbacks.order(Delivery(channel.endpoint, headers, body, f"{channel.id} {label}"))

    def _prepare(self, delivery: Delivery) -> bool:
        """Before each attempt. A repeat is marked as such, has other reply tokens, and goes to the address of
        now.
        """
        if not delivery.attempts:
            return True
        channel = self.channels[delivery.label.partition(" ")[0]]
        try:
            webhook = msgspec.json.decode(delivery.body)
            for event in webhook["events"]:
                event["deliveryContext"] = {"isRedelivery": True}
                if "replyToken" in event:
                    known = channel.reply_tokens.get(event["replyToken"])
                    event["replyToken"] = channel.new_reply_token(known.chat if known is not None else "")
        except (msgspec.DecodeError, KeyError, TypeError):
            return self.redelivers
        delivery.body, delivery.url = msgspec.json.encode(webhook), channel.endpoint
        delivery.headers = {**delivery.headers, SIGNATURE: sign(channel.secret, delivery.body)}
        return self.redelivers

    def sent(self) -> list[dict[str, Any]]:
        """Messages that channels sent, as LINE's message objects, oldest first."""
        found = [{"account": c.id, **message} for c in self.channels.values() for message in c.sent]
        return sorted(found, key=lambda message: message["at"])

    def calls(self) -> list[dict[str, Any]]:
        return self.callbacks.calls()

    def restore(self) -> None:
        """Forget all faults and accept revoked tokens again."""
        self.faults.clear()
        self.revoked.clear()


async def _form() -> dict[str, list[str]]:
    body = await request.get_data(cache=False)
    return parse_qs(body.decode() if isinstance(body, bytes) else body)


def _shown(answer: Any) -> Response:
    if isinstance(answer, Response):
        return answer
    status, value = answer if isinstance(answer, tuple) else (200, answer)
    return as_json(value, status)
