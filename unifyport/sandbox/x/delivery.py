"""Activity events: who has subscribed to them, and how they go out, by the stream and to webhooks.

https://docs.x.com/x-api/activity/introduction, https://docs.x.com/x-api/webhooks/introduction
"""

import base64
import hmac
import os
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import httpx
import msgspec
import trio

from unifyport.providers.x.api.signature import SIGNATURE, sign

from ..callbacks import Callbacks, Delivery
from ..platform import KEPT
from .open_stream import OpenStream
from .state import Problem, forbidden, invalid, not_found

MAX_STREAMS = 2
HEARTBEAT = b"\r\n"


@attrs.define
class Subscription:
    id: str
    event_type: str
    user: str
    tag: str = ""
    webhook: str = ""

    def shown(self) -> dict[str, Any]:
        found = {
            "subscription_id": self.id,
            "event_type": self.event_type,
            "filter": {"user_id": self.user},
            "created_at": "2026-08-22T20:02:53.000Z",
            "updated_at": "2026-08-22T20:02:53.000Z",
        }
        return found | {k: v for k, v in (("tag", self.tag), ("webhook_id", self.webhook)) if v}


@attrs.define
class Webhook:
    id: str
    url: str
    valid: bool = True

    def shown(self) -> dict[str, Any]:
        return {"id": self.id, "url": self.url, "valid": self.valid, "created_at": "2026-08-22T20:02:53.000Z"}


