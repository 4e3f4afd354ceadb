"""Reports about groups -> events:
https://developers.facebook.com/documentation/business-messaging/whatsapp/groups/webhooks.
"""

from typing import Any

import msgspec

from unifyport.model.inbound import (
    Conversation,
    GroupChanged,
    JoinRequested,
    PlatformEvent,
    ProviderEvent,
    raw_key,
)

from .items import milliseconds
from .shapes import GroupItem, Participant


def group_event(raw: bytes, number: str, field: str) -> ProviderEvent:
    """The change of a group, or `provider.event` under the name of the webhook field."""
    item = msgspec.json.decode(raw, type=GroupItem)
    key, at = raw_key("whatsapp", number, raw, field), milliseconds(item.timestamp)
    chat = Conversation(item.group_id, "group")
    if item.type == "group_join_request_created":
        return JoinRequested(key, chat, item.wa_id or item.user_id, item.reason, at)
    changes = [] if item.errors else _changes(item)
    if not changes:
        return PlatformEvent(key, field, at, chat, details={"type": item.type} if item.type else {})
    return GroupChanged(key, chat, item.initiated_by or number, changes, at)


def _changes(item: GroupItem) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for kind, members in (
        ("member_added", item.added_participants),
        ("member_removed", item.removed_participants),
    ):
        if members:
            found.append({"kind": kind, "member_ids": [_id(member) for member in members]})
    subject, description = item.group_subject, item.group_description
    if subject is not None and subject.update_successful:
        found.append({"kind": "renamed", "name": subject.text})
    if description is not None and description.update_successful:
        found.append({"kind": "description_changed", "description": description.text})
    if item.type == "group_delete":
        found.append({"kind": "dissolved"})
    return found


def _id(member: Participant) -> str:
    return member.wa_id or member.user_id or member.input.lstrip("+")
