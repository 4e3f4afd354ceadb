"""X (Twitter). So far: users who have allowed an app of the X API v2 to act for them
(https://docs.x.com/x-api).

The app is the operator's own, with keys from X's developer console: the client id and secret of OAuth 2.0,
the bearer token, and the consumer secret ("API key secret"). Its calls are billed by use.
"""

import attrs

from ..contract.base import POLL, READ, WEBHOOK, Channel, ConnectionSpec, ConnectorIn, Credential, Inbound
from ..contract.ingress import InboundHook
from .api.limits import MAX_DOWNLOAD, MAX_TEXT, MAX_UPLOAD, PACE, PARALLEL_SENDS
from .api.parse import parse_activity
from .api.people import canonical
from .api.render import render
from .api.signature import answer_challenge, verify


@attrs.frozen
class Endpoints:
    """`[providers.x]`: the API, the consent page, and the hosts of files that need no token.

    `read_history_hourly`: whether the list of events, which X bills, is also read while nothing is missing.
    """

    api_url: str = "https://api.x.com"
    authorize_url: str = "https://x.com/i/oauth2/authorize"
    video_url: str = "https://video.twimg.com"
    photo_url: str = "https://pbs.twimg.com"
    read_history_hourly: bool = True


CHANNEL = Channel(
    name="x",
    aliases=("twitter",),
    endpoints=Endpoints,
    connections=(
        ConnectionSpec(
            auth_mode="token",
            connector=ConnectorIn("unifyport.providers.x.api.connector", "XConnector"),
            credentials=(
                Credential("client_id", app=True),
                Credential("client_secret", app=True),
                Credential("bearer_token", app=True),
                Credential("consumer_secret", app=True),
                Credential("refresh_token", required=False, granted=True),
                Credential("chat_keys", required=False, pattern=r"[A-Za-z0-9+/]{86}=="),
            ),
            inbound=Inbound.REPLAYABLE,
            receive=(POLL, WEBHOOK),
            https_webhook=True,
            ingress=InboundHook(verify, parse_activity, answer_challenge),
            check=render,
            conversation_types=("user", "group"),
            canonical=canonical,
            max_text=MAX_TEXT,
            max_download=MAX_DOWNLOAD,
            max_upload=MAX_UPLOAD,
            receipts=(READ,),
            mark_read_needs_message=True,
            parallel_sends=PARALLEL_SENDS,
            marks_sending=True,
            pace=PACE,
            sockets=3,
            sandbox="unifyport.sandbox.x.api:XPlatform",
        ),
    ),
)
