"""Questions about people: which devices they have, their LID, and whether a number is on WhatsApp.

https://github.com/tulir/whatsmeow (`user.go`): `iq xmlns="usync"`. Who asks by phone number also learns the
LID; who asks by LID does not learn the number.
"""

from collections.abc import Iterator

from unifyport.protocols.binary_node import PHONE, Jid, Node

from .directory import Account, Directory
from .stanzas import Refused, now


def answer_usync(directory: Directory, iq: Node) -> tuple[Node, ...]:
    """Raises `Refused`, `MalformedNode`."""
    query, users = iq.child("usync", "query"), iq.child("usync", "list")
    if query is None or users is None:
        raise Refused(400, "bad-request")
    asked = [child.tag for child in query.children]
    found = [_answer(directory, asked, user) for user in users.all("user")]
    results = Node("result", {}, [Node(tag) for tag in asked])
    head = iq.children[0]
    attrs = {
        name: head.attrs[name] for name in ("sid", "index", "last", "mode", "context") if name in head.attrs
    }
    return (Node("usync", attrs, [results, Node("list", {}, found)]),)


def _answer(directory: Directory, asked: list[str], user: Node) -> Node:
    jid, account = _whom(directory, user)
    return Node("user", {"jid": str(jid)}, list(_facts(asked, jid, account)))


def _whom(directory: Directory, user: Node) -> tuple[Jid, Account | None]:
    jid = user.jid("jid")
    if jid is not None:
        return jid.bare, directory.of_jid(jid)
    number = (user.text_of("contact") or "").lstrip("+").partition("@")[0]
    return Jid(number, PHONE), directory.of_phone(number)


def _facts(asked: list[str], jid: Jid, account: Account | None) -> Iterator[Node]:
    for tag in asked:
        match tag:
            case "contact":
                yield Node("contact", {"type": "in" if account else "out"})
            case "devices" if account:
                yield Node("devices", {}, [device_list(account)])
            case "lid" if account and not jid.is_lid:
                yield Node("lid", {"val": str(account.lid_jid)})
            case "status" if account:
                yield Node("status", {"t": "0"}, b"")
            case "disappearing_mode" if account:
                yield Node("disappearing_mode", {"duration": "0", "t": "0"})
            case "username":
                yield Node("username")


def device_list(account: Account) -> Node:
    devices = [
        Node("device", {"id": str(number)} | ({"key-index": str(number)} if number else {}))
        for number in account.devices
    ]
    return Node("device-list", {"ts": now()}, devices)
