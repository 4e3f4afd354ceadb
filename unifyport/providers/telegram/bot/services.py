"""Service messages: what happened in a chat, shown as a message. None of them was said by a customer.

`SERVICES` has a row for each: the function that makes its event. Most have no standard event and become
`provider.event` under the platform's word.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import msgspec

from unifyport.model.inbound import (
    Conversation,
    ConversationMoved,
    GroupChanged,
    Identity,
    MoveReason,
    PlatformEvent,
    ProviderEvent,
    dedupe_key,
)

from .content import message_id
from .people import author, conversation
from .shapes import Head, User


@attrs.frozen
class Service:
    """A service message: the name of its field, and who it comes from."""

    name: str
    value: Any
    head: Head
    key: bytes
    bot_id: str
    update_id: int

    @property
    def at(self) -> int:
        return self.head.date * 1000


def service_of(message: Mapping[str, Any]) -> str | None:
    """The name of the service message, None if it is none."""
    return next((name for name in message if name in SERVICES and message[name] is not None), None)


def reported(service: Service) -> ProviderEvent:
    head = service.head
    return PlatformEvent(
        service.key,
        service.name,
        service.at,
        conversation(head.chat, head.business_connection_id, head.guest_query_id),
        author(head),
        details={"message_id": message_id(head, service.update_id)},
    )


def member_key(bot_id: str, chat_id: int, user_id: int, kind: str, date: int) -> bytes:
    """The key of one member who comes or goes: the platform reports it by an update and by a message."""
    return dedupe_key("telegram", bot_id, "member", chat_id, user_id, kind, date)


def _members(kind: str) -> Callable[[Service], ProviderEvent]:
    def make(service: Service) -> ProviderEvent:
        value = service.value if isinstance(service.value, list) else [service.value]
        users = msgspec.convert(value, list[User])
        key, head = service.key, service.head
        if len(users) == 1:
            key = member_key(service.bot_id, head.chat.id, users[0].id, kind, head.date)
        return _changed(service, {"kind": kind, "member_ids": [str(user.id) for user in users]}, key)

    return make


def _renamed(service: Service) -> ProviderEvent:
    return _changed(service, {"kind": "renamed", "name": str(service.value)}, service.key)


def _changed(service: Service, change: dict[str, Any], key: bytes) -> ProviderEvent:
    head = service.head
    return GroupChanged(key, conversation(head.chat), author(head).id, [change], service.at)


def _migrated_to(service: Service) -> ProviderEvent:
    there = conversation(service.head.chat)
    there.id = str(msgspec.convert(service.value, int))
    there.identities = []
    return _moved(service, there, str(service.head.chat.id))


def _migrated_from(service: Service) -> ProviderEvent:
    return _moved(service, conversation(service.head.chat), str(msgspec.convert(service.value, int)))


def migration(bot_id: str, old_id: str, new_id: str, at: int) -> ConversationMoved:
    """What an error answer says of a group that has become a supergroup."""
    there = Conversation(new_id, "group", identities=[Identity("chat_id", new_id)])
    key = dedupe_key("telegram", bot_id, "migrated", old_id, new_id)
    return ConversationMoved(key, there, old_id, MoveReason.MIGRATED, "migrate_to_chat_id", at)


def _moved(service: Service, there: Any, previous_id: str) -> ProviderEvent:
    return ConversationMoved(service.key, there, previous_id, MoveReason.MIGRATED, service.name, service.at)


SERVICES: dict[str, Callable[[Service], ProviderEvent]] = {
    "new_chat_members": _members("member_added"),
    "left_chat_member": _members("member_removed"),
    "new_chat_title": _renamed,
    "migrate_to_chat_id": _migrated_to,
    "migrate_from_chat_id": _migrated_from,
    **dict.fromkeys(
        "chat_owner_left chat_owner_changed new_chat_photo delete_chat_photo group_chat_created"
        " supergroup_chat_created channel_chat_created message_auto_delete_timer_changed pinned_message"
        " successful_payment refunded_payment users_shared user_shared chat_shared gift unique_gift"
        " gift_upgrade_sent connected_website write_access_allowed passport_data proximity_alert_triggered"
        " boost_added chat_background_set checklist_tasks_done checklist_tasks_added"
        " direct_message_price_changed forum_topic_created forum_topic_edited forum_topic_closed"
        " forum_topic_reopened general_forum_topic_hidden general_forum_topic_unhidden giveaway_created"
        " giveaway_completed managed_bot_created paid_message_price_changed poll_option_added"
        " poll_option_deleted suggested_post_approved suggested_post_approval_failed suggested_post_declined"
        " suggested_post_paid suggested_post_refunded video_chat_scheduled video_chat_started"
        " video_chat_ended video_chat_participants_invited community_chat_added community_chat_removed"
        " community_chat_joined".split(),
        reported,
    ),
}
