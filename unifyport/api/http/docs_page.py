"""`/docs`: the OpenAPI document as one page, made on the server, without scripts or parts of other hosts."""

from collections.abc import Iterator
from typing import Any

import jinja2

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def page(document: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The HTML of an OpenAPI document, and the headers that go with it."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("unifyport.api"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("docs.html").render(
        info=document["info"],
        groups=list(_groups(document)),
        schemas=[
            (name, _fields(schema), schema) for name, schema in document["components"]["schemas"].items()
        ],
        shape_of=_shape,
    )
    return html, _HEADERS


def _groups(document: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(tag, its operations), in the order of the document."""
    for tag in document["tags"]:
        operations = [
            {"path": path, "method": method.upper(), **operation, "fields": _body(operation)}
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation["tags"]
        ]
        yield tag["name"], operations


def _body(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """What a request's body is, by content type."""
    content = operation.get("requestBody", {}).get("content", {})
    return [{"type": kind, "shape": _shape(each["schema"])} for kind, each in content.items()]


def _fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    return [
        {"name": name, "shape": _shape(field), "required": name in required, "about": _about(field)}
        for name, field in ((name, _not_null(field)) for name, field in schema.get("properties", {}).items())
    ]


def _not_null(field: dict[str, Any]) -> dict[str, Any]:
    """The schema without null: the page does not show that an optional field may be null."""
    arms = [arm for arm in field.get("anyOf", []) if arm != {"type": "null"}]
    return arms[0] if len(arms) == 1 else field


def _about(field: dict[str, Any]) -> str:
    """What a field's schema says beside its type."""
    parts = [str(field["description"])] if "description" in field else []
    if "enum" in field:
        parts.append(" · ".join(str(value) for value in field["enum"]))
    parts += [
        f"{name} {field[name]}" for name in ("minimum", "maximum", "minLength", "maxLength") if name in field
    ]
    return "; ".join(parts)


def _shape(schema: dict[str, Any]) -> list[tuple[str, str | None]]:
    """A schema in a few words: (text, the schema that it links to)."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [(name, name)]
    if schema.get("type") == "array":
        return [("list of ", None), *_shape(schema.get("items", {}))]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            parts: list[tuple[str, str | None]] = []
            for each in schema[several]:
                parts += [(" or ", None), *_shape(each)] if parts and several != "allOf" else _shape(each)
            return parts
    if "properties" in schema and "data" in schema["properties"]:
        return _shape(schema["properties"]["data"])
    kind = schema.get("type", "anything" if "required" not in schema else "")
    return [(f"{kind} ({schema['format']})" if "format" in schema else str(kind), None)] if kind else []
