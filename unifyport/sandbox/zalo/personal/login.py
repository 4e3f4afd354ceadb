"""The pages of a login on id., chat. and jr.chat.zalo.me, and the two requests of wpa.chat.zalo.me."""

import base64
import time
from email.utils import formatdate
from typing import Any

import attrs
import msgspec
from quart import Response, request

from unifyport.protocols.zalo_frames import LoginCipher, ZaloProtocolError
from unifyport.protocols.zalo_frames.signatures import is_signed

from ...http import as_json
from .qr import PAGE, VERSION, QrCodes
from .world import Refused, Session, World, invalid

YEAR = 365 * 86_400
SERVICES = (
    "other_contact chat_e2e workspace catalog boards downloadStickerUrl sp_contact zcloud_up_file"
    " media_store_send2me push_act aext zfamily group_poll group_cloud_message media_store file auto_reply"
    " sync_action friendLan friend alias zimsg group_board conversation group fallback_LP friend_board"
    " up_file zavi reaction voice_call profile sticker label consent zcloud chat todoUrl recent_search"
    " group_e2e quick_message"
).split()
SOCKETS = ("wss://ws1-msg.chat.zalo.me", "wss://ws2-msg.chat.zalo.me")
NOT_A_SESSION, SESSION_ENDED = 600, 102


def service_host(service: str) -> str:
    return f"tt-{service.lower().replace('_', '-')}-wpa.chat.zalo.me"


SERVICE_OF = {service_host(service): service for service in SERVICES}


@attrs.define
class ServerInfo:
    """What `getServerInfo` says. `chunk_bytes`: the size of a chunk of an upload."""

    ping_ms: int = 60_000
    chunk_bytes: int = 512 * 1024
    max_file_megabytes: int = 1024
    restricted: tuple[str, ...] = ("exe", "bat")
    retries: dict[str, Any] = attrs.field(factory=lambda: {"1006": {"max": 2, "times": [1000, 2000]}})

    def described(self) -> dict[str, Any]:
        share = {
            "chunk_size_file": self.chunk_bytes,
            "max_file": 50,
            "max_size_share_file_v2": 1024,
            "max_size_share_file_v3": self.max_file_megabytes,
            "restricted_ext_file": list(self.restricted),
        }
        socket = {
            "ping_interval": self.ping_ms,
            "retries": self.retries,
            "close_and_retry_codes": [int(code) for code in self.retries],
            "rotate_error_codes": [1006],
        }
        features = {"sharefile": share, "socket": socket}
        keepalive = {"alway_keepalive": 1, "keepalive_duration": 300, "time_deactive": 1}
        return {
            "setttings": {"features": features, "keepalive": keepalive},
            "extra_ver": {"phonebook": 0, "conv_label": "0", "friend": "0", "ver_sticker_giphy_suggest": 0},
        }


def cookie_values(header: str, name: str) -> list[str]:
    """All values of a cookie in a `Cookie` header, in order."""
    pairs = [each.strip().partition("=") for each in header.split(";")]
    return [value for found, _, value in pairs if found == name]


