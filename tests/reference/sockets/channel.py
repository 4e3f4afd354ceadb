"""The declaration, in the place of a real channel."""

from unifyport.providers.contract.base import Channel, ConnectionSpec, ConnectorIn, Credential, Inbound

from .connector import Endpoints

CHANNEL = Channel(
    name="tiktok",
    endpoints=Endpoints,
    connections=(
        ConnectionSpec(
            auth_mode="token",
            connector=ConnectorIn("tests.reference.sockets.connector", "SocketsConnector"),
            credentials=(Credential("token"),),
            inbound=Inbound.ACKED,
            identify=lambda credentials: credentials.get("token", "").removeprefix("token-of-") or None,
            sandbox="tests.reference.sockets.platform:SocketsPlatform",
        ),
    ),
)
