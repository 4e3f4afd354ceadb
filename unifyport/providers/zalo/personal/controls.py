"""Controls (command 601): finished uploads, changes of groups, friends -> provider events. Pure.

A control is `{"content": {"act_type", "act", "data"}}`, `data` an object or its JSON. An approved request to
join comes as `join` and `join_reject`, a friend's request as `req` and `req_v2`: the second of the first
pair and the first of the second are the same news again and are ignored.
"""

import contextlib
from typing import Any

import attrs
import msgspec

from unifyport.model.inbound import GroupChanged, Ignored, JoinRequested, PlatformEvent, ProviderEvent

from ..items import milliseconds
from . import people, shapes
from .items import Item, with_data
from .shapes import convert_members, exact, inner_object, text_of

MEMBER_CHANGES = {
    "join": "member_added",
    "leave": "member_removed",
    "remove_member": "member_removed",
    "block_member": "member_removed",
    "add_admin": "promoted",
    "remove_admin": "demoted",
}
# Changes without a word of the contract: `provider.event` with `group_` before Zalo's word.
OTHER_GROUP_ACTS = frozenset(
    "update_setting update_avatar new_link new_pin_topic update_pin_topic reorder_pin_topic update_board"
    " remove_board update_topic unpin_topic remove_topic accept_remind reject_remind remind_topic".split()
)
# `provider.event` with `friend_` before Zalo's word.
FRIEND_ACTS = frozenset(
    "add remove block unblock block_call unblock_call req_v2 reject undo_req seen_fr_req pin_unpin"
    " pin_create".split()
)
_SAME_NEWS = {("group", "join_reject"), ("fr", "req")}


@attrs.frozen
class Uploaded:
    """A file that the platform has taken in; it may come before the answer to the upload."""

    file_id: str
    url: str = attrs.field(repr=False)


@attrs.frozen
class Control:
    """`unknown`: the act, if no table has it."""

    events: list[ProviderEvent] = attrs.field(factory=list)
    uploaded: Uploaded | None = None
    unknown: str = ""


def control(item: Item) -> Control:
    """Raises `ValidationError`, `ValueError`."""
    said = inner_object(item.value.get("content"))
    kind, act = text_of(said.get("act_type")), text_of(said.get("act"))
    if kind == "file_done":
        url = text_of(inner_object(said.get("data")).get("url"))
        file_id = exact(said.get("fileId"))
        if not file_id or not url:
            raise ValueError("file_done")
        return Control(uploaded=Uploaded(file_id, url))
    if (kind, act) in _SAME_NEWS:
        return Control([Ignored(item.raw_key())])
    if kind == "group":
        return _group(item, act, inner_object(said.get("data")))
    if kind == "fr":
        return _friend(item, act, said.get("data"))
    name = f"{kind}.{act}"[:64]
    return Control([_reported(item, f"control_{kind or 'unknown'}"[:64], {"act": act[:64]})], unknown=name)


def _group(item: Item, act: str, data: dict[str, Any]) -> Control:
    value = msgspec.convert(data, shapes.GroupAct)
    chat = people.group(exact(value.groupId) or exact(value.group_id), value.groupName)
    at = item.time(value.time)
    actor = exact(value.sourceId) or exact(value.actorId) or exact(value.creatorId)
    if act == "join_request":
        ids = [exact(uid) for uid in value.uids]
        found: list[ProviderEvent] = [
            JoinRequested(item.key("join", chat.id, uid, at), chat, uid, "", at) for uid in ids if uid
        ]
        return Control([with_data(event, item) for event in found] or [Ignored(item.raw_key())])
    members = [id_ for each in convert_members(value.updateMembers) if (id_ := exact(each.id))]
    changes: list[dict[str, Any]] = []
    if act in MEMBER_CHANGES and members:
        changes = [{"kind": MEMBER_CHANGES[act], "member_ids": members}]
    elif act == "update" and value.groupName:
        changes = [{"kind": "renamed", "name": value.groupName[:1024]}]
    if changes:
        event = GroupChanged(item.raw_key(), chat, actor, changes, at)
        return Control([with_data(event, item)])
    known = act in OTHER_GROUP_ACTS or act in MEMBER_CHANGES or act == "update"
    reported = PlatformEvent(item.raw_key(), f"group_{act or 'unknown'}"[:64], at, chat)
    if actor:
        reported.sender = people.sender(actor)
    return Control([with_data(reported, item)], unknown="" if known else f"group.{act}"[:64])


def _friend(item: Item, act: str, data: Any) -> Control:
    """`data`: the friend's id, or an object that names both sides. Most have no time: a repeat of such news
    cannot be told from the same thing done again, and is passed on.
    """
    value = inner_object(data)
    details: dict[str, Any] = {}
    who = ""
    with contextlib.suppress(ValueError):
        sides = [exact(value.get(name)) for name in ("fromUid", "toUid", "conversationId")]
        single = "" if isinstance(data, dict | list) or value else exact(data)
        who = single or next((side for side in sides if side and side != item.me), "")
        if value.get("fromUid") is not None:
            details["direction"] = "outbound" if exact(value.get("fromUid")) == item.me else "inbound"
    if message := text_of(value.get("message")):
        details["message"] = message[:4096]
    event = _reported(item, f"friend_{act or 'unknown'}"[:64], details)
    event.key = item.raw_key("at", str(item.now_ms))
    if who:
        event.conversation, event.sender = people.person(who), people.sender(who)
    return Control([event], unknown="" if act in FRIEND_ACTS else f"fr.{act}"[:64])


def _reported(item: Item, name: str, details: dict[str, Any]) -> PlatformEvent:
    at = milliseconds(str(item.value.get("ts", ""))) or item.now_ms
    event = PlatformEvent(item.raw_key(), name, at, details=details)
    with_data(event, item)
    return event
