"""Templates of a business account: the list, and whether a message fits its template.

https://developers.facebook.com/docs/whatsapp/business-management-api/message-templates. Without a template a
business cannot begin a conversation. A message is compared with the template before it is sent, so that a
wrong number of parameters has an answer that says what is missing; where the template cannot be read, Meta
decides alone.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from unifyport.model import directory
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
_MEDIA = ("IMAGE", "VIDEO", "DOCUMENT", "LOCATION")


class Template(Struct):
    name: str
    language: str
    status: str = ""
    category: str = ""
    parameter_format: str = ""
    components: list[dict[str, Any]] = []


class _Cursors(Struct):
    after: str = ""


class _Paging(Struct):
    cursors: _Cursors | None = None
    next: str = ""


class Templates(Struct):
    """A page of the list."""

    data: list[Template]
    paging: _Paging | None = None

    @property
    def after(self) -> str | None:
        if self.paging is None or not self.paging.next or self.paging.cursors is None:
            return None
        return self.paging.cursors.after or None


def shown(template: Template) -> directory.MessageTemplate:
    return directory.MessageTemplate(
        template.name,
        template.language,
        template.category.lower(),
        template.status.lower(),
        [
            f"{part}.{name}" if name else part
            for part, names in needed(template).items()
            for name in (names or [""])
        ],
        template.components,
    )


def needed(template: Template) -> dict[str, list[str]]:
    """What a message must fill in, by part: `header`, `body`, `button.<place>`; the names in their order."""
    return {part: names for part, names in _parts(template) if names}


def _parts(template: Template) -> Iterator[tuple[str, list[str]]]:
    for component in template.components:
        kind, text = component.get("type"), str(component.get("text", ""))
        if kind == "HEADER" and component.get("format") in _MEDIA:
            yield "header", [component["format"].lower()]
        elif kind in ("HEADER", "BODY"):
            yield kind.lower(), list(dict.fromkeys(_PLACEHOLDER.findall(text)))
        elif kind == "BUTTONS":
            for place, button in enumerate(component.get("buttons", [])):
                if button.get("type") == "URL":
                    yield f"button.{place}", _PLACEHOLDER.findall(str(button.get("url", "")))


def check_fits(template: Template, message: Mapping[str, Any]) -> None:
    """Raises `Rejected` if the message (`name`, `language`, `components`) does not fill in its template."""
    if template.status in _NOT_SENT:
        raise Rejected("template_not_approved", f"the template {template.name} is {template.status.lower()}")
    wanted, given = needed(template), dict(_given(message))
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


def find(templates: list[Template], message: Mapping[str, Any]) -> Template | None:
    """The template that a message names, in its language."""
    name, language = message["name"], message["language"]["code"]
    return next((each for each in templates if each.name == name and each.language == language), None)
