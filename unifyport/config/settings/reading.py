"""Reads the configuration file, and reports all of its mistakes together.

Any secret may be a literal string, `{ env = "NAME" }` or `{ file = "path" }` (relative to the file). `Walk`
reads single values; this file adds the project's own types, `provider_tables.py` the tables of channels;
`check` then reports values that contradict each other.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_origin

import attrs

from unifyport.model.duration import format_duration, parse_duration
from unifyport.model.rates import parse_rate
from unifyport.model.sizes import parse_size
from unifyport.model.structuring import Problems, Wrong
from unifyport.model.texts import as_name, name_problem
from unifyport.model.token_bucket import Limit
from unifyport.net.urls import in_ascii
from unifyport.process.redaction import HeldSecrets
from unifyport.providers.registry import Registry

from .checks import check
from .lines import KeyPath
from .mistakes import Mistake, Mistakes, Source, suggest_key
from .provider_tables import read_provider_tables
from .syntax import explain_syntax
from .values import (
    OFF,
    DeclaredAccount,
    Duration,
    Name,
    PaceLimit,
    Rate,
    Secret,
    Settings,
    Size,
)
from .walk import NotRead, Walk

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
SLOWEST, FASTEST = 1 / 3600, 1_000_000.0  # per second
LONGEST_DURATION = 36_500 * 86_400.0  # so that a time so far from now has a date
_NOT_OF_THE_FILE = ("directory", "path", "paces", "apps", "secrets")  # fields of `Settings`


@attrs.frozen
class Loaded:
    """Settings, and the `Source` that shows mistakes which are found later in the same file."""

    settings: Settings
    source: Source


def load(
    path: Path, registry: Registry, environ: Mapping[str, str] = os.environ, *, secrets: bool = True
) -> Settings:
    """Read and check a configuration file. Raises `Problems`, each with file, line and name.

    Without `secrets`, those that stand elsewhere (`env`, `file`) are not read, nor the files of `server.tls`
    and `security.ca_file`: the settings are then only for the check.
    """
    return load_with_source(path, registry, environ, secrets=secrets).settings


def load_with_source(
    path: Path, registry: Registry, environ: Mapping[str, str] = os.environ, *, secrets: bool = True
) -> Loaded:
    """`load`, with the `Source` of the file. Raises `Problems`."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise Problems([f"{path}: {error.strerror}"]) from None
    except RecursionError:
        raise Problems([f"{path}: tables or lists are nested too deeply"]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Problems([f"{path}:{line}: the text is not UTF-8"]) from None
    except tomllib.TOMLDecodeError as error:
        raise Problems([explain_syntax(path, text, error)]) from None
    except ValueError:  # of Python: a decimal number of more than 4,300 digits
        raise Problems([f"{path}: a number has too many digits"]) from None
    source = Source(str(path), text, document)
    settings = _parse(source, path.parent, registry, environ if secrets else None)
    return Loaded(attrs.evolve(settings, path=path), source)


def _parse(
    source: Source, directory: Path, registry: Registry, environ: Mapping[str, str] | None
) -> Settings:
    """`environ` is None: secrets that stand elsewhere are left out. Raises `Problems`."""
    document = source.document
    mistakes = Mistakes(document)
    secrets = HeldSecrets()

    def secret(value: Any) -> str:
        if environ is None:
            if isinstance(value, dict) and value.keys() in ({"env"}, {"file"}):
                raise NotRead
            return read_secret(value, directory, {}, secrets)
        return read_secret(value, directory, environ, secrets)

    walk = Walk(mistakes, _hooks(secret))
    sections: dict[str, Any] = {}
    fields = {field.name: field for field in attrs.fields(Settings) if field.name not in _NOT_OF_THE_FILE}
    for name in document:
        if name not in fields:
            hint = suggest_key(name, fields.keys(), document)
            mistakes.add_unreadable(Mistake((name,), "unknown key", hint, show_value=False))
    tables = read_provider_tables(
        document.get("providers", {}),
        registry,
        walk,
        mistakes,
        secret=secret,
    )
    sections |= {"providers": tables.endpoints, "apps": tables.apps, "paces": tables.paces}
    for name, field in fields.items():
        if name != "providers":
            empty: Any = [] if get_origin(field.type) is list else {}
            sections[name] = walk.read(document.get(name, empty), field.type, (name,))
    sections["accounts"] = [
        _with_secrets(account, ("accounts", place), mistakes, secret)
        for place, account in enumerate(sections["accounts"])
    ]
    settings = Settings(**sections, directory=directory, secrets=secrets)
    if environ is None:
        mistakes.leave_out(("server", "tls"))
        mistakes.leave_out(("security", "ca_file"))
    check(settings, registry, mistakes)
    if mistakes.found:
        raise Problems(source.show(mistakes.found))
    return _with_ascii_url(settings)


def _with_ascii_url(settings: Settings) -> Settings:
    """`public_url` as platforms repeat it, and as it goes into links: its host in ASCII."""
    url = settings.server.public_url
    if url is None:
        return settings
    return attrs.evolve(settings, server=attrs.evolve(settings.server, public_url=in_ascii(url)))


def _hooks(secret: Callable[[Any], str]) -> dict[Any, Callable[[Any], Any]]:
    return {
        Duration: lambda value: _read_value(_parse_duration, value),
        Size: lambda value: _read_value(parse_size, value),
        Rate: lambda value: _read_value(_parse_rate, value),
        PaceLimit: lambda value: _read_value(Limit.parse, value) or OFF,
        Name: _read_name,
        Secret: secret,
    }


def _read_value(parse_: Callable[[Any], Any], value: Any) -> Any:
    try:
        return parse_(value)
    except ValueError as error:
        raise Wrong(str(error).partition(", got ")[0]) from None  # `Source` adds the value


def _parse_duration(value: Any) -> float:
    seconds = parse_duration(value)
    if seconds > LONGEST_DURATION:
        raise ValueError(f"must be at most {format_duration(LONGEST_DURATION)}")
    return seconds


def _parse_rate(value: Any) -> float:
    rate = parse_rate(value)
    if not SLOWEST <= rate <= FASTEST:
        raise ValueError("the rate must be from 1/h to 1000000/s")
    return rate


def _read_name(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong("must be a string")
    name = as_name(value)
    if problem := name_problem(name):
        raise Wrong(problem)
    return name


def read_secret(value: Any, directory: Path, environ: Mapping[str, str], secrets: HeldSecrets) -> str:
    """A literal, or the contents of `{ env }` or `{ file }`. Raises `Wrong`, whose text has no secret."""
    secret = _read_secret(value, directory, environ)
    secrets.register(secret)
    return secret


def _read_secret(value: Any, directory: Path, environ: Mapping[str, str]) -> str:
    match value:
        case str():
            return value
        case {"env": str() as name, **rest} if not rest:
            if name in environ:
                return environ[name]
            if not _ENVIRONMENT_NAME.fullmatch(name):  # it may be the secret itself
                raise Wrong("env must be the name of an environment variable")
            raise Wrong(f"environment variable {name} is not set")
        case {"file": str() as name, **rest} if not rest:
            try:
                return (directory / name).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a NUL in the name
                reason = getattr(error, "strerror", None) or "no text in UTF-8"
                raise Wrong(f"file {name} cannot be read ({reason})") from None
    raise Wrong('must be a string, { env = "NAME" } or { file = "path" }')


def _with_secrets(
    account: DeclaredAccount, path: KeyPath, mistakes: Mistakes, secret: Callable[[Any], str]
) -> DeclaredAccount:
    """The account with its secrets read; one that cannot be read is reported and becomes an empty string."""

    def read(where: KeyPath, value: Any) -> Any:
        try:
            return secret(value)
        except NotRead:
            mistakes.leave_out(where)
            return ""
        except Wrong as error:
            mistakes.add_unreadable(Mistake(where, str(error), show_value=False))
            return ""

    credentials = {
        name: read((*path, "credentials", name), value) for name, value in account.credentials.items()
    }
    proxy = account.proxy
    if proxy is not None and "password" in proxy:
        proxy = {**proxy, "password": read((*path, "proxy", "password"), proxy["password"])}
    return attrs.evolve(account, credentials=credentials, proxy=proxy)
