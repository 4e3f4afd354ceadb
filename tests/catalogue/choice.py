"""Which bodies of a run are shown: one of each event type, and one of each kind of message."""

import json
from collections.abc import Iterable
from typing import Any

from unifyport.model.event import EventType

Body = dict[str, Any]
# What of the bodies of a type is shown; for all others the shortest one.
_SHOWN: dict[str, tuple[str, str]] = {  # type -> provider, and a text that is in the body
    EventType.MESSAGE_RECEIVED: ("whatsapp", '"kind": "text"'),
    EventType.MESSAGE_DELETED: ("whatsapp", ""),
    EventType.MESSAGE_UPDATED: ("whatsapp", ""),
    EventType.MESSAGE_REACTION: ("whatsapp", ""),
    EventType.MESSAGE_STATUS_UPDATED: ("whatsapp", '"failed"'),
    EventType.CONVERSATION_UPDATED: ("whatsapp", '"previous_id"'),
    EventType.GROUP_UPDATED: ("telegram", '"renamed"'),
    EventType.ACCOUNT_STATUS_UPDATED: ("telegram", '"reason": "invalid_credentials"'),
    EventType.ACCOUNT_STARTED: ("telegram", ""),
    EventType.ACCOUNT_AUTH_REQUIRED: ("line", '"qr_code"'),
    EventType.ACCOUNT_AUTH_SUCCEEDED: ("telegram", ""),
    EventType.PROVIDER_EVENT: ("telegram", '"message_echo"'),
}
# What stands beside the content of a message -> how the example is called.
_BESIDE = {
    "media_group_id": "in an album",
    "forwarded": "forwarded",
    "quote": "a reply with its quoted part",
    "thread_id": "in a topic",
    "business_connection_id": "through a business connection",
    "guest_query_id": "a guest message",
}


def examples(bodies: Iterable[Body]) -> dict[str, Body]:
    """One body of each type, in the order of `EventType`."""
    bodies, found = list(bodies), {}
    for event_type in EventType:
        provider, text = _SHOWN.get(event_type, ("", ""))
        fitting = [
            body
            for body in bodies
            if body["type"] == event_type and body["provider"].startswith(provider) and text in _text(body)
        ]
        found[str(event_type)] = min(fitting, key=_size)
    return found


def messages(bodies: Iterable[Body]) -> dict[tuple[str, str], Body]:
    """One `message.received` of each kind: by provider and the name of the kind, in alphabetical order."""
    found: dict[tuple[str, str], Body] = {}
    for body in sorted(bodies, key=_size):
        if body["type"] == EventType.MESSAGE_RECEIVED:
            found.setdefault((body["provider"], _name(body)), body)
    return dict(sorted(found.items()))


def reports(bodies: Iterable[Body]) -> dict[str, dict[str, set[str]]]:
    """Names of `provider.event` by provider."""
    found: dict[str, dict[str, set[str]]] = {}
    for body in bodies:
        if body["type"] == EventType.PROVIDER_EVENT:
            names = found.setdefault(body["data"]["event"]["name"], {})
            names.setdefault(body["provider"], set()).update(body["data"]["event"])
    return dict(sorted(found.items()))


def _name(body: Body) -> str:
    message, conversation = body["data"]["message"], body["data"]["conversation"]
    name = str(message["kind"])
    if "interactive_type" in message:
        name += f": {message['interactive_type']}"
    beside = [text for field, text in _BESIDE.items() if field in message]
    if conversation["type"] == "channel":
        beside.append("a post in a channel")
    return f"{name}, {', '.join(beside)}" if beside else name


def _text(body: Body) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True)


def _size(body: Body) -> tuple[int, str]:
    text = _text(body)
    return len(text), text
