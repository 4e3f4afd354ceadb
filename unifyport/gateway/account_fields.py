"""The fields of an account that a caller gives, checked against channels, settings and address guards."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import msgspec

from unifyport.config.settings import (
    Settings,
    check_credentials,
    explain_connections,
    find_webhook_problem,
)
from unifyport.model.account import AS_FILE, ON_LINK, ON_RECEIVE, Account, Origin
from unifyport.model.proxy import Proxy
from unifyport.net.guard import AddressGuard, NameNotResolved, UrlNotAllowed
from unifyport.process.redaction import ShortLivedSecrets
from unifyport.providers.contract.base import WEBHOOK, Channel, ConnectionSpec
from unifyport.providers.registry import PROVIDER_NAMES, Registry

from .errors import (
    DECLARED_IN_FILE,
    INVALID_REQUEST,
    NO_SERVER,
    PHONE_REQUIRED,
    UNSUPPORTED_AUTH_MODE,
    UseCaseError,
    invalid,
    refuse,
)
from .fields import MAX_TEXT, is_name

_PHONE_MISSING = "provider_data.phone: is required"


@attrs.frozen(kw_only=True)
class AccountFields:
    """What a caller says of an account; None: not given.

    `proxies`: the proxy by the name of each field that gives one; a value of None removes the proxy.
    """

    provider: str | None = None
    region: str | None = None
    name: str | None = None
    status: str | None = None
    auth_mode: str | None = None
    capabilities: list[str] | None = None
    metadata: dict[str, Any] | None = None
    provider_account_ref: str | None = None
    credentials: dict[str, Any] | None = None
    receive: str | None = None
    take_over: bool | None = None
    media_fetch: str | None = None
    proxies: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class AccountChecks:
    """Each method returns the value to store, and raises `UseCaseError` for one that cannot be used."""

    _registry: Registry
    _settings: Callable[[], Settings]
    _proxy_guard: AddressGuard
    _given: ShortLivedSecrets = attrs.field(factory=ShortLivedSecrets)

    def check_channel(self, provider: str) -> Channel:
        if provider not in PROVIDER_NAMES:
            raise invalid("provider", f"must be one of {', '.join(PROVIDER_NAMES)}")
        channel = self._registry.find_channel(provider)
        if channel is None:
            raise UseCaseError(NO_SERVER, f"there is no connector for {provider} yet")
        return channel

    def check_login_data(self, channel: Channel, auth_mode: str, data: dict[str, Any]) -> dict[str, Any]:
        """The credentials of an auth mode; those of the channel's app may be in the file instead."""
        problems = check_credentials(channel, auth_mode, data, self._settings().apps.get(channel.name, {}))
        problems = [problem.replace("credentials", "provider_data", 1) for problem in problems]
        if problems == [_PHONE_MISSING]:
            raise UseCaseError(PHONE_REQUIRED, f"auth_mode {auth_mode}: {problems[0]}")
        refuse(problems)
        return data

    def check_region(self, region: str) -> str:
        regions = self._settings().workspace.regions
        if region not in regions:
            raise UseCaseError(NO_SERVER, f"must be one of {', '.join(regions)}", field="region")
        return region

    def check_receive(
        self, channel: Channel, connection: ConnectionSpec, receive: str, *, given: bool
    ) -> str:
        """`given`: by the caller, and not the connection's default."""
        if receive not in connection.receive:
            raise invalid("receive", f"must be one of {', '.join(connection.receive)}")
        if given and receive == WEBHOOK and self._settings().server.public_url is None:
            raise invalid("receive", "a webhook needs server.public_url in the file")
        problem = find_webhook_problem(channel, connection, self._settings())
        if given and receive == WEBHOOK and problem:
            raise invalid("receive", problem)
        return receive

    async def check_proxies(self, proxies: Mapping[str, Any], old: Proxy | None) -> Proxy | None:
        """The proxy that any of the fields gives; `old` if none does. All that are given must agree."""
        if len({msgspec.json.encode(value, order="deterministic") for value in proxies.values()}) > 1:
            raise UseCaseError(INVALID_REQUEST, f"{' and '.join(proxies)}: say different things")
        for name, value in proxies.items():
            return await self.check_proxy(name, value, old)
        return old

    async def check_proxy(self, name: str, value: Any, old: Proxy | None) -> Proxy | None:
        """The proxy that a field gives. A masked password stands for that of `old`.

        A host that does not resolve now is accepted: it is resolved and checked again at every connect.
        """
        if value is None or value == "":
            return None
        try:
            proxy = Proxy.parse(value).keeping_password_of(old)
            await self._proxy_guard.address(proxy.host)
        except NameNotResolved:
            pass
        except UrlNotAllowed as error:
            raise invalid(f"{name}.host", str(error)) from None
        except ValueError as error:
            raise invalid(name, str(error)) from None
        self._given.register(proxy.password)  # the store registers what is kept
        return proxy


def check_connection(channel: Channel, auth_mode: str, credentials: Mapping[str, Any]) -> ConnectionSpec:
    """The connection that these credentials are for. Raises `UseCaseError`."""
    if not channel.connections_of(auth_mode):
        known = ", ".join(dict.fromkeys(known.auth_mode for known in channel.connections))
        raise UseCaseError(UNSUPPORTED_AUTH_MODE, f"{channel.name} has {known}", field="auth_mode")
    connection = channel.connection(auth_mode, credentials)
    if connection is None:
        raise invalid("provider_data", explain_connections(channel, auth_mode))
    return connection


def check_media_fetch(given: str | None, otherwise: str) -> str:
    """The value to store; `otherwise` if none is given. Raises `UseCaseError`."""
    if given is None:
        return otherwise
    if given == AS_FILE:
        return ""
    if given not in (ON_LINK, ON_RECEIVE):
        raise invalid("media_fetch", f"must be one of {ON_LINK}, {ON_RECEIVE}, {AS_FILE}")
    return given


def check_texts(fields: AccountFields) -> None:
    """Raises `UseCaseError`."""
    refuse(
        [
            f"{name}: must be 1 to {MAX_TEXT} printable characters"
            for name in ("name", "status", "provider_account_ref")
            if (value := getattr(fields, name)) is not None and not is_name(value)
        ]
    )


def refuse_declared(account: Account) -> None:
    """Raises `UseCaseError` for an account that the configuration file declares."""
    if account.origin is Origin.FILE:
        raise UseCaseError(
            DECLARED_IN_FILE, "this account belongs to the configuration file; change it there"
        )
