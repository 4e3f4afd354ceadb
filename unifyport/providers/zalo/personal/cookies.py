"""The cookies of a session: import of what a browser exports, the record that is kept, and renewals.

An exported session is JSON: `{"imei", "userAgent", "language"?, "cookie": [...]}`, `cookie` a list of cookies
as browser extensions write them (`name` or `key`, `value`, `domain`, `path`, `expirationDate`, ...), or
`{"url", "cookies": [...]}`. It is hostile input: only cookies of `NAMES` and of Zalo's domains are taken, at
most `MAX_COOKIES` are looked at, addresses in it are ignored, and no error quotes it.

A jar has cookies with their domains, as Zalo sets `zpw_sek` for one domain and removes the one of another in
the same answer. Any answer may renew a cookie: the jar is kept whenever `accept` says that it has changed.
"""

import math
import re
import urllib.request
from email.message import Message
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import msgspec

from unifyport.model.json_text import UNREADABLE, decode_object
from unifyport.providers.contract.errors import Rejected

from .calls import USER_AGENT, Device
from .shapes import text_of

MAX_COOKIES: Final = 100
MAX_KEPT: Final = 60  # so that the record of a jar is smaller than a session's value may be
MAX_EXPORT: Final = 1024 * 1024  # bytes
NAMES: Final = frozenset(
    {"zpsid", "zpw_sek", "zpw_sekm", "zlogin_session", "zoaw_sek", "zoaw_type"}
    | {"__zi", "__zi-legacy", "ozi", "_zlang", "app.event.zalo.me"}
)
NEEDED: Final = "zpw_sek"
_DOMAIN = re.compile(r"\.?(?:[a-z0-9-]{1,63}\.){0,4}zalo\.me")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")  # RFC 6265: a token
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]{0,3800}")  # cookie-octet
_PATH = re.compile(r"/[!-:<-~]{0,255}")


@attrs.frozen
class Imported:
    device: Device
    jar: CookieJar = attrs.field(repr=False)


class _Kept(msgspec.Struct, array_like=True):
    """A cookie of the record. `expires`: unix seconds, None: with the session."""

    name: str
    value: str
    domain: str
    host_only: bool
    path: str
    secure: bool
    expires: int | None


_RECORD: Final = msgspec.json.Decoder(list[_Kept])


def read_export(data: bytes) -> Imported:
    """Raises `Rejected("invalid_session")` with a detail that quotes nothing."""
    if len(data) > MAX_EXPORT:
        raise _refused("it is larger than 1 MiB")
    try:
        whole = decode_object(data)
    except (*UNREADABLE, ValueError):
        raise _refused("it is not a JSON object") from None
    language = text_of(whole.get("language")) or "vi"
    agent = text_of(whole.get("userAgent")) or text_of(whole.get("user_agent")) or USER_AGENT
    try:
        device = Device(text_of(whole.get("imei")), agent, language)
    except ValueError:
        raise _refused(
            "imei, userAgent or language is missing or has characters that it cannot have"
        ) from None
    given = whole.get("cookie", whole.get("cookies"))
    if isinstance(given, dict):
        given = given.get("cookies")
    if not isinstance(given, list) or len(given) > MAX_COOKIES:
        raise _refused(f"cookie is not a list of at most {MAX_COOKIES}")
    jar = new_jar()
    for each in given:
        cookie = _imported(each)
        if cookie is not None and len(jar) < MAX_KEPT:
            jar.set_cookie(cookie)
    if not any(cookie.name == NEEDED and cookie.value for cookie in jar):
        raise _refused(f"the cookie {NEEDED} is missing")
    return Imported(device, jar)


def new_jar() -> CookieJar:
    """As browsers do it: a cookie without a domain goes to its own host only."""
    only_own_host = DefaultCookiePolicy.DomainStrictNonDomain
    return CookieJar(DefaultCookiePolicy(strict_domain=True, strict_ns_domain=only_own_host))


def accept(jar: CookieJar, url: str, set_cookies: list[str]) -> bool:
    """Take the `Set-Cookie` headers of an answer from `url`; whether the jar has changed.

    One header is one cookie. A cookie of another site, or beyond `MAX_KEPT`, is left out.
    """
    before = stored(jar)
    headers = Message()
    for header in set_cookies[:MAX_COOKIES]:
        if "\r" not in header and "\n" not in header and len(header) <= 4000:
            headers["Set-Cookie"] = header
    jar.extract_cookies(_Answer(headers), urllib.request.Request(url))  # type: ignore[arg-type]  # noqa: S310
    for number, cookie in enumerate(list(jar)):
        if number >= MAX_KEPT or _DOMAIN.fullmatch(cookie.domain) is None:
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
        _Kept(
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
        jar.set_cookie(_cookie(kept))
    return jar


class _Answer:
    """What `CookieJar.extract_cookies` needs of an answer."""

    def __init__(self, headers: Message) -> None:
        self._headers = headers

    def info(self) -> Message:
        return self._headers


def _imported(value: Any) -> Cookie | None:
    """A cookie of an export; None if it is not one that we take."""
    if not isinstance(value, dict):
        return None
    name = text_of(value.get("name")) or text_of(value.get("key"))
    content, path = value.get("value"), value.get("path", "/")
    domain = (text_of(value.get("domain")) or "chat.zalo.me").lower()
    if name not in NAMES or _DOMAIN.fullmatch(domain) is None:
        return None
    if not isinstance(content, str) or _VALUE.fullmatch(content) is None:
        return None
    if not isinstance(path, str) or _PATH.fullmatch(path) is None:
        return None
    host_only = value.get("hostOnly") is True
    bare = domain.removeprefix(".")
    expires = _expiry(value.get("expirationDate"))
    return _cookie(_Kept(name, content, bare if host_only else f".{bare}", host_only, path, True, expires))


def _expiry(value: Any) -> int | None:
    """Unix seconds; None for a cookie of the session, and for a time that cannot be read."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if 0 < value < 253_402_300_800 else None


def _cookie(kept: _Kept) -> Cookie:
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


def _refused(detail: str) -> Rejected:
    return Rejected("invalid_session", f"the exported session cannot be used: {detail}")
