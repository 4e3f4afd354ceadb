"""The dispatcher under an `Exchange`, without a framework in between: the road of the busiest routes."""

import contextlib
from collections.abc import AsyncGenerator
from typing import cast

import attrs
import trio

from supervisors import Slices
from unifyport.front.exchange import BodyTooSlow as PeerTooSlow
from unifyport.front.exchange import Disconnected, Exchange

from .doors import Door
from .messages import BodyTooLong, BodyTooSlow, Dispatch, FilePart, Headers, Request, declared_length


async def answer_directly(dispatch: Dispatch, door: Door, exchange: Exchange) -> None:
    """Answer a request that came by a door. Raises `Disconnected`."""
    headers = Headers.from_wire(exchange.fields)
    response = await dispatch(
        Request(
            exchange.method,
            exchange.path.decode("latin-1"),
            door,
            headers=headers,
            query=exchange.query,
            body=_Body(exchange, headers),
            peer=exchange.client,
        )
    )
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    if isinstance(response.body, bytes):
        await exchange.respond(response.status, fields, response.body)
        return
    body = response.body.chunks() if isinstance(response.body, FilePart) else response.body
    async with contextlib.aclosing(cast(AsyncGenerator[bytes, None], body)) as pieces:
        await exchange.start(response.status, fields)
        await _send_pieces(exchange, pieces, response.write_seconds)
        await exchange.finish()


async def _send_pieces(
    exchange: Exchange, pieces: AsyncGenerator[bytes, None], write_seconds: float | None
) -> None:
    """Raises `Disconnected`, also if the caller does not take a piece in `write_seconds`, or goes away."""
    over = False
    async with trio.open_nursery() as nursery:

        async def cancel_when_gone() -> None:
            await exchange.wait_gone()
            nursery.cancel_scope.cancel()

        nursery.start_soon(cancel_when_gone)
        slices = Slices()
        try:
            async for piece in pieces:
                with trio.CancelScope() as writing:
                    if write_seconds is not None:
                        writing.deadline = trio.current_time() + write_seconds
                    await exchange.write(piece)
                    await slices.pause()
                if writing.cancelled_caught:
                    break
            else:
                over = True
        except Disconnected:
            pass
        nursery.cancel_scope.cancel()
    if not over:
        raise Disconnected


@attrs.frozen
class _Body:
    _exchange: Exchange
    _headers: Headers

    async def read(self, limit: int, seconds: float) -> bytes:
        """A caller that goes away meanwhile is one whose body does not come."""
        length = declared_length(self._headers.get("content-length"))
        if length > limit:
            raise BodyTooLong(limit)
        try:
            first = await self._exchange.read()
            return first if len(first) == length else await self._read_rest(first, limit, seconds)
        except (Disconnected, PeerTooSlow):
            raise BodyTooSlow from None

    async def _read_rest(self, first: bytes, limit: int, seconds: float) -> bytes:
        pieces, held, piece = list[bytes](), 0, first
        with trio.move_on_after(seconds):
            while piece:
                held += len(piece)
                if held > limit:
                    raise BodyTooLong(limit)
                pieces.append(piece)
                piece = await self._exchange.read()
            return b"".join(pieces)
        raise BodyTooSlow
