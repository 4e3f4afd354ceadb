"""A connection of the reference platform that can send texts and nothing else."""

from unifyport.model.account import Identity
from unifyport.model.message import OutboundText
from unifyport.providers.contract.base import (
    Channel,
    ConnectionSpec,
    ConnectorContext,
    Credential,
    Inbound,
    Link,
)
from unifyport.providers.contract.capabilities import SendsText, Sent

from .connector import Endpoints, ReferenceConnector


class TextsConnector(SendsText):
    def __init__(self, context: ConnectorContext) -> None:
        self._all = ReferenceConnector(context)

    async def login(self) -> Identity:
        return await self._all.login()

    async def receive(self, link: Link) -> None:
        await self._all.receive(link)

    async def send_text(self, message: OutboundText) -> Sent:
        return await self._all.send_text(message)

    async def aclose(self) -> None:
        await self._all.aclose()


_SPEC = ConnectionSpec("token", lambda: TextsConnector, (Credential("token"),), Inbound.ACKED)


def texts(name: str) -> Channel:
    """The channel, in the place of a real one."""
    return Channel(name=name, endpoints=Endpoints, connections=(_SPEC,))
