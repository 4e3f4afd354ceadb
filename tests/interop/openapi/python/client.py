"""Calls a running gateway through the client that was generated from its OpenAPI document."""

import json
import sys

from generated import AuthenticatedClient
from generated.api.accounts import list_accounts
from generated.api.events import list_events
from generated.api.messages import get_command, send_message
from generated.api.webhook_endpoints import create_webhook_endpoint, delete_webhook_endpoint
from generated.models import (
    MessagePayload,
    MessageReceivedEvent,
    Recipient,
    SendMessageRequest,
    WebhookEndpointCreateRequest,
)

base_url, key = sys.argv[1:]
client = AuthenticatedClient(base_url, key, prefix="", auth_header_name="X-Api-Key")
account = list_accounts.sync(client=client).data[0]

body = WebhookEndpointCreateRequest.from_dict(
    {
        "url": "https://127.0.0.1/hook",
        "status": "inactive",
        "subscribed_events": ["message.received", "provider.event"],
        "delivery": {"timeout": "5s"},
    }
)
endpoint = create_webhook_endpoint.sync(client=client, body=body).data
removed = delete_webhook_endpoint.sync_detailed(endpoint.id, client=client)


def send(to: str) -> object:
    message = MessagePayload.from_dict({"type": "text", "text": "hello"})
    recipient = Recipient.from_dict({"id": to, "type": "user"})
    order = SendMessageRequest(account_id=account.id, to=recipient, message=message)
    return send_message.sync(client=client, body=order)


command = get_command.sync(send("7").data.command_id, client=client).data
error = send("999").error
found = list_events.sync(client=client, type_="message.received").data.items[0]
event = MessageReceivedEvent.from_dict(found.to_dict())

print(
    json.dumps(
        {
            "provider": account.provider,
            "metadata": account.metadata.to_dict(),
            "removed": int(removed.status_code),
            "outcome": command.outcome,
            "code": error.code,
            "reason": error.reason,
            "said": error.provider.message,
            "event": event.data.message.text,
        }
    )
)
