"""Telegram. So far: bots, over the Bot API (https://core.telegram.org/bots/api)."""

import attrs

from ..contract.base import POLL, WEBHOOK, Channel, ConnectionSpec, ConnectorIn, Credential, Inbound
from ..contract.ingress import InboundHook
from .bot.albums import album_files
from .bot.limits import PACE, PARALLEL_SENDS
from .bot.parse import parse_webhook
from .bot.presses import acknowledge
from .bot.render import MAX_DOWNLOAD, MAX_TEXT, MAX_UPLOAD, render
from .bot.send_fields import PROVIDER_DATA
from .bot.signature import verify


@attrs.frozen
class Endpoints:
    """`[providers.telegram]`: the base URL of the Bot API, or of a self-hosted Bot API server."""

    bot_api_url: str = "https://api.telegram.org"


CHANNEL = Channel(
    name="telegram",
    endpoints=Endpoints,
    connections=(
        ConnectionSpec(
            auth_mode="token",
            connector=ConnectorIn("unifyport.providers.telegram.bot.connector", "BotConnector"),
            credentials=(
                Credential("token", pattern=r"[0-9]+:[A-Za-z0-9_-]+"),
                Credential("webhook_secret", required=False, pattern=r"[A-Za-z0-9_-]{16,256}"),
            ),
            inbound=Inbound.ACKED,
            identify=lambda credentials: credentials.get("token", "").partition(":")[0] or None,
            receive=(POLL, WEBHOOK),
            probed=(POLL,),
            https_webhook=True,
            ingress=InboundHook(verify, parse_webhook, acknowledge=acknowledge),
            check=render,
            provider_data=PROVIDER_DATA,
            named_files=album_files,
            max_text=MAX_TEXT,
            max_download=MAX_DOWNLOAD,
            max_upload=MAX_UPLOAD,
            can_start_conversation=False,  # https://core.telegram.org/bots/faq#how-do-i-message-users
            parallel_sends=PARALLEL_SENDS,
            mark_read_needs_message=True,
            pace=PACE,
            sandbox="unifyport.sandbox.telegram.bot:TelegramPlatform",
        ),
    ),
)
