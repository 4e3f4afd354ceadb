"""Zalo: bots over the Bot Platform, and Official Accounts over the Official Account API.

https://bot.zaloplatforms.com/docs, https://docs.zaloplatforms.com/docs/OA. Both connect by a token: the
credentials that an account gives say which of them it is.
"""

import attrs

from ..contract.base import POLL, WEBHOOK, Channel, ConnectionSpec, ConnectorIn, Credential, Inbound
from ..contract.ingress import InboundHook
from .bot import limits as bot_limits
from .bot import parse as bot_parse
from .bot import render as bot_render
from .bot import send_fields as bot_fields
from .bot import signature as bot_signature
from .media import MEDIA_HOSTS


@attrs.frozen
class Endpoints:
    """`[providers.zalo]`. `media_hosts`: suffixes of the hosts that files of customers are fetched from."""

    bot_api_url: str = "https://bot-api.zaloplatforms.com"
    openapi_url: str = "https://openapi.zalo.me"
    oauth_url: str = "https://oauth.zaloapp.com"
    media_hosts: str = MEDIA_HOSTS


BOT = ConnectionSpec(
    name="bot",
    auth_mode="token",
    connector=ConnectorIn("unifyport.providers.zalo.bot.connector", "BotConnector"),
    credentials=(
        Credential("bot_token", pattern=r"[0-9]+:[A-Za-z0-9_-]+"),
        Credential("webhook_secret", required=False, pattern=r"[A-Za-z0-9_-]{8,256}"),
    ),
    inbound=Inbound.VOLATILE,
    identify=lambda credentials: (credentials.get("bot_token") or "").partition(":")[0] or None,
    receive=(POLL, WEBHOOK),
    probed=(POLL,),
    https_webhook=True,
    ingress=InboundHook(bot_signature.verify, bot_parse.parse_webhook, commit_seconds=1.5),
    check=bot_render.render,
    provider_data=bot_fields.PROVIDER_DATA,
    conversation_types=("user", "group"),
    max_text=bot_limits.MAX_TEXT,
    max_download=bot_limits.MAX_DOWNLOAD,
    can_start_conversation=False,
    parallel_sends=bot_limits.PARALLEL_SENDS,
    sandbox="unifyport.sandbox.zalo.bot:ZaloBotPlatform",
)
CHANNEL = Channel("zalo", Endpoints, (BOT,))
