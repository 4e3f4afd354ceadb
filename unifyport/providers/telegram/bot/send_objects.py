"""The names of fields inside the objects of `provider_data` that go to Telegram as they are.

Telegram ignores a name that it does not know, so a misspelt one is said to the caller. What is None is not
looked into. https://core.telegram.org/bots/api#available-types
"""

from unifyport.providers.contract.fields import Names

from .sent_kinds import METHODS


def _names(names: str, **inside: Names) -> Names:
    return {**dict.fromkeys(names.split()), **inside}


ENTITIES = _names("type offset length url user language custom_emoji_id unix_time date_time_format")
_WEB_APP = _names("url")
_INLINE_BUTTON = _names(
    "text icon_custom_emoji_id style url callback_data switch_inline_query switch_inline_query_current_chat"
    " callback_game pay disabled",
    web_app=_WEB_APP,
    login_url=_names("url forward_text bot_username request_write_access"),
    switch_inline_query_chosen_chat=_names(
        "query allow_user_chats allow_bot_chats allow_group_chats allow_channel_chats"
    ),
    copy_text=_names("text"),
)
_BUTTON = _names(
    "text icon_custom_emoji_id style request_user request_contact request_location",
    request_users=_names(
        "request_id user_is_bot user_is_premium max_quantity request_name request_username request_photo"
    ),
    request_chat=_names(
        "request_id chat_is_channel chat_is_forum chat_has_username chat_is_created user_administrator_rights"
        " bot_administrator_rights bot_is_member request_title request_username request_photo"
    ),
    request_managed_bot=_names("request_id suggested_name suggested_username"),
    request_poll=_names("type"),
    web_app=_WEB_APP,
)
REPLY_MARKUP = _names(
    "is_persistent resize_keyboard one_time_keyboard input_field_placeholder selective remove_keyboard"
    " force_reply",
    keyboard=_BUTTON,
    inline_keyboard=_INLINE_BUTTON,
)
LINK_PREVIEW_OPTIONS = _names("is_disabled url prefer_small_media prefer_large_media show_above_text")
SUGGESTED_POST_PARAMETERS = _names("send_date", price=_names("currency amount"))
REPLY_PARAMETERS = _names(
    "message_id chat_id allow_sending_without_reply quote quote_parse_mode quote_position checklist_task_id"
    " poll_option_id ephemeral_message_id",
    quote_entities=ENTITIES,
)


def _of_method(content: str, **inside: Names) -> Names:
    """A content: names that it does not have are refused (`sent_kinds.py`)."""
    method = METHODS[content]
    return {**dict.fromkeys((*method.required, *method.optional)), **inside}


POLL = _of_method(
    "poll",
    question_entities=ENTITIES,
    explanation_entities=ENTITIES,
    description_entities=ENTITIES,
    options=_names("text text_parse_mode media", text_entities=ENTITIES),
)
CHECKLIST = _of_method(
    "checklist", title_entities=ENTITIES, tasks=_names("id text parse_mode", text_entities=ENTITIES)
)
INVOICE = _of_method("invoice", prices=_names("label amount"))
