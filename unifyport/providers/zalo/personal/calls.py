"""Requests to Zalo's servers, as values: what the connector sends and in which form.

`url` is Zalo's own address, by which cookies are chosen also where a configured address is asked instead.
Form and query are encoded when a call is sent (`transport.py`).
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import msgspec

from unifyport.model.json_text import UNREADABLE, decode_object
from unifyport.protocols.zalo_frames import SessionCipher, ZaloProtocolError
from unifyport.providers.contract.errors import Transient

from . import errors
from .shapes import number, text_of

ID_URL: Final = "https://id.zalo.me"
CHAT_URL: Final = "https://chat.zalo.me"
USER_URL: Final = "https://jr.chat.zalo.me"
SESSION_URL: Final = "https://wpa.chat.zalo.me"
API_TYPE: Final = 30
API_VERSION: Final = 671
HOSTS: Final = "zalo.me zdn.vn zadn.vn"  # suffixes of hosts that the login info may name
MAX_ANSWER: Final = 16 * 1024 * 1024  # bytes
USER_AGENT: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"

IMEI = re.compile(r"[0-9A-Za-z_-]{8,128}")
_AGENT = re.compile(r"[ -~]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Za-z]{2})?")


@attrs.frozen
class Device:
    """What a session is bound to: with another user agent or `imei` Zalo refuses its cookies."""

    imei: str
    user_agent: str
    language: str = "vi"

    def __attrs_post_init__(self) -> None:
        if not (
            IMEI.fullmatch(self.imei)
            and _AGENT.fullmatch(self.user_agent)
            and _LANGUAGE.fullmatch(self.language)
        ):
            raise ValueError("device")


@attrs.frozen
class Call:
    method: str
    url: str
    query: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    form: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    referer: str = f"{CHAT_URL}/"


@attrs.frozen
class Session:
    """What the login info says. `services`: name -> base URL."""

    uid: str
    cipher: SessionCipher = attrs.field(repr=False)
    services: Mapping[str, str]
    websockets: tuple[str, ...]
    device: Device

    def call(
        self, service: str, path: str, parameters: Mapping[str, Any], *, method: str = "POST", **query: str
    ) -> Call:
        """A request with encrypted parameters: in the form, of a GET in the query, where `query` is, too.

        Raises `Transient` if Zalo did not name the service.
        """
        call = self.upload(service, path, parameters, **query)
        if method == "GET":
            return attrs.evolve(call, method="GET")
        beside = {name: value for name, value in call.query.items() if name != "params"}
        return attrs.evolve(call, query=beside, form={"params": call.query["params"]})

    def upload(self, service: str, path: str, parameters: Mapping[str, Any], **query: str) -> Call:
        """A POST whose parameters are in the query, as the body is a file."""
        base = self.services.get(service)
        if base is None:
            raise Transient("service_missing", cause=service)
        common = {"zpw_ver": str(API_VERSION), "zpw_type": str(API_TYPE)}
        sealed = self.cipher.seal(msgspec.json.encode(dict(parameters)))
        return Call("POST", base + path, {**query, **common, "params": sealed})


def allowed_url(url: object, schemes: tuple[str, ...], hosts: str = HOSTS) -> str:
    """A URL of the login info without its end slash, or "" if it leads elsewhere than to Zalo."""
    text = text_of(url)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in schemes or port not in (None, 443) or parts.username is not None:
        return ""
    known = any(host == suffix or host.endswith(f".{suffix}") for suffix in hosts.split())
    plain = re.fullmatch(r"[!-~]{1,512}", text) is not None and not parts.fragment
    return text.rstrip("/") if known and plain else ""


def read_answer(body: bytes, cipher: SessionCipher | None) -> Any:
    """`data` of an answer; with `cipher`, of the document that is sealed in it.

    Raises the failure class of its error code, and `Transient("malformed_answer", maybe_applied=True)`.
    """
    try:
        data = data_of(body)
        return data if cipher is None else data_of(cipher.open(text_of(data), limit=MAX_ANSWER))
    except (*UNREADABLE, ZaloProtocolError, ValueError):
        raise Transient("malformed_answer", maybe_applied=True) from None


def data_of(body: bytes) -> Any:
    """Raises the failure class of the error code; `UNREADABLE` or `ValueError` for what is no answer."""
    answer = decode_object(body)
    code = number(answer.get("error_code"))
    if code is None:
        raise ValueError("error_code")
    if code:
        raise errors.failure(code, text_of(answer.get("error_message")))
    return answer.get("data")
