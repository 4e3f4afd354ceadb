"""Meta's side of a scenario: the part of the Graph API that a login needs, and signed webhooks."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterable

from scripts.benchmarks.wire import post

APP_SECRET = "scenario-app-secret"


async def graph(method: bytes, path: bytes, body: bytes) -> tuple[int, bytes]:
    """The part of the Graph API that a login needs: it knows every number."""
    number = path.partition(b"?")[0].rpartition(b"/")[2].decode()
    return 200, json.dumps({"id": number, "verified_name": "scenario"}).encode()


def webhook(account_id: str, number: str, messages: Iterable[tuple[str, int, str]]) -> bytes:
    """A webhook request with messages to a business number, each (id, customer, text)."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "6500000000", "phone_number_id": number},
        "messages": [
            {
                "id": message_id,
                "from": f"659{customer:07}",
                "timestamp": str(int(time.time())),
                "type": "text",
                "text": {"body": text},
            }
            for message_id, customer, text in messages
        ],
    }
    change = {"value": value, "field": "messages"}
    body = json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
    ).encode()
    signature = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return post(f"/ingress/whatsapp/{account_id}", body, {"x-hub-signature-256": f"sha256={signature}"})


def declared(number: str) -> str:
    """The TOML of an account that is named after its number."""
    return (
        f'[[accounts]]\nname = "{number}"\nprovider = "whatsapp"\n[accounts.credentials]\n'
        f'access_token = "token-{number}"\nphone_number_id = "{number}"\n'
        f'app_secret = "{APP_SECRET}"\nverify_token = "verify"\n'
    )
