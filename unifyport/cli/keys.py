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
from unifyport.model.duration import parse_duration
from unifyport.model.ids import new_id
from unifyport.model.times import LAST_MS, parse_rfc3339, rfc3339
from unifyport.process.clock import wall_clock_ms
from unifyport.storage.contract import (
    ACTIVE,
    ApiKey,
    DeleteApiKey,
    PutApiKey,
    Refused,
    SchemaTooNew,
    StoreUnavailable,
)
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
FIELDS = ("id", "name", "key_prefix", "status", "origin", "expires_at")


class Keys(Protocol):
    """Keys, and with a new secret the secret. An error ends the command."""

    def read(self) -> list[Shown]: ...
    def create(self, name: str, prefix: str, expires_at: int | None) -> tuple[Shown, str]: ...
    def rotate(self, key: Shown, expires_at: int | None) -> tuple[Shown, str]: ...
    def delete(self, key: Shown) -> None: ...
    def set_status(self, key: Shown, status: str) -> Shown: ...


@attrs.frozen
class ServedKeys:
    """The keys of a server that runs."""

    _api: Api

    def read(self) -> list[Shown]:
        return [_pick(key) for key in self._api("GET", "/v1/api-keys")]

    def create(self, name: str, prefix: str, expires_at: int | None) -> tuple[Shown, str]:
        return self._new_secret("/v1/api-keys", name, prefix, expires_at)

    def rotate(self, key: Shown, expires_at: int | None) -> tuple[Shown, str]:
        path = f"/v1/api-keys/{key['id']}/rotate"
        return self._new_secret(path, key["name"], key["key_prefix"], expires_at)

    def delete(self, key: Shown) -> None:
        self._api("DELETE", f"/v1/api-keys/{key['id']}")

    def set_status(self, key: Shown, status: str) -> Shown:
        return _pick(self._api("PATCH", f"/v1/api-keys/{key['id']}", json={"status": status}))

    def _new_secret(self, path: str, name: str, prefix: str, expires_at: int | None) -> tuple[Shown, str]:
        more = {} if expires_at is None else {"expires_at": rfc3339(expires_at)}
        made = self._api("POST", path, json={"name": name, "prefix": prefix, **more})
        return _pick(made["key"]), made["api_key"]


@attrs.frozen
class StoredKeys:
    """The keys in the database."""

    _store: SqliteStore

    def read(self) -> list[Shown]:
        return [_show(key) for key in self._records()]

    def create(self, name: str, prefix: str, expires_at: int | None) -> tuple[Shown, str]:
        record = ApiKey(new_id("ak"), name, prefix, b"", created_at=wall_clock_ms())
        return self._new_secret(attrs.evolve(record, expires_at=expires_at))

    def rotate(self, key: Shown, expires_at: int | None) -> tuple[Shown, str]:
        record = self._record(key)
        return self._new_secret(attrs.evolve(record, expires_at=expires_at or record.expires_at))

    def delete(self, key: Shown) -> None:
        trio.run(self._store.commit, [DeleteApiKey(key["id"])])

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


def _read_expiry(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Unix ms, of a time or of a duration from now."""
    if value is None:
        return None
    now = wall_clock_ms()
    try:
        at = parse_rfc3339(value) if "T" in value.upper() else now + int(parse_duration(value) * 1000)
    except (ValueError, OverflowError):
        raise click.BadParameter("must be a duration such as 90d, or a time in RFC 3339") from None
    if not now < at <= LAST_MS:
        raise click.BadParameter("must be in the future, and before the year 10000")
    return at


_expires_option = click.option(
    "--expires",
    callback=_read_expiry,
    help="When it expires: a duration from now such as 90d, or a time in RFC 3339.",
)


@click.group()
def keys() -> None:
    """List, create, rotate, disable, enable and delete API keys. KEY is an id or a name."""


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
    table = Table("id", "name", "prefix", "status", "declared in", "expires")
    for key in known:
        row = (key["id"], escaped(key["name"]), key["key_prefix"], key["status"], key["origin"])
        table.add_row(*row, key.get("expires_at", ""))
    print_shape(table)


@keys.command()
@click.argument("name")
@click.option("--prefix", default=DEFAULT_PREFIX, show_default=True)
@_expires_option
@config_option
@json_option
def create(*, name: str, prefix: str, expires: int | None, config_path: Path, as_json: bool) -> None:
    """Make a key and print it, once."""
    try:
        check_key(name, prefix)
    except UseCaseError as wrong:
        raise click.UsageError(str(wrong)) from None
    with open_keys(config_path) as opened:
        made, secret = opened.create(name, prefix, expires)
    _print_new(made, secret, as_json)


@keys.command()
@click.argument("key")
@_expires_option
@config_option
@json_option
def rotate(*, key: str, expires: int | None, config_path: Path, as_json: bool) -> None:
    """Give a key a new secret and print it, once; the old secret is invalid at once. An expiry stays, unless
    another one is given.
    """
    with open_keys(config_path) as opened:
        rotated, secret = opened.rotate(_find(opened, key), expires)
    _print_new(rotated, secret, as_json)


@keys.command()
@click.argument("key")
@config_option
@json_option
def delete(key: str, config_path: Path, as_json: bool) -> None:
    """Delete a key; it is refused from now on."""
    with open_keys(config_path) as opened:
        found = _find(opened, key)
        opened.delete(found)
    if as_json:
        print_json(found)
    else:
        console.print(f"{found['id']} ({escaped(found['name'])}) is deleted")


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
    values = (key.id, key.name, key.prefix, key.status, str(key.origin))
    expires = {} if key.expires_at is None else {"expires_at": rfc3339(key.expires_at)}
    return dict(zip(FIELDS, values, strict=False)) | expires


def _pick(answered: dict[str, Any]) -> Shown:
    return {name: answered[name] for name in FIELDS if name in answered}


def _print_new(key: Shown, secret: str, as_json: bool) -> None:
    if as_json:
        print_json({**key, "api_key": secret})
    else:
        console.print(f"{key['id']} ({escaped(key['name'])}), shown only now: [bold]{secret}[/bold]")
        if key["status"] != ACTIVE:
            console.print(f"it is {key['status']}: 'unifyport keys enable {key['id']}' enables it")
