"""What the demo plays: an account on each channel, and a customer who writes to it.

Nothing here is secret: it is only used with local platforms that run for a minute.
"""

from collections.abc import Mapping
from typing import Any

import attrs

SECRET = "demo-signing-secret"  # noqa: S105
WHATSAPP = {
    "access_token": "demo-access-token",
    "phone_number_id": "106540352242922",
    "app_secret": "demo-app-secret",
    "verify_token": "demo-verify-token",
}


@attrs.frozen(kw_only=True)
class Customer:
    """A customer on one channel. `order`: their part of the sandbox's control request."""

    channel: str
    account: str  # the account's name
    credentials: Mapping[str, str]
    order: dict[str, Any]
    question: str
    reply: str


CUSTOMERS: tuple[Customer, ...] = (
    Customer(
        channel="whatsapp",
        account="demo-shop",
        credentials=WHATSAPP,
        order={"from": "6590000001", "name": "Mei"},
        question="Is the blue one in stock?",
        reply="Yes, three left.",
    ),
    Customer(
        channel="telegram",
        account="demo-bot",
        credentials={"token": "4242:demo-token"},
        order={"from": {"id": 1001, "first_name": "Minh"}},
        question="When do you open?",
        reply="At nine.",
    ),
    Customer(
        channel="line",
        account="demo-official",
        credentials={"channel_id": "1656789012", "channel_secret": "0123456789abcdef0123456789abcdef"},
        order={"from": "Aiko"},
        question="Do you ship to Osaka?",
        reply="Yes, in two days.",
    ),
    Customer(
        channel="tiktok",
        account="demo-business",
        credentials={
            "client_key": "demo-client-key",
            "client_secret": "demo-client-secret",
            "refresh_token": "sandbox-refresh-business-000001",
        },
        order={"from": "customer-1"},
        question="Is this the one in the video?",
        reply="The very same.",
    ),
    Customer(
        channel="zalo",
        account="demo-zalo",
        credentials={"bot_token": "1459232241454765289:demo-token"},
        order={"from": "6ede9afa66b88fe6d6a9", "name": "Mai"},
        question="How much is it?",
        reply="90,000 dong.",
    ),
    Customer(
        channel="x",
        account="demo-x",
        credentials={
            "client_id": "demo-client",
            "client_secret": "demo-client-secret",
            "bearer_token": "demo-bearer",
            "consumer_secret": "sandbox-consumer-secret",
            "refresh_token": "refresh-1111-seed",
        },
        order={"from": "2222"},
        question="Can I change my order?",
        reply="Until tonight.",
    ),
)


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message that arrived at a customer, in its platform's terms."""
    text = message.get("text", "")
    if isinstance(text, Mapping):
        return str(text.get("body", ""))
    return str(text)
