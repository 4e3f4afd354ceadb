"""TikTok. So far: business accounts, over the Business Messaging API.

https://business-api.tiktok.com/portal/docs. The owner of a business account gives an app consent; the app's
secret signs the webhooks of all its business accounts, which TikTok sends to one address.
"""

import attrs

from ..contract.base import SENT, WEBHOOK, Channel, ConnectionSpec, ConnectorIn, Credential, Inbound
from ..contract.ingress import InboundHook
from .business.limits import PACE, PARALLEL_SENDS, WINDOW_HOURS
from .business.parse import parse_webhook
from .business.render import MAX_TEXT, MAX_UPLOAD, render
from .business.send_fields import PROVIDER_DATA
from .business.signature import verify, verify_at_any_time


@attrs.frozen
class Endpoints:
    """`[providers.tiktok]`: the base URL of the API, the page of consent, and what is asked for there.

    `media_domains`: where files may be fetched; TikTok does not document them.
    """

    api_url: str = "https://business-api.tiktok.com"
    api_version: str = "v1.3"
    authorize_url: str = "https://www.tiktok.com/v2/auth/authorize/"
    scopes: str = (
        "user.info.basic,user.info.username,user.info.profile,user.account.type,"
        "message.list.read,message.list.send,message.list.manage"
    )
    media_domains: str = (
        "tiktok.com tiktokcdn.com tiktokcdn-us.com tiktokv.com tiktokv.us byteoversea.com ibyteimg.com"
    )


CHANNEL = Channel(
    name="tiktok",
    endpoints=Endpoints,
    connections=(
        ConnectionSpec(
            auth_mode="token",
            connector=ConnectorIn("unifyport.providers.tiktok.business.connector", "BusinessConnector"),
            credentials=(
                Credential("client_key", app=True),
                Credential("client_secret", app=True),
                Credential("signature_max_age", required=False, app=True, pattern="[0-9]{1,6}"),
                Credential("refresh_token", required=False, granted=True),
            ),
            inbound=Inbound.ACKED,
            receive=(WEBHOOK,),
            https_webhook=True,
            ingress=InboundHook(verify, parse_webhook, verify_at_any_time=verify_at_any_time),
            check=render,
            provider_data=PROVIDER_DATA,
            conversation_types=("user",),
            max_text=MAX_TEXT,
            max_download=100 * 1024 * 1024,
            max_upload=MAX_UPLOAD,
            window_hours=WINDOW_HOURS,
            can_start_conversation=False,
            receipts=(SENT,),
            parallel_sends=PARALLEL_SENDS,
            marks_sending=True,
            pace=PACE,
            sandbox="unifyport.sandbox.tiktok.business:TikTokPlatform",
        ),
    ),
)