class Deliveries:
    """`heartbeat`: seconds between signs of life. `silent`: none are sent, and nothing else. `backfill`:
    whether the app's plan has it. `limit`: webhooks of the app.
    """

    def __init__(self, open_streams: set[Any], twice: Callable[[], bool]) -> None:
        self.consumer_secret = "sandbox-consumer-secret"  # noqa: S105 (of the sandbox)
        self.heartbeat = 10.0
        self.silent = False
        self.backfill = True
        self.limit = 1
        self.subscriptions: dict[str, Subscription] = {}
        self.webhooks: dict[str, Webhook] = {}
        self.callbacks = Callbacks()
        self.past: deque[tuple[float, bytes]] = deque(maxlen=KEPT)
        self._open = open_streams
        self.twice = twice  # whether the next event is sent twice

    # -- subscriptions ---------------------------------------------------------------------------------------

    def subscribe(self, id_: str, body: dict[str, Any], user: str | None) -> dict[str, Any]:
        wanted = body.get("filter", {}).get("user_id", "")
        event_type = str(body.get("event_type", ""))
        if not event_type or not wanted or set(body) - {"event_type", "filter", "tag", "webhook_id"}:
            raise invalid("event_type and filter.user_id are required")
        if event_type.startswith(("dm.", "chat.")) and user != wanted:
            raise forbidden("a private event needs the authorization of its user")
        if any((s.event_type, s.user) == (event_type, wanted) for s in self.subscriptions.values()):
            raise invalid("DuplicateSubscription: there is one")
        webhook = str(body.get("webhook_id", ""))
        if webhook and webhook not in self.webhooks:
            raise invalid("webhook_id: there is no such webhook")
        made = Subscription(id_, event_type, wanted, str(body.get("tag", "")), webhook)
        self.subscriptions[id_] = made
        return {"data": {"subscription": made.shown()}}

    def update(self, id_: str, body: dict[str, Any]) -> dict[str, Any]:
        found = self._subscription(id_)
        webhook = str(body.get("webhook_id", found.webhook))
        if webhook and webhook not in self.webhooks:
            raise invalid("webhook_id: there is no such webhook")
        found.webhook, found.tag = webhook, str(body.get("tag", found.tag))
        return {"data": {"subscription": found.shown(), **self._total()}}

    def unsubscribe(self, id: str) -> dict[str, Any]:
        self._subscription(id)
        del self.subscriptions[id]
        return {"data": {"deleted": True, **self._total()}}

    def listed(self) -> dict[str, Any]:
        return {"data": [each.shown() for each in self.subscriptions.values()], "meta": self._total()}

    def _total(self) -> dict[str, int]:
        return {"total_subscriptions": len(self.subscriptions)}

    def _subscription(self, id_: str) -> Subscription:
        if id_ not in self.subscriptions:
            raise not_found("subscription")
        return self.subscriptions[id_]

    # -- webhooks --------------------------------------------------------------------------------------------

    async def register(self, id_: str, url: str) -> dict[str, Any]:
        """Check the address, as X does, and take it. Plain http is accepted: calls stay on this machine."""
        if not url.startswith(("http://", "https://")):
            raise invalid("UrlValidationFailed: the URL must be https")
        if any(each.url == url for each in self.webhooks.values()):
            raise invalid("DuplicateUrlFailed: there is a webhook at this URL")
        if len(self.webhooks) >= self.limit:
            raise invalid("WebhookLimitExceeded: the app has as many webhooks as it may have")
        if not await self.check(url):
            raise invalid("CrcValidationFailed: the address did not answer the challenge")
        self.webhooks[id_] = Webhook(id_, url)
        return {"data": self.webhooks[id_].shown()}

    def hooks(self) -> dict[str, Any]:
        shown = [each.shown() for each in self.webhooks.values()]
        return {"data": shown, "meta": {"result_count": len(shown)}}

    async def validate(self, id: str) -> dict[str, Any]:
        webhook = self._webhook(id)
        webhook.valid = await self.check(webhook.url)
        if not webhook.valid:
            raise invalid("CrcValidationFailed: the address did not answer the challenge")
        return {"data": {"valid": True}}

    def remove(self, id: str) -> dict[str, Any]:
        self._webhook(id)
        del self.webhooks[id]
        return {"data": {"deleted": True}}

    def _webhook(self, id_: str) -> Webhook:
        if id_ not in self.webhooks:
            raise Problem(404, "Not Found", "WebhookIdInvalid", "resource-not-found")
        return self.webhooks[id_]

    async def check(self, url: str) -> bool:
        """The challenge-response check."""
        token = base64.b64encode(os.urandom(24)).decode()
        digest = hmac.digest(self.consumer_secret.encode(), token.encode(), "sha256")
        expected = "sha256=" + base64.b64encode(digest).decode()
        async with httpx.AsyncClient(trust_env=False, timeout=10, verify=False) as client:  # noqa: S501
            try:
                response = await client.get(url, params={"crc_token": token})
                told = msgspec.json.decode(response.content, type=dict[str, str])
            except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError):
                return False
        return response.status_code == 200 and hmac.compare_digest(
            told.get("response_token", "").encode(), expected.encode()
        )

    # -- events ----------------------------------------------------------------------------------------------

    def emit(self, event_type: str, user: str, payload: dict[str, Any], *, times: int = 1) -> None:
        """Report an event to the apps that have subscribed to it for this user."""
        for found in self.subscriptions.values():
            if (found.event_type, found.user) == (event_type, user):
                data: dict[str, Any] = {
                    "event_uuid": str(random.getrandbits(63) - 2**62),
                    "filter": {"user_id": user},
                    "event_type": event_type,
                    "payload": payload,
                }
                data |= {"tag": found.tag} if found.tag else {}
                self.send({"data": data}, found.webhook, times=times)

    def send(self, body: Any, webhook_id: str = "", *, times: int = 1) -> None:
        """Send a body as it is: to the open streams, and to a webhook."""
        encoded = msgspec.json.encode(body)
        for _ in range(times):
            self.past.append((time.time(), encoded))
            for stream in self._open:
                stream.give(encoded)
            webhook = self.webhooks.get(webhook_id)
            if webhook is not None and webhook.valid:
                self.post(webhook.url, encoded)

    def post(self, url: str, body: bytes, label: str = "event") -> None:
        headers = {"content-type": "application/json", SIGNATURE: sign(self.consumer_secret, body)}
        self.callbacks.order(Delivery(url, headers, body, label))

    def open_stream(self, minutes: int) -> OpenStream:
        """A further connection of the stream, which begins with what was sent in the last minutes."""
        if len(self._open) >= MAX_STREAMS:
            raise Problem(
                429,
                "ConnectionException",
                "This stream is currently at the maximum allowed connection limit.",
                "streaming-connection",
                connection_issue="TooManyConnections",
            )
        if minutes and not self.backfill:
            raise forbidden("backfill is not part of your plan", "client-forbidden")
        stream = OpenStream()
        since = time.time() - minutes * 60
        stream.lines.extend(line for at, line in self.past if minutes and at >= since)
        self._open.add(stream)
        return stream

    async def pieces(self, stream: OpenStream) -> AsyncIterator[bytes]:
        """The body of a stream, until it is broken or ended."""
        try:
            yield HEARTBEAT
            while True:
                while stream.lines and not self.silent:
                    yield stream.lines.popleft() + b"\r\n"
                if stream.broken:
                    raise ConnectionAbortedError("a fault was ordered")
                if stream.ended:
                    return
                with trio.move_on_after(self.heartbeat) as waiting:
                    await stream.news.wait()
                if waiting.cancelled_caught and not self.silent:
                    yield HEARTBEAT
        finally:
            self._open.discard(stream)
