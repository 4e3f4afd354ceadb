"""Frames of the socket -> provider events, one action at a time. Pure, and never raises.

`LISTS` says what a frame's data hold, whatever its command: one unreadable action is `Unparsed` and costs
nothing else, a list that is not in the table is passed on as `provider.event` and counted in `unknown`.
"""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from unifyport.model.inbound import PlatformEvent, ProviderEvent, Unparsed, raw_key
from unifyport.model.json_text import UNREADABLE, decode_object, without_nulls
from unifyport.protocols.zalo_frames import Command

from . import messages, receipts
from .controls import Uploaded, control
from .items import FILE_REDACTIONS, Item, with_data
from .messages import Reference

MAX_ACTIONS = 10_000  # of one frame

_READ = frozenset(
    {
        *(Command.USER_MESSAGES, Command.GROUP_MESSAGES, Command.USER_RECEIPTS, Command.GROUP_RECEIPTS),
        *(Command.OLD_USER_MESSAGES, Command.OLD_GROUP_MESSAGES, Command.CONTROLS, Command.ACTIONS),
        *(Command.REACTIONS, Command.OLD_USER_REACTIONS, Command.OLD_GROUP_REACTIONS),
    }
)


@attrs.define
class Read:
    """What a frame said. `last_user`, `last_group`: the highest message ids, from which a gap is fetched;
    of reactions `last_user_reaction` and `last_group_reaction`.

    `unknown`: names of acts and lists that no table has, for a counter. `known`: messages left out because
    they are not after the id that was given.
    """

    events: list[ProviderEvent] = attrs.field(factory=list)
    references: list[Reference] = attrs.field(factory=list)
    uploaded: list[Uploaded] = attrs.field(factory=list)
    unknown: list[str] = attrs.field(factory=list)
    last_user: int = 0
    last_group: int = 0
    last_user_reaction: int = 0
    last_group_reaction: int = 0
    known: int = 0


Reader = Callable[[Item, Read], None]


def parse(command: int, text: bytes, me: str, now_ms: int, *, presence: bool = False, after: int = 0) -> Read:
    """The events of a frame. `text`: the JSON of its payload. `presence`: typing is wanted. `after`: messages
    and reactions up to this id are left out.
    """
    read = Read()
    if command not in _READ:
        read.unknown.append(f"command {command}")
        return read
    try:
        data = _data_of(text)
    except (*UNREADABLE, ValueError) as error:
        read.events.append(Unparsed(raw_key("zalo", me, text), text, f"parse: {type(error).__name__}"))
        return read
    left = MAX_ACTIONS
    for name, values in data.items():
        if not isinstance(values, list):
            continue
        for value in values[:left]:
            if name == "actions" and not presence:
                continue
            _read(name, value, Where(command, me, now_ms, after), read)
        left -= min(left, len(values))
    return read


@attrs.frozen
class Where:
    command: int
    me: str
    now_ms: int
    after: int = 0


def _read(name: str, value: Any, where: Where, read: Read) -> None:
    """One action. What was read before an error is kept."""
    raw = msgspec.json.encode(value)
    reader = LISTS.get(name)
    if reader is None and not isinstance(value, dict):
        read.unknown.append(f"{where.command}.{name}"[:64])
        return
    try:
        inner = decode_object(value.encode()) if isinstance(value, str) else value
        if not isinstance(inner, dict):
            raise ValueError("action")
        item = Item(without_nulls(inner), inner, raw, where.me, where.now_ms)
        if reader is not None:
            if where.after and 0 < _id_of(item) <= where.after:
                read.known += 1
                return
            reader(item, read)
            return
        read.unknown.append(f"{where.command}.{name}"[:64])
        event = PlatformEvent(item.raw_key(name), "unknown_action", where.now_ms, details={"list": name[:64]})
        read.events.append(with_data(event, item, FILE_REDACTIONS))
    except Exception as error:
        reason = f"parse: {type(error).__name__}"
        read.events.append(Unparsed(raw_key("zalo", where.me, raw), raw, reason))


def _data_of(text: bytes) -> dict[str, Any]:
    """The lists of a payload: `{"error_code": 0, "data": {...}}`; `data` may be JSON in a string."""
    whole = decode_object(text)
    data = whole.get("data", whole)
    if isinstance(data, str):
        data = decode_object(data.encode())
    if not isinstance(data, dict):
        raise ValueError("data")
    return data


def _message(item: Item, read: Read, *, in_group: bool) -> None:
    found = messages.message(item, in_group=in_group)
    read.events.append(found.event)
    if found.reference is not None:
        read.references.append(found.reference)
    if in_group:
        read.last_group = max(read.last_group, _id_of(item))
    else:
        read.last_user = max(read.last_user, _id_of(item))


def _id_of(item: Item) -> int:
    """The id of a message as a number; 0 if it is none."""
    id_ = str(item.value.get("msgId", ""))
    return int(id_) if id_.isascii() and id_.isdigit() and len(id_) <= 32 else 0


def _control(item: Item, read: Read) -> None:
    found = control(item)
    read.events += found.events
    if found.uploaded is not None:
        read.uploaded.append(found.uploaded)
    if found.unknown:
        read.unknown.append(found.unknown)


def _user_message(item: Item, read: Read) -> None:
    _message(item, read, in_group=False)


def _group_message(item: Item, read: Read) -> None:
    _message(item, read, in_group=True)


def _reaction(item: Item, read: Read) -> None:
    read.events += messages.reactions(item, in_group=False)
    read.last_user_reaction = max(read.last_user_reaction, _id_of(item))


def _group_reaction(item: Item, read: Read) -> None:
    read.events += messages.reactions(item, in_group=True)
    read.last_group_reaction = max(read.last_group_reaction, _id_of(item))


def _delivered(item: Item, read: Read) -> None:
    """Of both kinds of conversation: a group's receipt names the group."""
    read.events += receipts.delivered(item, in_group="groupId" in item.value)


def _seen(item: Item, read: Read) -> None:
    read.events += receipts.seen(item, in_group=False)


def _group_seen(item: Item, read: Read) -> None:
    read.events += receipts.seen(item, in_group=True)


def _typing(item: Item, read: Read) -> None:
    found = receipts.typing(item) if item.value.get("act_type") == "typing" else []
    if not found:
        name = f"{item.value.get('act_type')}.{item.value.get('act')}"
        read.unknown.append(name[:64])
    read.events += found


LISTS: dict[str, Reader] = {
    "msgs": _user_message,
    "groupMsgs": _group_message,
    "reacts": _reaction,
    "reactGroups": _group_reaction,
    "delivereds": _delivered,
    "seens": _seen,
    "groupSeens": _group_seen,
    "controls": _control,
    "actions": _typing,
}
