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
    """The fields that the combined form mirrors: those of `flat_of` that are no lists and objects."""
    found: dict[str, Any] = {}
    objects: list[str] = ["provider_data"]
    for part, value in data.items():
        if value.__class__ is not dict or part not in _PARTS:
            if value.__class__ in _OBJECTS:
                objects.append(part)
            elif part not in _TAKEN:
                found[part] = value
            continue
        names = _NAMES[part]
        for field, inner in value.items():
            name = names.get(field) or _name(part, field)
            if inner.__class__ in _OBJECTS:
                objects.append(name)
            else:
                found[name] = inner
    for name in objects:
        found.pop(name, None)
    return found
