"""Checks of `[[accounts]]` beyond types: providers, login modes, credentials, proxies, identities.

If the provider or login mode of an account is unknown, the checks that do not depend on it still run.
"""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

from unifyport.model.proxy import Proxy
from unifyport.net.guard import is_loopback
from unifyport.providers.contract.base import POLL, WEBHOOK, Channel, ConnectionSpec, Credential
from unifyport.providers.registry import PROVIDER_NAMES, Registry

from .address_checks import Permitted, is_http_url
from .lines import KeyPath
from .mistakes import Mistake, Mistakes, suggest, suggest_key
from .values import DeclaredAccount, Settings


def check_accounts(settings: Settings, registry: Registry, permitted: Permitted, mistakes: Mistakes) -> None:
    """Report every mistake in every account."""
    for place, account in enumerate(settings.accounts):
        path: KeyPath = ("accounts", place)
        channel = _find_channel(account, path, registry, mistakes)
        connection = None
        if channel is not None:
            connection = channel.connection(account.auth_mode, account.credentials)
            app = settings.apps.get(channel.name, {})
            for mistake in find_credential_mistakes(
                channel, account.auth_mode, account.credentials, app, unread=_unread_of_app(channel, mistakes)
            ):
                mistakes.add(mistake.under(path))
        if connection is not None:
            _check_credential_names(account, path, connection, mistakes)
        _check_receive(account, path, channel, settings=settings, mistakes=mistakes)
        regions = settings.workspace.regions
        if account.region not in regions and not mistakes.holds_unreadable(("workspace", "regions")):
            text = f"must be one of {', '.join(regions)}"
            mistakes.tell((*path, "region"), text, hint=suggest(account.region, regions))
        if account.proxy is not None:
            permitted.check_proxy(account.proxy.get("host"), (*path, "proxy", "host"))
            for problem in Proxy.problems(account.proxy):
                key = problem.path[0]
                hint = suggest(account.proxy.get(str(key)), problem.choices)
                mistakes.tell((*path, "proxy", key), problem.text, hint=hint)
    _check_identities(settings, registry, mistakes)


def _find_channel(
    account: DeclaredAccount, path: KeyPath, registry: Registry, mistakes: Mistakes
) -> Channel | None:
    channel = registry.find_channel(account.provider)
    if account.provider not in PROVIDER_NAMES:
        text = f"must be one of {', '.join(PROVIDER_NAMES)}"
        mistakes.tell((*path, "provider"), text, hint=suggest(account.provider, PROVIDER_NAMES))
        return None
    if channel is None:
        text = f"{account.provider} has no connector yet"
        mistakes.tell((*path, "provider"), text, show_value=False)
    return channel


def _check_receive(
    account: DeclaredAccount,
    path: KeyPath,
    channel: Channel | None,
    *,
    settings: Settings,
    mistakes: Mistakes,
) -> None:
    """Check `receive`; where the connection is unknown, against all values that any connection can have."""
    connection = None if channel is None else channel.connection(account.auth_mode, account.credentials)
    known = (POLL, WEBHOOK) if connection is None else connection.receive
    if account.receive not in (None, *known):
        text = f"must be one of {', '.join(known)}"
        mistakes.tell((*path, "receive"), text, hint=suggest(account.receive, known))
    if account.receive == WEBHOOK:
        others: list[KeyPath] = [("server", "public_url")]
        text = "a webhook needs server.public_url"
        if settings.server.public_url is not None:
            text = find_webhook_problem(channel, connection, settings)
            others += [(*path, "provider"), (*path, "auth_mode"), ("providers", account.provider)]
        if text:
            mistakes.tell((*path, "receive"), text, others=others, show_value=False)


def find_webhook_problem(
    channel: Channel | None, connection: ConnectionSpec | None, settings: Settings
) -> str:
    """Why the platform would refuse to call `public_url`; empty if it would not, or is not known.

    Only the platform itself insists on https: a server of the operator's own, or the sandbox, does not.
    """
    url = settings.server.public_url
    if channel is None or connection is None or url is None or not connection.https_webhook:
        return ""
    if _addresses(settings.providers.get(channel.name)) != _addresses(channel.endpoints()):
        return ""
    if not is_http_url(url):
        return ""
    parts = urlsplit(url)
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return ""
    return f"{channel.name} calls https only, and server.public_url is http"


def _addresses(endpoints: Any) -> dict[str, Any]:
    """The URLs among the settings of a channel."""
    known = {} if endpoints is None else attrs.asdict(endpoints)
    return {name: value for name, value in known.items() if name.endswith("_url")}


