"""What types cannot say: values that do not fit together, or not into this world. All of them, in one pass."""

import ipaddress
import ssl
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from unifyport.model.proxy import Proxy
from unifyport.providers.contract.base import WEBHOOK, Channel
from unifyport.providers.registry import PROVIDER_NAMES, Registry

from .values import DeclaredAccount, Settings

LOG_LEVELS = ("debug", "info", "warning", "error")
MIN_API_KEY = 32  # characters of a key that a file declares
MIN_LINK_LIFETIME = 60.0  # seconds


def check(settings: Settings, registry: Registry, places: Mapping[str, list[int]]) -> list[str]:
    """Every problem. `places`: where in the file the items of a list stand."""
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
    for name in ("webhook_allow", "media_allow", "proxy_allow"):
        for index, text in enumerate(getattr(settings.security, name)):
            attempt(f"security.{name}[{index}]", lambda text=text: ipaddress.ip_network(text))  # type: ignore[misc]
    problems += [f"webhooks.{problem}" for problem in settings.webhooks.problems()]
    if settings.media.link_lifetime < MIN_LINK_LIFETIME:
        problems.append("media.link_lifetime: must be at least a minute")
    if settings.logging.level not in LOG_LEVELS:
        problems.append(f"logging.level: must be one of {', '.join(LOG_LEVELS)}")
    if not settings.workspace.regions or not all(
        region.isprintable() for region in settings.workspace.regions
    ):
        problems.append("workspace.regions: must name at least one region")
    _check_policies(settings, registry, places, attempt, problems)
    if settings.workspace.account_quota < 0:
        problems.append("workspace.account_quota: must not be negative")
    for index, key in zip(places["api_keys"], settings.api_keys, strict=True):
        if len(key.key) < MIN_API_KEY or not key.key.isascii() or not key.key.isprintable():
            problems.append(
                f"api_keys[{index}].key: must be at least {MIN_API_KEY} printable ASCII characters"
            )
    for index, endpoint in zip(places["webhook_endpoints"], settings.webhook_endpoints, strict=True):
        path = f"webhook_endpoints[{index}]"
        problems += [f"{path}.{problem}" for problem in endpoint.problems(settings.webhooks)]
        if urlsplit(endpoint.url).scheme not in ("http", "https"):
            problems.append(f"{path}.url: must be an absolute http or https URL")
    for index, account in zip(places["accounts"], settings.accounts, strict=True):
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
    names = [endpoint.name for endpoint in settings.webhook_endpoints]
    names += [endpoint.renamed_from for endpoint in settings.webhook_endpoints if endpoint.renamed_from]
    problems += [
        f"webhook_endpoints: renamed_from {n!r}: something else has, or had, this name"
        for n in sorted({e.renamed_from for e in settings.webhook_endpoints if e.renamed_from})
        if names.count(n) > 1
    ]
    problems += _check_identities(settings, registry, places["accounts"])
    values = Counter(key.key for key in settings.api_keys)
    problems += [
        f"api_keys[{place}].key: another key has this value"
        for place, key in zip(places["api_keys"], settings.api_keys, strict=True)
        if values[key.key] > 1
    ]
    return problems


def places_of(settings: Settings) -> dict[str, list[int]]:
    """Where the items of the lists stand when all of them could be read."""
    lists = ("api_keys", "webhook_endpoints", "accounts")
    return {name: list(range(len(getattr(settings, name)))) for name in lists}


def _check_identities(settings: Settings, registry: Registry, places: Sequence[int]) -> list[str]:
    """Two accounts with the credentials of one identity: only one of them could ever log in."""
    known: dict[tuple[str, str], str] = {}
    problems = []
    for place, account in zip(places, settings.accounts, strict=True):
        channel = registry.find_channel(account.provider)
        connection = channel.connection(account.auth_mode) if channel is not None else None
        if (
            channel is None
            or connection is None
            or check_credentials(channel, account.auth_mode, account.credentials)
        ):
            continue
        identity = connection.identify(account.credentials)
        if identity is not None and known.setdefault((channel.name, identity), account.name) != account.name:
            other = known[channel.name, identity]
            problems.append(f"accounts[{place}].credentials: account {other!r} has the same identity")
    return problems


def _check_policies(
    settings: Settings,
    registry: Registry,
    places: Mapping[str, list[int]],
    attempt: Callable[[str, Callable[[], object]], None],
    problems: list[str],
) -> None:
    supervision = settings.supervision
    attempt("supervision.policies.default", supervision.of("").policy)
    attempt("supervision.policies.default", supervision.of("").admission)
    if len(settings.accounts) > supervision.max_children:
        problems.append(
            f"accounts: {len(settings.accounts)} are declared, supervision.max_children is"
            f" {supervision.max_children}"
        )
    for channel in supervision.providers:
        path = f"supervision.providers.{channel}"
        attempt(path, supervision.of(channel).policy)
        attempt(path, supervision.of(channel).admission)
    for place, account in zip(places["accounts"], settings.accounts, strict=True):
        override, path = account.supervision, f"accounts[{place}].supervision"
        if override is None:
            continue
        known = registry.find_channel(account.provider)
        if known is not None:
            attempt(path, supervision.of(known.name, override).policy)
        if override.max_concurrent_starts is not None or override.start_rate is not None:
            problems.append(f"{path}: max_concurrent_starts and start_rate are of a channel")


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
            problems.append(f"server.tls: {_why(settings, error)}")


def new_tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """What a listener with TLS presents. Raises `OSError`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key, password=lambda: b"")  # never ask at a terminal
    return context


def _why(settings: Settings, error: OSError) -> str:
    tls = settings.server.tls
    assert tls is not None
    missing = [name for name in (tls.cert, tls.key) if not (settings.directory / name).is_file()]
    if missing:
        return f"no such file: {', '.join(missing)}"
    why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return f"the certificate and its key cannot be used ({why or error})"


def _check_account(account: DeclaredAccount, registry: Registry, settings: Settings) -> list[str]:
    if account.provider not in PROVIDER_NAMES:
        return [f"provider: must be one of {', '.join(PROVIDER_NAMES)}"]
    channel = registry.find_channel(account.provider)
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
