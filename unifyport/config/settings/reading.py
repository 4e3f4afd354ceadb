"""Reading the file: as much of it as can be read, and every problem with the rest.

Any secret may be a literal string, `{ env = "NAME" }` or `{ file = "path" }` (relative to the file). What is wrong in
one option says nothing about the next: each is read by itself, so that one pass finds all problems.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin
from urllib.parse import urlsplit

import attrs
from cattrs import Converter

from unifyport.model.duration import parse_duration
from unifyport.model.rates import parse_rate
from unifyport.model.sizes import parse_size
from unifyport.model.structuring import Problems, Wrong, strict_converter, structure
from unifyport.process.redaction import register_secret
from unifyport.providers.registry import Registry
from unifyport.storage.sealing import KeyRing

from .checks import check
from .values import OFF, DeclaredAccount, Duration, Off, Rate, Secret, Security, Settings, Size

T = TypeVar("T")

_REQUIRED = ": is required"


def load(path: Path, registry: Registry, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check a configuration file. Raises `Problems`, each with its path."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Problems([f"{path}: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problems([f"{path}: {error}"]) from None
    return attrs.evolve(parse(document, path.parent, registry, environ), path=path)


def parse(
    document: dict[str, Any], directory: Path, registry: Registry, environ: Mapping[str, str]
) -> Settings:
    """Raises `Problems`."""
    problems: list[str] = []
    document = {**document}
    providers = _endpoints(document.pop("providers", {}), registry, problems)
    problems += _unknown_channels(document.get("supervision"), registry)
    converter = _converter(directory, environ)
    sections: dict[str, Any] = {}
    places: dict[str, list[int]] = {}
    for field in attrs.fields(Settings):
        kind: Any = field.type
        if field.name in ("providers", "directory", "path"):
            continue
        if get_origin(kind) is list:
            items = _items(converter, document.pop(field.name, []), get_args(kind)[0], field.name, problems)
            places[field.name], sections[field.name] = list(items), list(items.values())
            continue
        section = _table(converter, document.pop(field.name, {}), kind, field.name, problems)
        if section is not None:
            sections[field.name] = section
    problems += [f"unknown key: {name}" for name in document]
    if "security" not in sections:  # that has been said: so that the rest can be looked at
        sections["security"] = Security(Secret(KeyRing.new_key()))
    unreadable: set[str] = set()
    sections["accounts"] = [
        _with_secrets(account, f"accounts[{place}]", directory, environ, problems, unreadable)
        for place, account in zip(places["accounts"], sections["accounts"], strict=True)
    ]
    settings = Settings(**sections, providers=providers, directory=directory)
    told = [problem.partition(":")[0] for problem in problems]
    for problem in check(settings, registry, places):
        where = problem.partition(":")[0]
        if where not in unreadable and where not in told:
            problems.append(problem)
    if problems:
        raise Problems(problems)
    return settings


def _converter(directory: Path, environ: Mapping[str, str]) -> Converter:
    converter = strict_converter(forbid_extra_keys=True)

    def register(kind: Any, read: Callable[[Any], Any]) -> None:
        converter.register_structure_hook_func(lambda asked: asked is kind, lambda value, _: read(value))

    register(Duration, lambda value: _wrong_if(parse_duration, value))
    register(Size, lambda value: _wrong_if(parse_size, value))
    register(Rate, lambda value: _wrong_if(parse_rate, value))
    converter.register_structure_hook_factory(_may_be_off, lambda kind: _or_off(converter, kind))
    register(Secret, lambda value: read_secret(value, directory, environ))
    return converter


def _may_be_off(kind: Any) -> bool:
    return Off in get_args(kind)


def _or_off(converter: Converter, kind: Any) -> Callable[[Any, Any], Any]:
    """Reads a table, or the word `off` in place of it."""
    [table] = [option for option in get_args(kind) if attrs.has(option)]

    def read(value: Any, _: Any) -> Any:
        if value == OFF or value is None:
            return value
        if not isinstance(value, dict):
            raise Wrong('must be a table or "off"')
        return converter.structure(value, table)

    return read


def _items(converter: Converter, value: Any, kind: type[T], path: str, problems: list[str]) -> dict[int, T]:
    """The items of a list that can be read, by their place in it."""
    if not isinstance(value, list):
        problems.append(f"{path}: must be a list")
        return {}
    found = {
        place: _table(converter, item, kind, f"{path}[{place}]", problems) for place, item in enumerate(value)
    }
    return {place: item for place, item in found.items() if item is not None}


def _table(converter: Converter, value: Any, kind: type[T], path: str, problems: list[str]) -> T | None:
    """A table, without the keys that cannot be read; None when what is left is not enough."""
    if not isinstance(value, dict):
        problems.append(f"{path}: must be a table")
        return None
    good = {}
    for key, item in value.items():
        try:
            structure(converter, {key: item}, kind)
        except Problems as found:
            wrong = [
                problem
                for problem in found.problems
                if not problem.endswith(_REQUIRED) or problem.startswith((f"{key}.", f"{key}["))
            ]
            problems += [_at(path, problem) for problem in wrong]
            if wrong:
                continue
        good[key] = item
    try:
        return structure(converter, good, kind)
    except Problems as found:
        problems += [
            _at(path, problem) for problem in found.problems if problem.removesuffix(_REQUIRED) not in value
        ]
        return None


def _at(path: str, problem: str) -> str:
    return f"{path}: {problem}" if problem.startswith("unknown key") else f"{path}.{problem}"


def read_secret(value: Any, directory: Path, environ: Mapping[str, str]) -> str:
    """A literal, or what `{ env }` or `{ file }` names. Raises `Wrong`; never shows a secret."""
    secret = _read_secret(value, directory, environ)
    register_secret(secret)
    return secret


def _read_secret(value: Any, directory: Path, environ: Mapping[str, str]) -> str:
    match value:
        case str():
            return value
        case {"env": str() as name, **rest} if not rest:
            if name not in environ:
                raise Wrong(f"environment variable {name} is not set")
            return environ[name]
        case {"file": str() as name, **rest} if not rest:
            try:
                return (directory / name).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise Wrong(f"file {name} cannot be read") from None
    raise Wrong('must be a string, { env = "NAME" } or { file = "path" }')


def _wrong_if(parse_: Callable[[Any], Any], value: Any) -> Any:
    try:
        return parse_(value)
    except ValueError as error:
        raise Wrong(str(error)) from None


def _endpoints(tables: Any, registry: Registry, problems: list[str]) -> dict[str, Any]:
    """`[providers.<channel>]` as each channel's own class; channels not named get the production values."""
    found: dict[str, Any] = {name: channel.endpoints() for name, channel in registry.channels.items()}
    if not isinstance(tables, dict):
        problems.append("providers: must be a table")
        return found
    for name, table in tables.items():
        channel = registry.channels.get(name)
        if channel is None:
            problems.append(f"providers.{name}: no such channel")
            continue
        try:
            found[name] = structure(strict_converter(forbid_extra_keys=True), table, channel.endpoints)
        except Problems as error:
            problems += [f"providers.{name}.{problem}" for problem in error.problems]
            continue
        problems += _check_urls(name, found[name])
    return found


