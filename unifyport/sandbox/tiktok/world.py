"""What all parts of the platform share: its state, ids, files, and the calls of webhooks."""

import itertools
import time
from typing import Any

import msgspec

from unifyport.providers.tiktok.business.signature import SIGNATURE, sign

from ..callbacks import Callbacks, Delivery
from ..http import HttpPlatform
from .state import SCOPES, App, Business, File, Grants


class World(HttpPlatform):
    """`scopes`: what the owner of a business account grants."""

    name = "tiktok"

    def __init__(self) -> None:
        super().__init__()
        self.apps: dict[str, App] = {}
        self.businesses: dict[str, Business] = {}
        self.grants = Grants()
        self.media: dict[str, File] = {}
        self.scopes = SCOPES
        self.callbacks = Callbacks()
        self._ids = itertools.count(1)
        self._base_url = ""

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        """Also keeps the API's address: URLs of files begin with it."""
        self._base_url = addresses["business_api"]
        return {"api_url": self._base_url, "authorize_url": f"{self._base_url}/v2/auth/authorize/"}

    async def run(self) -> None:
        await self.callbacks.run()

    def business(self, id_: str) -> Business:
        return self.businesses.setdefault(id_, Business(id_))

    def new_id(self, prefix: str) -> str:
        return f"{prefix}-{next(self._ids):06}"

    def file_url(self, file: File) -> str:
        return f"{self._base_url}/files/{file.id}"

    def report(self, business: Business, event: str, content: dict[str, Any], label: str) -> None:
        """Call the app's webhook, if it has one. The content is JSON in a string."""
        app = self.apps.get(business.client_key)
        if app is None or not app.callback_url:
            return
        now = int(time.time())
        envelope = {
            "client_key": business.client_key,
            "event": event,
            "create_time": now,
            "user_openid": business.id,
            "content": msgspec.json.encode(content).decode(),
        }
        body = msgspec.json.encode(envelope)
        headers = {"content-type": "application/json", SIGNATURE: sign(app.secret, body, now)}
        times = 2 if self.faults.next("webhook", "duplicate") is not None else 1
        for _ in range(times):
            self.callbacks.order(Delivery(app.callback_url, headers, body, label))
