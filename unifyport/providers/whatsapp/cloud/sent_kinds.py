"""Messages that are a field of `provider_data`: templates, interactive messages, locations.

What Meta would refuse for its size or shape is refused before it is sent, as far as it can be told; whether a
template exists is known to `templates.py`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from unifyport.providers.contract.fields import fits, invalid

_TEMPLATE_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,4})?")
MAX_BODY = 1024
MAX_LIST_BODY = 4096
MAX_LINE = 60  # characters of a header's text, of a footer
MAX_BUTTONS = 3
MAX_TITLE = 20
MAX_ID = 256
MAX_ROWS = 10
MAX_ROW_ID, MAX_ROW_TITLE, MAX_ROW_DESCRIPTION = 200, 24, 72
MAX_FLOW_BUTTON = 30


def render_content(field: str, value: Mapping[str, Any], text: str) -> dict[str, Any]:
    """`type` and the object under that name. `text`: the body of an interactive message.

    Raises `Rejected`.
    """
    if text and field != "interactive":
        raise invalid(field, "there is no place for message.text beside it")
    return {"type": field, field: _RENDER[field](value, text)}


def _template(value: Mapping[str, Any], _: str) -> dict[str, Any]:
    _names("template", value, ("name", "language", "components"))
    if not isinstance(value.get("name"), str) or not _TEMPLATE_NAME.fullmatch(value["name"]):
        raise invalid("template.name", "must be 1 to 512 of a-z, 0-9 and _")
    language = value.get("language")
    language = {"code": language} if isinstance(language, str) else language
    code = language.get("code") if isinstance(language, dict) else None
    if not isinstance(code, str) or not _LANGUAGE.fullmatch(code):
        raise invalid("template.language", "must be a code such as en or en_US")
    rendered: dict[str, Any] = {"name": value["name"], "language": language}
    components = value.get("components")
    if components is None:
        return rendered
    if not isinstance(components, list):
        raise invalid("template.components", "must be a list")
    for place, component in enumerate(components):
        _check_component(f"template.components[{place}]", component)
    return {**rendered, "components": components}


def _check_component(where: str, component: Any) -> None:
    if not isinstance(component, dict) or not isinstance(component.get("type"), str):
        raise invalid(where, "must be an object with a type (header, body, button, ...)")
    parameters = component.get("parameters", [])
    if not isinstance(parameters, list):
        raise invalid(f"{where}.parameters", "must be a list")
    for place, parameter in enumerate(parameters):
        if not isinstance(parameter, dict) or not isinstance(parameter.get("type"), str):
            raise invalid(f"{where}.parameters[{place}]", "must be an object with a type")
        kind = parameter["type"]
        if kind == "text" and not fits(parameter.get("text"), 32_768):
            raise invalid(f"{where}.parameters[{place}].text", "must not be empty")
        if kind in ("image", "video", "document", "location") and not isinstance(parameter.get(kind), dict):
            raise invalid(f"{where}.parameters[{place}].{kind}", "must be an object")


def _interactive(value: Mapping[str, Any], text: str) -> dict[str, Any]:
    kind = value.get("type")
    if not isinstance(kind, str) or not kind:
        raise invalid("interactive.type", "is required")
    if text and value.get("body") is not None:
        raise invalid("interactive.body", "there is a message.text, too")
    rendered = {**value} | ({"body": {"text": text}} if text else {})
    longest = MAX_LIST_BODY if kind == "list" else MAX_BODY
    body = rendered.get("body")
    if body is not None and not fits(body.get("text") if isinstance(body, dict) else None, longest):
        raise invalid("interactive.body", f"message.text must be 1 to {longest} characters")
    _check_lines(value)
    check = _CHECK.get(kind)
    if check is None:
        return rendered
    if body is None:
        raise invalid("interactive.body", "message.text is required")
    action = value.get("action")
    if not isinstance(action, dict):
        raise invalid("interactive.action", "must be an object")
    return {**rendered, "action": check(action)}


def _check_lines(value: Mapping[str, Any]) -> None:
    header, footer = value.get("header"), value.get("footer")
    if header is not None:
        header = header if isinstance(header, dict) else {}
        kind = header.get("type")
        if kind == "text" and not fits(header.get("text"), MAX_LINE):
            raise invalid("interactive.header.text", f"must be 1 to {MAX_LINE} characters")
        if kind not in ("text", "image", "video", "document", "gif"):
            raise invalid("interactive.header.type", "must be text, image, video or document")
    if footer is not None and not fits(footer.get("text") if isinstance(footer, dict) else None, MAX_LINE):
        raise invalid("interactive.footer.text", f"must be 1 to {MAX_LINE} characters")


def _buttons(action: Mapping[str, Any]) -> dict[str, Any]:
    """Reply buttons; `{id, title}` is enough for one."""
    buttons = action.get("buttons")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= MAX_BUTTONS:
        raise invalid("interactive.action.buttons", f"must be 1 to {MAX_BUTTONS}")
    replies: list[Any] = [each.get("reply", each) if isinstance(each, dict) else each for each in buttons]
    for place, reply in enumerate(replies):
        named = isinstance(reply, dict) and fits(reply.get("id"), MAX_ID)
        if not named or not fits(reply.get("title"), MAX_TITLE):
            what = f"needs an id (up to {MAX_ID} characters) and a title (up to {MAX_TITLE})"
            raise invalid(f"interactive.action.buttons[{place}]", what)
    _unique("interactive.action.buttons", [reply["id"] for reply in replies])
    return {**action, "buttons": [{"type": "reply", "reply": reply} for reply in replies]}


def _rows(action: Mapping[str, Any]) -> dict[str, Any]:
    if not fits(action.get("button"), MAX_TITLE):
        raise invalid("interactive.action.button", f"must be 1 to {MAX_TITLE} characters")
    sections = action.get("sections")
    if not isinstance(sections, list) or not all(isinstance(each, dict) for each in sections):
        raise invalid("interactive.action.sections", "must be a list of objects")
    for place, section in enumerate(sections):
        title = section.get("title")
        if not isinstance(section.get("rows"), list):
            raise invalid(f"interactive.action.sections[{place}].rows", "must be a list")
        if (title is not None or len(sections) > 1) and not fits(title, MAX_ROW_TITLE):
            raise invalid(
                f"interactive.action.sections[{place}].title", f"must be 1 to {MAX_ROW_TITLE} characters"
            )
    rows = [row for section in sections for row in section["rows"]]
    if not 1 <= len(rows) <= MAX_ROWS:
        raise invalid("interactive.action.sections", f"must have 1 to {MAX_ROWS} rows in all")
    for row in rows:
        _check_row(row)
    _unique("interactive.action.sections", [row["id"] for row in rows])
    return {**action}


def _check_row(row: Any) -> None:
    good = (
        isinstance(row, dict)
        and fits(row.get("id"), MAX_ROW_ID)
        and fits(row.get("title"), MAX_ROW_TITLE)
        and (row.get("description") is None or fits(row["description"], MAX_ROW_DESCRIPTION))
    )
    if not good:
        raise invalid(
            "interactive.action.sections",
            f"a row needs an id (up to {MAX_ROW_ID} characters) and a title (up to {MAX_ROW_TITLE});"
            f" its description has up to {MAX_ROW_DESCRIPTION}",
        )


def _flow(action: Mapping[str, Any]) -> dict[str, Any]:
    parameters = action.get("parameters")
    if not isinstance(parameters, dict) or not (parameters.get("flow_id") or parameters.get("flow_name")):
        raise invalid("interactive.action.parameters", "needs flow_id or flow_name")
    if not fits(parameters.get("flow_cta"), MAX_FLOW_BUTTON):
        raise invalid("interactive.action.parameters.flow_cta", f"must be 1 to {MAX_FLOW_BUTTON} characters")
    return {**action, "name": "flow", "parameters": {"flow_message_version": "3", **parameters}}


def _link(action: Mapping[str, Any]) -> dict[str, Any]:
    parameters = action.get("parameters")
    url = parameters.get("url") if isinstance(parameters, dict) else None
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise invalid("interactive.action.parameters.url", "must be a URL")
    if not fits(parameters.get("display_text") if isinstance(parameters, dict) else None, MAX_TITLE):
        raise invalid("interactive.action.parameters.display_text", f"must be 1 to {MAX_TITLE} characters")
    return {**action, "name": "cta_url"}


def _location(value: Mapping[str, Any], _: str) -> dict[str, Any]:
    _names("location", value, ("latitude", "longitude", "name", "address"))
    for name, largest in (("latitude", 90), ("longitude", 180)):
        degrees = value.get(name)
        if isinstance(degrees, bool) or not isinstance(degrees, int | float) or not abs(degrees) <= largest:
            raise invalid(f"location.{name}", f"must be a number from -{largest} to {largest}")
    return {**value}


def _names(field: str, value: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = sorted(value.keys() - {*known})
    if unknown:
        raise invalid(field, f"has no {', '.join(unknown)[:200]}")


def _unique(field: str, ids: list[str]) -> None:
    if len(set(ids)) < len(ids):
        raise invalid(field, "two have the same id")


_CHECK: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "button": _buttons,
    "list": _rows,
    "flow": _flow,
    "cta_url": _link,
}
_RENDER: Mapping[str, Callable[[Mapping[str, Any], str], dict[str, Any]]] = {
    "template": _template,
    "interactive": _interactive,
    "location": _location,
}
