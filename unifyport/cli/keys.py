"""`keys`: API keys, through the server that answers at the control socket, so that it knows a change at once.

Where none answers they are read from and written to the database, so that a key can be made while the server
is down. A server that runs without answering there finds such a change within a second.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import attrs
import click
import trio
from rich.table import Table

from unifyport.config.declared import hash_key, new_key
from unifyport.config.settings import Settings
from unifyport.gateway.api_keys import DEFAULT_PREFIX, INACTIVE, check_key
from unifyport.gateway.errors import UseCaseError
from unifyport.model.account import Origin
from unifyport.model.ids import new_id
from unifyport.server import wall_clock_ms
from unifyport.storage.contract import ACTIVE, ApiKey, PutApiKey, Refused, SchemaTooNew, StoreUnavailable
from unifyport.storage.sealing import SealError
from unifyport.storage.sqlite.store import SqliteStore

from .common import (
    Api,
    config_option,
    console,
    fail,
    json_option,
    load_settings,
    print_json,
    print_shape,
)
from .terminal import escaped

Shown = dict[str, Any]  # what is shown of a key: `FIELDS`, as the API calls them
FIELDS = ("id", "name", "key_prefix", "status", "origin")


class Keys(Protocol):
    """Keys, and with a new secret the secret. An error ends the command."""

    def read(self) -> list[Shown]: ...
    def create(self, name: str, prefix: str) -> tuple[Shown, str]: ...
    def rotate(self, key: Shown) -> tuple[Shown, str]: ...
    def set_status(self, key: Shown, status: str) -> Shown: ...


@attrs.frozen
class ServedKeys:
    """The keys of a server that runs."""

    _api: Api

    def read(self) -> list[Shown]:
        return [_pick(key) for key in self._api("GET", "/v1/api-keys")]

    def create(self, name: str, prefix: str) -> tuple[Shown, str]:
        return self._new_secret("/v1/api-keys", name, prefix)

    def rotate(self, key: Shown) -> tuple[Shown, str]:
        return self._new_secret(f"/v1/api-keys/{key['id']}/rotate", key["name"], key["key_prefix"])

    def set_status(self, key: Shown, status: str) -> Shown:
        return _pick(self._api("PATCH", f"/v1/api-keys/{key['id']}", json={"status": status}))

    def _new_secret(self, path: str, name: str, prefix: str) -> tuple[Shown, str]:
        made = self._api("POST", path, json={"name": name, "prefix": prefix})
        return _pick(made["key"]), made["api_key"]


@attrs.frozen
class StoredKeys:
    """The keys in the database."""

    _store: SqliteStore

    def read(self) -> list[Shown]:
        return [_show(key) for key in self._records()]

    def create(self, name: str, prefix: str) -> tuple[Shown, str]:
        return self._new_secret(ApiKey(new_id("ak"), name, prefix, b"", created_at=wall_clock_ms()))

    def rotate(self, key: Shown) -> tuple[Shown, str]:
        return self._new_secret(self._record(key))

    def set_status(self, key: Shown, status: str) -> Shown:
        return self._put(attrs.evolve(self._record(key), status=status))

    def _records(self) -> list[ApiKey]:
        return trio.run(self._store.api_keys)

    def _record(self, key: Shown) -> ApiKey:
        return next(record for record in self._records() if record.id == key["id"])

    def _new_secret(self, record: ApiKey) -> tuple[Shown, str]:
        secret = new_key(record.prefix)
        return self._put(attrs.evolve(record, hash=hash_key(secret))), secret

    def _put(self, record: ApiKey) -> Shown:
        match trio.run(self._store.commit, [PutApiKey(record)]):
            case [Refused(reason=reason)]:
                fail(f"not written: {reason}")
        return _show(record)


@contextlib.contextmanager
def open_store(settings: Settings) -> Iterator[SqliteStore]:
    store = SqliteStore(settings.database, settings.key_ring, wall_clock_ms)
    try:
        store.open()
    except (SchemaTooNew, SealError, StoreUnavailable) as error:
        fail(str(error))
    try:
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def open_keys(config_path: Path) -> Iterator[Keys]:
    """The keys of the server that answers at the control socket, else those in the database."""
    api = Api(config_path, None, None)
    if api.answers():
        yield ServedKeys(api)
        return
    with open_store(load_settings(config_path)) as store:
        try:
            yield StoredKeys(store)
        except StoreUnavailable as error:
            fail(str(error))


@click.group()
def keys() -> None:
    """List, create, rotate, disable and enable API keys. KEY is an id or a name."""


@keys.command("list")
@config_option
@json_option
def list_keys(config_path: Path, as_json: bool) -> None:
    """Show all keys; the secrets themselves are not stored."""
    with open_keys(config_path) as opened:
        known = opened.read()
    if as_json:
        print_json(known)
        return
    table = Table("id", "name", "prefix", "status", "declared in")
    for key in known:
        table.add_row(key["id"], escaped(key["name"]), key["key_prefix"], key["status"], key["origin"])
    print_shape(table)


@keys.command()
@click.argument("name")
@click.option("--prefix", default=DEFAULT_PREFIX, show_default=True)
@config_option
@json_option
def create(name: str, prefix: str, config_path: Path, as_json: bool) -> None:
    """Make a key and print it, once."""
    try:
        check_key(name, prefix)
    except UseCaseError as wrong:
        raise click.UsageError(str(wrong)) from None
    with open_keys(config_path) as opened:
        made, secret = opened.create(name, prefix)
    _print_new(made, secret, as_json)


@keys.command()
@click.argument("key")
@config_option
@json_option
def rotate(key: str, config_path: Path, as_json: bool) -> None:
    """Give a key a new secret and print it, once; the old secret is invalid at once."""
    with open_keys(config_path) as opened:
        rotated, secret = opened.rotate(_find(opened, key))
    _print_new(rotated, secret, as_json)


@keys.command()
@click.argument("key")
@config_option
@json_option
def disable(key: str, config_path: Path, as_json: bool) -> None:
    """Refuse a key from now on."""
    _set_status(key, INACTIVE, config_path, as_json)


@keys.command()
@click.argument("key")
@config_option
@json_option
def enable(key: str, config_path: Path, as_json: bool) -> None:
    """Accept a disabled key again."""
    _set_status(key, ACTIVE, config_path, as_json)


def _set_status(name: str, status: str, config_path: Path, as_json: bool) -> None:
    with open_keys(config_path) as opened:
        changed = opened.set_status(_find(opened, name), status)
    if as_json:
        print_json(changed)
    else:
        console.print(f"{changed['id']} ({escaped(changed['name'])}) is {status}")


def _find(opened: Keys, name: str) -> Shown:
    """The key with this id or name. Ends the command if there is not exactly one, or the file declares it."""
    found = [key for key in opened.read() if name in (key["id"], key["name"])]
    if len(found) > 1:
        fail(f"{len(found)} keys are called {name!r}, use the id: {', '.join(key['id'] for key in found)}")
    if not found:
        fail(f"no keys are called {name!r}")
    if found[0]["origin"] == Origin.FILE:
        fail(f"{name!r} is declared in the configuration file; change it there")
    return found[0]


def _show(key: ApiKey) -> Shown:
    return dict(zip(FIELDS, (key.id, key.name, key.prefix, key.status, str(key.origin)), strict=True))


def _pick(answered: dict[str, Any]) -> Shown:
    return {name: answered[name] for name in FIELDS}


def _print_new(key: Shown, secret: str, as_json: bool) -> None:
    if as_json:
        print_json({**key, "api_key": secret})
    else:
        console.print(f"{key['id']} ({escaped(key['name'])}), shown only now: [bold]{secret}[/bold]")
        if key["status"] != ACTIVE:
            console.print(f"it is {key['status']}: 'unifyport keys enable {key['id']}' enables it")
