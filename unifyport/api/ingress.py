"""Ingress over HTTP: bounded bodies, raw bytes, plain answers.

Verifying, reading and committing is `unifyport/gateway/ingress.py`.

It is an ASGI application of its own beside the API: a body must be counted before it is read. An answer is a
status, and tells a platform nothing more.

    200 committed   401 refused, for any reason   408 too slow   410 the account was deleted
    413 too long    503 not taken now: the platform must keep the request and send it again
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import trio

from unifyport.front.asgi import Receive, Scope, Send, respond
from unifyport.gateway.ingress import Ingress, IngressOutcome

from .http.doors import INGRESS_PREFIX

log = logging.getLogger("unifyport.ingress")

BODY_SECONDS = 10.0
IN_FLIGHT = 64 * 1024 * 1024  # bytes of bodies that are held at a time, in all
IN_FLIGHT_ACCOUNT = 8 * 1024 * 1024
SMALL_BODY = 64 * 1024
SPARE = 8 * 1024 * 1024  # of IN_FLIGHT, for small bodies only
SILENCE_SECONDS = 60.0
RETRY_AFTER = b"5"
_MAX_PARAMETERS = 16

_STATUS = {
    IngressOutcome.COMMITTED: HTTPStatus.OK,
    IngressOutcome.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    IngressOutcome.GONE: HTTPStatus.GONE,
    IngressOutcome.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}


class NoRoom(Exception):
    """Too many bytes are in flight already."""


class Budget:
    """Bytes that have come in and are still held, in all and by account.

    A body is held before it can be verified, so a stranger can fill the room of an account. Therefore a small
    body is taken however much an account holds already, and the last part of the whole room is for small
    bodies only. Requests that name no account of this gateway share one account's room.
    """

    def __init__(
        self,
        total: int = IN_FLIGHT,
        each: int = IN_FLIGHT_ACCOUNT,
        small: int = SMALL_BODY,
        spare: int = SPARE,
    ) -> None:
        self._total, self._each, self._small, self._spare = total, each, small, spare
        self._used: Counter[str] = Counter()
        self.held = 0

    @contextmanager
    def holding(self, account_id: str) -> Iterator[Callable[[int], None]]:
        """Yields a function that is called with the size of each piece that has come, and raises `NoRoom`."""
        held = 0

        def take(size: int) -> None:
            nonlocal held
            large = held + size > self._small
            room = self._total - (self._spare if large else 0)
            if self.held + size > room or (large and self._used[account_id] + size > self._each):
                raise NoRoom
            held += size
            self.held += size
            self._used[account_id] += size

        try:
            yield take
        finally:
            self.held -= held
            self._used[account_id] -= held
            if not self._used[account_id]:
                del self._used[account_id]


class IngressBodyTooLong(Exception):
    pass


class Disconnected(Exception):
    pass


class IngressFront:
    """`GET` and `POST /ingress/{provider}/{account_id}`. Counts its answers for the metrics."""

    def __init__(self, ingress: Ingress) -> None:
        self._ingress = ingress
        self._budget = Budget()
        self._logged: dict[str, float] = {}  # account -> when its last refusal was logged
        self.answers: Counter[tuple[str, int]] = Counter()  # (provider, status)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        provider, account_id = self._split_path(scope["path"])
        try:
            if scope["method"] == "POST":
                status = await self._post(provider, account_id, scope, receive)
                text = ""
            else:
                status, text = self._get(provider, account_id, scope)
        except Disconnected:
            return
        except Exception:
            log.exception("ingress crashed", extra={"provider": provider, "account_id": account_id})
            status, text = HTTPStatus.SERVICE_UNAVAILABLE, ""
        self.answers[self._ingress.channel_name(provider) or "unknown", status] += 1
        if status is not HTTPStatus.OK:
            self._log_refusal(provider, account_id, status)
        headers = [(b"x-content-type-options", b"nosniff")]
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append((b"retry-after", RETRY_AFTER))
        await respond(send, status, (text or status.phrase.lower()).encode(), b"text/plain", headers=headers)

    def _log_refusal(self, provider: str, account_id: str, status: HTTPStatus) -> None:
        """Log one line a minute for each account: strangers cannot fill the log, a wrong secret is seen."""
        if not self._ingress.runs(account_id):
            account_id = ""
        now = trio.current_time()
        if now - self._logged.get(account_id, -SILENCE_SECONDS) < SILENCE_SECONDS:
            return
        self._logged[account_id] = now
        hint = (
            "the signature or the account is wrong"
            if status is HTTPStatus.UNAUTHORIZED
            else status.phrase.lower()
        )
        fields = {"provider": provider[:32], "account_id": account_id or "unknown", "status": int(status)}
        log.warning("ingress refused: %s", hint, extra=fields)

    @property
    def bytes_held(self) -> int:
        """Bytes of bodies that have come in and are not answered yet."""
        return self._budget.held

    @staticmethod
    def _split_path(path: str) -> tuple[str, str]:
        provider, _, account_id = path.removeprefix(INGRESS_PREFIX).partition("/")
        return provider, account_id

    def _get(self, provider: str, account_id: str, scope: Scope) -> tuple[HTTPStatus, str]:
        """A platform checks our address."""
        if scope["method"] != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, ""
        try:
            pairs = parse_qsl(scope["query_string"].decode("ascii"), max_num_fields=_MAX_PARAMETERS)
        except ValueError:
            return HTTPStatus.UNAUTHORIZED, ""
        answer = self._ingress.challenge(provider, account_id, dict(pairs))
        return (HTTPStatus.UNAUTHORIZED, "") if answer is None else (HTTPStatus.OK, answer)

    async def _post(self, provider: str, account_id: str, scope: Scope, receive: Receive) -> HTTPStatus:
        if not self._ingress.accepting:
            return HTTPStatus.SERVICE_UNAVAILABLE
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        limit = self._ingress.limit(provider)
        if _length(headers) > limit:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        owner = account_id if self._ingress.runs(account_id) else ""
        try:
            with self._budget.holding(owner) as take:
                with trio.move_on_after(BODY_SECONDS) as reading:
                    body = await _read(receive, limit, take)
                if reading.cancelled_caught:
                    return HTTPStatus.REQUEST_TIMEOUT
                return _STATUS[await self._ingress.receive(provider, account_id, headers, body)]
        except NoRoom:
            return HTTPStatus.SERVICE_UNAVAILABLE
        except IngressBodyTooLong:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def _length(headers: Mapping[str, str]) -> int:
    """The declared length of a body; 0 if there is none."""
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


async def _read(receive: Receive, limit: int, take: Callable[[int], None]) -> bytes:
    chunks: list[bytes] = []
    length, more = 0, True
    while more:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        length += len(chunk)
        if length > limit:
            raise IngressBodyTooLong
        take(len(chunk))
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)
