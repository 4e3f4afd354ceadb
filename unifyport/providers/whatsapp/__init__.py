"""WhatsApp. So far: business numbers, over Meta's Cloud API.

https://developers.facebook.com/docs/whatsapp/cloud-api. The platform calls us; its app dashboard holds our
address (`Callback URL`) and the `verify_token`. An app has one address for all its numbers.
"""

import attrs

from ..contract.base import (
    DELIVERED,
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
from .cloud.limits import PACE, PARALLEL_SENDS
from .cloud.parse import parse_webhook
from .cloud.render import MAX_TEXT, MAX_UPLOAD, MEBIBYTE, canonical, render
from .cloud.send_fields import PROVIDER_DATA
from .cloud.signature import answer_challenge, verify


@attrs.frozen
class Endpoints:
    """`[providers.whatsapp]`: the base URL of the Graph API, and the origin of its media URLs."""

    graph_api_url: str = "https://graph.facebook.com"
    graph_api_version: str = "v24.0"
    media_url: str = "https://lookaside.fbsbx.com"


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
    ),
)
