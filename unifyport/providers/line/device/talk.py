"""Calls of the talk service, with the tokens of a device.

A call that is refused because of its token is made once more with a newer one: nothing was applied. Reads
leave `Transient` without `maybe_applied`.
"""

from typing import Any, Protocol

from unifyport.providers.contract.errors import ChannelError, LoggedOut, Transient
from unifyport.providers.http import CALL_SECONDS, nothing_applied

from . import tokens as rules
from .calls import CALLS, Call
from .errors import MUST_REFRESH, NOT_AUTHORIZED_DEVICE, NOT_AUTHORIZED_SESSION, failure_of
from .gateway import Gateway, Silence
from .structures import TalkException
from .token_keeper import TokenKeeper
from .tokens import Decision, Tokens

POLL_SECONDS = 180.0  # for which the server holds `sync`


class TalkRefusal(Exception):
    """The talk service has refused a call; nothing was applied."""

    def __init__(self, error: TalkException) -> None:
        super().__init__(f"talk exception {error.code}")
        self.error = error

    @property
    def failure(self) -> ChannelError:
        """As a failure class."""
        return failure_of(self.error)


class _Result(Protocol):
    success: Any
    error: TalkException | None


class Talk:
    """The calls of one connection."""

    def __init__(self, gateway: Gateway, tokens: TokenKeeper) -> None:
        self._gateway = gateway
        self._tokens = tokens

    async def read(self, name: str, arguments: object) -> Any:
        """The result of a call that changes nothing. Raises a failure class."""
        try:
            with nothing_applied():
                return await self.ask(name, arguments)
        except TalkRefusal as refused:
            raise refused.failure from None

    async def write(self, name: str, arguments: object) -> Any:
        """The result of a call that changes something. Raises a failure class."""
        try:
            return await self.ask(name, arguments)
        except TalkRefusal as refused:
            raise refused.failure from None

    async def ask(self, name: str, arguments: object) -> Any:
        """The result of a call. Raises `TalkRefusal`, `LoggedOut`, `RateLimited`, `Transient`."""
        return await self._ask(CALLS[name], arguments, 0.0)

    async def poll(self, arguments: object) -> Any:
        """What `sync` brings, after up to `POLL_SECONDS`. Raises `Silence` where there is nothing, otherwise
        as `ask`.
        """
        with nothing_applied():
            return await self._ask(CALLS["sync"], arguments, POLL_SECONDS)

    # -- inside ---------------------------------------------------------------------------------------------

    async def _ask(self, call: Call, arguments: object, seconds: float) -> Any:
        repeated = False
        while True:
            used = await self._tokens.current()
            result = await self._send(call, arguments, used, seconds)
            if result.error is None:
                if getattr(result, "success", None) is None and not call.void:
                    raise Transient("malformed_answer", maybe_applied=True)
                return getattr(result, "success", None)
            decision = self._decision(result.error, used, repeated)
            if decision is None:
                raise TalkRefusal(result.error)
            if decision is Decision.LOGGED_OUT:
                raise failure_of(result.error)
            try:
                await self._tokens.decide(decision, used)
            except LoggedOut:
                raise failure_of(result.error) from None
            repeated = True

    async def _send(self, call: Call, arguments: object, used: Tokens, seconds: float) -> _Result:
        where = call.path, call.name, arguments, call.result
        if seconds:
            answer, access = await self._gateway.poll(*where, access=used.access, seconds=seconds)
        else:
            answer, access = await self._gateway.call(*where, access=used.access, timeout=CALL_SECONDS)
        if access:
            await self._tokens.replace(used, access)
        return answer  # type: ignore[return-value]

    def _decision(self, error: TalkException, used: Tokens, repeated: bool) -> Decision | None:
        newest = self._tokens.newest or used
        if error.code == MUST_REFRESH:
            return rules.after_must_refresh(newest, used.number, repeated)
        if error.code in (NOT_AUTHORIZED_DEVICE, NOT_AUTHORIZED_SESSION):
            return rules.after_not_authorized(newest, used.number, repeated)
        return None


__all__ = ["POLL_SECONDS", "Silence", "Talk", "TalkRefusal"]
