"""Groups: members, the kind of address that each uses, and what members are told of changes.

https://github.com/tulir/whatsmeow (`group.go`): `iq xmlns="w:g2"`, `<notification type="w:gp2">`.
"""

import itertools
import time
from collections.abc import Callable, Iterable

import attrs

from unifyport.protocols.binary_node import BROADCAST, GROUP, Jid, Node

from .directory import Account, Device, Directory
from .stanzas import Refused, notification, now

STATUS = Jid("status", BROADCAST)


@attrs.define(eq=False)
class Group:
    """`timer`: seconds after which messages disappear, 0 for never."""

    jid: Jid
    subject: str
    creator: Account
    members: list[Account]
    admins: set[Account]
    lid_addressed: bool = True
    timer: int = 0
    picture: bytes = b""
    created: int = attrs.field(factory=lambda: int(time.time()))


class Groups:
    """All groups."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._by_jid: dict[Jid, Group] = {}
        self._audiences: dict[Account, Group] = {}
        self._numbers = itertools.count(1)

    def find(self, jid: Jid | None) -> Group | None:
        return self._by_jid.get(jid.bare) if jid is not None else None

    def audience(self, author: Account) -> Group:
        """Those who get the status posts of an account, as a group; at first only the account."""
        if author not in self._audiences:
            self._audiences[author] = Group(STATUS, "", author, [author], set())
        return self._audiences[author]

    def create(
        self, creator: Account, subject: str, members: Iterable[Account], *, lid_addressed: bool = True
    ) -> Group:
        """A new group, of which every member is told."""
        jid = Jid(f"1203630000{next(self._numbers):08}", GROUP)
        group = Group(
            jid, subject, creator, list(dict.fromkeys([creator, *members])), {creator}, lid_addressed
        )
        self._by_jid[jid] = group
        for one, other in itertools.combinations(group.members, 2):
            one.meet(other)
        self._announce(group, creator, Node("create", {"type": "new", "reason": "invite"}, [describe(group)]))
        return group

    def add(self, group: Group, members: Iterable[Account], by: Account) -> None:
        """Take in members; all members are told, the new ones too."""
        new = [member for member in members if member not in group.members]
        group.members += new
        for member, other in itertools.product(new, group.members):
            if member is not other:
                member.meet(other)
        self._announce(group, by, Node("add", {}, [_participant(group, member) for member in new]))

    def remove(self, group: Group, members: Iterable[Account], by: Account) -> None:
        gone = [member for member in members if member in group.members]
        change = Node("remove", {}, [_participant(group, member) for member in gone])
        self._announce(group, by, change)
        group.members = [member for member in group.members if member not in gone]

    def rename(self, group: Group, subject: str, by: Account) -> None:
        group.subject = subject
        attrs = {"subject": subject, "s_t": now(), "s_o": str(by.jid(lid=group.lid_addressed))}
        self._announce(group, by, Node("subject", attrs))

    def set_timer(self, group: Group, seconds: int, by: Account) -> None:
        group.timer = seconds
        change = Node("ephemeral", {"expiration": str(seconds)}) if seconds else Node("not_ephemeral")
        self._announce(group, by, change)

    def answer(self, device: Device, iq: Node) -> tuple[Node, ...]:
        """Answer an `<iq xmlns="w:g2">`. Raises `Refused`."""
        asked = iq.children[0] if iq.children else Node("")
        if asked.tag == "create":
            members = self._people(asked.all("participant"))
            lid_addressed = device.account.lid_addressed
            group = self.create(device.account, asked.get("subject"), members, lid_addressed=lid_addressed)
            return (describe(group),)
        if asked.tag == "participating":
            mine = [each for each in self._by_jid.values() if device.account in each.members]
            return (Node("groups", {}, [describe(each) for each in mine]),)
        group_or_none = self.find(iq.jid("to"))
        if group_or_none is None:
            raise Refused(404, "item-not-found")
        if device.account not in group_or_none.members:
            raise Refused(403, "forbidden")
        if iq.get("type") == "get":
            return (describe(group_or_none),)
        return self._change(device.account, group_or_none, asked)

    def set_picture(self, device: Device, iq: Node) -> tuple[Node, ...]:
        """Answer an `<iq xmlns="w:profile:picture">` about a group. Raises `Refused`."""
        group, picture = self.find(iq.jid("target")), iq.child("picture")
        if group is None:
            raise Refused(404, "item-not-found")
        if device.account not in group.members:
            raise Refused(403, "forbidden")
        if picture is None or not isinstance(picture.content, bytes):
            raise Refused(400, "bad-request")
        if not picture.content.startswith(b"\xff\xd8\xff"):
            raise Refused(406, "not-acceptable")
        group.picture, picture_id = picture.content, now()
        attrs = {"from": str(group.jid), "notify": device.account.name}
        author = str(device.account.jid(lid=group.lid_addressed))
        change = Node("set", {"jid": str(group.jid), "id": picture_id, "author": author})
        for member in group.members:
            for other in member.companions:
                other.deliver(notification("picture", attrs, [change]))
        return (Node("picture", {"id": picture_id}),)

    def _change(self, by: Account, group: Group, asked: Node) -> tuple[Node, ...]:
        changes: dict[str, Callable[[Group, Iterable[Account], Account], None]] = {
            "add": self.add,
            "remove": self.remove,
        }
        if asked.tag in changes:
            people = list(self._people(asked.all("participant")))
            changes[asked.tag](group, people, by)
            return (Node(asked.tag, {}, [_participant(group, person) for person in people]),)
        if asked.tag == "subject":
            self.rename(group, asked.text_of() or "", by)
        elif asked.tag in ("ephemeral", "not_ephemeral"):
            self.set_timer(group, asked.number("expiration"), by)
        elif asked.tag == "leave":
            self.remove(group, [by], by)
        else:
            raise Refused(501, "feature-not-implemented")
        return ()

    def _people(self, nodes: Iterable[Node]) -> Iterable[Account]:
        for node in nodes:
            account = self._directory.of_jid(node.jid("jid"))
            if account is None:
                raise Refused(404, "item-not-found")
            yield account

    def _announce(self, group: Group, by: Account, change: Node) -> None:
        attrs = {
            "from": str(group.jid),
            "participant": str(by.jid(lid=group.lid_addressed)),
            "participant_pn" if group.lid_addressed else "participant_lid": str(
                by.jid(lid=not group.lid_addressed)
            ),
            "addressing_mode": "lid" if group.lid_addressed else "pn",
            "notify": by.name,
        }
        for member in group.members:
            for device in member.companions:
                device.deliver(notification("w:gp2", attrs, [change]))


def describe(group: Group) -> Node:
    """The `<group>` of an answer."""
    lid = group.lid_addressed
    attrs = {
        "id": group.jid.user,
        "subject": group.subject,
        "s_t": str(group.created),
        "s_o": str(group.creator.jid(lid=lid)),
        "creation": str(group.created),
        "creator": str(group.creator.jid(lid=lid)),
        "size": str(len(group.members)),
        "addressing_mode": "lid" if lid else "pn",
        "p_v_id": str(len(group.members)),
    }
    if lid:
        attrs |= {"creator_pn": str(group.creator.phone_jid), "s_o_pn": str(group.creator.phone_jid)}
    parts = [_participant(group, member) for member in group.members]
    if group.timer:
        parts.append(Node("ephemeral", {"expiration": str(group.timer)}))
    return Node("group", attrs, parts)


def _participant(group: Group, member: Account) -> Node:
    lid = group.lid_addressed
    attrs = {
        "jid": str(member.jid(lid=lid)),
        "phone_number" if lid else "lid": str(member.jid(lid=not lid)),
    }
    if member in group.admins:
        attrs["type"] = "superadmin" if member is group.creator else "admin"
    return Node("participant", attrs)
