"""Messages between devices: what a sender must address, what each device gets, and what is refused.

A message to a person names every device with its own ciphertext; one to a group has one ciphertext for all,
and the key for those who lack it. The relay is strict where WhatsApp is, and answers with an `error`:

    400    the account does not address people by LID, and the message does
    403    the sender is not a member of the group
    404    no person, device or group has this address
    421    a group's message names devices in the other kind of address
    463    the account addresses people by LID and the message does not; or a token is needed and missing
    479    a device is named that belongs to neither side

An ack with a `phash` tells the sender that its list of devices is out of date.
"""

import hashlib
import hmac
import time
from collections.abc import Iterable, Iterator

import attrs

from unifyport.protocols.binary_node import LID, Jid, Node
from unifyport.protocols.whatsapp.messages import participant_hash

from .directory import FORGOTTEN_SECONDS, Account, Device, Directory
from .groups import STATUS, Group, Groups
from .stanzas import ack, now

_PASSED_ON = ("device-identity", "meta", "biz", "bot", "franking")
_COPIED = ("type", "edit", "category", "push_priority")


class NotAccepted(Exception):
    """A message is refused. `code` is the `error` of its ack."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


@attrs.frozen
class Sent:
    """A message that a device sent. `error`: why the relay refused it, 0 for what it took."""

    sender: Device
    node: Node
    error: int = 0


class Messages:
    """`duplicates`: so many messages are handed over twice. `reorder`: so many are held, and the latest of
    them comes first.
    """

    def __init__(self, directory: Directory, groups: Groups) -> None:
        self._directory = directory
        self._groups = groups
        self.sent: list[Sent] = []
        self.duplicates = 0
        self.reorder = 0
        self._held: list[tuple[Device, Node]] = []

    def take(self, sender: Device, node: Node) -> Node:
        """Pass a message on; the ack. Raises `MalformedNode`."""
        try:
            missing = self._route(sender, node)
        except NotAccepted as refused:
            self.sent.append(Sent(sender, node, refused.code))
            return ack(node, t=now(), error=str(refused.code))
        self.sent.append(Sent(sender, node))
        return ack(node, t=now(), **({"phash": missing} if missing else {}))

    def _route(self, sender: Device, node: Node) -> str | None:
        to = node.jid("to")
        if to is not None and to.is_group:
            return self._to_group(sender, node, to)
        if to == STATUS and not sender.number:  # a post of a phone
            return self._to_group(sender, node, to)
        if to is not None and to.server in ("broadcast", "newsletter"):
            return None
        account = self._directory.of_jid(to)
        if account is None or to is None:
            raise NotAccepted(404)
        if node.child("participants") is None:
            self._to_device(sender, node, account, to)
            return None
        return self._to_person(sender, node, account, to)

    # -- to a person -----------------------------------------------------------------------------------------

    def _to_person(self, sender: Device, node: Node, account: Account, to: Jid) -> str | None:
        mine = sender.account
        if to.is_lid is not mine.lid_addressed:
            raise NotAccepted(463 if mine.lid_addressed else 400)
        named = dict(self._named(node, (account, mine), lid=to.is_lid, code=479))
        if account is not mine and not self._may_write(mine, account, node):
            raise NotAccepted(463)
        for device, to_node in named.items():
            at = self._person_attrs(sender, device, account, node)
            self._hand_over(device, Node("message", at, (*to_node.children, *_passed_on(node))))
        if account is not mine:
            mine.wrote_to.add(account)
            mine.meet(account)
        wanted = {device for person in (account, mine) for device in person.devices.values()} - {sender}
        if wanted - named.keys():
            return participant_hash(device.jid(lid=to.is_lid) for device in wanted | {sender})
        return None

    def _may_write(self, mine: Account, account: Account, node: Node) -> bool:
        """Whether the recipient wrote before, or the message has a token that is worth something."""
        if not mine.tokens_required or mine in account.wrote_to:
            return True
        token, given = mine.tokens.get(account, (b"", 0.0))
        if token and node.bytes_of("tctoken") == token and given > time.time() - FORGOTTEN_SECONDS:
            return True
        expected = hmac.new(mine.contact_salt, f"{account.lid}@{LID}".encode(), hashlib.sha256).digest()
        return node.bytes_of("cstoken") == expected

    def _person_attrs(self, sender: Device, device: Device, account: Account, node: Node) -> dict[str, str]:
        lid = device.account.lid_addressed
        at = _base_attrs(sender, node)
        at["from"] = str(sender.jid(lid=lid))
        at["sender_pn" if lid else "sender_lid"] = str(sender.account.jid(lid=not lid))
        if device.account is sender.account:
            at["recipient"] = str(account.jid(lid=lid))
            at["peer_recipient_pn" if lid else "peer_recipient_lid"] = str(account.jid(lid=not lid))
        return at

    def _to_device(self, sender: Device, node: Node, account: Account, to: Jid) -> None:
        """To one device: a message again after a retry receipt, or a message to the own phone."""
        device = account.devices.get(to.device)
        if device is None:
            raise NotAccepted(404)
        recipient = self._directory.of_jid(node.jid("recipient")) or account
        at = self._person_attrs(sender, device, recipient, node)
        if node.get("category") == "peer":
            at.pop("recipient", None)
        encrypted = tuple(node.all("enc"))
        self._hand_over(device, Node("message", at, (*encrypted, *_passed_on(node))))

    # -- to a group ------------------------------------------------------------------------------------------

    def _to_group(self, sender: Device, node: Node, to: Jid) -> str | None:
        group = self._groups.audience(sender.account) if to == STATUS else self._groups.find(to)
        if group is None:
            raise NotAccepted(404)
        if sender.account not in group.members:
            raise NotAccepted(403)
        at = _base_attrs(sender, node) | {
            "from": str(to),
            "addressing_mode": "lid" if group.lid_addressed else "pn",
            "participant": str(sender.jid(lid=group.lid_addressed)),
            "participant_pn" if group.lid_addressed else "participant_lid": str(
                sender.account.jid(lid=not group.lid_addressed)
            ),
        }
        only = self._directory.device(node.jid("participant"))
        if only is not None:
            self._hand_over(only, Node("message", at, (*node.all("enc"), *_passed_on(node))))
            return None
        named = dict(self._named(node, group.members, lid=group.lid_addressed, code=421))
        shared = tuple(node.all("enc"))
        for device in _readers(group, sender):
            own = named[device].children if device in named else ()
            self._hand_over(device, Node("message", at, (*own, *shared, *_passed_on(node))))
        return None

    def _named(
        self, node: Node, people: Iterable[Account], *, lid: bool, code: int
    ) -> Iterator[tuple[Device, Node]]:
        """The devices that `<participants>` names, in one kind of address, of these people."""
        people = set(people)
        participants = node.child("participants")
        for to in participants.all("to") if participants is not None else ():
            jid = to.jid("jid")
            device = self._directory.device(jid)
            if jid is None or jid.is_lid is not lid:
                raise NotAccepted(code)
            if device is not None and device.account not in people:
                raise NotAccepted(479)
            if device is not None:
                yield device, to

    def _hand_over(self, device: Device, message: Node) -> None:
        if self.reorder:
            self._held.append((device, message))
            if len(self._held) >= self.reorder:
                self.reorder, held, self._held = 0, self._held, []
                for receiver, late in reversed(held):
                    receiver.deliver(late)
            return
        device.deliver(message)
        if self.duplicates:
            self.duplicates -= 1
            device.deliver(message)


def _readers(group: Group, sender: Device) -> list[Device]:
    """The other devices of the members; a status post is shown on linked devices only, as phones here show
    none.
    """
    devices = [device for member in group.members for device in member.devices.values()]
    return [each for each in devices if each is not sender and (each.number or group.jid != STATUS)]


def _base_attrs(sender: Device, node: Node) -> dict[str, str]:
    kept = {name: node.attrs[name] for name in _COPIED if name in node.attrs}
    return {"id": node.need("id"), "t": now(), "notify": sender.account.name, **kept}


def _passed_on(node: Node) -> Iterator[Node]:
    return (child for child in node.children if child.tag in _PASSED_ON)
