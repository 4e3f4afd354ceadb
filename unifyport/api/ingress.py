"""Ingress over HTTP: bounded bodies, raw bytes, plain answers.

Verifying, reading and committing is `unifyport/gateway/ingress.py`.

It stands beside the API: a body must be counted while it is read. An answer is a status, and tells a platform
nothing more; after a commit it may hold what the platform is to do (`InboundHook.acknowledge`).

    200 committed   401 refused, for any reason   408 too slow   410 the account was deleted
    413 too long    503 not taken now: the platform must keep the request and send it again
"""

import logging
from collections import Counter
from http import HTTPStatus
from urllib.parse import parse_qsl

import attrs
import trio

from unifyport.front.exchange import BodyTooSlow, Disconnected, Exchange, answer_text
from unifyport.gateway.ingress import Ingress, IngressOutcome

from .http.doors import INGRESS_PREFIX
from .http.messages import declared_length
from .ingress_room import HeldBody, IngressRoom, NoRoom

log = logging.getLogger("unifyport.ingress")

BODY_SECONDS = 10.0
SILENCE_SECONDS = 60.0
_RETRY_AFTER = (b"retry-after", b"5")
_JSON = (b"content-type", b"application/json")
_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_MAX_PARAMETERS = 16
_CHALLENGE = (
    "the platform's check of the address has another verify token, or the account takes no such check"
)

_STATUS = {
    IngressOutcome.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    IngressOutcome.GONE: HTTPStatus.GONE,
    IngressOutcome.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}


class BodyTooLong(Exception):
    pass


@attrs.define
class _Answer:
    """`text`, or JSON that a platform reads. `check`: what failed, for the log; empty: see the status."""

    status: HTTPStatus
    text: str = ""
    json: bytes = b""
    check: str = ""


class IngressFront:
    """`GET` and `POST /ingress/{provider}/{account_id}`. Counts its answers for the metrics."""

    def __init__(self, ingress: Ingress) -> None:
        self._ingress = ingress
        self._room = IngressRoom()
        self._logged: dict[str, float] = {}  # account -> when its last refusal was logged
        self.answers: Counter[tuple[str, int]] = Counter()  # (provider, status)

    async def answer(self, exchange: Exchange, path: str) -> None:
        """`path` is decoded."""
        provider, account_id = self._split_path(path)
        try:
            if exchange.method == "POST":
                answer = await self._post(provider, account_id, exchange)
            else:
                answer = self._get(provider, account_id, exchange)
        except Disconnected:
            return
        except Exception:
            log.exception("ingress crashed", extra={"provider": provider, "account_id": account_id})
            answer = _Answer(HTTPStatus.SERVICE_UNAVAILABLE)
        status = answer.status
        self.answers[self._ingress.channel_name(provider) or "unknown", status] += 1
        if status is not HTTPStatus.OK:
            self._log_refusal(provider, account_id, answer)
        if answer.json:
            await exchange.respond(int(status), [_JSON, _NO_SNIFF], answer.json)
            return
        fields = (_NO_SNIFF, _RETRY_AFTER) if status is HTTPStatus.SERVICE_UNAVAILABLE else (_NO_SNIFF,)
        await answer_text(exchange, status, answer.text, fields=fields)

    def _log_refusal(self, provider: str, account_id: str, answer: _Answer) -> None:
        """Log one line a minute for each account: strangers cannot fill the log, a wrong secret is seen."""
        if not self._ingress.runs(account_id):
            account_id = ""
        now = trio.current_time()
        if now - self._logged.get(account_id, -SILENCE_SECONDS) < SILENCE_SECONDS:
            return
        self._logged.pop(account_id, None)
        self._logged[account_id] = now  # in the order of their times; those that silence nothing go
        while now - next(iter(self._logged.values())) >= SILENCE_SECONDS:
            del self._logged[next(iter(self._logged))]
        why = answer.check or answer.status.phrase.lower()
        fields = {"provider": provider[:32], "account_id": account_id or "unknown"}
        fields["status"] = str(int(answer.status))
        if not account_id:
            log.warning("ingress refused: %s", why, extra=fields)
            return
        fields["account"] = name = self._ingress.account_name(account_id)
        fields["action"] = f"see why: unifyport explain {account_id}"
        log.warning("ingress refused for account %r: %s", name, why, extra=fields)

    @property
    def bytes_held(self) -> int:
        """Bytes of bodies that have come in and are not answered yet."""
        return self._room.held

    @staticmethod
    def _split_path(path: str) -> tuple[str, str]:
        provider, _, account_id = path.removeprefix(INGRESS_PREFIX).partition("/")
        return provider, account_id

    def _get(self, provider: str, account_id: str, exchange: Exchange) -> _Answer:
        """A platform checks our address. Some platforms want the answer as JSON."""
        if exchange.method != "GET":
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            pairs = parse_qsl(exchange.query.decode("ascii"), max_num_fields=_MAX_PARAMETERS)
        except ValueError:
            return _Answer(HTTPStatus.UNAUTHORIZED, check="its query cannot be read")
        text = self._ingress.challenge(provider, account_id, dict(pairs))
        if text is None:
            return _Answer(HTTPStatus.UNAUTHORIZED, check=_CHALLENGE)
        as_json = text.encode() if text.startswith("{") else b""
        return _Answer(HTTPStatus.OK, text, as_json)

    async def _post(self, provider: str, account_id: str, exchange: Exchange) -> _Answer:
        ingress = self._ingress
        if not ingress.accepting:
            return _Answer(HTTPStatus.SERVICE_UNAVAILABLE, check="the gateway is not ready")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in exchange.fields}
        length, limit = declared_length(headers.get("content-length", "")), ingress.limit(provider)
        if length > limit:
            return _Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        held, checks = HeldBody(self._room, account_id if ingress.runs(account_id) else None), list[str]()
        try:
            body = await exchange.read()
            if len(body) != length or not length:
                body = await _read_rest(exchange, body, limit, held)
            outcome = await ingress.receive(
                provider,
                account_id,
                headers,
                body,
                verified=lambda: held.verify(len(body)),
                refused=checks.append,
            )
            if outcome is not IngressOutcome.COMMITTED:
                return _Answer(_STATUS[outcome], check="".join(checks[:1]))
            return _Answer(HTTPStatus.OK, json=ingress.acknowledgement(provider, account_id, body))
        except NoRoom:
            return _Answer(HTTPStatus.SERVICE_UNAVAILABLE, check="too many bodies are held already")
        except BodyTooLong:
            return _Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except BodyTooSlow:
            return _Answer(HTTPStatus.REQUEST_TIMEOUT)
        finally:
            held.release()


async def _read_rest(exchange: Exchange, first: bytes, limit: int, held: HeldBody) -> bytes:
    """A body that did not come at once; `first` is its first piece.

    Raises `NoRoom`, `BodyTooLong`, `BodyTooSlow`.
    """
    pieces, length, piece = list[bytes](), 0, first
    with trio.move_on_after(BODY_SECONDS):
        while piece:
            length += len(piece)
            if length > limit:
                raise BodyTooLong
            held.take(len(piece))
            pieces.append(piece)
            piece = await exchange.read()
        return b"".join(pieces)
    raise BodyTooSlow
