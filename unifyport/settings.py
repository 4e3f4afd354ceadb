"""The configuration file: one TOML document as attrs values, and every problem of it at once.

Any secret may be a literal string, `{ env = "NAME" }` or `{ file = "path" }` (relative to the configuration
file). Unknown keys are refused: a misspelt option that does nothing is worse than an error.
"""

import ipaddress
import os
import ssl
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NewType
from urllib.parse import urlsplit

import attrs

from supervisors import Backoff, OnExhausted, Policy, Restart
from unifyport.model.duration import parse_duration
from unifyport.model.event import mask_of
from unifyport.model.proxy import Proxy
from unifyport.model.sizes import parse_size
from unifyport.model.structuring import Problems, Wrong, strict_converter, structure
from unifyport.model.webhook import RetryPolicy
from unifyport.net.guard import Network
from unifyport.providers.base import WEBHOOK, Channel
from unifyport.providers.registry import PROVIDER_NAMES, Registry
from unifyport.redaction import register_secret
from unifyport.storage.sealing import KeyRing

Secret = NewType("Secret", str)
Duration = NewType("Duration", float)
Size = NewType("Size", int)

LOG_LEVELS = ("debug", "info", "warning", "error")
MIN_API_KEY = 32  # characters of a key that a file declares


@attrs.frozen
class Tls:
    """PEM files: the certificate with its chain, and its key."""

    cert: str
    key: str


@attrs.frozen
class Server:
    """`ingress_bind` and `admin_bind` take what platforms and what operators call off the API's own listener."""

    bind: str = "127.0.0.1:8080"
    ingress_bind: str | None = None
    admin_bind: str | None = None
    public_url: str | None = None
    tls: Tls | None = None
    trusted_proxies: list[str] = attrs.field(factory=list)

    @property
    def proxies(self) -> tuple[Network, ...]:
        return tuple(ipaddress.ip_network(text) for text in self.trusted_proxies)


@attrs.frozen
class Media:
    """Files of customers: `directory` is beside the database unless it is named."""

    directory: str | None = None
    max_bytes: Size = Size(1024**3)  # the whole cache
    max_file: Size = Size(100 * 1024**2)
    retention: Duration = Duration(7 * 86400.0)
    link_lifetime: Duration = Duration(86400.0)


@attrs.frozen
class Logging:
    level: str = "info"
    requests: bool = True  # one line for each API request


@attrs.frozen
class Storage:
    url: str = "sqlite:///unifyport.db"
    event_retention: Duration = Duration(7 * 86400.0)
    dedupe_retention: Duration = Duration(14 * 86400.0)
    dead_letter_retention: Duration = Duration(30 * 86400.0)


@attrs.frozen
class Security:
    master_key: Secret
    webhook_allow: list[str] = attrs.field(factory=list)
    proxy_allow: list[str] = attrs.field(factory=list)
    ca_file: str | None = None

    @property
    def webhook_networks(self) -> tuple[Network, ...]:
        return tuple(ipaddress.ip_network(text) for text in self.webhook_allow)

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        return tuple(ipaddress.ip_network(text) for text in self.proxy_allow)


@attrs.frozen
class Workspace:
    name: str | None = None
    account_quota: int = 0  # 0: unlimited
    regions: list[str] = attrs.field(factory=lambda: ["global"])  # the first is the default


@attrs.frozen
class DeclaredKey:
    name: str
    key: Secret


