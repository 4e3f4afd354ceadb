"""The declaration, in the place of a real channel."""

from unifyport.providers.contract.base import Channel, ConnectionSpec, Credential, Inbound

from .connector import Endpoints, SocketsConnector

CHANNEL = Channel(
    name="tiktok",
    endpoints=Endpoints,
    connections=(
        ConnectionSpec(
            auth_mode="token",
            connector=SocketsConnector,
            credentials=(Credential("token"),),
            inbound=Inbound.ACKED,
            identify=lambda credentials: credentials.get("token", "").removeprefix("token-of-") or None,
            sandbox="tests.reference.sockets.platform:SocketsPlatform",
        ),
    ),
)
