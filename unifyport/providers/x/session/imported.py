"""What a person exports from a browser that is logged in to x.com.

Three spellings: the line of a `Cookie` header (`auth_token=…; ct0=…; twid=u%3D…`), a JSON object of names and
values (with or without a member `cookies` around it), or a JSON list of `{"name", "value", …}` as extensions
of browsers write it. It is hostile input: only cookies of `NAMES` are taken, all for X's own domain whatever
domain they name, at most `MAX_COOKIES` are looked at, and no error quotes it.
"""

import re
from collections.abc import Iterable
from http.cookiejar import CookieJar
from typing import Any, Final
from urllib.parse import unquote

import attrs
import msgspec

from unifyport.model.json_text import UNREADABLE, decode_text
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.cookies import MAX_COOKIES, VALUE, Kept, cookie_of, new_jar

MAX_EXPORT: Final = 1024 * 1024  # bytes
NEEDED: Final = ("auth_token", "ct0", "twid")
NAMES: Final = frozenset(NEEDED) | {
    "guest_id",
    "guest_id_ads",
    "guest_id_marketing",
    "personalization_id",
    "kdt",
    "att",
    "gt",
    "lang",
    "auth_multi",
    "__cf_bm",
    "cf_clearance",
}
DOMAIN: Final = ".x.com"
_ANY: Final = msgspec.json.Decoder(Any)
_TWID = re.compile(r"u=([0-9]{1,19})")
_TOKEN = re.compile(r"[0-9A-Za-z_-]{8,512}")


@attrs.frozen
class Imported:
    """`user_id`: as the cookies say; it is proved by a call."""

    user_id: str
    jar: CookieJar = attrs.field(repr=False)


def read_export(data: bytes) -> Imported:
    """Raises `Rejected("invalid_session")` with a detail that quotes nothing."""
    if len(data) > MAX_EXPORT:
        raise _refused("it is larger than 1 MiB")
    found: dict[str, str] = {}
    for name, value in _pairs(data):
        if name in NAMES and isinstance(value, str) and VALUE.fullmatch(value):
            found.setdefault(name, value)
    for name in NEEDED:
        if not found.get(name):
            raise _refused(f"the cookie {name} is missing")
    if not (_TOKEN.fullmatch(found["auth_token"]) and _TOKEN.fullmatch(found["ct0"])):
        raise _refused("auth_token or ct0 has characters that it cannot have")
    jar = new_jar()
    for name, value in found.items():
        jar.set_cookie(cookie_of(Kept(name, value, DOMAIN, False, "/", True, None)))
    return Imported(user_of(found["twid"]), jar)


def share(jar: CookieJar) -> None:
    """Cookies that name the session are for all hosts of X, whichever of them has set one, and have no end:
    X gives `ct0` 6 hours, and takes it for longer.
    """
    for cookie in list(jar):
        if cookie.name in NEEDED and cookie.value and (cookie.domain != DOMAIN or cookie.expires is not None):
            jar.clear(cookie.domain, cookie.path, cookie.name)
            jar.set_cookie(cookie_of(Kept(cookie.name, cookie.value, DOMAIN, False, "/", True, None)))


def user_of(twid: str) -> str:
    """The id of the user that the cookie `twid` names. Raises `Rejected("invalid_session")`."""
    named = _TWID.fullmatch(unquote(twid).strip('"'))
    if named is None:
        raise _refused("the cookie twid names no user")
    return named[1]


def _pairs(data: bytes) -> Iterable[tuple[Any, Any]]:
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise _refused("it is not UTF-8") from None
    if not text.startswith(("{", "[", '"')):
        return _line(text)
    try:
        whole = decode_text(text.encode(), _ANY)
    except UNREADABLE:
        raise _refused("it is not JSON") from None
    if isinstance(whole, dict) and isinstance(whole.get("cookies"), dict | list | str):
        whole = whole["cookies"]
    if isinstance(whole, str):
        return _line(whole)
    if isinstance(whole, list):
        if len(whole) > MAX_COOKIES:
            raise _refused(f"it has more than {MAX_COOKIES} cookies")
        return [(each.get("name"), each.get("value")) for each in whole if isinstance(each, dict)]
    if not isinstance(whole, dict) or len(whole) > MAX_COOKIES:
        raise _refused(f"it is not an object of at most {MAX_COOKIES} cookies")
    return whole.items()


def _line(text: str) -> list[tuple[str, str]]:
    if "\r" in text or "\n" in text:
        raise _refused("a Cookie header is one line")
    if text[:7].lower() == "cookie:":
        text = text[7:]
    parts = text.split(";")
    if len(parts) > MAX_COOKIES:
        raise _refused(f"it has more than {MAX_COOKIES} cookies")
    split = [part.strip().partition("=") for part in parts]
    return [(name.strip(), value.strip().strip('"')) for name, _, value in split]


def _refused(detail: str) -> Rejected:
    return Rejected("invalid_session", f"the exported session cannot be used: {detail}")
