"""The platform's item as it came, which events carry in `data.provider_data`.

What a platform's app or server could use as a credential, or what opens a file without our checks, is taken
out: a channel names such fields in a table of `Redactions`. The paths that were taken out are listed beside
the item, in the form `paid_media[0].photo.url`.
"""

from collections.abc import Mapping
from typing import Any

import attrs

ANYWHERE = "*"
MAX_ITEM = 64 * 1024  # bytes of JSON; a larger item is not part of the event

# Name of the object that holds the field (`ANYWHERE`: any) -> names of its fields that are taken out.
Redactions = Mapping[str, frozenset[str]]


@attrs.define
class ProviderData:
    """`item` is redacted; `raw` is what came in, which is stored sealed if the item is too large."""

    item: Any
    raw: bytes = attrs.field(repr=False)
    redacted: list[str] = attrs.field(factory=list)


def provider_data(item: Any, raw: bytes, redactions: Redactions) -> ProviderData:
    """An item for an event. `item` is the decoded `raw`, or the part of it that the event is about.

    `raw` is only searched for the names of fields: an item that has none of those is not copied.
    """
    for name in _names_of(redactions):
        if name in raw:
            break
    else:
        return ProviderData(item, raw)
    redacted: list[str] = []
    return ProviderData(_redact(item, redactions, redacted, ("", "")), raw, redacted)


# By the id of a table, which is a constant of a module: the table, and what text with one of its fields has.
_SOUGHT: dict[int, tuple[Redactions, tuple[bytes, ...]]] = {}


def _names_of(redactions: Redactions) -> tuple[bytes, ...]:
    """What text has in it that has a field of a table; letters may also be written as escapes."""
    found = _SOUGHT.get(id(redactions))
    if found is None:
        fields = frozenset[str]().union(*redactions.values())
        names = (*(field.encode() for field in sorted(fields)), b"\\u00") if fields else ()
        found = _SOUGHT[id(redactions)] = redactions, names
    return found[1]


def _redact(value: Any, redactions: Redactions, redacted: list[str], place: tuple[str, str]) -> Any:
    """A copy of `value` without its redacted fields. `place`: the value's path, and the name it is under."""
    path, name = place
    if isinstance(value, dict):
        hidden = redactions.get(name, frozenset()) | redactions.get(ANYWHERE, frozenset())
        kept = {}
        for field, inner in value.items():
            inner_path = f"{path}.{field}" if path else field
            if field in hidden:
                redacted.append(inner_path)
            else:
                kept[field] = _redact(inner, redactions, redacted, (inner_path, field))
        return kept
    if isinstance(value, list):
        return [
            _redact(inner, redactions, redacted, (f"{path}[{number}]", name))
            for number, inner in enumerate(value)
        ]
    return value