@attrs.frozen
class DeclaredEndpoint:
    name: str
    url: str
    subscribed_events: list[str] = attrs.field(factory=list)
    signing_secret: Secret = Secret("")
    retry_policy: dict[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class DeclaredAccount:
    name: str
    provider: str
    credentials: dict[str, Any]
    auth_mode: str = "token"
    region: str = "global"
    receive: str | None = None
    metadata: dict[str, Any] = attrs.field(factory=dict)
    proxy: dict[str, Any] | None = None


@attrs.frozen
class BackoffSettings:
    initial: Duration = Duration(1.0)
    factor: float = 2.0
    max: Duration = Duration(300.0)
    jitter: float = 0.2


@attrs.frozen
class PolicySettings:
    restart: str = "permanent"
    backoff: BackoffSettings = attrs.field(factory=BackoffSettings)
    stable_after: Duration = Duration(60.0)
    max_restarts: int = 15
    window: Duration = Duration(3600.0)
    on_exhausted: str = "park"
    park_interval: Duration = Duration(3600.0)
    start_timeout: Duration = Duration(30.0)
    stop_timeout: Duration = Duration(10.0)

    def policy(self) -> Policy:
        """Raises `ValueError` naming the field."""
        return Policy(
            restart=Restart(self.restart),
            backoff=Backoff(self.backoff.initial, self.backoff.factor, self.backoff.max, self.backoff.jitter),
            stable_after=self.stable_after,
            max_restarts=self.max_restarts,
            window=self.window,
            on_exhausted=OnExhausted(self.on_exhausted),
            park_interval=self.park_interval,
            start_timeout=self.start_timeout,
            stop_grace=self.stop_timeout / 2,
            stop_timeout=self.stop_timeout / 2,
        )


@attrs.frozen
class Policies:
    default: PolicySettings = attrs.field(factory=PolicySettings)


@attrs.frozen
class Supervision:
    policies: Policies = attrs.field(factory=Policies)


@attrs.frozen
class Settings:
    """`directory` is where the file is: relative paths in it start there."""

    security: Security
    server: Server = attrs.field(factory=Server)
    storage: Storage = attrs.field(factory=Storage)
    media: Media = attrs.field(factory=Media)
    logging: Logging = attrs.field(factory=Logging)
    workspace: Workspace = attrs.field(factory=Workspace)
    api_keys: list[DeclaredKey] = attrs.field(factory=list)
    webhook_endpoints: list[DeclaredEndpoint] = attrs.field(factory=list)
    accounts: list[DeclaredAccount] = attrs.field(factory=list)
    providers: dict[str, Any] = attrs.field(factory=dict)  # channel name -> its endpoints
    supervision: Supervision = attrs.field(factory=Supervision)
    directory: Path = attrs.field(default=Path(), init=False)

    @property
    def database(self) -> Path:
        return self.directory / self.storage.url.removeprefix("sqlite:///")

    @property
    def media_directory(self) -> Path:
        if self.media.directory is not None:
            return self.directory / self.media.directory
        return self.database.with_name(self.database.name + ".media")

    @property
    def socket(self) -> Path:
        """The control socket beside the database."""
        return self.database.with_name(self.database.name + ".sock")

    @property
    def key_ring(self) -> KeyRing:
        return KeyRing.parse(self.security.master_key)

    @property
    def ca_file(self) -> Path | None:
        return None if self.security.ca_file is None else self.directory / self.security.ca_file


def load(path: Path, registry: Registry, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check a configuration file. Raises `Problems`, each with its path."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Problems([f"{path}: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problems([f"{path}: {error}"]) from None
    return parse(document, path.parent, registry, environ)


def parse(
    document: dict[str, Any], directory: Path, registry: Registry, environ: Mapping[str, str]
) -> Settings:
    problems: list[str] = []
    document = {**document}
    endpoints = _endpoints(document.pop("providers", {}), registry, problems)
    converter = strict_converter(forbid_extra_keys=True)
    converter.register_structure_hook_func(
        lambda kind: kind is Duration, lambda value, _: _wrong_if(parse_duration, value)
    )
    converter.register_structure_hook_func(
        lambda kind: kind is Size, lambda value, _: _wrong_if(parse_size, value)
    )
    converter.register_structure_hook_func(
        lambda kind: kind is Secret, lambda value, _: read_secret(value, directory, environ)
    )
    try:
        settings = structure(converter, document, Settings)
    except Problems as found:
        raise Problems(problems + found.problems) from None
    object.__setattr__(settings, "directory", directory)
    settings = _with_credentials(settings, environ, problems)
    object.__setattr__(settings, "providers", endpoints)
    problems += _check(settings, registry)
    if problems:
        raise Problems(problems)
    return settings


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


def _check_urls(name: str, endpoints: Any) -> list[str]:
    """Tokens travel to these: plain http only to this machine."""
    problems = []
    for field, url in attrs.asdict(endpoints).items():
        if not field.endswith("_url"):
            continue
        parts = urlsplit(url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or parts.scheme not in ("https", "http"):
            problems.append(f"providers.{name}.{field}: must be an absolute URL")
        elif parts.scheme == "http" and not local:
            problems.append(f"providers.{name}.{field}: http is only for this machine, use https")
    return problems


def _with_credentials(settings: Settings, environ: Mapping[str, str], problems: list[str]) -> Settings:
    accounts = []
    for index, account in enumerate(settings.accounts):
        credentials = {}
        for name, value in account.credentials.items():
            try:
                credentials[name] = read_secret(value, settings.directory, environ)
            except Wrong as error:
                problems.append(f"accounts[{index}].credentials.{name}: {error}")
                credentials[name] = "unreadable"
        proxy = account.proxy
        if proxy is not None and "password" in proxy:
            try:
                proxy = {**proxy, "password": read_secret(proxy["password"], settings.directory, environ)}
            except Wrong as error:
                problems.append(f"accounts[{index}].proxy.password: {error}")
                proxy = {**proxy, "password": "unreadable"}
        accounts.append(attrs.evolve(account, credentials=credentials, proxy=proxy))
    evolved = attrs.evolve(settings, accounts=accounts)
    object.__setattr__(evolved, "directory", settings.directory)
    return evolved


def _check(settings: Settings, registry: Registry) -> list[str]:
    """What types cannot say."""
    problems: list[str] = []

    def attempt(path: str, check: Callable[[], object]) -> None:
        try:
            check()
        except ValueError as error:
            problems.append(f"{path}: {error}")

    _check_server(settings, attempt, problems)
    if not settings.storage.url.startswith("sqlite:///"):
        problems.append("storage.url: must be sqlite:///PATH")
    if settings.storage.dedupe_retention < settings.storage.event_retention + 7 * 86400:
        problems.append("storage.dedupe_retention: must be at least event_retention and 7 days")
    attempt("security.master_key", lambda: settings.key_ring)
    for name in ("webhook_allow", "proxy_allow"):
        for index, text in enumerate(getattr(settings.security, name)):
            attempt(f"security.{name}[{index}]", lambda text=text: ipaddress.ip_network(text))  # type: ignore[misc]
    if settings.logging.level not in LOG_LEVELS:
        problems.append(f"logging.level: must be one of {', '.join(LOG_LEVELS)}")
    if not settings.workspace.regions or not all(
        region.isprintable() for region in settings.workspace.regions
    ):
        problems.append("workspace.regions: must name at least one region")
    attempt("supervision.policies.default", settings.supervision.policies.default.policy)
    if settings.workspace.account_quota < 0:
        problems.append("workspace.account_quota: must not be negative")
    for index, key in enumerate(settings.api_keys):
        if len(key.key) < MIN_API_KEY or not key.key.isascii() or not key.key.isprintable():
            problems.append(
                f"api_keys[{index}].key: must be at least {MIN_API_KEY} printable ASCII characters"
            )
    for index, endpoint in enumerate(settings.webhook_endpoints):
        path = f"webhook_endpoints[{index}]"
        attempt(f"{path}.subscribed_events", lambda e=endpoint: mask_of(e.subscribed_events))  # type: ignore[misc]
        attempt(path, lambda e=endpoint: RetryPolicy.parse(e.retry_policy))  # type: ignore[misc]
        if urlsplit(endpoint.url).scheme not in ("http", "https"):
            problems.append(f"{path}.url: must be an absolute http or https URL")
    for index, account in enumerate(settings.accounts):
        problems += [
            f"accounts[{index}].{problem}" for problem in _check_account(account, registry, settings)
        ]
    for what, names in (
        ("api_keys", [key.name for key in settings.api_keys]),
        ("webhook_endpoints", [endpoint.name for endpoint in settings.webhook_endpoints]),
        ("accounts", [account.name for account in settings.accounts]),
    ):
        problems += [
            f"{what}: the name {n!r} is used twice" for n in sorted({n for n in names if names.count(n) > 1})
        ]
    return problems


def _check_server(
    settings: Settings, attempt: Callable[[str, Callable[[], object]], None], problems: list[str]
) -> None:
    server = settings.server
    for name in ("bind", "ingress_bind", "admin_bind"):
        bind = getattr(server, name)
        if bind is not None:
            attempt(f"server.{name}", lambda bind=bind: split_bind(bind))  # type: ignore[misc]
    for index, text in enumerate(server.trusted_proxies):
        attempt(f"server.trusted_proxies[{index}]", lambda text=text: ipaddress.ip_network(text))  # type: ignore[misc]
    if server.public_url is not None:
        parts = urlsplit(server.public_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            problems.append("server.public_url: must be an absolute http or https URL")
    if server.tls is not None:
        try:
            new_tls_context(settings.directory / server.tls.cert, settings.directory / server.tls.key)
        except OSError as error:  # ssl.SSLError is one
            problems.append(f"server.tls: the certificate and its key cannot be used ({_why(error)})")


def new_tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """What a listener with TLS presents. Raises `OSError`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key, password=lambda: b"")  # never ask at a terminal
    return context


def _why(error: OSError) -> str:
    return str(error.reason if isinstance(error, ssl.SSLError) else error.strerror or error)


def _check_account(account: DeclaredAccount, registry: Registry, settings: Settings) -> list[str]:
    if account.provider not in PROVIDER_NAMES:
        return [f"provider: must be one of {', '.join(PROVIDER_NAMES)}"]
    channel = registry.find(account.provider)
    if channel is None:
        return [f"provider: {account.provider} has no connector yet"]
    problems = check_credentials(channel, account.auth_mode, account.credentials)
    connection = channel.connection(account.auth_mode)
    if connection is not None and account.receive not in (None, *connection.receive):
        problems.append(f"receive: must be one of {', '.join(connection.receive)}")
    if account.receive == WEBHOOK and settings.server.public_url is None:
        problems.append("receive: a webhook needs server.public_url")
    if account.region not in settings.workspace.regions:
        problems.append(f"region: must be one of {', '.join(settings.workspace.regions)}")
    if account.proxy is not None:
        try:
            Proxy.parse(account.proxy)
        except ValueError as error:
            problems.append(f"proxy.{error}")
    return problems


def check_credentials(channel: Channel, auth_mode: str, credentials: Mapping[str, Any]) -> list[str]:
    """What a connection needs and is not given, or is given in the wrong shape."""
    connection = channel.connection(auth_mode)
    if connection is None:
        known = ", ".join(known.auth_mode for known in channel.connections)
        return [f"auth_mode: {channel.name} has {known}"]
    problems = []
    for credential in connection.credentials:
        value = credentials.get(credential.name)
        if value is None:
            if credential.required:
                problems.append(f"credentials.{credential.name}: is required")
        elif not credential.accepts(value):
            problems.append(f"credentials.{credential.name}: does not look like one")
    return problems


def split_bind(bind: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port`. Raises `ValueError`."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be HOST:PORT")
    return host.strip("[]"), int(port)
