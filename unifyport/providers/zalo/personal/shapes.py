"""Values of the web client's protocol: ids as exact text, JSON inside of JSON, and the shapes of actions.

Ids come as text or as numbers, some above 2**53. `Id` takes both; a float is no id.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from unifyport.model.json_text import UNREADABLE, decode_object

from ..items import LONGEST_ID

Id = Annotated[str, Meta(max_length=LONGEST_ID)] | int


def exact(value: object) -> str:
    """An id as text, "" if there is none (absent, "", 0, -1). Raises `ValueError` for what is no id."""
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise ValueError("id")
    text = "" if value is None else str(value)
    if len(text) > LONGEST_ID:
        raise ValueError("id")
    return "" if text in ("0", "-1") else text


def number(value: object) -> int | None:
    """A number that comes as one or as digits; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(2**63) <= value < 2**63 else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    return None


def inner_object(value: object) -> dict[str, Any]:
    """An object, or the one in a text of JSON; an empty one for anything else."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str) and value.startswith("{"):
        try:
            return decode_object(value.encode(errors="replace"))
        except (*UNREADABLE, ValueError):
            return {}
    return {}


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


class Mention(Struct):
    """Counts UTF-16 units. `type` 1, or `uid` -1: everybody."""

    uid: Id
    pos: int
    len: int
    type: int = 0


class Message(Struct):
    """`uidFrom` "0" is the account itself, and `idTo` "0" as well."""

    msgId: Id
    uidFrom: Id
    idTo: Id
    cliMsgId: Id = ""
    msgType: str = ""
    dName: str = ""
    ts: str | int = ""
    content: Any = ""
    quote: Any = None
    mentions: Any = None
    ttl: Any = 0


class Target(Struct):
    """The message that a reaction is about."""

    gMsgID: Id
    cMsgID: Id = ""


class Reacted(Struct):
    rMsg: list[Target]
    rIcon: str = ""
    rType: int | str = 0


class Reaction(Struct):
    uidFrom: Id
    idTo: Id
    content: Any
    msgId: Id = ""
    cliMsgId: Id = ""
    dName: str = ""
    ts: str | int = ""


class Undone(Struct):
    globalMsgId: Id
    cliMsgId: Id = ""


class Delivered(Struct):
    msgId: Id
    realMsgId: Id = ""
    groupId: Id = ""
    deliveredUids: list[Id] = []
    seenUids: list[Id] = []


class Seen(Struct):
    msgId: Id
    idTo: Id = ""
    realMsgId: Id = ""
    groupId: Id = ""
    seenUids: list[Id] = []


class Member(Struct):
    id: Id
    dName: str = ""


class GroupAct(Struct):
    """`uids`: who wants to join. `updateMembers` are objects, in the answers to reminders only ids."""

    groupId: Id = ""
    group_id: Id = ""
    groupName: str = ""
    sourceId: Id = ""
    actorId: Id = ""
    creatorId: Id = ""
    uids: list[Id] = []
    updateMembers: list[Any] = []
    time: str | int = ""


def convert_members(members: list[Any]) -> list[Member]:
    """Those that can be read."""
    found = []
    for each in members:
        try:
            found.append(msgspec.convert({"id": each} if isinstance(each, str | int) else each, Member))
        except msgspec.ValidationError:
            continue
    return found
