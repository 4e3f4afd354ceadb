"""Files of messages, both ways. Streamed; nothing is held whole."""

from typing import TYPE_CHECKING, Any

from unifyport.model.message import OutboundMessage
from unifyport.providers.contract.errors import Rejected

from ..bot.render import Request

if TYPE_CHECKING:
    from .link import UserLink


class Media:
    def __init__(self, parts: "UserLink") -> None:
        self._parts = parts

    async def upload(self, path: str, size: int, name: str) -> Any:
        raise Rejected("not_supported")

    async def album(self, made: Request, message: OutboundMessage, peer: Any) -> list[Any]:
        raise Rejected("not_supported")
