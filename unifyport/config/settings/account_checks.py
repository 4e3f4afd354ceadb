"""Checks of `[[accounts]]` beyond types: providers, login modes, credentials, proxies, identities.

If the provider or login mode of an account is unknown, the checks that do not depend on it still run.
"""

from collections.abc import Mapping
from typing import Any

from unifyport.model.proxy import Proxy
from unifyport.providers.contract.base import POLL, WEBHOOK, Channel, ConnectionSpec, Credential
from unifyport.providers.registry import PROVIDER_NAMES, Registry

from .lines import KeyPath
from .mistakes import Mistake, Mistakes, suggest
from .values import DeclaredAccount, Settings


def check_accounts(settings: Settings, registry: Registry, mistakes: Mistakes) -> None:
    """Report every mistake in every account."""
    for place, account in enumerate(settings.accounts):
        path: KeyPath = ("accounts", place)
        channel = _find_channel(account, path, registry, mistakes)
        connection = None
        if channel is not None:
            connection = channel.connection(account.auth_mode)
            for mistake in find_credential_mistakes(channel, account.auth_mode, account.credentials):
                mistakes.add(mistake.under(path))
        _check_receive(account, path, connection, settings=settings, mistakes=mistakes)
        regions = settings.workspace.regions
        if account.region not in regions and not mistakes.holds_unreadable(("workspace", "regions")):
            text = f"must be one of {', '.join(regions)}"
            mistakes.tell((*path, "region"), text, hint=suggest(account.region, regions))
        if account.proxy is not None:
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
    connection: ConnectionSpec | None,
    *,
    settings: Settings,
    mistakes: Mistakes,
) -> None:
    """Check `receive`; where the connection is unknown, against all values that any connection can have."""
    known = (POLL, WEBHOOK) if connection is None else connection.receive
    if account.receive not in (None, *known):
        text = f"must be one of {', '.join(known)}"
        mistakes.tell((*path, "receive"), text, hint=suggest(account.receive, known))
    if account.receive == WEBHOOK and settings.server.public_url is None:
        others = [("server", "public_url")]
        mistakes.tell(
            (*path, "receive"), "a webhook needs server.public_url", others=others, show_value=False
        )


def find_credential_mistakes(
    channel: Channel, auth_mode: str, credentials: Mapping[str, Any]
) -> list[Mistake]:
    """Missing and malformed credentials, or an unknown `auth_mode`. Paths are relative to the account."""
    connection = channel.connection(auth_mode)
    if connection is None:
        modes = [known.auth_mode for known in channel.connections]
        text = f"{channel.name} has {', '.join(modes)}"
        return [Mistake(("auth_mode",), text, suggest(auth_mode, modes))]
    known = {credential.name for credential in connection.credentials}
    strays = sorted(credentials.keys() - known)
    found = (_check_credential(credential, credentials, strays) for credential in connection.credentials)
    return [mistake for mistake in found if mistake is not None]


def _check_credential(
    credential: Credential, credentials: Mapping[str, Any], strays: list[str]
) -> Mistake | None:
    path: KeyPath = ("credentials", credential.name)
    others: tuple[KeyPath, ...] = (("provider",), ("auth_mode",))
    value = credentials.get(credential.name)
    if value is None:
        if not credential.required:
            return None
        stray = next((name for name in strays if suggest(name, [credential.name])), None)
        hint = "" if stray is None else f" (credentials has {stray!r}: is that a misspelling?)"
        return Mistake(path, "is required", hint, others=others)
    if credential.accepts(value):
        return None
    return Mistake(path, f"is not a valid {credential.name}", others=others)


def check_credentials(channel: Channel, auth_mode: str, credentials: Mapping[str, Any]) -> list[str]:
    """`find_credential_mistakes` as texts for an API error: `path: text`, without values."""
    found = find_credential_mistakes(channel, auth_mode, credentials)
    return [f"{'.'.join(map(str, mistake.path))}: {mistake.text}" for mistake in found]


def _check_identities(settings: Settings, registry: Registry, mistakes: Mistakes) -> None:
    """Report accounts whose credentials name the same identity: only one of them could log in."""
    known: dict[tuple[str, str], str] = {}
    for place, account in enumerate(settings.accounts):
        path: KeyPath = ("accounts", place)
        channel = registry.find_channel(account.provider)
        connection = channel.connection(account.auth_mode) if channel is not None else None
        if (
            channel is None
            or connection is None
            or any(
                mistakes.holds_unreadable((*path, name)) for name in ("provider", "auth_mode", "credentials")
            )
            or find_credential_mistakes(channel, account.auth_mode, account.credentials)
        ):
            continue
        identity = connection.identify(account.credentials)
        if identity is not None and known.setdefault((channel.name, identity), account.name) != account.name:
            other = known[channel.name, identity]
            mistakes.tell((*path, "credentials"), f"account {other!r} has the same identity")
