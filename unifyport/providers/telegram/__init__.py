"""Telegram: bots over the Bot API (https://core.telegram.org/bots/api), and personal accounts over MTProto
(https://core.telegram.org/api), which need the operator's own `api_id` and `api_hash` of
https://my.telegram.org.
"""

import attrs

from ..contract.base import (
    POLL,
    READ,
    SENT,
    WEBHOOK,
    Channel,
    ConnectionSpec,
    ConnectorIn,
    Credential,
    Inbound,
    PhoneCredential,
)
from ..contract.ingress import InboundHook
from .bot.albums import album_files
from .bot.limits import PACE, PARALLEL_SENDS
from .bot.parse import parse_webhook
from .bot.presses import acknowledge
from .bot.render import MAX_DOWNLOAD, MAX_TEXT, MAX_UPLOAD, render
from .bot.send_fields import PROVIDER_DATA
from .bot.signature import verify
from .user import limits
from .user.plan import PROVIDER_DATA as USER_PROVIDER_DATA
from .user.plan import plan


@attrs.frozen
class Endpoints:
    """`[providers.telegram]`: the base URL of the Bot API, or of a self-hosted Bot API server.

    The fields that begin with `user_` are those of a personal account: the addresses of the data centres
    (`1=host:port,2=host:port`; `2m=` for files, `203c=` of a CDN) and the RSA keys in PEM by which they prove
    who they are, both of Telegram itself if empty; and what a device says of itself.
    """

    bot_api_url: str = "https://api.telegram.org"
    user_dc_addresses: str = ""
    user_rsa_keys: str = ""
    user_device_name: str = "UnifyPort"
    user_app_version: str = ""  # empty: that of the gateway


class AppId(Credential):
    """Digits in a string, as all credentials are."""

    @property
    def complaint(self) -> str:
        return 'is not an api_id: the digits that my.telegram.org shows, in quotes, as "12345"'


API_ID = AppId("api_id", pattern=r"[1-9][0-9]{0,9}", app=True)
API_HASH = Credential("api_hash", pattern=r"[0-9a-f]{32}", app=True)
PHONE = PhoneCredential("phone")


def _personal(auth_mode: str, connector: str, *credentials: Credential) -> ConnectionSpec:
    """The connection of a personal account. Its ways of logging in differ in nothing else."""
    return ConnectionSpec(
        auth_mode=auth_mode,
        connector=ConnectorIn("unifyport.providers.telegram.user.connector", connector),
        credentials=(API_ID, API_HASH, *credentials),
        inbound=Inbound.REPLAYABLE,
        probed=(POLL,),
        check=plan,
        mentions=True,
        provider_data=USER_PROVIDER_DATA,
        named_files=album_files,
        canonical=limits.canonical,
        max_text=limits.MAX_TEXT,
        max_download=limits.MAX_DOWNLOAD,
        max_upload=limits.MAX_UPLOAD,
        receipts=(SENT, READ),
        parallel_sends=limits.PARALLEL_SENDS,
        marks_sending=True,
        sockets=2,
        sandbox="unifyport.sandbox.telegram.user.platform:UserPlatform",
    )


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
        _personal("code", "CodeConnector", PHONE),
        _personal("qrcode", "QrConnector"),
        _personal("session", "SessionConnector"),
    ),
)
