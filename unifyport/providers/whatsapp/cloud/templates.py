"""Templates of a business account: the list, and whether a message fits its template.

https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/template-management.
Without a template a business cannot begin a conversation. A message is compared with the template before it
is sent, so that a wrong number of parameters has an answer that says what is missing; where the template
cannot be read, Meta decides alone.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import msgspec
from msgspec import Raw, Struct

from unifyport.model import directory
from unifyport.model.json_text import UNREADABLE, without_nulls
from unifyport.providers.contract.errors import Rejected

FIELDS = "name,language,status,category,parameter_format,components"
APPROVED = "APPROVED"
_NOT_SENT = (
    "PENDING",
    "REJECTED",
    "PAUSED",
    "DISABLED",
    "IN_APPEAL",
    "DELETED",
    "PENDING_DELETION",
    "ARCHIVED",
)
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class Template(Struct):
    """`components` are as Meta has them, without nulls: objects, if they are as documented."""

    name: str
    language: str
    status: str = ""
    category: str = ""
    parameter_format: str = ""
    components: list[Any] = []


class _Button(Struct):
    type: str = ""
    url: str = ""


class _Component(Struct):
    type: str = ""
    format: str = ""
    text: str = ""
    buttons: list[_Button] = []


class _Cursors(Struct):
    after: str | None = None


class _Paging(Struct):
    cursors: _Cursors | None = None
    next: str | None = None


class Listing(Struct):
    """An answer with a part of the list. Its templates are read one by one."""

    data: list[Raw]
    paging: _Paging | None = None


@attrs.frozen
class Page:
    """`after`: the cursor of the next page. `whole`: every template of this one could be read."""

    templates: list[Template]
    after: str | None
    whole: bool

    def find(self, name: str, language: str) -> Template | None:
        fits = (each for each in self.templates if (each.name, each.language) == (name, language))
        return next(fits, None)


def read_page(listing: Listing) -> Page:
    """The templates of an answer; one that cannot be read is left out."""
    templates = [template for raw in listing.data if (template := _read(raw)) is not None]
    paging, after = listing.paging, None
    if paging is not None and paging.next and paging.cursors is not None:
        after = paging.cursors.after or None
    return Page(templates, after, len(templates) == len(listing.data))


def _read(raw: Raw) -> Template | None:
    try:
        return msgspec.convert(without_nulls(msgspec.json.decode(raw)), Template)
    except UNREADABLE:
        return None


def shown(template: Template) -> directory.MessageTemplate:
    return directory.MessageTemplate(
        template.name,
        template.language,
        template.category.lower(),
        template.status.lower(),
        [
            f"{part}.{name}" if name else part
            for part, names in (needed(template) or {}).items()
            for name in (names or [""])
        ],
        [component for component in template.components if isinstance(component, dict)],
    )


def needed(template: Template) -> dict[str, list[str]] | None:
    """What a message must fill in, by part: `header`, `body`, `button.<place>`; the names in their order.

    None if a component has a shape that is not documented.
    """
    try:
        components = msgspec.convert(template.components, list[_Component])
    except msgspec.ValidationError:
        return None
    return {part: names for component in components for part, names in _parts(component) if names}


def _parts(component: _Component) -> Iterator[tuple[str, list[str]]]:
    kind = component.type
    if kind == "HEADER" and component.format not in ("", "TEXT"):  # IMAGE, GIF, LOCATION, PRODUCT, ...
        yield "header", [component.format.lower()]
    elif kind in ("HEADER", "BODY"):
        yield kind.lower(), list(dict.fromkeys(_PLACEHOLDER.findall(component.text)))
    elif kind == "BUTTONS":
        for place, button in enumerate(component.buttons):
            if button.type == "URL":
                yield f"button.{place}", _PLACEHOLDER.findall(button.url)


def check_fits(template: Template, message: Mapping[str, Any]) -> None:
    """Raises `Rejected` if the message (`name`, `language`, `components`) does not fill in its template."""
    if template.status in _NOT_SENT:
        raise Rejected("template_not_approved", f"the template {template.name} is {template.status.lower()}")
    wanted, given = needed(template), dict(_given(message))
    if wanted is None:
        return  # Meta decides alone
    for part in [*wanted, *(part for part in given if part not in wanted)]:
        names, parameters = wanted.get(part, []), given.get(part, [])
        if part not in wanted and (not parameters or not part.startswith(("header", "body"))):
            continue  # what other buttons and parts take, Meta knows
        named = [str(each["parameter_name"]) for each in parameters if "parameter_name" in each]
        by_name = bool(named) or (template.parameter_format == "NAMED" and part == "body")
        if set(named) != set(names) if by_name else len(parameters) != len(names):
            text = f"{part} of the template {template.name} takes {', '.join(names) or 'no parameters'}"
            raise Rejected("template_parameters", f"{text}; {len(parameters)} given")


def _given(message: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for component in message.get("components", []):
        kind = str(component["type"]).lower()
        place = f".{component.get('index', 0)}" if kind == "button" else ""
        yield kind + place, component.get("parameters", [])
