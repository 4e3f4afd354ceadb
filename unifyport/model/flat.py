"""The flat form of an event: what its standard form says under `data`, by names on one level.

Fields of `data.conversation` become `conversation_id`, `conversation_type`, ..., those of a message keep
their names where these are clear: `text`, `status`, `error`, but `message_id`, `message_type`. Scalars are
also mirrored in the combined form; lists and objects are in the flat form only.
"""

from collections.abc import Mapping
from typing import Any

_EVERY = None  # every field of the part has its prefix
# Part of `data` -> prefix, and the fields that have it.
_PARTS: dict[str, tuple[str, frozenset[str] | None]] = {
    "account": ("account_", frozenset({"id"})),
    "actor": ("actor_", _EVERY),
    "conversation": ("conversation_", _EVERY),
    "event": ("event_", frozenset({"kind", "name"})),
    "message": ("message_", frozenset({"id", "ids", "type", "kind"})),
    "requester": ("requester_", _EVERY),
    "sender": ("sender_", _EVERY),
}
# Names that were made before; a bounded number of them, as platforms choose some.
_NAMES: dict[str, dict[str, str]] = {part: {} for part in _PARTS}
_MOST_NAMES = 256
_OBJECTS = frozenset({dict, list})
_TAKEN = frozenset("id type event event_id provider account_id occurred_at timestamp data from".split())


def flat_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of `data` by their flat names."""
    found: dict[str, Any] = {}
    for part, value in data.items():
        if part not in _PARTS or not isinstance(value, dict):
            if part not in _TAKEN:
                found[part] = value
            continue
        names = _NAMES[part]
        for field, inner in value.items():
            found[names.get(field) or _name(part, field)] = inner
    return found


def _name(part: str, field: str) -> str:
    prefix, prefixed = _PARTS[part]
    clear = prefixed is not _EVERY and field not in prefixed and field not in _TAKEN
    name = field if clear else prefix + field
    if len(_NAMES[part]) < _MOST_NAMES:
        _NAMES[part][field] = name
    return name


def scalars_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the combined form mirrors."""
    found = flat_of(data)
    found.pop("provider_data", None)
    return {name: value for name, value in found.items() if value.__class__ not in _OBJECTS}
