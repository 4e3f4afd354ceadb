"""Zalo's web client's server, played on loopback, and the control port.

Every host of Zalo is a directory: `https://id.zalo.me/account` is asked for as `/id.zalo.me/account`.
Facts: https://github.com/RFS-ADRENO/zca-js 2.2.0, whose requests work here unchanged.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio
from quart import Response, request

from unifyport.protocols.zalo_frames import Command, Frame

from ...http import HttpPlatform, as_json, http
from ...sockets import WebSocket, websocket
from . import groups, messages, people, receipts, uploads
from .calls import Asked, Handler, Rule, document, opened, sealed
from .groups import Groups
from .listener import Listener, Manner
from .login import SERVICE_OF, Login, renewal
from .mail import Mail
from .orders import Orders
from .people import People
from .qr import QrCodes
from .uploads import Uploads
from .users import Users
from .world import Refused, Session, World

FORMER_SECONDS = 5.0  # for requests that are under way when a cookie is renewed
ORIGIN = "https://chat.zalo.me"  # of every client
_OLD = {Command.OLD_USER_MESSAGES: False, Command.OLD_GROUP_MESSAGES: True}
_OLD_REACTIONS = {Command.OLD_USER_REACTIONS: False, Command.OLD_GROUP_REACTIONS: True}


class ZaloPersonalPlatform(HttpPlatform):
    """Users exist once the control port, or a test, has added them."""

    name = "zalo-personal"

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.qr_codes = QrCodes()
        self.login = Login(self.world, self.qr_codes)
        self.mail = Mail(self.world, self.faults)
        self.groups = Groups(self.world)
        self.people = People(self.world)
        self.uploads = Uploads(self.world, self.later)
        self.manner = Manner()
        self.users = Users(self.world, self.mail, self.uploads)
        self.orders = Orders(self)
        self.addresses: dict[str, str] = {}  # what `endpoints` gave out
        self.protocols = [
            http(self.app, "web", ("personal_url",)),
            websocket(self, "socket", ("personal_socket_url",), self._attend, origin=ORIGIN),
        ]
        self._send_later, self._due = trio.open_memory_channel[tuple[float, Callable[[], object]]](1000)
        self._calls: dict[Rule, tuple[Any, Handler]] = {}
        tables: list[tuple[Any, dict[Rule, Any]]] = [
            (self.mail, messages.CALLS),
            (self.mail, receipts.CALLS),
            (self.groups, groups.CALLS),
            (self.people, people.CALLS),
            (self.uploads, uploads.CALLS),
        ]
        for owner, calls in tables:
            self._calls |= {rule: (owner, handler) for rule, handler in calls.items()}
        add = self.app.add_url_rule
        add("/files/<path:name>", "file", self._file, methods=["GET"])
        add("/<host>/", "root", self._call, methods=["GET"], defaults={"path": ""})
        add("/<host>/<path:path>", "call", self._call, methods=["GET", "POST"])

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        self.uploads.base_url = addresses["web"]
        self.addresses = {**super().endpoints(addresses), "media_hosts": "127.0.0.1"}
        return self.addresses

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Call `act` after so many seconds, while the platform runs."""
        self._send_later.send_nowait((seconds, act))

    async def run(self) -> None:
        async def wait(seconds: float, act: Callable[[], object]) -> None:
            await trio.sleep(seconds)
            act()

        async with trio.open_nursery() as nursery:
            async for seconds, act in self._due:
                nursery.start_soon(wait, seconds, act)

    def rate_limited(self, seconds: int) -> Response:
        return _refusal(Refused(221, "You are doing this too often", outer=True))

    def failed(self) -> Response:
        return as_json({"error_code": -1, "error_message": "internal error"}, 500)

    # -- HTTP ------------------------------------------------------------------------------------------------

    async def _call(self, host: str, path: str) -> Response:
        page = _PAGES.get((request.method, host, path))
        if page is not None:
            return await self.answer("", path, lambda: self._page(page))
        return await self.answer("", path, lambda: self._api(host, f"/{path}"))

    async def _page(self, page: "Callable[[Login], Awaitable[Response]]") -> Response:
        await trio.lowlevel.checkpoint()
        try:
            return await page(self.login)
        except Refused as refused:
            return _refusal(refused)

    async def _api(self, host: str, path: str) -> Response:
        form, files = await request.form, await request.files
        query = dict(request.args.items())
        service = SERVICE_OF.get(host, "")
        upload = "UPLOAD" if "params" in query else "POST"
        rule = Rule("GET" if request.method == "GET" else upload, service, path)  # type: ignore[arg-type]
        if (service, path) != ("chat", "/keepalive") and rule not in self._calls:
            return Response(b"", 404)
        try:
            session = self.login.session()
            if self.faults.next(path.lstrip("/"), "logout") is not None:
                session.ended = True
                session = self.login.session()
        except Refused as refused:
            return _refusal(refused)
        try:
            given = form.get("params") if rule.method == "POST" else query.get("params")
            bare = rule.method == "GET" and given is None
            fields = {} if bare else opened(session, query, given)
            if path == "/keepalive":
                return self._renewing(session, as_json({"error_code": 0, "error_message": "", "data": {}}))
            owner, handler = self._calls[rule]
            file = next(iter(files.values()), None)
            content = None if file is None else file.stream.read()
            data = sealed(session, handler(owner, Asked(session, fields, query, content)))
        except Refused as refused:
            if refused.outer:
                return _refusal(refused)
            data = document(session, refused.code, refused.message, None)
        except (KeyError, TypeError, ValueError, AttributeError, msgspec.DecodeError):
            data = document(session, 114, "Invalid parameter", None)
        answer = as_json({"error_code": 0, "error_message": "Successful.", "data": data})
        return self._renewing(session, answer)

    def _renewing(self, session: Session, answer: Response) -> Response:
        """An answer that also sets the session's new cookie, if it has one; the former one ends then."""
        if session.former:
            former, session.former = session.former, ""
            self.later(FORMER_SECONDS, lambda: self.world.sessions.pop(former, None))
            answer.headers.add("set-cookie", renewal(session))
        return answer

    async def _file(self, name: str) -> Response:
        await trio.lowlevel.checkpoint()
        if any(header in request.headers for header in ("Authorization", "Cookie")):
            return Response(b"", 400)
        content, mime_type = self.uploads.files.get(name, (None, ""))
        return Response(b"", 404) if content is None else Response(content, 200, content_type=mime_type)

    # -- the socket ------------------------------------------------------------------------------------------

    async def _attend(self, connection: WebSocket) -> None:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in connection.headers
        }
        if headers.get("origin") != ORIGIN:
            await connection.websocket.aclose(1008, "origin")
            return
        try:
            session = self.login.session(headers)
        except Refused as refused:
            await connection.websocket.aclose(1008, refused.message)
            return
        if self.faults.next("socket", "conflict") is not None:
            await connection.websocket.aclose(3003, "another connection was opened")
            return
        listener = Listener(connection, self.manner)
        for other in session.user.sessions:
            if other.socket is not None:
                other.socket.answer(Command.OTHER_CONNECTION, 0, {})
                other.socket.close(3000)
        session.socket = listener
        try:
            await listener.run(lambda frame: self._frame(session, listener, frame))
        finally:
            if session.socket is listener:
                session.socket = None

    def _frame(self, session: Session, listener: Listener, frame: Frame) -> None:
        """Answer a question for what the client has missed. Others are dropped."""
        try:
            asked = msgspec.json.decode(frame.body)
            last = asked["lastId"]
            asked["req_id"], asked["preIds"]
            last = None if last is None else str(int(last))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            listener.close(1003, "frame")
            return
        command = frame.command
        if command in _OLD:
            data = self.mail.old_messages(session.user, last, in_group=_OLD[Command(command)])
            listener.answer(command, 1, data)
        elif command in _OLD_REACTIONS:
            data = self.mail.old_reactions(session.user, last, in_group=_OLD_REACTIONS[Command(command)])
            listener.answer(command, 1, data)

    # -- the control port ------------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A user writes on the phone: `Users.receive`. Raises `ValueError`."""
        return self.users.receive(order)

    def receipt(self, order: dict[str, Any]) -> None:
        """Raises `ValueError`."""
        self.users.receipt(order)

    def push(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """What users and the platform do, by the name in `do`. Raises `ValueError`."""
        return self.orders.obey(order)

    def sent(self) -> list[dict[str, Any]]:
        """What web clients sent, oldest first."""
        return self.users.sent()


_PAGES: dict[tuple[str, str, str], Callable[[Login], Awaitable[Response]]] = {
    ("GET", "id.zalo.me", "account"): Login.page,
    ("POST", "id.zalo.me", "account/logininfo"): Login.prepare,
    ("POST", "id.zalo.me", "account/verify-client"): Login.prepare,
    ("POST", "id.zalo.me", "account/authen/qr/generate"): Login.generate,
    ("POST", "id.zalo.me", "account/authen/qr/waiting-scan"): Login.waiting_scan,
    ("POST", "id.zalo.me", "account/authen/qr/waiting-confirm"): Login.waiting_confirm,
    ("GET", "id.zalo.me", "account/checksession"): Login.check_session,
    ("GET", "chat.zalo.me", ""): Login.chat_page,
    ("GET", "chat.zalo.me", "index.html"): Login.chat_page,
    ("GET", "jr.chat.zalo.me", "jr/userinfo"): Login.user_info,
    ("GET", "wpa.chat.zalo.me", "api/login/getLoginInfo"): Login.login_info,
    ("GET", "wpa.chat.zalo.me", "api/login/getServerInfo"): Login.get_server_info,
}


def _refusal(refused: Refused) -> Response:
    return as_json({"error_code": refused.code, "error_message": refused.message, "data": None})
