"""LINE. So far: Official Accounts, over the Messaging API.

https://developers.line.biz/en/docs/messaging-api/. The platform calls us: a channel has one webhook, which
the gateway sets.
"""

import attrs

from ..contract.base import WEBHOOK, Channel, ConnectionSpec, ConnectorIn, Credential, Inbound
from ..contract.ingress import InboundHook
from .messaging.limits import MAX_DOWNLOAD, MAX_TEXT, MAX_UPLOAD, PACE, PARALLEL_SENDS
from .messaging.parse import parse_webhook
from .messaging.render import render
from .messaging.send_fields import PROVIDER_DATA
from .messaging.signature import verify


@attrs.frozen
class Endpoints:
    """`[providers.line]`: the two hosts of the Messaging API; the second one has the files of customers."""

    api_url: str = "https://api.line.me"
    data_api_url: str = "https://api-data.line.me"


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
    ),
)
