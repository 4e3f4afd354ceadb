"""The part of the demo that links a device: a phone scans a QR code, then texts go both ways."""

from collections.abc import Awaitable, Callable
from typing import Any

import trio

Call = Callable[[str, str, dict[str, Any] | None], Awaitable[dict[str, Any]]]  # method, path, body
Order = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]  # control route, order

OWNER, CUSTOMER = "6590000010", "6590000011"
QUESTION, REPLY = "Are you open on Sunday?", "From ten to four."
_POLL_SECONDS = 0.05


async def link_device(call: Call, order: Order) -> None:
    """Create an account, show its QR code, and scan it with the owner's phone."""
    await order("updates", {"do": "account", "phone": OWNER, "name": "Shop"})
    wanted = {"provider": "whatsapp", "auth_mode": "qrcode", "name": "demo-device"}
    account = (await call("POST", "/v1/accounts", wanted))["data"]
    path = f"/v1/accounts/{account['id']}/auth"
    await call("POST", f"{path}/qr/start", None)
    while not (code := (await call("GET", path, None))["data"].get("auth_payload", {}).get("qr_code")):
        await trio.sleep(_POLL_SECONDS)
    await order("updates", {"do": "scan", "qr": code, "phone": OWNER})


async def write_as_customer(order: Order) -> None:
    await order("messages", {"from": CUSTOMER, "name": "Tom", "to": OWNER, "text": QUESTION})
