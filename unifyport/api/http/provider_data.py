"""The fields of `provider_data` by channel, for the OpenAPI document and for `docs/provider-data.md`.

Both are made of what the connections declare, so they say what the gateway does.
"""

from collections.abc import Iterable
from typing import Any

from unifyport.providers.contract.base import ConnectionSpec, Credential
from unifyport.providers.contract.fields import COMMON_FIELDS, ProviderField
from unifyport.providers.registry import Registry

_OF_A_SEND = "Fields by channel; any other has no effect, and the answer warns of it."
_OF_AN_ACCOUNT = "Credentials by channel and auth_mode; `proxy_config` on all. Write-only."
_BAR = "\\|"  # in a table of Markdown
_HEAD = """\
# `provider_data`, channel by channel

Made by `scripts/provider-data`. A field that is not in the table of its channel has no effect: the answer
warns of it (`unknown_field`, or `no_effect` if another channel has it), and a strict request is refused
([sending.md](sending.md#warnings-and-strict-requests)).
"""


def describe(document: dict[str, Any], registry: Registry) -> None:
    """Add the tables to the schemas of an OpenAPI document."""
    found = document["components"]["schemas"]
    sends = {name: _fields_of(spec) for name, spec in _connections(registry) if spec.provider_data}
    accounts = {name: _credentials_of(spec) for name, spec in _connections(registry) if spec.credentials}
    for schema, about, tables in (
        ("SendMessageRequest", _OF_A_SEND, {"all": list(map(_shown, COMMON_FIELDS)), **sends}),
        ("AccountRequest", _OF_AN_ACCOUNT, accounts),
    ):
        if schema in found:
            field = found[schema]["properties"]["provider_data"]
            lines = [f"**{name}**: {_line(table)}" for name, table in tables.items()]
            field["description"] = "\n\n".join([about, *lines])
            field["x-provider-fields"] = tables


def page(registry: Registry) -> str:
    """`docs/provider-data.md`."""
    parts = [_HEAD, "## Of a message, on every channel\n", _table(map(_shown, COMMON_FIELDS))]
    for name, spec in _connections(registry):
        parts += [f"## {name}: of a message\n", _table(_fields_of(spec)) if spec.provider_data else "None.\n"]
        parts += [f"## {name}: of an account\n", _table(_credentials_of(spec))]
    return "\n".join(parts)


def _connections(registry: Registry) -> list[tuple[str, ConnectionSpec]]:
    """By `channel (auth_mode)`, with the connection's name if it has one."""
    return [
        (f"{channel.name} ({', '.join(filter(None, (spec.auth_mode, spec.name)))})", spec)
        for channel in registry.channels.values()
        for spec in channel.connections
    ]


def _fields_of(spec: ConnectionSpec) -> list[dict[str, Any]]:
    return [_shown(field) for field in spec.provider_data]


def _shown(field: ProviderField) -> dict[str, Any]:
    return {"name": field.name, "type": field.kinds, "description": field.description}


def _credentials_of(spec: ConnectionSpec) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "type": ["string"],
            "description": _need_of(each),
        }
        for each in spec.credentials
    ]


def _need_of(credential: Credential) -> str:
    need = "required" if credential.required else "optional"
    return f"{need}; may be in `[providers.<channel>]` instead" if credential.app else need


def _line(fields: Iterable[dict[str, Any]]) -> str:
    return "; ".join(f"`{each['name']}` ({_types(each)}) {each['description']}" for each in fields)


def _table(fields: Iterable[dict[str, Any]]) -> str:
    lines = [
        f"| `{each['name']}` | {_types(each)} | {each['description'].replace('|', _BAR)} |" for each in fields
    ]
    return "\n".join(["| field | type | what it is |", "| --- | --- | --- |", *lines, ""])


def _types(field: dict[str, Any]) -> str:
    return " or ".join(field["type"])
