"""LINE: Official Accounts over the Messaging API, and personal accounts as a logged-in device.

https://developers.line.biz/en/docs/messaging-api/: the platform calls us; a channel has one webhook, which
the gateway sets.

A device (`device/`) is what LINE's application for computers is: not an API that LINE offers to programs. It
is logged in by a QR code and a PIN.
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
)
from ..contract.ingress import InboundHook
from .device import limits
from .device import sent_fields as device_fields
from .device.appearance import DEFAULT, check_name, check_type, check_version
from .messaging.limits import MAX_DOWNLOAD, MAX_TEXT, MAX_UPLOAD, PACE, PARALLEL_SENDS
from .messaging.parse import parse_webhook
from .messaging.render import render
from .messaging.send_fields import PROVIDER_DATA
from .messaging.signature import verify


@attrs.frozen
class Endpoints:
    """`[providers.line]`: the two hosts of the Messaging API; the second one has the files of customers.

    The fields that begin with `device_` are those of a logged-in device: the gateway, the object store, the
    host of profile pictures, and what the device says of itself. LINE accepts certain types and versions
    only (`device/appearance.py`); an empty version is the default of the type.
    """

    api_url: str = "https://api.line.me"
    data_api_url: str = "https://api-data.line.me"
    device_url: str = "https://legy.line-apps.com"
    device_media_url: str = "https://obs.line-apps.com"
    device_picture_url: str = "https://profile.line-scdn.net"
    device_type: str = attrs.field(default=DEFAULT, validator=lambda _, __, text: check_type(text))
    device_version: str = attrs.field(default="", validator=lambda _, __, text: check_version(text))
    device_name: str = attrs.field(default="UnifyPort", validator=lambda _, __, text: check_name(text))


CHANNEL = Channel(
    name="line",
    endpoints=Endpoints,
    connections=(
        ConnectionSpec(
            auth_mode="token",
            connector=ConnectorIn("unifyport.providers.line.messaging.connector", "LineConnector"),
            credentials=(
                Credential("channel_id", pattern=r"[0-9]{1,20}"),
                Credential("channel_secret", pattern=r"[0-9A-Za-z]{8,64}"),
                Credential("channel_access_token", required=False),
            ),
            inbound=Inbound.ACKED,
            identify=lambda credentials: credentials.get("channel_id"),
            receive=(WEBHOOK,),
            https_webhook=True,
            # LINE waits for 2 s:
            # https://developers.line.biz/en/docs/messaging-api/check-webhook-error-statistics/
            ingress=InboundHook(verify, parse_webhook, commit_seconds=1.5),
            check=render,
            provider_data=PROVIDER_DATA,
            mentions=True,
            conversation_types=("user", "group"),
            max_text=MAX_TEXT,
            max_download=MAX_DOWNLOAD,
            max_upload=MAX_UPLOAD,
            takes_urls=True,
            parallel_sends=PARALLEL_SENDS,
            marks_sending=True,
            pace=PACE,
            sandbox="unifyport.sandbox.line.messaging:LinePlatform",
        ),
        ConnectionSpec(
            auth_mode="qrcode",
            connector=ConnectorIn("unifyport.providers.line.device.connector", "LineDeviceConnector"),
            credentials=(),
            inbound=Inbound.REPLAYABLE,
            probed=(POLL,),
            check=limits.check,
            provider_data=device_fields.PROVIDER_DATA,
            mentions=True,
            conversation_types=("user", "group"),
            max_text=limits.MAX_TEXT,
            max_download=limits.MAX_DOWNLOAD,
            max_upload=limits.MAX_UPLOAD,
            receipts=(SENT, READ),
            parallel_sends=limits.PARALLEL_SENDS,
            mark_read_needs_message=True,
            marks_sending=True,
            sandbox="unifyport.sandbox.line.device.platform:LineDevicePlatform",
        ),
    ),
)
