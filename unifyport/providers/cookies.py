"""The cookies of an imported session: a jar, the record that is kept of it, and renewals by answers.

Any answer may renew a cookie: the jar is kept whenever `accept` says that it has changed. A jar has cookies
with their domains. What an export may hold is checked by its channel, with the patterns here.
"""

import re
import urllib.request
from email.message import Message
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Final
from urllib.parse import urlsplit

import msgspec

MAX_COOKIES: Final = 100
MAX_KEPT: Final = 60  # so that the record of a jar is smaller than a session's value may be
VALUE: Final = re.compile(r"[!#-+\--:<-\[\]-~]{0,3800}")  # RFC 6265: cookie-octet


class Kept(msgspec.Struct, array_like=True):
    """A cookie of the record. `expires`: unix seconds, None: with the session."""

    name: str
    value: str
    domain: str
    host_only: bool
    path: str
    secure: bool
    expires: int | None


_RECORD: Final = msgspec.json.Decoder(list[Kept])


def new_jar() -> CookieJar:
    """As browsers do it: a cookie without a domain goes to its own host only."""
    only_own_host = DefaultCookiePolicy.DomainStrictNonDomain
    return CookieJar(DefaultCookiePolicy(strict_domain=True, strict_ns_domain=only_own_host))


def accept(jar: CookieJar, url: str, set_cookies: list[str], *, domains: re.Pattern[str]) -> bool:
    """Take the `Set-Cookie` headers of an answer from `url`; whether the jar has changed.

    One header is one cookie. A cookie whose domain does not match `domains`, or beyond `MAX_KEPT`, is left
    out.
    """
    before = stored(jar)
    headers = Message()
    for header in set_cookies[:MAX_COOKIES]:
        if "\r" not in header and "\n" not in header and len(header) <= 4000:
            headers["Set-Cookie"] = header
    jar.extract_cookies(_Answer(headers), urllib.request.Request(url))  # type: ignore[arg-type]  # noqa: S310
    for number, cookie in enumerate(list(jar)):
        if number >= MAX_KEPT or domains.fullmatch(cookie.domain) is None:
            jar.clear(cookie.domain, cookie.path, cookie.name)
    return stored(jar) != before


def header(jar: CookieJar, url: str) -> str:
    """The `Cookie` header of a request to `url`; "" if it has none."""
    if urlsplit(url).scheme == "wss":
        url = "https" + url.removeprefix("wss")
    request = urllib.request.Request(url)  # noqa: S310 (nothing is opened)
    jar.add_cookie_header(request)
    return request.get_header("Cookie") or ""


def stored(jar: CookieJar) -> bytes:
    """The record of a jar, in one order."""
    kept = [
        Kept(
            each.name,
            each.value or "",
            each.domain,
            not each.domain_specified,
            each.path,
            each.secure,
            each.expires,
        )
        for each in jar
    ]
    return msgspec.json.encode(sorted(kept, key=lambda each: (each.domain, each.path, each.name)))


def restored(record: bytes) -> CookieJar:
    """The jar of a record that `stored` has written."""
    jar = new_jar()
    for kept in _RECORD.decode(record):
        jar.set_cookie(cookie_of(kept))
    return jar


class _Answer:
    """What `CookieJar.extract_cookies` needs of an answer."""

    def __init__(self, headers: Message) -> None:
        self._headers = headers

    def info(self) -> Message:
        return self._headers


def cookie_of(kept: Kept) -> Cookie:
    return Cookie(
        version=0,
        name=kept.name,
        value=kept.value,
        port=None,
        port_specified=False,
        domain=kept.domain,
        domain_specified=not kept.host_only,
        domain_initial_dot=kept.domain.startswith("."),
        path=kept.path,
        path_specified=True,
        secure=kept.secure,
        expires=kept.expires,
        discard=kept.expires is None,
        comment=None,
        comment_url=None,
        rest={},
    )
