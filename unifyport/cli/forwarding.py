"""Forwards events of the stream to a receiver under development, in the form of deliveries."""

from typing import Any

import httpx
import msgspec

from unifyport.delivery.signing import Signer
from unifyport.model.ids import new_id
from unifyport.model.webhook import Signatures
from unifyport.net.clients import ssl_context
from unifyport.process.clock import wall_clock_ms

SECONDS = 10.0


class Forwarder:
    """POSTs events to `url`. `secret`: what they are signed with; empty: they have no signature."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._sign = Signer([secret] if secret else [], (Signatures.DEVICE,))
        self._client = httpx.Client(timeout=SECONDS, trust_env=False, verify=ssl_context())

    def __call__(self, event: dict[str, Any]) -> str:
        """Send one event, once; what came of it, in words."""
        body = msgspec.json.encode(event)
        lines = self._sign(str(event["id"]), new_id("dlv"), wall_clock_ms(), body, replay=False)
        fields = dict(line.split(": ", 1) for line in lines.decode().split("\r\n") if line)
        try:
            answer = self._client.post(
                self._url, content=body, headers={**fields, "content-type": "application/json"}
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"not delivered ({error})"
        return f"{answer.status_code} {answer.reason_phrase}".strip()
