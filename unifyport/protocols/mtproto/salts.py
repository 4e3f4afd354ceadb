"""Server salts: each is valid for an hour, and the server tells the next ones when it is asked
(https://core.telegram.org/mtproto/service_messages#request-for-several-future-salts).
"""

from collections.abc import Iterable

from unifyport.protocols.mtproto.messages import Salt


class Salts:
    """The salt of the moment and those to come."""

    def __init__(self, salt: int = 0) -> None:
        self._salt = salt
        self._planned: list[Salt] = []

    def replace(self, salt: int) -> None:
        """The server named this one; what was planned before is void."""
        self._salt = salt
        self._planned = []

    def plan(self, salts: Iterable[Salt]) -> None:
        self._planned = sorted(salts, key=lambda salt: salt.valid_since)

    def current(self, server_time: float) -> int:
        while self._planned and self._planned[0].valid_since <= server_time:
            planned = self._planned.pop(0)
            if server_time < planned.valid_until:
                self._salt = planned.salt
        return self._salt
