"""`keys`: API keys, written directly to the database, so that a key can be made while the server is down."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import attrs
import click
import trio
from rich.table import Table

from unifyport.config.declared import hash_key, new_key
from unifyport.config.settings import Settings
from unifyport.model.account import Origin
from unifyport.model.ids import new_id
from unifyport.server import wall_clock_ms
from unifyport.storage.contract import ApiKey, PutApiKey, SchemaTooNew, StoreUnavailable
from unifyport.storage.sealing import SealError
from unifyport.storage.sqlite.store import SqliteStore

from .common import config_option, console, escaped, fail, json_option, load_settings, print_json, print_shape


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


@click.group()
def keys() -> None:
    """List, create, rotate, disable and enable API keys. KEY is an id or a name."""


@keys.command("list")
@config_option
@json_option
def list_keys(config_path: Path, as_json: bool) -> None:
    """Show all keys; the secrets themselves are not stored."""
    with open_store(load_settings(config_path)) as store:
        known = trio.run(store.api_keys)
    if as_json:
        print_json([_public(key) for key in known])
        return
    table = Table("id", "name", "prefix", "status", "declared in")
    for key in known:
        table.add_row(key.id, escaped(key.name), key.prefix, key.status, key.origin)
    print_shape(table)


@keys.command()
@click.argument("name")
@click.option("--prefix", default="dk_live", show_default=True)
@config_option
@json_option
def create(name: str, prefix: str, config_path: Path, as_json: bool) -> None:
    """Make a key and print it, once."""
    if not name or not prefix.isascii() or not prefix.replace("_", "").isalnum():
        raise click.UsageError("a key needs a name, and a prefix of letters, digits and _")
    key = new_key(prefix)
    record = ApiKey(new_id("ak"), name, prefix, hash_key(key), created_at=wall_clock_ms())
    with open_store(load_settings(config_path)) as store:
        trio.run(store.commit, [PutApiKey(record)])
    _print_new(record, key, as_json)


@keys.command()
@click.argument("key")
@config_option
@json_option
def rotate(key: str, config_path: Path, as_json: bool) -> None:
    """Give a key a new secret and print it, once; the old secret is invalid at once."""
    with open_store(load_settings(config_path)) as store:
        record = _find(store, key)
        secret = new_key(record.prefix)
        record = attrs.evolve(record, hash=hash_key(secret))
        trio.run(store.commit, [PutApiKey(record)])
    _print_new(record, secret, as_json)


@keys.command()
@click.argument("key")
@config_option
@json_option
def disable(key: str, config_path: Path, as_json: bool) -> None:
    """Refuse a key from now on."""
    _set_status(key, "inactive", config_path, as_json)


@keys.command()
@click.argument("key")
@config_option
@json_option
def enable(key: str, config_path: Path, as_json: bool) -> None:
    """Accept a disabled key again."""
    _set_status(key, "active", config_path, as_json)


def _set_status(name: str, status: str, config_path: Path, as_json: bool) -> None:
    with open_store(load_settings(config_path)) as store:
        record = attrs.evolve(_find(store, name), status=status)
        trio.run(store.commit, [PutApiKey(record)])
    if as_json:
        print_json(_public(record))
    else:
        console.print(f"{record.id} ({escaped(record.name)}) is {status}")


def _find(store: SqliteStore, name: str) -> ApiKey:
    """The key with this id or name. Ends the command if there is not exactly one, or the file declares it."""
    found = [key for key in trio.run(store.api_keys) if name in (key.id, key.name)]
    if len(found) > 1:
        fail(f"{len(found)} keys are called {name!r}, use the id: {', '.join(key.id for key in found)}")
    if not found:
        fail(f"no keys are called {name!r}")
    if found[0].origin == Origin.FILE:
        fail(f"{name!r} is declared in the configuration file; change it there")
    return found[0]


def _public(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "key_prefix": key.prefix,
        "status": key.status,
        "origin": key.origin,
    }


def _print_new(record: ApiKey, key: str, as_json: bool) -> None:
    if as_json:
        print_json({**_public(record), "api_key": key})
    else:
        console.print(f"{record.id} ({escaped(record.name)}), shown only now: [bold]{key}[/bold]")
        if record.status != "active":
            console.print(f"it is {record.status}: 'unifyport keys enable {record.id}' enables it")
