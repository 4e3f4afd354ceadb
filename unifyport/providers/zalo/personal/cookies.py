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
from http.cookiejar import Cookie, CookieJar
from typing import Any, Final

import attrs

from unifyport.model.json_text import UNREADABLE, decode_object
from unifyport.providers import cookies as jars
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.cookies import (
    MAX_COOKIES,
    MAX_KEPT,
    VALUE,
    Kept,
    cookie_of,
    header,
    new_jar,
    restored,
    stored,
)

from .calls import USER_AGENT, Device
from .shapes import text_of

__all__ = ["MAX_KEPT", "Imported", "accept", "header", "new_jar", "read_export", "restored", "stored"]

MAX_EXPORT: Final = 1024 * 1024  # bytes
NAMES: Final = frozenset(
    {"zpsid", "zpw_sek", "zpw_sekm", "zlogin_session", "zoaw_sek", "zoaw_type"}
    | {"__zi", "__zi-legacy", "ozi", "_zlang", "app.event.zalo.me"}
)
NEEDED: Final = "zpw_sek"
_DOMAIN = re.compile(r"\.?(?:[a-z0-9-]{1,63}\.){0,4}zalo\.me")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")  # RFC 6265: a token
_PATH = re.compile(r"/[!-:<-~]{0,255}")


@attrs.frozen
class Imported:
    device: Device
    jar: CookieJar = attrs.field(repr=False)


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


def accept(jar: CookieJar, url: str, set_cookies: list[str]) -> bool:
    """As `providers.cookies.accept`, of Zalo's domains."""
    return jars.accept(jar, url, set_cookies, domains=_DOMAIN)


def _imported(value: Any) -> Cookie | None:
    """A cookie of an export; None if it is not one that we take."""
    if not isinstance(value, dict):
        return None
    name = text_of(value.get("name")) or text_of(value.get("key"))
    content, path = value.get("value"), value.get("path", "/")
    domain = (text_of(value.get("domain")) or "chat.zalo.me").lower()
    if name not in NAMES or _DOMAIN.fullmatch(domain) is None:
        return None
    if not isinstance(content, str) or VALUE.fullmatch(content) is None:
        return None
    if not isinstance(path, str) or _PATH.fullmatch(path) is None:
        return None
    host_only = value.get("hostOnly") is True
    bare = domain.removeprefix(".")
    expires = _expiry(value.get("expirationDate"))
    return cookie_of(Kept(name, content, bare if host_only else f".{bare}", host_only, path, True, expires))


def _expiry(value: Any) -> int | None:
    """Unix seconds; None for a cookie of the session, and for a time that cannot be read."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if 0 < value < 253_402_300_800 else None


def _refused(detail: str) -> Rejected:
    return Rejected("invalid_session", f"the exported session cannot be used: {detail}")
