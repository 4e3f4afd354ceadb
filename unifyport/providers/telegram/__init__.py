"""Telegram. So far: bots, over the Bot API (https://core.telegram.org/bots/api)."""

import attrs

from ..base import Channel, Connection, Credential, Inbound
from .official import BotConnector


@attrs.frozen
class Endpoints:
    """`[providers.telegram]`: where the Bot API is. A self-hosted Bot API server goes here too."""

    bot_api_url: str = "https://api.telegram.org"


CHANNEL = Channel(
    name="telegram",
    endpoints=Endpoints,
    connections=(
        Connection(
            auth_mode="token",
            connector=BotConnector,
            credentials=(Credential("token", pattern=r"[0-9]+:[A-Za-z0-9_-]+"),),
            inbound=Inbound.ACKED,
            receive=("poll",),
        ),
    ),
)
