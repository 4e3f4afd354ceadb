"""Fields of `provider_data` of a send: what a connection understands beyond the fields of every channel.

The table of a connection (`ConnectionSpec.provider_data`) is data beside its connector. The message that the
connector renders has only fields that are in it, each of its kind; what is inside a field is checked where it
is rendered. The OpenAPI document and the channel's page list the same table.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from .errors import Rejected

_KINDS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}

# The names that an object may have, or each object of a list, with those inside of them; None: any.
Names = Mapping[str, "Names | None"]


@attrs.frozen
class ProviderField:
    """One field. `kind`: its JSON type, several with commas.

    `content`: it is the message itself, such as a poll; `message.text` may then be left out. `names`: what an
    object may hold, of one that the platform would take with misspelt names.
    """

    name: str
    kind: str
    description: str
    content: bool = False
    names: Names | None = None

    @property
    def kinds(self) -> list[str]:
        """Names of JSON types, as in the `type` of a JSON Schema."""
        return self.kind.split(",")

    def accepts(self, value: object) -> bool:
        return any(_KINDS[kind](value) for kind in self.kinds)


def find_unknown(path: str, value: Any, names: Names) -> Iterator[tuple[str, Names]]:
    """The path of each field in a value that has no name there, and the names that are known."""
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from find_unknown(f"{path}[{place}]", item, names)
    elif isinstance(value, dict):
        for name, inner in value.items():
            inside = names.get(name)
            if name not in names:
                yield f"{path}.{name}", names
            elif inside is not None:
                yield from find_unknown(f"{path}.{name}", inner, inside)


@attrs.frozen
class NamedFile:
    """A file that `provider_data` names, to be uploaded with the message: by a URL, or as an upload's key.

    `part`: the key under which the message has it (`OutboundMessage.files`). `field`: its path in
    `provider_data`. `kind`: the type of a message whose limit of size counts. `name`: the caller's name.
    """

    part: str
    field: str
    value: str
    uploaded: bool
    kind: str
    name: str = ""


def invalid(field: str, what: str) -> Rejected:
    """The refusal of a field, named by its path in `provider_data`; `what` is for the caller."""
    return Rejected("invalid_provider_data", f"provider_data.{field}: {what}")


def fits(text: Any, longest: int) -> bool:
    """Whether it is a text of 1 to `longest` characters."""
    return isinstance(text, str) and 0 < len(text) <= longest


# Read by the gateway itself, on every channel.
COMMON_FIELDS = (
    ProviderField("reply_to", "string,integer,object", "older place of the top-level field of this name"),
    ProviderField("mentions", "array", "older place of the top-level field of this name"),
)
