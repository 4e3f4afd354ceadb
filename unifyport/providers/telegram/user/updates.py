"""The update box of an account."""

from typing import TYPE_CHECKING, Any

import trio

from unifyport.providers.contract.base import Link

if TYPE_CHECKING:
    from .link import UserLink


class Updates:
    def __init__(self, parts: "UserLink") -> None:
        self._parts = parts

    def push(self, update: Any) -> None:
        """Never waits; when there is too much it is dropped and asked for again."""

    def gap(self) -> None:
        """Something is missing: get the difference."""

    async def run(self, link: Link) -> None:
        """Until cancelled."""
        await trio.sleep_forever()
