"""The platform: users by token, messages kept until they are confirmed, texts accepted from every user."""

import functools
import itertools
from typing import Any

import attrs
import trio

from unifyport.sandbox.platform import LocalPlatform
from unifyport.sandbox.sockets import Connection, WebSocket, tcp, websocket

from .frames import FrameReader, decode, encode, pack

_REFUSED = {"error": "unauthorized"}


@attrs.define
class User:
    """`kept`: messages to it that no client has confirmed, oldest first."""

    id: str
    kept: list[dict[str, Any]] = attrs.field(factory=list)
    bell: trio.Event = attrs.field(factory=trio.Event)

    def ring(self) -> None:
        self.bell.set()
        self.bell = trio.Event()


class SocketsPlatform(LocalPlatform):
    """A user exists once its token, `token-of-<id>`, was presented."""

    name = "tiktok"

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, User] = {}
        self._sent: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)
        self.protocols = [
            websocket(self, "events", ("events_url",), self._events),
            tcp(self, "messages", ("messages_address",), self._messages),
        ]

    # -- what clients see --------------------------------------------------------------------------

    async def _events(self, socket: WebSocket) -> None:
        token = decode(await socket.receive()).get("token")
        user = self._user(token)
        refused = user is None or self.faults.next("login", "logout") is not None
        answer = _REFUSED if refused or user is None else {"user": {"id": user.id, "name": f"User {user.id}"}}
        await socket.answer(user.id if user else "", "login", lambda: _ready(encode(answer)))
        if user is None or refused:
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_push_messages, socket, user)
            while True:
                confirmed = decode(await socket.receive()).get("confirm")
                user.kept = [message for message in user.kept if message["number"] > confirmed]

    async def _messages(self, connection: Connection) -> None:
        reader = FrameReader()
        while data := await connection.stream.receive_some():
            for request in reader.feed(data):
                user = self._user(request.get("token"))
                await connection.answer(
                    user.id if user else "",
                    "send",
                    functools.partial(self._accept, user, request),
                )

    async def _accept(self, user: User | None, request: dict[str, Any]) -> bytes:
        await trio.lowlevel.checkpoint()
        if user is None:
            return pack(_REFUSED)
        message = {"id": f"sent-{len(self._sent) + 1}", "account": user.id, **request}
        del message["token"]
        self._sent.append(message)
        return pack({"id": message["id"]})

    def _user(self, token: Any) -> User | None:
        if not isinstance(token, str) or not token.startswith("token-of-"):
            return None
        id_ = token.removeprefix("token-of-")
        return self.users.setdefault(id_, User(id_))

    # -- the customers' side -----------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes `{to, from, text}`; the chat is the customer's. Raises `ValueError`."""
        user = self.users.get(str(order.get("to")))
        if user is None:
            raise ValueError("to: no such user has logged in")
        number = next(self._numbers)
        customer = str(order.get("from", "customer-1"))
        message = {"number": number, "id": f"message-{number}", "chat": customer, "from": customer}
        user.kept.append(message | {"text": order.get("text", "")})
        user.ring()
        return {"message_id": message["id"], "conversation_id": customer}

    def sent(self) -> list[dict[str, Any]]:
        return self._sent


async def _ready(answer: bytes) -> bytes:
    await trio.lowlevel.checkpoint()
    return answer


async def _push_messages(socket: WebSocket, user: User) -> None:
    last = 0
    while True:
        bell = user.bell
        for message in [message for message in user.kept if message["number"] > last]:
            await socket.send(encode({"message": message}))
            last = message["number"]
        await bell.wait()
