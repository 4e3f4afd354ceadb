"""Methods that send nothing: of messages that are there, of chats, of pressed buttons."""

from collections.abc import Callable, Mapping
from typing import Any

from unifyport.providers.telegram.bot.render import MAX_TEXT, chat_id
from unifyport.providers.telegram.bot.sent_kinds import MAX_CAPTION

from .state import Bot, BotApiError, bad_request, structured, whole

_REACTIONS = "👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣"


def chat_in(bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
    """The chat that is named. Raises `BotApiError` if it has never written to the bot, or the bot left it."""
    asked = chat_id(str(parameters.get("chat_id", "")))
    if asked in bot.migrated:
        text = "Bad Request: group chat was upgraded to a supergroup chat"
        raise BotApiError(400, text, migrate_to_chat_id=bot.migrated[asked])
    chat = bot.chats.get(asked)
    if chat is None:
        raise bad_request("chat not found")
    if asked in bot.left:
        raise BotApiError(403, f"Forbidden: bot is not a member of the {chat['type']} chat")
    return chat


def _message(bot: Bot, parameters: dict[str, Any], verb: str, *, own: bool = False) -> dict[str, Any]:
    chat = chat_in(bot, parameters)
    message = bot.messages.get((chat["id"], whole(parameters, "message_id", 0)))
    if message is None:
        raise bad_request(f"message to {verb} not found")
    if own and message["from"]["id"] != bot.id:
        raise bad_request(f"message can't be {verb}ed")
    return message


def _edit(field: str, longest: int) -> Callable[[Bot, dict[str, Any]], Any]:
    def edit(bot: Bot, parameters: dict[str, Any]) -> Any:
        message = _message(bot, parameters, "edit", own=True)
        content = str(parameters.get(field, ""))
        if field == "text" and "text" not in message:
            raise bad_request("there is no text in the message to edit")
        if field == "caption" and not {"photo", "video", "audio", "voice", "document"} & message.keys():
            raise bad_request("there is no caption in the message to edit")
        if len(content) > longest:
            raise bad_request("MESSAGE_TOO_LONG")
        if message.get(field) == content:
            raise bad_request(
                "message is not modified: specified new message content and reply markup are exactly the"
                " same as a current content and reply markup of the message"
            )
        message[field] = content
        message["edit_date"] = message["date"]
        return message

    return edit


def _delete(bot: Bot, parameters: dict[str, Any]) -> bool:
    message = _message(bot, parameters, "delete")
    del bot.messages[message["chat"]["id"], message["message_id"]]
    return True


def _delete_business(bot: Bot, parameters: dict[str, Any]) -> bool:
    _business(bot, parameters)
    numbers = structured(parameters, "message_ids", list) or []
    found = [key for key in bot.messages if key[1] in numbers]
    if not found:
        raise bad_request("message to delete not found")
    for key in found:
        del bot.messages[key]
    return True


def _business(bot: Bot, parameters: dict[str, Any]) -> None:
    if parameters.get("business_connection_id") not in bot.businesses:
        raise bad_request("business connection not found")


def _react(bot: Bot, parameters: dict[str, Any]) -> bool:
    message = _message(bot, parameters, "react")
    reaction = structured(parameters, "reaction", list) or []
    for each in reaction:
        emoji = str(each.get("emoji", "")).rstrip("\ufe0f")
        if each.get("type") == "emoji" and (not emoji or emoji not in _REACTIONS):
            raise bad_request("REACTION_INVALID")
    bot.reactions[message["chat"]["id"], message["message_id"]] = reaction
    return True


def _pin(bot: Bot, parameters: dict[str, Any]) -> bool:
    message = _message(bot, parameters, "pin")
    bot.pinned.add((message["chat"]["id"], message["message_id"]))
    return True


def _unpin(bot: Bot, parameters: dict[str, Any]) -> bool:
    message = _message(bot, parameters, "unpin")
    key = message["chat"]["id"], message["message_id"]
    if key not in bot.pinned:
        raise bad_request("message to unpin not found")
    bot.pinned.remove(key)
    return True


def _read_business(bot: Bot, parameters: dict[str, Any]) -> bool:
    _business(bot, parameters)
    _message(bot, parameters, "read")
    return True


def _chat_action(bot: Bot, parameters: dict[str, Any]) -> bool:
    chat_in(bot, parameters)
    return True


def _get_chat(bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
    gifts = (
        "unlimited_gifts",
        "limited_gifts",
        "unique_gifts",
        "premium_subscription",
        "gifts_from_channels",
    )
    chat = chat_in(bot, parameters)
    return {
        **chat,
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, True),
    }


def _member_count(bot: Bot, parameters: dict[str, Any]) -> int:
    chat_in(bot, parameters)
    return 2


def _administrators(bot: Bot, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    chat = chat_in(bot, parameters)
    if chat["type"] == "private":
        raise bad_request("there are no administrators in the private chat")
    owner = {"id": 1, "is_bot": False, "first_name": "Customer 1"}
    return [{"status": "creator", "user": owner, "is_anonymous": False}]


def _leave(bot: Bot, parameters: dict[str, Any]) -> bool:
    chat = chat_in(bot, parameters)
    if chat["type"] == "private":
        raise bad_request("chat member status can't be changed in private chats")
    bot.left.add(chat["id"])
    return True


def _answer_query(bot: Bot, parameters: dict[str, Any]) -> bool:
    query = str(parameters.get("callback_query_id", ""))
    if query not in bot.queries:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    bot.queries.discard(query)
    return True


def _decide(bot: Bot, parameters: dict[str, Any]) -> bool:
    chat, user = chat_in(bot, parameters), whole(parameters, "user_id", 0)
    if (chat["id"], user) not in bot.join_requests:
        raise bad_request("HIDE_REQUESTER_MISSING")
    bot.join_requests.discard((chat["id"], user))
    return True


ACTIONS: Mapping[str, Callable[[Bot, dict[str, Any]], Any]] = {
    "editmessagetext": _edit("text", MAX_TEXT),
    "editmessagecaption": _edit("caption", MAX_CAPTION),
    "deletemessage": _delete,
    "deletebusinessmessages": _delete_business,
    "setmessagereaction": _react,
    "pinchatmessage": _pin,
    "unpinchatmessage": _unpin,
    "readbusinessmessage": _read_business,
    "sendchataction": _chat_action,
    "getchat": _get_chat,
    "getchatmembercount": _member_count,
    "getchatadministrators": _administrators,
    "leavechat": _leave,
    "answercallbackquery": _answer_query,
    "approvechatjoinrequest": _decide,
    "declinechatjoinrequest": _decide,
}
