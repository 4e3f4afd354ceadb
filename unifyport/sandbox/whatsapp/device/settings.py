"""The server's other answers: properties, privacy settings, the media connection; presence and typing.

Properties by number: 9435 says that chats between two people are addressed by LID.
"""

from unifyport.protocols.binary_node import Node

from .directory import Device, Directory
from .media import MediaServer
from .stanzas import now
from .tokens import give_tokens

LID_ADDRESSED = "9435"
_PRIVACY = ("readreceipts", "profile", "status", "online", "last", "groupadd", "calladd", "messages")
MEDIA_SECONDS = "300"


class Settings:
    def __init__(self, media: MediaServer) -> None:
        self._media = media

    def answer(self, directory: Directory, device: Device, iq: Node) -> tuple[Node, ...]:
        """Answer a query that no other module answers; what is not known gets an empty result."""
        match iq.get("xmlns"):
            case "abt":
                value = "true" if device.account.lid_addressed else "false"
                prop = Node("prop", {"config_code": LID_ADDRESSED, "config_value": value})
                return (Node("props", {"protocol": "1", "hash": "relay", "refresh": "86400"}, [prop]),)
            case "w" if iq.child("props") is not None:
                return (Node("props", {"hash": "relay"}),)
            case "w:m":
                return (self._media_connection(),)
            case "blocklist":
                return (Node("list", {"dhash": "relay"}),)
            case "privacy":
                tokens = iq.child("tokens")
                if tokens is not None:
                    give_tokens(directory, device, tokens)
                    return ()
                return (_privacy(),)
            case "w:sync:app:state":
                return (_no_app_state(iq),)
        return ()

    def _media_connection(self) -> Node:
        attrs = {
            "auth": self._media.auth,
            "ttl": MEDIA_SECONDS,
            "auth_ttl": MEDIA_SECONDS,
            "max_buckets": "12",
        }
        return Node("media_conn", attrs, [Node("host", {"hostname": self._media.host(), "type": "primary"})])

    def presence(self, directory: Directory, device: Device, node: Node) -> None:
        if node.get("type") in ("available", "unavailable"):
            device.available = node.get("type") == "available"
        elif node.get("type") == "subscribe":
            account = directory.of_jid(node.jid("to"))
            if account is not None:
                attrs = {"from": node.get("to"), "type": "available", "t": now()}
                device.tell(Node("presence", attrs))

    def chat_state(self, directory: Directory, device: Device, node: Node) -> None:
        """Typing is shown on the other side's devices that are `available`."""
        account = directory.of_jid(node.jid("to"))
        if account is None:
            return
        for each in account.companions:
            if each.available:
                attrs = {"from": str(device.jid(lid=account.lid_addressed).bare)}
                each.tell(Node("chatstate", attrs, node.content))


def _privacy() -> Node:
    return Node("privacy", {}, [Node("category", {"name": name, "value": "all"}) for name in _PRIVACY])


def _no_app_state(iq: Node) -> Node:
    """Every collection exists and has nothing in it."""
    sync = iq.child("sync")
    collections = []
    for collection in sync.all("collection") if sync is not None else ():
        attrs = {"name": collection.get("name"), "version": "1", "type": "result"}
        collections.append(Node("collection", attrs, [Node("patches")]))
    return Node("sync", {}, collections)
