"""`[providers.<channel>]`: fields of the channel's `Endpoints`, credentials of its app, and `pace`."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

from unifyport.model.structuring import Wrong
from unifyport.net.urls import NotAUrl, host_of
from unifyport.providers.contract.base import Channel
from unifyport.providers.registry import Registry

from .checks import explain_channel
from .lines import KeyPath
from .mistakes import Mistake, Mistakes, suggest_key
from .values import PaceOverride
from .walk import NotRead, Walk


@attrs.frozen
class ProviderTables:
    """By channel: its endpoints, production values where the file says nothing; app credentials; paces."""

    endpoints: dict[str, Any]
    apps: dict[str, dict[str, str]] = attrs.field(factory=dict)
    paces: dict[str, PaceOverride] = attrs.field(factory=dict)


def read_provider_tables(
    tables: Any, registry: Registry, walk: Walk, mistakes: Mistakes, *, secret: Callable[[Any], str]
) -> ProviderTables:
    """`[providers]`. `secret` reads a literal, `{ env }` or `{ file }`, and raises `Wrong`."""
    found = ProviderTables({name: channel.endpoints() for name, channel in registry.channels.items()})
    if not isinstance(tables, dict):
        mistakes.add_unreadable(Mistake(("providers",), "must be a table", show_value=False))
        return found
    for name, table in tables.items():
        path: KeyPath = ("providers", name)
        channel = registry.channels.get(name)
        if channel is None:
            hint = suggest_key(name, registry.channels, tables)
            text = explain_channel(registry)
            mistakes.add_unreadable(Mistake(path, text, hint, show_value=False))
            continue
        beside = {*channel.app_credentials(), "pace"}
        found.endpoints[name] = walk.read_table(table, channel.endpoints, path, beside=beside)
        _check_urls(path, found.endpoints[name], mistakes)
        if isinstance(table, dict):
            found.apps[name] = _read_app(table, channel, path, mistakes, secret)
            if "pace" in table:
                found.paces[name] = walk.read_table(table["pace"], PaceOverride, (*path, "pace"))
    return found


def _read_app(
    table: Mapping[str, Any],
    channel: Channel,
    path: KeyPath,
    mistakes: Mistakes,
    secret: Callable[[Any], str],
) -> dict[str, str]:
    """The credentials of the channel's app that the table has; mistakes show no value of them."""
    found: dict[str, str] = {}
    for name, credential in channel.app_credentials().items():
        if name not in table:
            continue
        try:
            value = secret(table[name])
            if not credential.accepts(value):
                raise Wrong(credential.complaint)
        except NotRead:
            mistakes.leave_out((*path, name))
            continue
        except Wrong as error:
            mistakes.add_unreadable(Mistake((*path, name), str(error), show_value=False))
            continue
        found[name] = value
    return found


def _check_urls(path: KeyPath, endpoints: Any, mistakes: Mistakes) -> None:
    """Tokens are sent to these URLs, so http and ws are allowed to the loopback only. One that is empty by
    default is no mistake.
    """
    for field, url in attrs.asdict(endpoints).items():
        if not field.endswith("_url") or (not url and url == getattr(type(endpoints)(), field)):
            continue
        try:
            parts = urlsplit(url)
            _, host = parts.port, host_of(parts.netloc)
        except (ValueError, NotAUrl):  # such as http://[ and http://host:port
            parts, host = urlsplit(""), ""
        local = host in ("localhost", "127.0.0.1", "::1")
        if not host or parts.scheme not in ("https", "http", "wss", "ws"):
            mistakes.tell((*path, field), "must be an absolute URL")
        elif parts.scheme in ("http", "ws") and not local:
            secure = {"http": "https", "ws": "wss"}[parts.scheme]
            mistakes.tell((*path, field), f"{parts.scheme} is only for this machine, use {secure}")
