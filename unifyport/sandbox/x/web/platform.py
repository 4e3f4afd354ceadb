"""The web application of X, played on loopback: GraphQL, the chat socket, encrypted files, realms.

Users are all decimal ids, but those that begin with 404; users whose id begins with 403 take no messages.
Sessions exist once the control port, or a test, has opened them.
"""

import inspect
import math
import time
from collections.abc import Callable
from typing import Any

import msgspec
import trio
from quart import Response, request

from unifyport.protocols.xchat import MessageEvent, encode_event

from ...http import HttpPlatform, as_json, http
from ...sockets import websocket
from ..chat.customers import ChatCustomers
from ..chat.shapes import ChatRefusal
from ..chat.state import ChatState
from ..state import Directory
from .chat_socket import ChatSocket
from .classic import Classic
from .classic_state import Mail
from .mutations import MUTATIONS, Mutations
from .orders import Orders
from .queries import QUERIES, Queries
from .sessions import Sessions, WebRefusal, WebSession, renewed

MAX_PART = 512 * 1024  # bytes of a part of a file
NOT_FOUND = 34  # the code of what does not exist
ORIGIN = "https://x.com"
Handler = Callable[..., Any]


class XWebPlatform(HttpPlatform):
    """Routes, and the orders of the control port. `retired`: GraphQL names whose query ids are not known;
    `refused`: those that are answered with a code.
    """

    name = "x-session"

    def __init__(self) -> None:
        super().__init__()
        self.directory = Directory()
        self.sessions = Sessions()
        self.chat = ChatState(self.directory.exists)
        self.people = ChatCustomers(self.chat)
        self.queries = Queries(self.chat, self.directory)
        self.mutations = Mutations(self.chat)
        self.socket = ChatSocket(self.mutations.user_of, self._read)
        self.chat.followers.append(self.socket.tell)
        self.retired: set[str] = set()
        self.refused: dict[str, int] = {}
        self.mail = Mail()
        self.classic = Classic(self.mail)
        self.orders = Orders(self)
        self.protocols = [
            http(self.app, "web", ("web_url", "web_api_url", "upload_url")),
            websocket(self, "chat", ("chat_socket_url",), self.socket.attend, origin=ORIGIN),
        ]
        self.app.add_url_rule("/graphql/<query>/<name>", "graphql", self._graphql, methods=["GET", "POST"])
        self.app.add_url_rule("/realm/<realm>/req", "realm", self._realm, methods=["POST"])
        media = "/i/ton/data/xchat_media/<conversation>/<media_hash>"
        self.route(media, "POST", "upload", self._upload)
        self.route(media, "GET", "download", self._download, file=True)
        self.classic.add_routes(self)

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        self.chat.realms.url = self.mail.base_url = addresses["web"]
        return {**super().endpoints(addresses), "chat_socket_url": f"{addresses['chat']}/ws"}

    def rate_limited(self, seconds: int) -> Response:
        answer = WebRefusal(429, 88, "Rate limit exceeded.").response()
        answer.headers["x-rate-limit-reset"] = str(math.ceil(time.time()) + seconds)
        return answer

    def failed(self) -> Response:
        return WebRefusal(500, 131, "Internal error").response()

    # -- calls -----------------------------------------------------------------------------------------------

    def route(self, rule: str, method: str, name: str, handler: Handler, *, file: bool = False) -> None:
        """A call of a session; the handler gets its user first, and returns JSON or a `Response`. `file`: as
        in `Sessions.session`.
        """

        async def view(**parts: str) -> Response:
            return await self._answer(name, lambda session: handler(session.user, **parts), file=file)

        self.app.add_url_rule(rule, f"{method} {rule}", view, methods=[method])

    async def _answer(
        self, name: str, handler: Callable[[WebSession], Any], *, file: bool = False
    ) -> Response:
        async def handle() -> Response:
            await trio.lowlevel.checkpoint()
            try:
                session = self.sessions.session(file=file)
                if self.faults.next(name, "logout") is not None:
                    self.sessions.close(session.user)
                    session = self.sessions.session(file=file)
                result = handler(session)
                found = await result if inspect.isawaitable(result) else result
            except WebRefusal as refusal:
                return refusal.response()
            return renewed(session, found if isinstance(found, Response) else as_json(found))

        return await self.answer(request.cookies.get("auth_token", "")[:8], name, handle)

    async def _graphql(self, query: str, name: str) -> Response:
        if name in self.retired or name not in {**QUERIES, **MUTATIONS}:
            return await self.answer("", name, lambda: _not_found())
        return await self._answer(name, lambda session: self._carry_out(session, query, name))

    async def _carry_out(self, session: WebSession, query: str, name: str) -> Any:
        """`data`, or `errors` with status 200."""
        if (code := self.refused.get(name)) is not None:
            return {"errors": [{"message": "Refused", "code": code}]}
        try:
            if name in QUERIES and request.method == "GET":
                variables = msgspec.json.decode(request.args.get("variables", "{}"), type=dict[str, Any])
                return {"data": QUERIES[name](self.queries, session.user, variables)}
            body = msgspec.json.decode(await request.get_data(), type=dict[str, Any])
            if body["extensions"]["persistedQuery"]["sha256Hash"] != query or request.method != "POST":
                raise ChatRefusal("invalid", "PersistedQueryNotFound")
            variables = body["variables"]
            if isinstance(variables, str):
                variables = msgspec.json.decode(variables, type=dict[str, Any])
            return {"data": MUTATIONS[name](self.mutations, session.user, variables)}
        except ChatRefusal as refusal:
            error: dict[str, Any] = {"message": f"{refusal.kind}: {refusal}"}
            if refusal.kind == "not_found":
                error["code"] = NOT_FOUND
            return {"data": {}, "errors": [error]}
        except (KeyError, TypeError, ValueError, msgspec.DecodeError) as error:
            return {"errors": [{"message": f"BadRequest: {type(error).__name__}", "code": 214}]}

    # -- files and realms ------------------------------------------------------------------------------------

    async def _upload(self, user: str, conversation: str, media_hash: str) -> Any:
        upload = self.mutations.uploads.get(request.args.get("resumeId", ""))
        number = request.args.get("partNumber", "")
        if upload is None or upload.user != user or not number.isdigit():
            raise WebRefusal(404, 34, "Sorry, that page does not exist.")
        part = await _body()
        if len(part) > MAX_PART:
            raise WebRefusal(413, 0, "The part is too large.")
        upload.parts[int(number)] = part
        return Response(b"", 200)

    def _download(self, user: str, conversation: str, media_hash: str) -> Any:
        try:
            place = self.chat.conversation(user, conversation)
        except ChatRefusal:
            raise WebRefusal(403, 220, "Your credentials do not allow access to this resource.") from None
        content = self.chat.files.get(media_hash)
        if content is None or not place.events:
            raise WebRefusal(404, 34, "Sorry, that page does not exist.")
        return Response(content, 200, content_type="application/octet-stream")

    async def _realm(self, realm: str) -> Response:
        body = await _body()
        if self.chat.realms.silent:
            await trio.sleep_forever()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        status, answer = self.chat.realms.answer(realm, token, body)
        return Response(answer, status, content_type="application/cbor")

    def _read(self, user: str, event: MessageEvent) -> None:
        """A client has sent an event by the socket: a mark, which is the only one that it may send so."""
        detail = event.detail
        if detail is None or detail.read is None or event.sender_id != user:
            return
        sequence = int(detail.read.seen_until_sequence_id or 0)
        self.chat.mark_read(user, event.conversation_id or "", sequence, encode_event(event))

    # -- the control port ------------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A person writes: `Orders.receive`. Raises `ValueError`."""
        return self.orders.receive(order)

    def receipt(self, order: dict[str, Any]) -> None:
        """Raises `ValueError`."""
        self.orders.receipt(order)

    async def push(self, order: dict[str, Any]) -> dict[str, Any]:
        """What people and the platform do, by the name in `do`. Raises `ValueError`."""
        return await self.orders.push(order)

    def sent(self) -> list[dict[str, Any]]:
        """Encrypted messages, and those of the older kind, which have `text`."""
        return [*self.mutations.sent, *self.mail.sent]


async def _body() -> bytes:
    data = await request.get_data()
    return data.encode() if isinstance(data, str) else data


async def _not_found() -> Response:
    await trio.lowlevel.checkpoint()
    return Response(b"", 404)
