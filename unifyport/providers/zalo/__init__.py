"""Zalo: bots over the Bot Platform, Official Accounts over the Official Account API, and personal accounts.

https://bot.zaloplatforms.com/docs, https://docs.zaloplatforms.com/docs/OA. Both connect by a token: the
credentials that an account gives say which of them it is.

A personal account (`personal/`) is what https://chat.zalo.me is in a browser: not an API that Zalo offers to
programs. It is logged in by a QR code, or by the cookies of a browser.
"""

import attrs

from ..contract.base import (
    DELIVERED,
    POLL,
    READ,
    SENT,
    WEBHOOK,
    Channel,
    ConnectionSpec,
    ConnectorIn,
    Credential,
    Inbound,
)
from ..contract.ingress import InboundHook
from .bot import limits as bot_limits
from .bot import parse as bot_parse
from .bot import render as bot_render
from .bot import send_fields as bot_fields
from .bot import signature as bot_signature
from .media import MEDIA_HOSTS
from .official import limits as official_limits
from .official import parse as official_parse
from .official import render as official_render
from .official import send_fields as official_fields
from .official import signature as official_signature
from .personal import limits as personal_limits
from .personal import render as personal_render
from .personal import send_fields as personal_fields


@attrs.frozen
class Endpoints:
    """`[providers.zalo]`. `media_hosts`: suffixes of the hosts that files of customers are fetched from.

    `personal_url`, `personal_socket_url`: asked in place of all hosts of Zalo Web, with the host's name as
    the first part of the path; empty: the hosts themselves.
    """

    bot_api_url: str = "https://bot-api.zaloplatforms.com"
    openapi_url: str = "https://openapi.zalo.me"
    oauth_url: str = "https://oauth.zaloapp.com"
    media_hosts: str = MEDIA_HOSTS
    personal_url: str = ""
    personal_socket_url: str = ""


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
    max_upload=bot_limits.MAX_UPLOAD,
    takes_urls=True,
    can_start_conversation=False,
    parallel_sends=bot_limits.PARALLEL_SENDS,
    sandbox="unifyport.sandbox.zalo.bot:ZaloBotPlatform",
)
OFFICIAL = ConnectionSpec(
    name="official account",
    auth_mode="token",
    connector=ConnectorIn("unifyport.providers.zalo.official.connector", "OfficialConnector"),
    credentials=(
        Credential("app_id", pattern=r"[0-9]{1,32}", app=True),
        Credential("app_secret", app=True),
        Credential("oa_secret", app=True),
        Credential("refresh_token", required=False, granted=True),
        Credential("oa_id", required=False, pattern=r"[0-9]{1,32}"),
        Credential("code_verifier", required=False, pattern=r"[A-Za-z0-9._~-]{43,128}", app=True),
    ),
    inbound=Inbound.ACKED,
    identify=lambda credentials: credentials.get("oa_id"),
    receive=(WEBHOOK,),
    # Zalo waits for two seconds.
    ingress=InboundHook(
        official_signature.verify,
        official_parse.parse_webhook,
        commit_seconds=1.5,
        verify_at_any_time=official_signature.verify_at_any_time,
    ),
    check=official_render.render,
    provider_data=official_fields.PROVIDER_DATA,
    mentions=True,
    conversation_types=("user", "group"),
    max_text=official_limits.MAX_TEXT,
    max_download=official_limits.MAX_DOWNLOAD,
    max_upload=official_limits.MAX_UPLOAD,
    window_hours=official_limits.WINDOW_HOURS,
    can_start_conversation=False,
    receipts=(SENT, DELIVERED, READ),
    parallel_sends=official_limits.PARALLEL_SENDS,
    marks_sending=True,
    pace=official_limits.PACE,
    sandbox="unifyport.sandbox.zalo.official:ZaloOfficialPlatform",
)


def _personal(auth_mode: str, connector: str) -> ConnectionSpec:
    """The connection of a personal account. Its ways of being logged in differ in nothing else."""
    return ConnectionSpec(
        name="personal account",
        auth_mode=auth_mode,
        connector=ConnectorIn("unifyport.providers.zalo.personal.connector", connector),
        credentials=(),
        inbound=Inbound.REPLAYABLE,
        probed=(POLL,),
        check=personal_render.check,
        provider_data=personal_fields.PROVIDER_DATA,
        mentions=True,
        conversation_types=("user", "group"),
        max_text=personal_render.MAX_TEXT,
        max_download=personal_limits.MAX_DOWNLOAD,
        max_upload=personal_limits.MAX_UPLOAD,
        receipts=(SENT, DELIVERED, READ),
        parallel_sends=personal_limits.PARALLEL_SENDS,
        mark_read_needs_message=True,
        marks_sending=True,
        on_request=("presence",),
        sandbox="unifyport.sandbox.zalo.personal.platform:ZaloPersonalPlatform",
    )


CHANNEL = Channel(
    "zalo",
    Endpoints,
    (BOT, OFFICIAL, _personal("qrcode", "QrConnector"), _personal("session", "SessionConnector")),
)
