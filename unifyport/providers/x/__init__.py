"""X (Twitter): users who have allowed an app of the X API v2 to act for them (https://docs.x.com/x-api), and
users by the session of their browser (`session/`), which is experimental.

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
from .session import limits as session_limits
from .session.browser import WEB_BEARER, WEB_USER_AGENT
from .session.render import check as check_session


@attrs.frozen
class Endpoints:
    """`[providers.x]`: the API, the consent page, and the hosts of files that need no token.

    `read_history_hourly`: whether the list of events, which X bills, is also read while nothing is missing.

    The rest is of sessions, and changes without notice. `web_bearer`, `web_user_agent`: what the web
    application and a browser send. `web_query_ids`: `Name=id,Name=id`, in place of the ids that are known
    (`session/queries.py`).
    """

    api_url: str = "https://api.x.com"
    authorize_url: str = "https://x.com/i/oauth2/authorize"
    video_url: str = "https://video.twimg.com"
    photo_url: str = "https://pbs.twimg.com"
    read_history_hourly: bool = True
    web_url: str = "https://x.com"
    web_api_url: str = "https://api.x.com"
    web_static_url: str = "https://abs.twimg.com"
    chat_socket_url: str = "wss://chat-ws.x.com/ws"
    upload_url: str = "https://ton.x.com"
    web_bearer: str = WEB_BEARER
    web_user_agent: str = WEB_USER_AGENT
    web_query_ids: str = ""


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
        ConnectionSpec(
            name="session",
            auth_mode="session",
            connector=ConnectorIn("unifyport.providers.x.session.connector", "SessionConnector"),
            credentials=(),
            inbound=Inbound.REPLAYABLE,
            probed=(POLL,),
            check=check_session,
            conversation_types=("user", "group"),
            canonical=canonical,
            max_text=session_limits.MAX_TEXT,
            max_download=session_limits.MAX_DOWNLOAD,
            max_upload=session_limits.MAX_UPLOAD,
            receipts=(READ,),
            parallel_sends=session_limits.PARALLEL_SENDS,
            mark_read_needs_message=True,
            marks_sending=True,
            pace=session_limits.PACE,
            sandbox="unifyport.sandbox.x.web.platform:XWebPlatform",
            experimental=True,
        ),
    ),
)
