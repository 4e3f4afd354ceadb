"""The part of the demo that links accounts: a phone scans a QR code, then texts go both ways."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
import trio

Call = Callable[[str, str, dict[str, Any] | None], Awaitable[dict[str, Any]]]  # method, path, body
Order = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]  # control route, order

_POLL_SECONDS = 0.05


@attrs.frozen(kw_only=True)
class Linked:
    """An account that a QR code links. `platform`: its name in control routes.

    `owner`: what names its owner there. `people`: orders that add those who are needed. `scan`: fields of the
    order beside the owner. `written`: fields of what the customer writes.
    """

    channel: str
    platform: str
    shown: str
    owner: Mapping[str, str]
    people: tuple[Mapping[str, str], ...]
    written: Mapping[str, str]
    question: str
    reply: str
    scan: Mapping[str, Any] = attrs.field(factory=dict)
    provider_data: Mapping[str, str] = attrs.field(factory=dict)


LINKED = (
    Linked(
        channel="whatsapp",
        platform="whatsapp-device",
        shown="a WhatsApp device",
        owner={"phone": "6590000010"},
        people=({"phone": "6590000010", "name": "Shop"},),
        written={"from": "6590000011", "name": "Tom", "to": "6590000010"},
        question="Are you open on Sunday?",
        reply="From ten to four.",
    ),
    Linked(
        channel="zalo",
        platform="zalo-personal",
        shown="a personal account of Zalo",
        owner={"user": "1500000000000000100"},
        people=(
            {"id": "1500000000000000100", "name": "Shop"},
            {"id": "1500000000000000101", "name": "Mai"},
        ),
        written={"from": "1500000000000000101", "to": "1500000000000000100"},
        question="Chủ nhật có mở cửa không?",
        reply="Có, từ chín giờ sáng.",
        scan={"confirm": True},
    ),
    Linked(
        channel="telegram",
        platform="telegram-user",
        shown="a personal account of Telegram",
        owner={"phone": "6590000010"},
        people=({"phone": "6590000010", "name": "Shop"}, {"phone": "6590000011", "name": "Tom"}),
        written={"from": "6590000011", "to": "6590000010"},
        question="Is it still there?",
        reply="Yes, until Friday.",
        provider_data={"api_id": "1", "api_hash": "0" * 32},
    ),
)


async def link(linked: Linked, call: Call, order: Order) -> None:
    """Create an account, show its QR code, and scan it with the owner's phone."""
    for person in linked.people:
        await order("updates", {"do": "account", **person})
    wanted: dict[str, Any] = {
        "provider": linked.channel,
        "auth_mode": "qrcode",
        "name": f"demo-{linked.platform}",
    }
    if linked.provider_data:
        wanted["provider_data"] = dict(linked.provider_data)
    account = (await call("POST", "/v1/accounts", wanted))["data"]
    path = f"/v1/accounts/{account['id']}/auth"
    await call("POST", f"{path}/qr/start", None)
    while not (code := (await call("GET", path, None))["data"].get("auth_payload", {}).get("qr_code")):
        await trio.sleep(_POLL_SECONDS)
    await order("updates", {"do": "scan", "qr": code, **linked.owner, **linked.scan})


async def write_as_customer(linked: Linked, order: Order) -> None:
    await order("messages", {**linked.written, "text": linked.question})
