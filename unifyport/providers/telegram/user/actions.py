"""What an account can be asked to do: each method hands over to the part of the connection that does it."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from unifyport.model.message import OutboundText
from unifyport.providers.contract.capabilities import SendsText, Sent

if TYPE_CHECKING:
    from .link import UserLink


class UserActions(SendsText, ABC):
    @abstractmethod
    async def _up(self) -> "UserLink":
        """The connection, once it can be used. Raises `Transient`."""

    async def send_text(self, message: OutboundText) -> Sent:
        return await (await self._up()).sends.send(message)
