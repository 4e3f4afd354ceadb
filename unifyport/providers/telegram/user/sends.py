"""Sends messages."""

from typing import TYPE_CHECKING

from unifyport.model.message import OutboundMessage
from unifyport.providers.contract.capabilities import Sent
from unifyport.providers.contract.errors import Rejected

if TYPE_CHECKING:
    from .link import UserLink


class Sends:
    def __init__(self, parts: "UserLink") -> None:
        self._parts = parts

    async def send(self, message: OutboundMessage, quoted_message_id: str | None = None) -> Sent:
        raise Rejected("not_supported")