class Login:
    """Answers to the requests of a login. `passing`: cookies that are good for `checksession` alone."""

    def __init__(self, world: World, qr_codes: QrCodes) -> None:
        self.server_info = ServerInfo()
        self._world = world
        self._qr_codes = qr_codes
        self._passing: dict[str, Session] = {}

    # -- the QR code -----------------------------------------------------------------------------------------

    async def page(self) -> Response:
        return Response(PAGE, 200, content_type="text/html")

    async def prepare(self) -> Response:
        if (await self._form()).get("v") != VERSION:
            raise Refused(-1, "the form is not complete", outer=True)
        return _plain({})

    async def generate(self) -> Response:
        if (await self._form()).get("v") != VERSION:
            raise Refused(-1, "the form is not complete", outer=True)
        return _plain(self._qr_codes.make())

    async def waiting_scan(self) -> Response:
        return _plain(await self._qr_codes.wait_for_scan(await self._form()))

    async def waiting_confirm(self) -> Response:
        user = await self._qr_codes.wait_for_answer(await self._form())
        session = self._world.add_session(user)
        passing = f"p{session.cookie}"
        self._passing[passing] = session
        answer = _plain(None)
        _set_cookie(answer, "zpsid", f"z{user.id}", "zalo.me")
        _set_cookie(answer, "zpw_sek", passing, "zalo.me")
        return answer

    async def check_session(self) -> Response:
        """Redirects to chat.zalo.me, with or without a session."""
        passing = self._passing_session()
        if passing is not None:
            passing.user_agent = request.headers.get("user-agent", "")
        return Response(b"", 302, {"location": "https://chat.zalo.me/index.html"})

    async def chat_page(self) -> Response:
        """Sets the session's cookie and removes the other in the same answer."""
        answer = Response("<!doctype html><title>Zalo</title>", 200, content_type="text/html")
        session = self._passing_session()
        if session is not None and session.user_agent:
            self._passing = {name: each for name, each in self._passing.items() if each is not session}
            _set_cookie(answer, "zpw_sek", session.cookie, "chat.zalo.me")
            _set_cookie(answer, "zpw_sek", "", "zalo.me", expires=0)
            _set_cookie(answer, "_zlang", "vi", "zalo.me")
        return answer

    async def user_info(self) -> Response:
        try:
            user = self.session().user
        except Refused:
            return _plain({"logged": False, "session_chat_valid": False, "info": None})
        info = {"name": user.name, "avatar": user.picture}
        return _plain({"logged": True, "session_chat_valid": True, "info": info})

    def _passing_session(self) -> Session | None:
        values = cookie_values(request.headers.get("cookie", ""), "zpw_sek")
        return self._passing.get(values[0]) if len(values) == 1 else None

    async def _form(self) -> dict[str, str]:
        return dict((await request.form).items())

    # -- the session -----------------------------------------------------------------------------------------

    def session(self, headers: dict[str, str] | None = None) -> Session:
        """The session of a request. Raises `Refused`.

        It has one `zpw_sek`, the user agent of its login, and has not ended.
        """
        values = headers or {name.lower(): value for name, value in request.headers.items()}
        cookies = cookie_values(values.get("cookie", ""), "zpw_sek")
        found = self._world.sessions.get(cookies[0]) if len(cookies) == 1 else None
        if found is None or found.ended or values.get("user-agent", "") != found.user_agent:
            raise Refused(NOT_A_SESSION, "zpw_sek is missing or wrong", outer=True)
        return found

    async def login_info(self) -> Response:
        try:
            session = self.session()
        except Refused as refused:
            raise Refused(SESSION_ENDED, refused.message, outer=True) from None
        query = dict(request.args.items())
        signed = ("zcid", "zcid_ext", "enc_ver", "params", "type", "client_version")
        if any(name not in query for name in signed):
            raise invalid("query")
        if not is_signed("getlogininfo", {name: query[name] for name in signed}, query.get("signkey", "")):
            raise invalid("signkey")
        try:
            login = LoginCipher.received(query["zcid"], query["zcid_ext"])
            told = msgspec.json.decode(login.cipher.open(query["params"]))
            type_, imei, _ = login.device().split(",")
        except (ZaloProtocolError, msgspec.DecodeError, ValueError):
            raise invalid("params") from None
        if type_ != query["type"] or told.get("imei") != imei or not imei:
            raise invalid("imei")
        if session.imei not in ("", imei):
            raise Refused(NOT_A_SESSION, "imei is wrong", outer=True)
        session.imei = imei
        session.logins += 1
        document = {"error_code": 0, "error_message": "", "data": _login_info(session)}
        return _plain(login.cipher.seal(msgspec.json.encode(document)))

    async def get_server_info(self) -> Response:
        session = self.session()
        query = dict(request.args.items())
        signed = ("imei", "type", "client_version", "computer_name")
        if any(name not in query for name in signed) or query["imei"] != session.imei:
            raise invalid("query")
        if not is_signed("getserverinfo", {name: query[name] for name in signed}, query.get("signkey", "")):
            raise invalid("signkey")
        return _plain(self.server_info.described())


def _login_info(session: Session) -> dict[str, Any]:
    return {
        "uid": session.user.id,
        "zpw_enk": base64.b64encode(session.secret).decode(),
        "zpw_ws": list(SOCKETS),
        "zpw_service_map_v3": {service: [f"https://{service_host(service)}"] for service in SERVICES},
        "send2me_id": session.user.id,
        "language": "vi",
        "haspcclient": 0,
        "public_ip": "127.0.0.1",
    }


def _plain(data: Any) -> Response:
    return as_json({"error_code": 0, "error_message": "Successful.", "data": data})


def _set_cookie(
    answer: Response, name: str, value: str, domain: str, *, expires: float | None = None
) -> None:
    """As Zalo writes it, with a comma in `Expires`."""
    until = formatdate(time.time() + YEAR if expires is None else expires, usegmt=True)
    answer.headers.add(
        "set-cookie", f"{name}={value}; Domain={domain}; Path=/; Expires={until}; Secure; HttpOnly"
    )


def renewal(session: Session) -> str:
    """The `Set-Cookie` header that renews a session's cookie."""
    answer = Response(b"")
    _set_cookie(answer, "zpw_sek", session.cookie, "chat.zalo.me")
    return answer.headers["set-cookie"]
