"""Receipts and typing -> provider events. Pure.

A receipt has no time: it is the frame's. In a group it names the members.
"""

import json
import logging
from collections.abc import Iterable

import attrs
import msgspec

from unifyport.model.inbound import Ignored, PlatformEvent, ProviderEvent, Status, StatusChanged

from . import people, shapes
from .items import Item, with_data
from .shapes import Id, exact

log = logging.getLogger(__name__)
MOST_MEMBERS = 5000  # that are told of one receipt
_LISTS = ("deliveredUids", "seenUids")


def delivered(item: Item, *, in_group: bool) -> list[ProviderEvent]:
    """Also says who has seen the message."""
    value = msgspec.convert(item.value, shapes.Delivered)
    ids = _ids(value.msgId, value.realMsgId)
    found = _statuses(item, ids, Status.DELIVERED, value.deliveredUids, _group(value.groupId, in_group))
    found += _statuses(item, ids, Status.READ, value.seenUids, _group(value.groupId, in_group))
    return found or [Ignored(item.raw_key("delivered"))]


def seen(item: Item, *, in_group: bool) -> list[ProviderEvent]:
    value = msgspec.convert(item.value, shapes.Seen)
    ids = _ids(value.msgId, value.realMsgId)
    uids: list[Id] = value.seenUids if in_group else [value.idTo]
    found = _statuses(item, ids, Status.READ, uids, _group(value.groupId, in_group))
    return found or [Ignored(item.raw_key("seen"))]


def typing(item: Item) -> list[ProviderEvent]:
    """An action `typing` or `gtyping`, whose data are the inside of an object. Of other acts: nothing."""
    act, data = item.value.get("act"), item.value.get("data")
    if act not in ("typing", "gtyping") or not isinstance(data, str):
        return []
    inner = shapes.inner_object("{" + data + "}")
    uid = exact(inner.get("uid"))
    chat = people.group(exact(inner.get("gid"))) if act == "gtyping" else people.person(uid)
    key = item.key("typing", chat.id, uid, str(inner.get("ts", item.now_ms)))
    return [
        PlatformEvent(key, "typing", item.now_ms, chat, people.sender(uid), details={"state": "composing"})
    ]


def _group(group_id: Id, in_group: bool) -> str:
    found = exact(group_id) if in_group else ""
    if in_group and not found:
        raise ValueError("groupId")
    return found


def _ids(*ids: Id) -> list[str]:
    """The message's ids, each once. Raises `ValueError` if there is none."""
    found = list(dict.fromkeys(id_ for each in ids if (id_ := exact(each))))
    if not found:
        raise ValueError("msgId")
    return found


def _statuses(
    item: Item, ids: list[str], status: Status, uids: Iterable[Id], group_id: str
) -> list[ProviderEvent]:
    found: list[ProviderEvent] = []
    listed = _LISTS[status is Status.READ]
    whole = {name: value for name, value in item.shown.items() if name not in _LISTS}
    for uid in dict.fromkeys(exact(each) for each in uids):
        if not uid or uid == item.me:
            continue
        if len(found) == MOST_MEMBERS:
            log.warning("zalo: a receipt of more than %d members", MOST_MEMBERS)
            break
        chat = people.group(group_id) if group_id else people.person(uid)
        participant = people.sender(uid) if group_id else None
        key = item.key("receipt", status, chat.id, uid, json.dumps(ids))
        event = StatusChanged(key, chat, ids, status, item.now_ms, participant=participant)
        about = item
        if listed in item.shown:  # each member with all of them would be as many copies of a long list
            shown = {**whole, listed: [uid]}
            about = attrs.evolve(item, shown=shown, raw=msgspec.json.encode(shown))
        found.append(with_data(event, about))
    return found
