"""The only list of channels. The composition root takes it as an argument, so that a test can pass another."""

from collections.abc import Iterable, Mapping

from . import telegram, whatsapp
from .contract.base import Channel

# The contract's `ProviderName`: callers may name all of them, whether a connector exists yet or not.
PROVIDER_NAMES = ("telegram", "whatsapp", "line", "twitter", "x", "zalo", "tiktok")


class Registry:
    """Channels by name and alias."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self.channels: Mapping[str, Channel] = {channel.name: channel for channel in channels}
        self._names = {
            name: channel for channel in self.channels.values() for name in (channel.name, *channel.aliases)
        }

    def find_channel(self, provider: str) -> Channel | None:
        """The channel of a provider name, None when there is no connector for it yet."""
        return self._names.get(provider)


def standard() -> Registry:
    return Registry([whatsapp.CHANNEL, telegram.CHANNEL])
