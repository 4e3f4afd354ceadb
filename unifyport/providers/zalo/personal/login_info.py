"""The login of a session: two requests that cookies, `imei` and user agent are good for. Pure.

`getLoginInfo` names the account, the session's key, the addresses of services and sockets; `getServerInfo`
the limits. As in https://github.com/RFS-ADRENO/zca-js 2.2.0 (`src/apis/login.ts`).
"""

from typing import Any

import attrs
import msgspec

from unifyport.model.json_text import UNREADABLE
from unifyport.protocols.zalo_frames import LoginCipher, SessionCipher, ZaloProtocolError, sign
from unifyport.providers.contract.errors import LoggedOut, RateLimited, Rejected, Transient

from . import errors
from .calls import (
    API_TYPE,
    API_VERSION,
    HOSTS,
    MAX_ANSWER,
    SESSION_URL,
    Call,
    Device,
    Session,
    allowed_url,
    data_of,
)
from .shapes import exact, number, text_of

_LONGEST_PING, _SHORTEST_PING = 600.0, 5.0  # seconds


def info_call(device: Device, now_ms: int, zcid_ext: str) -> tuple[Call, LoginCipher]:
    """`zcid_ext`: 6 to 12 random hex digits. The cipher opens the answer."""
    login = LoginCipher.new(API_TYPE, device.imei, now_ms, zcid_ext)
    document = {"computer_name": "Web", "imei": device.imei, "language": device.language, "ts": now_ms}
    signed: dict[str, str | int] = {
        "zcid": login.zcid,
        "zcid_ext": login.zcid_ext,
        "enc_ver": login.enc_ver,
        "params": login.cipher.seal(msgspec.json.encode(document)),
        "type": API_TYPE,
        "client_version": API_VERSION,
    }
    query = {name: str(value) for name, value in signed.items()}
    query |= {"signkey": sign("getlogininfo", signed), "nretry": "0"}
    query |= {"zpw_ver": str(API_VERSION), "zpw_type": str(API_TYPE)}
    return Call("GET", f"{SESSION_URL}/api/login/getLoginInfo", query), login


def read_info(answer: bytes, login: LoginCipher, device: Device, *, hosts: str = HOSTS) -> Session:
    """Raises `LoggedOut` for a session that has ended, `Transient` for anything else."""
    try:
        data = data_of(login.cipher.open(text_of(data_of(answer)), limit=MAX_ANSWER))
        if not isinstance(data, dict):
            raise ValueError("data")
        uid = exact(data.get("uid"))
        if not uid.isdigit():
            raise ValueError("uid")
        cipher = SessionCipher.of(text_of(data.get("zpw_enk")))
        services = _services(data.get("zpw_service_map_v3"), hosts)
        sockets = data.get("zpw_ws")
        sockets = sockets if isinstance(sockets, list) else []
        urls = tuple(url for each in sockets[:16] if (url := allowed_url(each, ("wss",), hosts)))
        if not urls or not services:
            raise ValueError("addresses")
        return Session(uid, cipher, services, urls, device)
    except (LoggedOut, RateLimited):
        raise
    except Rejected as refused:
        raise errors.login_failure(int(refused.code), refused.detail) from None
    except (*UNREADABLE, ZaloProtocolError, ValueError):
        raise Transient("malformed_login_info") from None


def _services(value: Any, hosts: str) -> dict[str, str]:
    """The first usable address of each service."""
    found: dict[str, str] = {}
    if isinstance(value, dict):
        for name, urls in list(value.items())[:256]:
            usable = [allowed_url(url, ("https",), hosts) for url in (urls if isinstance(urls, list) else [])]
            if first := next(filter(None, usable), ""):
                found[name] = first
    return found


@attrs.frozen
class Limits:
    """What `getServerInfo` says; each field has a default for a server that does not say it."""

    ping_seconds: float = 180.0
    chunk_bytes: int = 512 * 1024
    max_file_bytes: int = 1024 * 1024 * 1024
    refused_extensions: frozenset[str] = frozenset()
    keep_alive_seconds: float = 300.0


def limits_call(device: Device) -> Call:
    signed: dict[str, str | int] = {
        "imei": device.imei,
        "type": API_TYPE,
        "client_version": API_VERSION,
        "computer_name": "Web",
    }
    query = {name: str(value) for name, value in signed.items()}
    return Call(
        "GET",
        f"{SESSION_URL}/api/login/getServerInfo",
        query | {"signkey": sign("getserverinfo", signed)},
    )


def read_limits(answer: bytes) -> Limits:
    """Odd fields have their defaults. Raises as `read_info`."""
    try:
        data = data_of(answer)
    except Rejected as refused:
        raise errors.login_failure(int(refused.code), refused.detail) from None
    except (*UNREADABLE, ValueError):
        raise Transient("malformed_server_info") from None
    settings = _object(data, "setttings") or _object(data, "settings")  # the first is how Zalo spells it
    features = _object(settings, "features")
    socket, share = _object(features, "socket"), _object(features, "sharefile")
    default = Limits()
    ping = number(socket.get("ping_interval"))
    chunk, largest = number(share.get("chunk_size_file")), number(share.get("max_size_share_file_v3"))
    alive = number(_object(settings, "keepalive").get("keepalive_duration"))
    extensions = share.get("restricted_ext_file")
    return Limits(
        _within((ping or 0) / 1000 or default.ping_seconds, _SHORTEST_PING, _LONGEST_PING),
        chunk if chunk and 1024 <= chunk <= 64 * 1024 * 1024 else default.chunk_bytes,
        largest * 1024 * 1024 if largest and 0 < largest <= 16 * 1024 else default.max_file_bytes,
        frozenset(each.lower() for each in extensions if isinstance(each, str))
        if isinstance(extensions, list)
        else default.refused_extensions,
        _within(alive or default.keep_alive_seconds, 30, 3600),
    )


def _object(value: Any, name: str) -> dict[str, Any]:
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _within(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)
