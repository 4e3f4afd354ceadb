"""Sends `Call`s over HTTP, as a browser does: with the session's cookies, its user agent, and redirects.

Every answer may renew cookies; `changed` is set when one has, and `save` makes the jar durable. Where an
address is configured (`Endpoints.personal_url`), it is asked instead of Zalo's hosts, with the host as the
first part of the path.
"""

import urllib.parse
from http.cookiejar import CookieJar

import trio

from unifyport.model.unit import SessionChange
from unifyport.net.clients import Response
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import RateLimited, Transient
from unifyport.providers.http import CALL_SECONDS, HttpApi

from . import cookies
from .calls import HOSTS, Call, Device, allowed_url
from .errors import WAIT_SECONDS
from .limits import PARALLEL_SENDS
from .records import COOKIES

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


def address(url: str, base: str) -> str:
    """Where to ask for `url`: under `base` if that is set."""
    if not base:
        return url
    parts = urllib.parse.urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{base}/{parts.netloc}{parts.path}{query}"


class Transport:
    """The HTTP client of one connection, which closes it."""

    def __init__(self, context: ConnectorContext, device: Device, jar: CookieJar) -> None:
        self.device = device
        self.jar = jar
        self.changed = trio.Event()  # cookies were renewed; set and replaced
        self.http = HttpApi(context, parallel_sends=PARALLEL_SENDS)
        self._session = context.session
        self._secrets = context.secrets
        self._base = context.endpoints.personal_url
        self._stored = cookies.stored(jar)
        self._hide()

    async def aclose(self) -> None:
        await self.http.aclose()

    async def ask(
        self,
        call: Call,
        *,
        body: bytes | None = None,
        content_type: str = "application/x-www-form-urlencoded",
        timeout: float | None = None,
    ) -> bytes:
        """The body of the answer with status 200. Raises `Transient`, with `maybe_applied` as `HttpApi` has
        it. The redirects of a GET are followed, to Zalo's hosts only.
        """
        url, method = _with_query(call), call.method
        if call.form is not None:
            body = urllib.parse.urlencode(call.form).encode()
        for _ in range(MAX_REDIRECTS + 1):
            headers = self._headers(url, call.referer)
            if body is not None:
                headers["content-type"] = content_type
            answer = await self.http.request(
                method, address(url, self._base), body=body, headers=headers, timeout=timeout or CALL_SECONDS
            )
            self._accept(url, answer)
            if answer.status == 200:
                return answer.body
            if answer.status == 429:
                raise RateLimited(WAIT_SECONDS)
            if method != "GET" or answer.status not in _REDIRECTS:
                raise Transient(f"http_{answer.status}", maybe_applied=answer.status >= 500)
            url = _redirect(url, answer)
        raise Transient("too_many_redirects")

    async def save(self) -> None:
        """Make the jar durable if it has changed, also while the connection ends."""
        stored = cookies.stored(self.jar)
        if stored != self._stored:
            await self._session.keep(SessionChange(COOKIES, b"", stored))
            self._stored = stored

    def _headers(self, url: str, referer: str) -> dict[str, str]:
        headers = {
            "accept": "application/json, text/plain, */*",
            "accept-language": "vi-VN,vi;q=0.9,en-US;q=0.8,en;q=0.7",
            "user-agent": self.device.user_agent,
            "referer": referer,
            "origin": "/".join(referer.split("/", 3)[:3]),
        }
        if cookie := cookies.header(self.jar, url):
            headers["cookie"] = cookie
        return headers

    def _accept(self, url: str, answer: Response) -> None:
        given = answer.set_cookies
        if given and cookies.accept(self.jar, url, given):
            self._hide()
            self.changed.set()
            self.changed = trio.Event()

    def _hide(self) -> None:
        for cookie in self.jar:
            if cookie.name == cookies.NEEDED:
                self._secrets.register(cookie.value)


def _with_query(call: Call) -> str:
    return f"{call.url}?{urllib.parse.urlencode(call.query)}" if call.query else call.url


def _redirect(url: str, answer: Response) -> str:
    """Raises `Transient` for an address that is not Zalo's."""
    target = urllib.parse.urljoin(url, answer.headers.get("location", ""))
    if not allowed_url(target, ("https",), HOSTS):
        raise Transient("redirected_elsewhere")
    return target.partition("#")[0]
