"""What a connection says to the parts of an account."""

from typing import Protocol

from unifyport.protocols.mtproto.rpc_errors import RpcError


class Refused(Exception):
    """The server refused a call."""

    def __init__(self, error: RpcError) -> None:
        super().__init__(error.name)
        self.error = error


class Listener(Protocol):
    """Takes what a connection receives that is no answer. Its methods never wait."""

    def push(self, body: bytes) -> None:
        """An object of the API: updates."""

    def gap(self) -> None:
        """The server has begun the session anew: what it pushed before may be lost."""

    def keep(self, salt: int, time_offset: float) -> None:
        """Remember them with the key."""
