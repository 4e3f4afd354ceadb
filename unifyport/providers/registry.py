"""The only list of channels. The server takes it as an argument, so that a test can pass another one."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from . import line, telegram, tiktok, whatsapp, x, zalo
from .contract.base import Channel, ConnectionSpec, Connector
from .contract.capabilities import CAPABILITIES
from .contract.conformance import check_connector
from .contract.login import Authorizes, ImportsSession

# The contract's `ProviderName`: callers may use all of them, whether a connector exists yet or not.
PROVIDER_NAMES = ("telegram", "whatsapp", "line", "twitter", "x", "zalo", "tiktok")


class Registry:
    """Channels by name and alias, and their connectors, each imported on its first use."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self.channels: Mapping[str, Channel] = {channel.name: channel for channel in channels}
        self._names = {
            name: channel for channel in self.channels.values() for name in (channel.name, *channel.aliases)
        }
        self._connectors: dict[ConnectionSpec, type[Connector]] = {}

    def find_channel(self, provider: str) -> Channel | None:
        """The channel of a provider name, None if there is no connector for it yet."""
        return self._names.get(provider)

    def connector(self, spec: ConnectionSpec) -> type[Connector]:
        """The connector class of a connection. Raises `NotAConnector` if it lacks what it declares."""
        if spec not in self._connectors:
            connector = spec.connector()
            check_connector(connector)
            self._connectors[spec] = connector
        return self._connectors[spec]

    def load_connectors(self) -> None:
        """Import all connectors, so that mistakes show at the start. Raises `NotAConnector`."""
        for channel in self.channels.values():
            for spec in channel.connections:
                self.connector(spec)

    def capabilities(self, spec: ConnectionSpec) -> list[str]:
        """The names of the capabilities that the connection's connector declares."""
        connector = self.connector(spec)
        return [name for name, known in CAPABILITIES.items() if known.is_declared_by(connector)]

    @cached_property
    def provider_fields(self) -> frozenset[str]:
        """The names of the fields of `provider_data` of a send that any connection understands."""
        return frozenset(
            field.name
            for channel in self.channels.values()
            for spec in channel.connections
            for field in spec.provider_data
        )

    def is_interactive(self, spec: ConnectionSpec, credentials: Mapping[str, Any]) -> bool:
        """Whether a login (by a human or an exported session) must come before the connection can connect."""
        logs_in = issubclass(self.connector(spec), Authorizes | ImportsSession)
        return logs_in and not spec.has_token(credentials)


def standard() -> Registry:
    channels = (whatsapp, telegram, line, tiktok, zalo, x)
    return Registry([channel.CHANNEL for channel in channels])
