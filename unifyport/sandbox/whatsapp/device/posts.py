"""Status posts, newsletters, and messages of broadcast lists."""

import itertools
from typing import Any

from unifyport.protocols.binary_node import BROADCAST, NEWSLETTER, Jid, Node
from unifyport.protocols.whatsapp.messages import pad

from .customers import Customers
from .directory import Account
from .relay import Relay
from .stanzas import new_id, now

_LIST, _CHANNEL = Jid("1780790400", BROADCAST), Jid("120363000000000099", NEWSLETTER)


class Posts:
    """Orders of the control port; `text`, `media` or `message` as in a message of a customer."""

    def __init__(self, relay: Relay, customers: Customers) -> None:
        self._relay = relay
        self._customers = customers
        self._server_ids = itertools.count(100)

    def status(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{from, to: [phones]}`: a person posts a status, which the linked devices of these people get."""
        author = self._customers.person(order.get("from"))
        audience = self._relay.groups.audience(author)
        audience.members += [each for each in self._people(order) if each not in audience.members]
        id = self._customers.phones[author].write(audience, self._customers.message_of(order))
        return {"message_id": id}

    def newsletter(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{to: [phones]}`: a newsletter that these people follow has a new message."""
        plaintext = Node("plaintext", {}, self._customers.message_of(order).SerializeToString())
        server_id = str(next(self._server_ids))
        about = {"id": new_id("news"), "from": str(_CHANNEL), "t": now(), "type": "text"}
        for device in [device for each in self._people(order) for device in each.companions]:
            device.deliver(Node("message", about | {"server_id": server_id}, [plaintext]))
        return {"message_id": about["id"], "server_id": server_id}

    def broadcast(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{from, to: [phones]}`: a person writes to a broadcast list in which these people are."""
        author = self._customers.person(order.get("from"))
        plaintext = pad(self._customers.message_of(order).SerializeToString())
        id = new_id("list")
        for person in self._people(order):
            lid = person.lid_addressed
            about = {"id": id, "from": str(_LIST), "participant": str(author.jid(lid=lid)), "t": now()}
            about |= {"participant_pn" if lid else "participant_lid": str(author.jid(lid=not lid))}
            about |= {"notify": author.name, "type": "text"}
            for device in person.companions:
                kind, body = self._customers.phones[author].keys.encrypt(device, plaintext)
                device.deliver(Node("message", about, [Node("enc", {"v": "2", "type": kind}, body)]))
        return {"message_id": id}

    def _people(self, order: dict[str, Any]) -> list[Account]:
        phones = order.get("to")
        if not isinstance(phones, list) or not phones:
            raise ValueError("to: must be a list of phone numbers")
        return [self._relay.account(str(phone)) for phone in phones]
