"""What Telegram's words for a refusal mean: the reason of an error, and a sentence beside the word.

A word that is not here is the reason itself, in small letters. https://core.telegram.org/api/errors
"""

from typing import Final

from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND

REFUSALS: Final = {
    "ADMINS_TOO_MUCH": ("admins_too_much", "the group has as many administrators as it may"),
    "BOT_GROUPS_BLOCKED": ("bot_groups_blocked", "this bot cannot be added to groups"),
    "BUTTON_URL_INVALID": ("button_url_invalid", "the address of a button is not one that Telegram takes"),
    "CHANNEL_INVALID": (CONVERSATION_NOT_FOUND, "there is no such channel or supergroup"),
    "CHANNEL_PRIVATE": ("not_a_member", "the account is not in this channel, or was removed from it"),
    "CHAT_ADMIN_REQUIRED": ("not_allowed", "only administrators of the group may do this"),
    "CHAT_FORBIDDEN": ("not_a_member", "the account is not in this group"),
    "CHAT_GUEST_SEND_FORBIDDEN": ("not_a_member", "only members of the group may write there"),
    "CHAT_ID_INVALID": (CONVERSATION_NOT_FOUND, "there is no such group"),
    "CHAT_NOT_MODIFIED": ("chat_not_modified", "the group is like that already"),
    "CHAT_RESTRICTED": ("not_allowed", "Telegram restricts this group"),
    "CHAT_SEND_MEDIA_FORBIDDEN": ("not_allowed", "the group allows no files"),
    "CHAT_SEND_PLAIN_FORBIDDEN": ("not_allowed", "the group allows no texts"),
    "CHAT_SEND_POLL_FORBIDDEN": ("not_allowed", "the group allows no polls"),
    "CHAT_SEND_STICKERS_FORBIDDEN": ("not_allowed", "the group allows no stickers"),
    "CHAT_SEND_VOICES_FORBIDDEN": ("not_allowed", "the group allows no voice messages"),
    "CHAT_WRITE_FORBIDDEN": ("not_allowed", "the account may not write there"),
    "ENTITY_BOUNDS_INVALID": ("entity_bounds_invalid", "a mark-up of the text lies outside of it"),
    "FILE_PARTS_INVALID": ("file_parts_invalid", "the file was not uploaded completely"),
    "INPUT_USER_DEACTIVATED": ("contact_not_reachable", "this account of Telegram was deleted"),
    "MEDIA_CAPTION_TOO_LONG": ("media_caption_too_long", "the caption is too long"),
    "MEDIA_EMPTY": ("media_empty", "Telegram cannot use this file"),
    "MESSAGE_AUTHOR_REQUIRED": ("message_author_required", "only its author may change this message"),
    "MESSAGE_DELETE_FORBIDDEN": ("message_delete_forbidden", "the account may not delete this message"),
    "MESSAGE_EDIT_TIME_EXPIRED": ("message_edit_time_expired", "the message is too old to be edited"),
    "MESSAGE_EMPTY": ("message_empty", "the message has no text"),
    "MESSAGE_ID_INVALID": ("message_id_invalid", "there is no such message in this conversation"),
    "MESSAGE_NOT_MODIFIED": ("message_not_modified", "the message is like that already"),
    "MESSAGE_TOO_LONG": ("message_too_long", "the text is too long"),
    "MSG_ID_INVALID": ("msg_id_invalid", "there is no such message in this conversation"),
    "PEER_ID_INVALID": (
        "contact_not_reachable",
        "the account cannot reach this conversation: it has not met it, or it is gone",
    ),
    "PHOTO_INVALID_DIMENSIONS": (
        "photo_invalid_dimensions",
        "the picture is too wide, too high or too small",
    ),
    "PREMIUM_ACCOUNT_REQUIRED": (
        "premium_account_required",
        "only accounts with Telegram Premium may do this",
    ),
    "PRIVACY_PREMIUM_REQUIRED": (
        "privacy_premium_required",
        "this person takes messages only from contacts and Premium accounts",
    ),
    "REACTION_INVALID": ("reaction_invalid", "this reaction is not possible here"),
    "REPLY_MESSAGE_ID_INVALID": (
        "reply_message_id_invalid",
        "the message that is replied to is not in this conversation",
    ),
    "SLOWMODE_MULTI_MSGS_DISABLED": (
        "slowmode_multi_msgs_disabled",
        "the group is in slow mode: one message at a time",
    ),
    "TOPIC_CLOSED": ("topic_closed", "the topic is closed"),
    "TOPIC_DELETED": ("topic_deleted", "the topic was deleted"),
    "USERS_TOO_FEW": ("users_too_few", "a group needs one more person at least"),
    "USERS_TOO_MUCH": ("users_too_much", "the group is full"),
    "USER_ALREADY_PARTICIPANT": ("user_already_participant", "this person is in the group already"),
    "USER_BANNED_IN_CHANNEL": ("not_allowed", "Telegram, or the group, has restricted this account"),
    "USER_ID_INVALID": ("contact_not_reachable", "the account cannot reach this person: it has not met them"),
    "USER_IS_BLOCKED": ("blocked_by_recipient", "this person has blocked the account"),
    "USER_NOT_MUTUAL_CONTACT": (
        "user_not_mutual_contact",
        "this person has to add the account to the contacts first",
    ),
    "USER_NOT_PARTICIPANT": ("not_a_member", "this person is not in the group"),
    "USER_PRIVACY_RESTRICTED": ("contact_not_reachable", "this person's privacy settings do not allow it"),
    "VOICE_MESSAGES_FORBIDDEN": ("voice_messages_forbidden", "this person takes no voice messages"),
    "YOU_BLOCKED_USER": ("contact_blocked", "the account has blocked this person"),
}
