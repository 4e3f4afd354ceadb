"""Stanzas that several modules of the relay build."""

import itertools
import time
from collections.abc import Iterable, Mapping

from unifyport.protocols.binary_node import PHONE, Node

SERVER = PHONE  # the address of the server itself
_ids = itertools.count(1)


class Refused(Exception):
    """The answer to an iq is an error. `code` and `text` as in the answer."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


def new_id(prefix: str = "relay") -> str:
    return f"{prefix}{next(_ids)}"


def now() -> str:
    return str(int(time.time()))


def notification(type: str, attrs: Mapping[str, str], content: Iterable[Node]) -> Node:
    return Node("notification", {"id": new_id(), "type": type, "t": now(), **attrs}, content)


def result(iq: Node, content: Iterable[Node]) -> Node:
    content = tuple(content)
    attrs = {"from": iq.get("to") or SERVER, "type": "result", "id": iq.get("id")}
    return Node("iq", attrs, content or None)


def error(iq: Node, refused: Refused) -> Node:
    attrs = {"from": iq.get("to") or SERVER, "type": "error", "id": iq.get("id")}
    return Node("iq", attrs, [Node("error", {"code": str(refused.code), "text": refused.text})])


def ack(node: Node, **attrs: str) -> Node:
    """The acknowledgement of a client's message or receipt."""
    about = {"class": node.tag, "id": node.get("id"), "from": node.get("to")}
    for name in ("participant",) + (("type",) if node.tag != "message" else ()):
        if name in node.attrs:
            about[name] = node.attrs[name]
    return Node("ack", {**about, **attrs})
