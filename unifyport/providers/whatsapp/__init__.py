"""WhatsApp: business numbers over Meta's Cloud API, and personal or business numbers as a linked device.

https://developers.facebook.com/docs/whatsapp/cloud-api: the platform calls us; its app dashboard holds our
address (`Callback URL`) and the `verify_token`. An app has one address for all its numbers.

A linked device (`device/`) is what https://web.whatsapp.com is: not an API that Meta offers to programs. It
is linked by a QR code, or by a code that is typed on the phone.
"""

from collections.abc import Mapping
from typing import Any

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
    PhoneCredential,
)
from ..contract.ingress import InboundHook
from .cloud.limits import PACE, PARALLEL_SENDS
from .cloud.parse import parse_webhook
from .cloud.render import MAX_TEXT, MAX_UPLOAD, MEBIBYTE, canonical, render
from .cloud.send_fields import PROVIDER_DATA
from .cloud.signature import answer_challenge, verify
from .device import addresses, limits


@attrs.frozen
class Endpoints:
    """`[providers.whatsapp]`: the base URL of the Graph API, and the origin of its media URLs.

    The fields that begin with `device_` are those of a linked device: where it connects, the host of files
    (another host that the platform names must end as it does), the key that signs the server's certificates,
    and what the device says of itself. `device_version` is the version of WhatsApp Web; the platform refuses
    old ones. `device_name` and `device_browser` must look like an ordinary browser.
    https://github.com/tulir/whatsmeow (`handshake.go`, `store/clientpayload.go`)
    """

    graph_api_url: str = "https://graph.facebook.com"
    graph_api_version: str = "v24.0"
    media_url: str = "https://lookaside.fbsbx.com"
    device_url: str = "wss://web.whatsapp.com/ws/chat"
    device_media_url: str = "https://mmg.whatsapp.net"
    device_root_key: str = "142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b"
    device_version: str = "2.3000.1045649367"
    device_name: str = "Ubuntu"
    device_browser: str = "Chrome"


PHONE = PhoneCredential("phone")


def _number(credentials: Mapping[str, Any]) -> str | None:
    """The digits of the phone number, by which an account of a linked device is known."""
    phone = PHONE.read(credentials)
    return phone.removeprefix("+") if phone is not None else None


def _linked(auth_mode: str, connector: str, *credentials: Credential) -> ConnectionSpec:
    """The connection of a linked device. Its ways of being linked differ in nothing else."""
    return ConnectionSpec(
        auth_mode=auth_mode,
        connector=ConnectorIn("unifyport.providers.whatsapp.device.connector", connector),
        credentials=credentials,
        inbound=Inbound.ACKED,
        identify=_number,
        probed=(POLL,),
        check=limits.check,
        mentions=True,
        conversation_types=("user", "group"),
        canonical=addresses.canonical,
        max_text=limits.MAX_TEXT,
        max_download=limits.MAX_DOWNLOAD,
        max_upload=limits.MAX_UPLOAD,
        receipts=(SENT, DELIVERED, READ),
        parallel_sends=limits.PARALLEL_SENDS,
        mark_read_needs_message=True,
        marks_sending=True,
        sockets=2,
        on_request=("presence", "status_posts", "newsletters", "broadcasts"),
        sandbox="unifyport.sandbox.whatsapp.device.platform:DevicePlatform",
    )


CHANNEL = Channel(
    name="whatsapp",
    endpoints=Endpoints,
    connections=(
        ConnectionSpec(
            auth_mode="token",
            connector=ConnectorIn("unifyport.providers.whatsapp.cloud.connector", "CloudConnector"),
            credentials=(
                Credential("access_token"),
                Credential("phone_number_id", pattern=r"[0-9]{1,32}"),
                Credential("app_secret"),
                Credential("verify_token"),
                Credential("business_account_id", required=False, pattern=r"[0-9]{1,32}"),
            ),
            inbound=Inbound.ACKED,
            identify=lambda credentials: credentials.get("phone_number_id"),
            receive=(WEBHOOK,),
            ingress=InboundHook(
                verify,
                parse_webhook,
                answer_challenge,
                limit=4 * MEBIBYTE,
                group=lambda credentials: credentials.get("business_account_id"),
            ),
            check=render,
            provider_data=PROVIDER_DATA,
            conversation_types=("user", "group"),
            canonical=canonical,
            max_text=MAX_TEXT,
            max_download=100 * MEBIBYTE,
            max_upload=MAX_UPLOAD,
            # Outside it templates only, which may also start a conversation:
            # https://developers.facebook.com/docs/whatsapp/conversation-types
            window_hours=24,
            receipts=(SENT, DELIVERED, READ),
            parallel_sends=PARALLEL_SENDS,
            mark_read_needs_message=True,
            typing_needs_message=True,
            marks_sending=True,
            pace=PACE,
            sandbox="unifyport.sandbox.whatsapp.cloud:WhatsAppPlatform",
        ),
        _linked("qrcode", "QrConnector"),
        _linked("code", "CodeConnector", PHONE),
    ),
)