def _unknown_channels(supervision: Any, registry: Registry) -> list[str]:
    """Said of the names themselves, as a wrong policy of one channel keeps all of them from being read."""
    named = supervision.get("providers") if isinstance(supervision, dict) else None
    unknown = [name for name in named if name not in registry.channels] if isinstance(named, dict) else []
    return [f"supervision.providers.{name}: no such channel" for name in unknown]


def _check_urls(name: str, endpoints: Any) -> list[str]:
    """Tokens travel to these: plain http and ws only to this machine."""
    problems = []
    for field, url in attrs.asdict(endpoints).items():
        if not field.endswith("_url"):
            continue
        parts = urlsplit(url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or parts.scheme not in ("https", "http", "wss", "ws"):
            problems.append(f"providers.{name}.{field}: must be an absolute URL")
        elif parts.scheme in ("http", "ws") and not local:
            secure = {"http": "https", "ws": "wss"}[parts.scheme]
            problems.append(
                f"providers.{name}.{field}: {parts.scheme} is only for this machine, use {secure}"
            )
    return problems


def _with_secrets(
    account: DeclaredAccount,
    path: str,
    directory: Path,
    environ: Mapping[str, str],
    problems: list[str],
    unreadable: set[str],
) -> DeclaredAccount:
    """The account with its secrets read. The paths of those that cannot be are added to `unreadable`."""

    def read(where: str, value: Any) -> Any:
        try:
            return read_secret(value, directory, environ)
        except Wrong as error:
            problems.append(f"{where}: {error}")
            unreadable.add(where)
            return "unreadable"

    credentials = {
        name: read(f"{path}.credentials.{name}", value) for name, value in account.credentials.items()
    }
    proxy = account.proxy
    if proxy is not None and "password" in proxy:
        proxy = {**proxy, "password": read(f"{path}.proxy.password", proxy["password"])}
    return attrs.evolve(account, credentials=credentials, proxy=proxy)
