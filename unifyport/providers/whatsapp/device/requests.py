"""Requests on the connection and their answers: an answer is an `<iq>` or an `<ack>` with the same id."""

import os
from collections.abc import Iterable

import trio

from unifyport.protocols.binary_node import Node
from unifyport.providers.contract.errors import ChannelError, Transient

from .addresses import SERVER
from .errors import request_refusal
from .socket import NodeSocket

ANSWER_SECONDS = 20.0


class Requests:
    """The requests that wait for an answer on one connection."""

    def __init__(self, socket: NodeSocket) -> None:
        self._socket = socket
        self._waiting: dict[str, _Waiter] = {}
        self._prefix = os.urandom(4).hex()
        self._count = 0
        self._failure: ChannelError | None = None

    async def ask(
        self, xmlns: str, kind: str, *content: Node, to: str = SERVER, target: str = "", missing: str = ""
    ) -> Node:
        """Send an `<iq>` and return its answer. Raises what `request_refusal` makes of a refusal, and
        `Transient`. `kind`: `get` or `set`. `target`: whom a question to the server is about.
        """
        self._count += 1
        attributes = {"id": f"{self._prefix}.{self._count}", "to": to, "type": kind, "xmlns": xmlns}
        if target:
            attributes["target"] = target
        asking = self.exchange(Node("iq", attributes, content or None))
        del content  # prekeys are several hundred KiB as nodes: they do not wait for the answer
        answer = await asking
        if answer.get("type") == "error":
            raise request_refusal(answer, missing)
        return answer

    async def exchange(self, request: Node) -> Node:
        """Send a stanza and return the answer with its id. Raises `Transient`, with `maybe_applied` once it
        may have been received.
        """
        if self._failure is not None:
            raise Transient(self._failure.reason)
        id_ = request.need("id")
        waiter = self._waiting[id_] = _Waiter()
        try:
            sending = self._socket.send(request)
            del request
            await sending
            with trio.move_on_after(ANSWER_SECONDS):
                await waiter.event.wait()
        finally:
            self._waiting.pop(id_, None)
        if waiter.answer is None:
            reason = "no_answer" if self._failure is None else "connection_lost"
            raise Transient(reason, maybe_applied=True)
        return waiter.answer

    def answer(self, node: Node) -> bool:
        """Give a stanza to the request that waits for it. Returns whether there is one."""
        waiter = self._waiting.get(node.get("id"))
        if waiter is None:
            return False
        waiter.answer = node
        waiter.event.set()
        return True

    def fail(self, failure: ChannelError) -> None:
        """The connection is lost: nothing is answered any more."""
        self._failure = failure
        for waiter in self._waiting.values():
            waiter.event.set()


class _Waiter:
    __slots__ = ("answer", "event")

    def __init__(self) -> None:
        self.event = trio.Event()
        self.answer: Node | None = None


def children(node: Node | None, *path: str) -> Iterable[Node]:
    """The children of the descendant at `path`."""
    found = node.child(*path) if node is not None else None
    return found.children if found is not None else ()
