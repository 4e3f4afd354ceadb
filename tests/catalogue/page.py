"""The page about events, written from the schemas of the OpenAPI document and from the bodies of a run."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from unifyport.api.http.openapi_events import event_components
from unifyport.api.schemas.events import EVENTS

from .choice import Body, examples, messages, reports

_HEAD = """# Events: one example of each

This page is written by `./scripts/catalogue` from the schemas of the OpenAPI document and from a run in which
a receiver got every event; a test fails when it is out of date. The same schemas and examples are under
`webhooks` in `/openapi.json`. [webhooks.md](webhooks.md) tells how events travel,
[receivers.md](receivers.md) has receivers in Python, Node and Go, [privacy.md](privacy.md) tells which
personal data leave by default.

## What every event has

{always}

Each `data` has `event`, and may have `provider_data` (the item of the platform), `provider_data_redacted`
(the paths that were taken out of it), `provider_data_omitted` and `truncated`
([webhooks.md](webhooks.md#what-is-in-an-event)).

`data` is the standard form. Its scalars stand beside it under flat names, so that a receiver of the flat form
finds them: `data.message.id` is `message_id`, `data.conversation.id` is `conversation_id`,
`data.message.text` is `text`. An endpoint with `delivery.body = "envelope"` or `"flat"` gets one form alone.
Fields that are not listed may be added: ignore what you do not know.

**Ids.** `id` is that of the event, the same on every repeat and every replay. `data.message.id` is the
platform's id of the message; it is unique within its conversation only. `data.conversation.id` is what
`to.id` and `conversation_id` of requests take; `data.sender.id` is what `sender_id` takes. All other ids that
the platform named are in `identities`. When a conversation gets another id, `conversation.updated` with
`previous_id` comes before the first event under the new one.

**`reply_token`.** Opaque; it names a message of one account and one conversation. `reply_to.reply_token` of
`POST /v1/messages` quotes that message. It does not expire, and stays valid when the conversation gets
another id. Messages of channels without quoted replies have none.

**Order.** Events of one conversation arrive in the order in which the platform reported them, those of
different conversations side by side. Where an earlier event is a dead letter, later ones pass it. With
`delivery.ordering = "none"`, sort by `occurred_at`, then by `id`. An edit that the platform reports after a
newer edit of the same message gives no event: the last `message.updated` of a message has its newest text.

**Repeats.** Every event arrives at least once. A repeat has the same `id` and the same body, byte by byte,
but another `X-Device-Delivery-Id` and another signature: keep the ids that you have seen for at least as long
as the retry schedule runs, and answer a repeat with 2xx. A platform's own repeat of a message is recognised
and makes no second event.

**Edits, deletions, reactions** name the message by its id. They may come for a message that you have never
seen: one from before the account was connected.

## Event types

`subscribed_events` names them. `*`, and an empty list, mean all of these but `provider.event`.
"""
# What `data` of every event may have; the page tells it once.
_OF_ALL = ("event", "provider_data", "provider_data_redacted", "provider_data_omitted", "truncated")


def page(bodies: Iterable[Body]) -> str:
    bodies = list(bodies)
    schemas, shown = event_components(), examples(bodies)
    lines = [_HEAD.format(always=_table(schemas["MessageDeletedEvent"], only_always=True))]
    lines += [f"- [`{name}`](#{name.replace('.', '')}): {when}" for name, (_, when) in EVENTS.items()]
    for name, (data, when) in EVENTS.items():
        lines += [f"\n### {name}\n", f"{when}\n"]
        description = schemas[data.__name__].get("description")
        if description is not None:
            lines += [f"{description}\n"]
        lines += [_table(schemas[data.__name__], prefix="data."), "", _json(shown[name])]
    lines += [*_parts(schemas), *_kinds(bodies), *_reports(bodies)]
    return "\n".join(lines) + "\n"


def _parts(schemas: dict[str, Any]) -> Iterator[str]:
    yield "\n## Parts\n"
    for name, title in {
        "EventConversation": "data.conversation",
        "EventSender": "data.sender",
        "EventMessage": "data.message",
        "EventAttachment": "data.message.attachments[]",
        "EventInfo": "data.event",
    }.items():
        yield f"\n### {title}\n"
        yield f"{schemas[name].get('description', '')}\n".lstrip("\n")
        yield _table(schemas[name])


def _kinds(bodies: list[Body]) -> Iterator[str]:
    yield "\n## Kinds of messages\n"
    yield "`data.message` of `message.received`, for each kind that a platform has.\n"
    for (provider, name), body in messages(bodies).items():
        yield f"\n### {provider}: {name}\n"
        yield _json(body["data"]["message"])


def _reports(bodies: list[Body]) -> Iterator[str]:
    yield "\n## Names of provider.event\n"
    yield "Those of the run. A name that is not listed is possible: it is the platform's word.\n"
    yield "| `data.event.name` | provider | fields of `data.event` beside it |"
    yield "| --- | --- | --- |"
    for name, providers in reports(bodies).items():
        for provider, fields in sorted(providers.items()):
            more = ", ".join(f"`{field}`" for field in sorted(fields - {"kind", "name"}))
            yield f"| `{name}` | {provider} | {more} |"


def _table(schema: dict[str, Any], *, prefix: str = "", only_always: bool = False) -> str:
    rows = ["| field | is | |", "| --- | --- | --- |"]
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        if (only_always and name not in required) or (prefix and name in _OF_ALL):
            continue
        there = "" if name in required else "may be absent"
        said = "by the type, see below" if only_always and "$ref" in field else _type(field)
        rows.append(f"| `{prefix}{name}` | {said} | {there} |".replace("|  |", "| |"))
    return "\n".join(rows)


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return f"`{field['$ref'].rpartition('/')[2]}`"
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if "const" in field:
        return "the type" if "." in str(field["const"]) else f"`{field['const']}`"
    said = ", ".join(f"`{value}`" for value in field.get("enum", [])) or str(field.get("type", "anything"))
    return f"{said}; {field['description']}" if "description" in field else said


def _json(value: Any) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```"
