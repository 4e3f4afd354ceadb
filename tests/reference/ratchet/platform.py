"""The platform: it keeps what is not acknowledged, and notes each key that two messages use."""

from typing import Any

import attrs
import msgspec
import trio

from unifyport.sandbox.platform import LocalPlatform
from unifyport.sandbox.sockets import WebSocket, websocket

from .chain import Chain, crypt


@attrs.define
class Peer:
    """A customer of one user, with the platform's half of both ratchets."""

    outgoing: Chain  # to the user
    incoming: Chain  # from the user
    kept: list[dict[str, Any]] = attrs.field(factory=list)  # frames that are not acknowledged
    used: dict[int, str] = attrs.field(factory=dict)  # number of a key -> the bytes that it came with
    texts: list[str] = attrs.field(factory=list)  # what it has read


@attrs.define
class User:
    id: str
    peers: dict[str, Peer] = attrs.field(factory=dict)
    bell: trio.Event = attrs.field(factory=trio.Event)

    def peer(self, name: str) -> Peer:
        if name not in self.peers:
            self.peers[name] = Peer(
                Chain.begin(f"{self.id} from {name}"), Chain.begin(f"{self.id} to {name}")
            )
        return self.peers[name]


class RatchetPlatform(LocalPlatform):
    """A user exists once its token, `token-of-<id>`, was presented."""

    name = "zalo"

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, User] = {}
        self.violations: list[str] = []
        self.refs: dict[str, int] = {}  # ref of a message -> how often it came
        self.protocols = [websocket(self, "socket", ("socket_url",), self._serve)]

    async def _serve(self, socket: WebSocket) -> None:
        token = str(msgspec.json.decode(await socket.receive()).get("token", ""))
        if not token.startswith("token-of-"):
            await socket.send(b'{"error": "unauthorized"}')
            return
        name = token.removeprefix("token-of-")
        user = self.users.setdefault(name, User(name))
        await socket.send(msgspec.json.encode({"user": name}))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._push, socket, user)
            while True:
                frame = msgspec.json.decode(await socket.receive(), type=dict[str, Any])
                if "ack" in frame:
                    peer = user.peer(frame["ack"]["chat"])
                    peer.kept = [kept for kept in peer.kept if kept["number"] != frame["ack"]["number"]]
                else:
                    nursery.start_soon(self._answer, socket, user, frame["message"])

    async def _answer(self, socket: WebSocket, user: User, frame: dict[str, Any]) -> None:
        async def handler() -> bytes:
            await trio.lowlevel.checkpoint()
            return msgspec.json.encode({"answer_to": frame["ref"], **self._accept(user, frame)})

        await socket.answer(user.id, "send", handler)

    def _accept(self, user: User, frame: dict[str, Any]) -> dict[str, Any]:
        peer, number = user.peer(frame["chat"]), frame["number"]
        self.refs[frame["ref"]] = self.refs.get(frame["ref"], 0) + 1
        if number in peer.used:
            if peer.used[number] != frame["bytes"]:
                self.violations.append(f"{frame['chat']}: key {number} for two messages")
            return {"error": "key_used"}
        peer.used[number] = frame["bytes"]
        try:
            secret, peer.incoming = peer.incoming.skip_to(number).step()
        except ValueError as error:
            self.violations.append(f"{frame['chat']}: {error}")
            return {"error": "undecryptable"}
        peer.texts.append(crypt(secret, bytes.fromhex(frame["bytes"])).decode(errors="replace"))
        return {"id": f"{frame['chat']}-out-{number}"}

    async def _push(self, socket: WebSocket, user: User) -> None:
        """Everything that is not acknowledged, again on each connection, then what is new."""
        sent: set[tuple[str, int]] = set()
        while True:
            bell = user.bell
            for frame in [frame for peer in user.peers.values() for frame in peer.kept]:
                if (place := (frame["chat"], frame["number"])) not in sent:
                    sent.add(place)
                    await socket.send(msgspec.json.encode(frame))
            await bell.wait()

    # -- the customers' side --------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes `{to, from, text}`. Raises `ValueError`."""
        user = self.users.get(str(order.get("to")))
        if user is None:
            raise ValueError("to: no such user has logged in")
        name = str(order.get("from", "customer-1"))
        peer = user.peer(name)
        number = peer.outgoing.number
        secret, peer.outgoing = peer.outgoing.step()
        sealed = crypt(secret, str(order.get("text", "")).encode()).hex()
        peer.kept.append({"chat": name, "number": number, "bytes": sealed})
        user.bell.set()
        user.bell = trio.Event()
        return {"message_id": f"{name}-{number}", "conversation_id": name}

    def sent(self) -> list[dict[str, Any]]:
        return [
            {"chat": name, "text": text}
            for user in self.users.values()
            for name, peer in user.peers.items()
            for text in peer.texts
        ]
