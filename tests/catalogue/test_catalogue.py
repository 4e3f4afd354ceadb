"""Every event type and message kind comes in a run, is as its schema says, and is shown as it is delivered.

With UPDATE_DOCS=1 (`scripts/catalogue`) the page and the examples are written instead.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.providers.documentation import LINE, TIKTOK, WHATSAPP
from unifyport.api.http.openapi_events import event_components, schema_name
from unifyport.api.schemas.events import EVENTS
from unifyport.model.event import BodyForm, EventType, in_form
from unifyport.providers.telegram.bot.kinds import KINDS
from unifyport.providers.x.api.kinds import KINDS as X_KINDS
from unifyport.providers.zalo.bot.parse import KINDS as ZALO_BOT_KINDS
from unifyport.providers.zalo.official.kinds import KINDS as ZALO_KINDS

from .choice import examples, messages
from .page import page
from .run import catalogue

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "events.md"
EXAMPLES = ROOT / "unifyport" / "api" / "schemas" / "event_examples.json"
SCHEMAS = event_components()
# Parts that are the platform's own, or that have other fields for each kind: docs/events.md shows them.
OPEN = {"EventMessage", "PastEventMessage", "EventInfo", "EventEntity"}
# Names of the flat form that receivers were promised.
FLAT = (
    "event_id event account_id provider timestamp from text message_id message_type message_kind"
    " conversation_id conversation_type sender_name status error message_ids reaction target_message_id"
    " auth_status auth_payload last_error runtime_status provider_account_ref display_name picture_url"
    " region status_message"
).split()
JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


def differences(value: Any, schema: dict[str, Any], where: str) -> Iterator[str]:
    """What of a value is not as its schema says, or is not in it."""
    name = ""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = SCHEMAS[name]
    kind = schema.get("type")
    if kind is not None and (
        not isinstance(value, JSON_TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")
    ):
        yield f"{where}: {value!r} is no {kind}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{where}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is not one of {schema['enum']}"
    for each in value if kind == "array" and "items" in schema else []:
        yield from differences(each, schema["items"], f"{where}[]")
    if "properties" not in schema:
        return
    yield from (f"{where}.{field}: missing" for field in schema.get("required", []) if field not in value)
    for field, inner in value.items():
        if field in schema["properties"]:
            yield from differences(inner, schema["properties"][field], f"{where}.{field}")
        elif name not in OPEN and not _mirrored(where, field):
            yield f"{where}.{field}: not in the schema"


def _mirrored(where: str, field: str) -> bool:
    """Whether it is a flat name of a field that only some kinds have."""
    return where.endswith("Event") and not field.startswith(("account_", "conversation_", "sender_"))


async def test_the_catalogue_is_up_to_date(tmp_path: Path) -> None:
    bodies = await catalogue(tmp_path)
    wrong = [
        each
        for body in bodies
        for name in [schema_name(body["type"])]
        for each in differences(body, {"$ref": name}, name)
    ]
    assert sorted(set(wrong)) == []
    _all_kinds_are_there(bodies)
    _the_flat_form_says_all(bodies)
    shown = json.dumps(examples(bodies), ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("UPDATE_DOCS") == "1":
        PAGE.write_text(page(bodies))
        EXAMPLES.write_text(shown)
    assert EXAMPLES.read_text() == shown, "scripts/catalogue writes the examples"
    assert PAGE.read_text() == page(bodies), "scripts/catalogue writes docs/events.md"


def _the_flat_form_says_all(bodies: list[dict[str, Any]]) -> None:
    """What `data` says is in the flat form as well, under another name; and the names are those promised."""
    found: set[str] = set()
    for body in bodies:
        flat = json.loads(in_form(json.dumps(body).encode(), BodyForm.FLAT))
        found |= set(flat)
        said = [value for part in body["data"].values() if isinstance(part, dict) for value in part.values()]
        told = [*flat.values(), *(flat.get("provider_data") or {}).values()]
        for name in ("participant", "summary", "auth_payload"):
            told += flat.get(name, {}).values()
        assert [value for value in said if value not in told] == []
        assert {name for name in flat if name.startswith("data")} == set()
    assert set(FLAT) <= found


def _all_kinds_are_there(bodies: list[dict[str, Any]]) -> None:
    assert {body["type"] for body in bodies} == set(EventType) == set(EVENTS)
    shown = {(provider, name.partition(",")[0]) for provider, name in messages(bodies)}
    only_sent = {"list", "template"}
    others = {"interactive", "reaction", "revoke", "edit", "system"}
    assert shown == {
        *(("telegram", kind) for kind in [*KINDS, "callback_query"]),
        *(("whatsapp", kind) for kind in set(WHATSAPP["message"]) - others),
        *(("whatsapp", f"interactive: {kind}") for kind in WHATSAPP["interactive"]),
        *(("line", kind) for kind in [*LINE["message"], "postback"]),
        *(("tiktok", kind) for kind in set(TIKTOK["message"]) - {"reaction"}),
        *(("zalo", kind) for kind in (set(ZALO_KINDS) | set(ZALO_BOT_KINDS)) - only_sent),
        *(("x", kind) for kind in [*X_KINDS, "location"]),
    }
