"""The requests of X's web application: headers, cookies that answers renew, CSRF, refusals.

Facts: https://github.com/mautrix/twitter, `headers.go`, `http.go`. Each request carries `x-csrf-token`, which
is the cookie `ct0`; X replaces it now and then, and refuses one request with an old one (353), which says
that nothing was applied: it is repeated once where the answer has brought a new one.
"""

import json as json_text
import re
from collections.abc import Mapping
from http.cookiejar import CookieJar
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import trio

from unifyport.model.unit import SessionChange
from unifyport.net.clients import Response
from unifyport.providers import cookies
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.capabilities import Sink
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Transient
from unifyport.providers.http import CALL_SECONDS, HttpApi

from . import imported, queries
from .answers import data_of, json_body, object_of
from .errors import CSRF, RATE_SECONDS, codes_of, failure_of
from .records import COOKIES
from .transactions import Transactions

PARALLEL: Final = 4
MAX_WAIT: Final = 900.0
DOMAINS: Final = re.compile(r"\.?(?:[a-z0-9-]{1,63}\.){0,3}x\.com")
WEB, API, FILES, SOCKET = "https://x.com", "https://api.x.com", "https://ton.x.com", "wss://chat-ws.x.com/ws"
SCRIPTS: Final = "/responsive-web/"
_CHROME = re.compile(r"Chrome/([0-9]{1,4})\.")


