"""Service messages of the platform -> those of the Bot API (`bot/services.py`), or an event of the same form.

`ACTIONS` names the field of the Bot API that an action is there, and its value where an event shows it. An
action without a field becomes `provider.event` under the platform's word, such as `phone_call`.
https://core.telegram.org/type/MessageAction
"""

from collections.abc import Callable
from typing import Any

from telethon.tl import types

from unifyport.model.inbound import Ignored, ProviderEvent

from ..bot.people import head_of
from ..bot.services import SERVICES, Service, reported
from .peer import channel_id
from .shapes import Fields, Shaper
from .values import name_of

_Value = Callable[[Shaper, Any], Any]


def _nothing(shaper: Shaper, action: Any) -> Any:
    return {}


def _joined(shaper: Shaper, action: Any) -> Any:
    return [shaper.user(shaper.author)]


def _topic(shaper: Shaper, action: Any) -> str:
    if action.closed is not None:
        return "forum_topic_closed" if action.closed else "forum_topic_reopened"
    if action.hidden is not None:
        return "general_forum_topic_hidden" if action.hidden else "general_forum_topic_unhidden"
    return "forum_topic_edited"


def _created(shaper: Shaper, action: Any) -> str:
    return "channel_chat_created" if shaper.peer(shaper.chat).type == "channel" else "supergroup_chat_created"


def _call(shaper: Shaper, action: Any) -> str:
    return "video_chat_started" if action.duration is None else "video_chat_ended"


def _post(shaper: Shaper, action: Any) -> str:
    if action.balance_too_low:
        return "suggested_post_approval_failed"
    return "suggested_post_declined" if action.rejected else "suggested_post_approved"


# Action -> the Bot API's word for it, and the value that the field has.
ACTIONS: dict[type, tuple[str | Callable[[Shaper, Any], str], _Value]] = {
    types.MessageActionChatAddUser: (
        "new_chat_members",
        lambda shaper, action: [shaper.user(each) for each in action.users],
    ),
    types.MessageActionChatJoinedByLink: ("new_chat_members", _joined),
    types.MessageActionChatJoinedByRequest: ("new_chat_members", _joined),
    types.MessageActionChatJoinedViaCommunity: ("new_chat_members", _joined),
    types.MessageActionChatDeleteUser: (
        "left_chat_member",
        lambda shaper, action: shaper.user(action.user_id),
    ),
    types.MessageActionChatEditTitle: ("new_chat_title", lambda _, action: action.title),
    types.MessageActionChatMigrateTo: (
        "migrate_to_chat_id",
        lambda _, action: channel_id(action.channel_id),
    ),
    types.MessageActionChannelMigrateFrom: ("migrate_from_chat_id", lambda _, action: -action.chat_id),
    types.MessageActionTopicEdit: (_topic, _nothing),
    types.MessageActionChannelCreate: (_created, _nothing),
    types.MessageActionGroupCall: (_call, _nothing),
    types.MessageActionSuggestedPostApproval: (_post, _nothing),
    **{
        kind: (name, _nothing)
        for kind, name in {
            types.MessageActionChatCreate: "group_chat_created",
            types.MessageActionChatEditPhoto: "new_chat_photo",
            types.MessageActionChatDeletePhoto: "delete_chat_photo",
            types.MessageActionPinMessage: "pinned_message",
            types.MessageActionPaymentSent: "successful_payment",
            types.MessageActionPaymentSentMe: "successful_payment",
            types.MessageActionPaymentRefunded: "refunded_payment",
            types.MessageActionBotAllowed: "write_access_allowed",
            types.MessageActionSecureValuesSent: "passport_data",
            types.MessageActionSecureValuesSentMe: "passport_data",
            types.MessageActionGeoProximityReached: "proximity_alert_triggered",
            types.MessageActionInviteToGroupCall: "video_chat_participants_invited",
            types.MessageActionGroupCallScheduled: "video_chat_scheduled",
            types.MessageActionSetMessagesTTL: "message_auto_delete_timer_changed",
            types.MessageActionSetChatWallPaper: "chat_background_set",
            types.MessageActionTopicCreate: "forum_topic_created",
            types.MessageActionRequestedPeer: "users_shared",
            types.MessageActionRequestedPeerSentMe: "users_shared",
            types.MessageActionGiveawayLaunch: "giveaway_created",
            types.MessageActionGiveawayResults: "giveaway_completed",
            types.MessageActionBoostApply: "boost_added",
            types.MessageActionStarGift: "gift",
            types.MessageActionStarGiftUnique: "unique_gift",
            types.MessageActionPaidMessagesPrice: "paid_message_price_changed",
            types.MessageActionTodoCompletions: "checklist_tasks_done",
            types.MessageActionTodoAppendTasks: "checklist_tasks_added",
            types.MessageActionSuggestedPostSuccess: "suggested_post_paid",
            types.MessageActionSuggestedPostRefund: "suggested_post_refunded",
            types.MessageActionChangeCreator: "chat_owner_changed",
            types.MessageActionNewCreatorPending: "chat_owner_left",
            types.MessageActionPollAppendAnswer: "poll_option_added",
            types.MessageActionPollDeleteAnswer: "poll_option_deleted",
            types.MessageActionManagedBotCreated: "managed_bot_created",
        }.items()
    },
}


def service_event(shaper: Shaper, key: bytes) -> ProviderEvent:
    """The event of a `MessageService`. Raises `ValidationError` for values of wrong types."""
    action = shaper.message.action
    if isinstance(action, types.MessageActionEmpty | types.MessageActionHistoryClear):
        return Ignored(key)
    fields: Fields = shaper.head()
    row = ACTIONS.get(type(action))
    if row is None:
        name, value = name_of(action, "MessageAction"), {}
    else:
        word, make = row
        name, value = word if isinstance(word, str) else word(shaper, action), make(shaper, action)
    service = Service(name, value, head_of(fields), key, str(shaper.me), 0)
    return SERVICES.get(name, reported)(service)