def _check_credential_names(
    account: DeclaredAccount, path: KeyPath, connection: ConnectionSpec, mistakes: Mistakes
) -> None:
    """Report unknown credentials. Only the file refuses them: the API ignores unknown fields."""
    if any(mistakes.is_unreadable((*path, name)) for name in ("provider", "auth_mode", "credentials")):
        return
    known = [credential.name for credential in connection.credentials]
    for name in account.credentials:
        if name not in known:
            text = f"unknown credential, auth_mode {connection.auth_mode} has {', '.join(known) or 'none'}"
            hint = suggest_key(name, known, account.credentials)
            mistakes.add_unreadable(Mistake((*path, "credentials", name), text, hint, show_value=False))


def find_credential_mistakes(
    channel: Channel,
    auth_mode: str,
    credentials: Mapping[str, Any],
    app: Mapping[str, str],
    *,
    unread: Collection[str] = (),
) -> list[Mistake]:
    """Missing and malformed credentials, or an unknown `auth_mode`. Paths are relative to the account.

    `app`: the credentials of `[providers.<channel>]`; `unread`: those there that are reported already.
    """
    if not channel.connections_of(auth_mode):
        modes = list(dict.fromkeys(known.auth_mode for known in channel.connections))
        text = f"{channel.name} has {', '.join(modes)}"
        return [Mistake(("auth_mode",), text, suggest(auth_mode, modes))]
    connection = channel.connection(auth_mode, credentials)
    if connection is None or _is_by_default(channel, connection, credentials, app):
        text = explain_connections(channel, auth_mode)
        return [Mistake(("credentials",), text, others=(("provider",), ("auth_mode",)), show_value=False)]
    whole = connection.with_app(credentials, app)
    found = (
        _check_credential(credential, whole, channel.name)
        for credential in connection.credentials
        if credential.name in whole or credential.name not in unread
    )
    return [mistake for mistake in found if mistake is not None]


def _is_by_default(
    channel: Channel, connection: ConnectionSpec, credentials: Mapping[str, Any], app: Mapping[str, str]
) -> bool:
    """Whether it is one of several connections, no credential says which, and it lacks some."""
    if len(channel.connections_of(connection.auth_mode)) < 2:
        return False
    whole = connection.with_app(credentials, app)
    given = any(each.name in credentials for each in connection.credentials)
    return not given and any(each.required and each.name not in whole for each in connection.credentials)


def explain_connections(channel: Channel, auth_mode: str) -> str:
    """What the connections of one auth mode take, for credentials that are those of none or of several."""
    each = [
        f"{', '.join(one.name for one in spec.credentials if one.required)} ({spec.name})"
        for spec in channel.connections_of(auth_mode)
    ]
    return f"must be those of one connection, which takes {', or '.join(each)}"


def _unread_of_app(channel: Channel, mistakes: Mistakes) -> set[str]:
    """The app credentials of a channel that are in the file and could not be read."""
    return {
        name
        for name in channel.app_credentials()
        if mistakes.is_unreadable(("providers", channel.name, name))
    }


def _check_credential(credential: Credential, credentials: Mapping[str, Any], channel: str) -> Mistake | None:
    path: KeyPath = ("credentials", credential.name)
    others: tuple[KeyPath, ...] = (("provider",), ("auth_mode",))
    value = credentials.get(credential.name)
    if value is None:
        text = f"is required, here or in [providers.{channel}]" if credential.app else "is required"
        return Mistake(path, text, others=others) if credential.required else None
    if credential.accepts(value):
        return None
    return Mistake(path, credential.complaint, others=others)


def check_credentials(
    channel: Channel, auth_mode: str, credentials: Mapping[str, Any], app: Mapping[str, str]
) -> list[str]:
    """`find_credential_mistakes` as texts for an API error: `path: text`, without values."""
    found = find_credential_mistakes(channel, auth_mode, credentials, app)
    return [f"{'.'.join(map(str, mistake.path))}: {mistake.text}" for mistake in found]


def _check_identities(settings: Settings, registry: Registry, mistakes: Mistakes) -> None:
    """Report accounts whose credentials name the same identity: only one of them could log in."""
    known: dict[tuple[str, str], str] = {}
    for place, account in enumerate(settings.accounts):
        path: KeyPath = ("accounts", place)
        channel = registry.find_channel(account.provider)
        connection = None
        if channel is not None:
            connection = channel.connection(account.auth_mode, account.credentials)
        if (
            channel is None
            or connection is None
            or any(mistakes.is_unreadable((*path, name)) for name in ("provider", "auth_mode"))
            or any(
                mistakes.is_unreadable((*path, "credentials", each.name)) for each in connection.credentials
            )
            or find_credential_mistakes(
                channel, account.auth_mode, account.credentials, settings.apps.get(channel.name, {})
            )
        ):
            continue
        identity = connection.identify(
            connection.with_app(account.credentials, settings.apps.get(channel.name, {}))
        )
        if identity is not None and known.setdefault((channel.name, identity), account.name) != account.name:
            other = known[channel.name, identity]
            mistakes.tell((*path, "credentials"), f"account {other!r} has the same identity")