class WebClient:
    """The HTTP client of one session, which closes it. `me`: the id of its user."""

    def __init__(self, context: ConnectorContext, jar: CookieJar, *, me: str, uuid: str) -> None:
        self.me = me
        self.jar = jar
        self.changed = trio.Event()  # a cookie was renewed; set and replaced
        self.http = HttpApi(context, parallel_sends=PARALLEL)
        self._context = context
        self.uuid = uuid
        self._ids = queries.ids_of(context.endpoints.web_query_ids)
        self._transactions = Transactions(self._page)
        self._stored = cookies.stored(jar)
        self._saving = trio.Lock()
        self._wait = RATE_SECONDS
        self._hide()

    async def aclose(self) -> None:
        await self.http.aclose()

    # -- calls ----------------------------------------------------------------------------------------------

    async def query(self, name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """`data` of a GraphQL query. Raises failure classes."""
        text = json_text.dumps(variables, separators=(",", ":"))
        answer = await self._ask("GET", API, self._graphql(name), {"variables": text})
        return data_of(answer)

    async def mutate(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        """`data` of a GraphQL mutation. Raises failure classes."""
        body = queries.mutation(name, self._ids[name], variables)
        return data_of(await self._ask("POST", API, self._graphql(name), body=json_body(body)))

    async def read(self, path: str, params: Mapping[str, str]) -> bytes:
        """The body of a call of x.com, such as `/i/api/1.1/dm/user_updates.json`. Raises failure classes."""
        return (await self._ask("GET", WEB, path, params)).body

    async def post(
        self, path: str, *, json: dict[str, Any] | None = None, form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The JSON object of an answer of x.com; empty: it has no body. Raises failure classes."""
        if json is not None:
            return object_of(await self._ask("POST", WEB, path, body=json_body(json)))
        body = (urlencode(form or {}).encode(), "application/x-www-form-urlencoded")
        return object_of(await self._ask("POST", WEB, path, body=body))

    async def put_part(self, path: str, part: bytes) -> None:
        """One part of a file. `path`: with its query. Raises failure classes."""
        await self._ask("POST", FILES, path, body=(part, "application/octet-stream"))

    async def download_file(self, path: str, sink: Sink, limit: int) -> None:
        """Stream a file of the file host. Raises `Rejected` (`too_large`, `media_not_found`), `Transient`."""
        await self.download(self._base(FILES) + path, sink, limit=limit, cookies=True)

    async def download(self, url: str, sink: Sink, *, limit: int, cookies: bool) -> None:
        """As `download_file`. `cookies`: of the session; only for the file host, as configured."""
        headers = self._headers(FILES) if cookies else self._browser()
        if cookies:
            headers["x-client-transaction-id"] = await self._transactions.id_for("GET", urlsplit(url).path)
        await self.http.download(url, sink, limit=limit, headers=headers)

    async def verify(self) -> dict[str, Any]:
        """Prove the session by asking for its own user. Raises failure classes; `LoggedOut` is certain."""
        text = json_text.dumps({"ids": [self.me]}, separators=(",", ":"))
        answer = await self._send("GET", API, self._graphql(queries.USERS), {"variables": text}, None)
        if (failure := failure_of(answer, self._context.clock)) is not None:
            raise failure
        return data_of(answer)

    async def save(self) -> None:
        """Make the jar durable if it has changed."""
        async with self._saving:
            stored = cookies.stored(self.jar)
            if stored != self._stored:
                await self._context.session.commit([SessionChange(*COOKIES, stored)])
                self._stored = stored

    # -- one request ----------------------------------------------------------------------------------------

    def _graphql(self, name: str) -> str:
        return f"/graphql/{self._ids[name]}/{name}"

    def _base(self, origin: str) -> str:
        endpoints = self._context.endpoints
        at = {WEB: endpoints.web_url, API: endpoints.web_api_url, FILES: endpoints.upload_url}
        return str(at[origin])

    async def _ask(
        self,
        method: str,
        origin: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        body: tuple[bytes, str] | None = None,
    ) -> Response:
        """An answer that grants the request. Raises failure classes."""
        answer = await self._send(method, origin, path, params, body)
        failure = failure_of(answer, self._context.clock)
        if failure is None:
            self._wait = RATE_SECONDS
            return answer
        raise await self._sure(failure, answer)

    async def _sure(self, failure: ChannelError, answer: Response) -> ChannelError:
        """What a refusal raises: `LoggedOut` only where another request says so too, and twice the wait
        at each rate limit that names no time.
        """
        if isinstance(failure, RateLimited) and "x-rate-limit-reset" not in answer.headers:
            failure = RateLimited(self._wait)
            self._wait = min(self._wait * 2, MAX_WAIT)
        if isinstance(failure, LoggedOut) and failure.reason == "session_expired":
            await self.verify()
            return Transient("refused_once")
        return failure

    async def _send(
        self,
        method: str,
        origin: str,
        path: str,
        params: Mapping[str, str] | None,
        body: tuple[bytes, str] | None,
    ) -> Response:
        """Once more where only the CSRF token was an old one, and the answer has brought another."""
        token = self.csrf
        answer = await self._send_once(method, origin, path, params, body)
        if CSRF in codes_of(answer) and self.csrf != token:
            answer = await self._send_once(method, origin, path, params, body)
        return answer

    async def _send_once(
        self,
        method: str,
        origin: str,
        path: str,
        params: Mapping[str, str] | None,
        body: tuple[bytes, str] | None,
    ) -> Response:
        headers = self._headers(origin + path)
        bare = path.partition("?")[0]
        headers["x-client-transaction-id"] = await self._transactions.id_for(method, bare)
        if body is not None:
            headers["content-type"] = body[1]
        url = self._base(origin) + path + (f"?{urlencode(params, quote_via=quote)}" if params else "")
        content = None if body is None else body[0]
        answer = await self.http.request(method, url, body=content, headers=headers, timeout=CALL_SECONDS)
        given = answer.set_cookies
        if given and cookies.accept(self.jar, origin + path, given, domains=DOMAINS):
            imported.share(self.jar)
            self._hide()
            self.changed.set()
            self.changed = trio.Event()
        return answer

    async def _page(self, path: str) -> bytes:
        """A page or a script that transaction ids are made of."""
        if path.startswith(SCRIPTS):
            url, headers = self._context.endpoints.web_static_url + path, self._browser()
        else:
            url, headers = self._base(WEB) + path, self._browser() | self._cookie(WEB + path)
        answer = await self.http.request("GET", url, headers=headers)
        if answer.status != 200:
            raise Transient(f"http_{answer.status}")
        return answer.body

    @property
    def csrf(self) -> str:
        return next((cookie.value or "" for cookie in self.jar if cookie.name == "ct0"), "")

    def socket_headers(self) -> dict[str, str]:
        return self._headers(SOCKET)

    def _headers(self, url: str) -> dict[str, str]:
        return {
            **self._browser(),
            **self._cookie(url),
            "accept": "*/*",
            "authorization": f"Bearer {self._context.endpoints.web_bearer}",
            "x-csrf-token": self.csrf,
            "x-twitter-auth-type": "OAuth2Session",
            "x-twitter-active-user": "yes",
            "x-twitter-client-language": "en",
            "x-client-uuid": self.uuid,
            "origin": WEB,
            "referer": WEB + "/",
        }

    def _browser(self) -> dict[str, str]:
        agent = self._context.endpoints.web_user_agent
        headers = {"user-agent": agent, "accept-language": "en"}
        if (found := _CHROME.search(agent)) is not None:
            version = found[1]
            headers["sec-ch-ua"] = (
                f'"Chromium";v="{version}", "Google Chrome";v="{version}", "Not-A.Brand";v="99"'
            )
            headers |= {"sec-ch-ua-platform": '"Linux"', "sec-ch-ua-mobile": "?0"}
        return headers

    def _cookie(self, url: str) -> dict[str, str]:
        line = cookies.header(self.jar, url)
        return {"cookie": line} if line else {}

    def _hide(self) -> None:
        for cookie in self.jar:
            if cookie.value and cookie.name in ("auth_token", "ct0", "kdt", "att"):
                self._context.secrets.register(cookie.value)
