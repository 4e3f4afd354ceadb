"""Groups as the platform describes them. Pure: reads `<group>` and writes the requests about groups.

https://github.com/tulir/whatsmeow (`group.go`)
"""

import os
from typing import Any

import attrs

from unifyport.model import directory
from unifyport.model.times import rfc3339
from unifyport.protocols.binary_node import GROUP, LID, Jid, MalformedNode, Node

from .addresses import phone_of, read_jid
from .stanzas import time_of

GROUPS = "w:g2"  # the namespace of requests
SERVER = GROUP
_MOST_MEMBERS = 4096
_ROLES = {"superadmin": "owner", "admin": "admin"}


@attrs.frozen
class Member:
    """`jid`: in the group's own addressing; `other`: the person by the other kind of id, if it is said."""

    jid: Jid
    other: Jid | None = None
    role: str = "member"


@attrs.frozen
class GroupInfo:
    """`by_lid`: whether messages name members by their LID. `timer`: seconds; 0: messages stay."""

    id: Jid
    subject: str = ""
    description: str = ""
    description_id: str = ""
    created_at: int = 0  # unix seconds
    members: tuple[Member, ...] = ()
    by_lid: bool = False
    timer: int = 0

    def summary(self) -> directory.Group:
        """As callers get it."""
        return directory.Group(
            id=str(self.id),
            conversation_id=str(self.id),
            name=self.subject,
            description=self.description or None,
            created_at=rfc3339(self.created_at * 1000) if self.created_at else None,
            member_count=len(self.members) or None,
        )

    def people(self) -> list[directory.ConversationMember]:
        """The members by their LIDs, where these are known, with their numbers beside."""
        found = []
        for member in self.members:
            lid, phone = (member.jid, member.other) if self.by_lid else (member.other, member.jid)
            extra = {"phone": phone_of(phone)} if phone is not None else None
            id_ = str(lid or member.jid)
            found.append(
                directory.ConversationMember(peer_id=id_, display_name="", role=member.role, extra=extra)
            )
        return found


def read_group(node: Node) -> GroupInfo:
    """Of `<group>`. Raises `MalformedNode`."""
    user = node.need("id").partition("@")[0]
    members = tuple(read_members(node))
    description = node.child("description")
    timer = node.child("ephemeral")
    return GroupInfo(
        id=Jid(user, GROUP),
        subject=node.get("subject")[:1024],
        description=(node.text_of("description", "body") or "")[:4096],
        description_id=description.get("id") if description is not None else "",
        created_at=time_of(node, "creation") // 1000,
        members=members,
        by_lid=node.get("addressing_mode") == "lid",
        timer=timer.number("expiration") if timer is not None else 0,
    )


def read_members(node: Node) -> list[Member]:
    """The members that a group, or a notification of it, names."""
    found = []
    for child in node.all("participant"):
        jid = read_jid(child.get("jid"))
        if jid is None:
            continue
        other = read_jid(child.get("phone_number" if jid.server == LID else "lid"))
        role = _ROLES.get(child.get("type"), "member")
        found.append(Member(jid.bare, other.bare if other is not None else None, role))
    return found[:_MOST_MEMBERS]


def ask_for_group() -> Node:
    return Node("query", {"request": "interactive"})


def ask_for_groups() -> Node:
    return Node("participating", {}, [Node("participants"), Node("description")])


def create(name: str, members: list[Jid]) -> Node:
    people = [Node("participant", {"jid": str(jid)}) for jid in members]
    return Node("create", {"subject": name, "key": os.urandom(16).hex().upper()}, people)


def change_members(action: str, members: list[Jid]) -> Node:
    """`action`: `add`, `remove`, `promote` or `demote`."""
    return Node(action, {}, [Node("participant", {"jid": str(jid)}) for jid in members])


def leave(group: Jid) -> Node:
    return Node("leave", {}, [Node("group", {"id": str(group)})])


def set_subject(name: str) -> Node:
    return Node("subject", {}, name.encode())


def set_description(text: str, previous: str) -> Node:
    """`previous`: the id of the description that it replaces; empty if there is none."""
    attributes = {"id": os.urandom(8).hex().upper()} | ({"prev": previous} if previous else {})
    if not text:
        return Node("description", {**attributes, "delete": "true"})
    return Node("description", attributes, [Node("body", {}, text.encode())])


def set_approval(enabled: bool) -> Node:
    state = "on" if enabled else "off"
    return Node("membership_approval_mode", {}, [Node("group_join", {"state": state})])


def decide(action: str, members: list[Jid]) -> Node:
    """`action`: `approve` or `reject`."""
    people = [Node("participant", {"jid": str(jid)}) for jid in members]
    return Node("membership_requests_action", {}, [Node(action, {}, people)])


def refused_members(answer: Node, action: str) -> dict[str, int]:
    """Members for whom a change was refused, with the platform's code."""
    found: dict[str, int] = {}
    for part in answer.all(action):
        for child in part.all("participant"):
            if child.number("error"):
                found[child.get("jid")] = child.number("error")
    return found


def first_group(answer: Node) -> Node:
    """Raises `MalformedNode`."""
    found = answer.child("group")
    if found is None:
        raise MalformedNode("an answer without a group")
    return found


def changes_of(notification: Node) -> list[dict[str, Any]]:
    """What a notification of a group says, in the contract's terms; empty if nothing of it has a term."""
    kinds = {
        "add": "member_added",
        "remove": "member_removed",
        "promote": "promoted",
        "demote": "demoted",
    }
    found: list[dict[str, Any]] = []
    for child in notification.children:
        if child.tag in kinds:
            ids = [str(member.jid) for member in read_members(child)]
            found.append({"kind": kinds[child.tag], "member_ids": ids})
        elif child.tag == "subject":
            found.append({"kind": "renamed", "name": child.get("subject")[:1024]})
        elif child.tag == "description":
            found.append({"kind": "description_changed", "description": child.text_of("body") or ""})
        elif child.tag == "delete":
            found.append({"kind": "dissolved"})
    return found
