"""The declaration, in the place of a real channel."""

import attrs

from unifyport.providers.contract.base import Channel, ConnectionSpec, ConnectorIn, Credential, Inbound


@attrs.frozen
class Endpoints:
    """`[providers.zalo]`: a WebSocket URL."""

    socket_url: str = "wss://ratchet.reference.example"


CHANNEL = Channel(
    name="zalo",
    endpoints=Endpoints,
    connections=(
        ConnectionSpec(
            auth_mode="token",
            connector=ConnectorIn("tests.reference.ratchet.connector", "RatchetConnector"),
            credentials=(Credential("token"),),
            inbound=Inbound.ACKED,
            identify=lambda credentials: credentials.get("token", "").removeprefix("token-of-") or None,
            parallel_sends=8,
            marks_sending=True,
            sandbox="tests.reference.ratchet.platform:RatchetPlatform",
        ),
    ),
)
