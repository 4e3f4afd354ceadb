"""Receipts: passed on to whom they are about, in the kind of address that each side uses.

https://github.com/tulir/whatsmeow (`receipt.go`, `retry.go`). No type: delivered. `inactive`: delivered to a
device whose owner is not looking at it. `sender`: an own device took an own message. `retry`: send it again.
"""

from unifyport.protocols.binary_node import Jid, Node

from .directory import Account, Device, Directory
from .groups import STATUS, Group, Groups
from .stanzas import ack, now

_OWN = ("sender", "read-self", "played-self", "peer_msg", "hist_sync", "server-error")


class Receipts:
    """`taken`: the receipts of all devices and who sent each, oldest first, for tests."""

    def __init__(self, directory: Directory, groups: Groups) -> None:
        self._directory = directory
        self._groups = groups
        self.taken: list[tuple[Device, Node]] = []

    def take(self, sender: Device, node: Node) -> Node:
        """Pass a receipt on; the ack. A message's receipt acknowledges it. Raises `MalformedNode`."""
        for id in message_ids(node):
            sender.pending.acknowledge("message", Node("receipt", {**node.attrs, "id": id}))
        self.taken.append((sender, node))
        to = node.jid("to")
        group = self._groups.find(to)
        if to == STATUS and (author := self._directory.of_jid(node.jid("participant"))) is not None:
            group = self._groups.audience(author)
        if node.get("type") in _OWN:
            self._to_own_devices(sender, node)
        elif group is not None:
            self._in_group(sender, node, group)
        else:
            account = self._directory.of_jid(to)
            if account is not None and to is not None:
                self._to_person(sender, node, account, to)
        return ack(node)

    def _to_person(self, sender: Device, node: Node, account: Account, to: Jid) -> None:
        lid = account.lid_addressed
        at = _passed(node) | {"from": str(sender.jid(lid=lid))}
        if account is sender.account:
            recipient = self._directory.of_jid(node.jid("recipient"))
            if recipient is not None:
                at["recipient"] = str(recipient.jid(lid=lid))
        for device in self._meant(account, to, node):
            if device is not sender:
                device.deliver(Node("receipt", at, node.content))

    def _in_group(self, sender: Device, node: Node, group: Group) -> None:
        author = node.jid("participant")
        account = self._directory.of_jid(author)
        if account is None or author is None or sender.account not in group.members:
            return
        at = _passed(node) | {
            "from": str(group.jid),
            "participant": str(sender.jid(lid=group.lid_addressed)),
            "addressing_mode": "lid" if group.lid_addressed else "pn",
        }
        for device in self._meant(account, author, node):
            if device is not sender:
                device.deliver(Node("receipt", at, node.content))

    def _meant(self, account: Account, jid: Jid, node: Node) -> list[Device]:
        """All devices of a person; a request to send again goes to the one that sent."""
        if node.get("type") == "retry":
            device = account.devices.get(jid.device)
            return [device] if device is not None else []
        return list(account.devices.values())

    def _to_own_devices(self, sender: Device, node: Node) -> None:
        """The account's other devices learn what this one has read; the phone learns what this one lacks."""
        account, lid = sender.account, sender.account.lid_addressed
        at = _passed(node) | {"from": str(sender.jid(lid=lid))}
        chat = self._directory.of_jid(node.jid("to"))
        if chat is not None and chat is not account:
            at["recipient"] = str(chat.jid(lid=lid))
        for device in account.devices.values():
            wanted = node.get("type") not in ("server-error", "peer_msg", "hist_sync") or device.number == 0
            if device is not sender and wanted and node.get("type") != "sender":
                device.deliver(Node("receipt", at, node.content))


def message_ids(node: Node) -> list[str]:
    """The ids that a receipt is about."""
    items = node.child("list")
    return [node.need("id"), *(item.need("id") for item in (items.all("item") if items is not None else ()))]


def _passed(node: Node) -> dict[str, str]:
    kept = {name: node.attrs[name] for name in ("id", "type", "edit", "category") if name in node.attrs}
    return kept | {"t": node.get("t") or now()}
