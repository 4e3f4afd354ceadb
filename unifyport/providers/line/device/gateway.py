"""Thrift calls over HTTP to LINE's gateway: what login, refresh and the talk service share."""

from unifyport.net.clients import Response
from unifyport.protocols.thrift import (
    CallFailed,
    Encoding,
    Head,
    MessageKind,
    ThriftError,
    decode_answer,
    encode_message,
)
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import RateLimited, Transient
from unifyport.providers.http import CALL_SECONDS, HttpApi

from .appearance import device_of, headers
from .limits import PARALLEL_SENDS

NEXT_ACCESS = "x-line-next-access"
_NOTHING = (204, 408, 410)  # a poll that ended without an answer


class Silence(Exception):
    """A poll ended without an answer: by the server, or by its time."""


class Gateway:
    """The HTTP client of one connector, which closes it."""

    def __init__(self, context: ConnectorContext) -> None:
        endpoints = context.endpoints
        self.device = device_of(endpoints.device_type, endpoints.device_version)
        self.name = endpoints.device_name
        self.http = HttpApi(context, parallel_sends=PARALLEL_SENDS)
        self._url = endpoints.device_url

    async def aclose(self) -> None:
        await self.http.aclose()

    async def call(
        self,
        path: str,
        name: str,
        arguments: object,
        result: type,
        *,
        access: str = "",
        more: dict[str, str] | None = None,
        timeout: float = CALL_SECONDS,
    ) -> tuple[object, str]:
        """The structure of an answer, and the access token that replaces the one that was sent, if there is
        one.

        Raises `RateLimited`, and `Transient`, with `maybe_applied` if the call may have been carried out.
        Cancelled: as then.
        """
        body = encode_message(Head(MessageKind.CALL, name), arguments, Encoding.COMPACT)
        sent = headers(self.device, access) | (more or {})
        answer = await self.http.request(
            "POST", f"{self._url}{path}", body=body, headers=sent, timeout=timeout
        )
        return _read(answer, result), answer.headers.get(NEXT_ACCESS, "")

    async def poll(
        self,
        path: str,
        name: str,
        arguments: object,
        result: type,
        *,
        access: str,
        seconds: float,
    ) -> tuple[object, str]:
        """As `call`, of a call that the server holds for up to `seconds`. Raises `Silence`, too."""
        more = {"x-lst": str(int(seconds * 1000))}
        try:
            return await self.call(
                path, name, arguments, result, access=access, more=more, timeout=seconds + CALL_SECONDS
            )
        except Transient as error:
            if error.reason in _SILENT:
                raise Silence from None
            raise


_SILENT = frozenset({*(f"http_{status}" for status in _NOTHING), "timeout"})


def _read(answer: Response, result: type) -> object:
    if answer.status == 429:
        raise RateLimited(_seconds(answer.headers.get("retry-after", "")))
    if answer.status != 200:
        raise Transient(f"http_{answer.status}", maybe_applied=answer.status >= 500)
    try:
        return decode_answer(result, answer.body, Encoding.COMPACT)
    except CallFailed as refused:  # the service does not know the call, or cannot read it
        raise Transient(f"call_refused_{refused.exception.type}") from None
    except ThriftError:
        raise Transient("malformed_answer", maybe_applied=True) from None


def _seconds(retry_after: str) -> float:
    """The wait that an answer asks for (RFC 9110 section 10.2.3); a minute where it names none."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 60.0
