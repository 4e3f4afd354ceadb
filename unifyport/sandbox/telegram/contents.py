"""The content of messages: what a method makes of its parameters, and files with the fields that they need.

https://core.telegram.org/bots/api#available-types
"""

import random
from collections.abc import Callable, Mapping
from typing import Any

from unifyport.providers.telegram.bot.render import MAX_CALLBACK_DATA, MAX_TEXT

from .state import Bot, bad_request, is_set, structured, whole

# The fields that each type of file needs beside its ids, as a small picture or a short recording has them.
_SIZE: dict[str, Any] = {"width": 320, "height": 240}
FILES: Mapping[str, dict[str, Any]] = {
    "photo": _SIZE,
    "live_photo": {**_SIZE, "duration": 2},
    "video": {**_SIZE, "duration": 3},
    "animation": {**_SIZE, "duration": 3},
    "video_note": {"length": 240, "duration": 3},
    "audio": {"duration": 3},
    "voice": {"duration": 3},
    "document": {},
    "sticker": {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False},
}
_NUMBERS = ("width", "height", "duration", "length")


def described(kind: str, file_id: str, size: int, more: Mapping[str, Any]) -> Any:
    """A file in the message's field `kind`."""
    file = {**FILES[kind], "file_id": file_id, "file_unique_id": f"u-{file_id}", "file_size": size, **more}
    return [file] if kind == "photo" else file


def file_parameters(kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """What the parameters of a send say of its file."""
    numbers = {n: whole(parameters, n, 0) for n in _NUMBERS if n in FILES[kind] and n in parameters}
    texts = {n: parameters[n] for n in ("performer", "title", "emoji") if n in parameters}
    return numbers | texts


def text(bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
    content = parameters.get("text")
    if not isinstance(content, str) or not content:
        raise bad_request("message text is empty")
    if len(content) > MAX_TEXT:
        raise bad_request("message is too long")
    entities = structured(parameters, "entities", list)
    return {"text": content} | ({"entities": entities} if entities else {})


def location(bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"location": _location(parameters)}


def _location(parameters: dict[str, Any]) -> dict[str, float]:
    found = {}
    for name, largest in (("latitude", 90), ("longitude", 180)):
        try:
            found[name] = float(parameters[name])
        except (KeyError, TypeError, ValueError):
            raise bad_request(f"{name} is empty") from None
        if not abs(found[name]) <= largest:
            raise bad_request("wrong geo coordinates specified")
    return found


def venue(bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
    for name in ("title", "address"):
        if not parameters.get(name):
            raise bad_request(f"venue {name} must be non-empty")
    place = _location(parameters)
    shown = {"location": place, "title": parameters["title"], "address": parameters["address"]}
    return {"location": place, "venue": shown}


def contact(bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
    found = {
        k: parameters[k] for k in ("phone_number", "first_name", "last_name", "vcard") if k in parameters
    }
    if not found.get("phone_number") or not found.get("first_name"):
        raise bad_request("phone_number and first_name are required")
    return {"contact": found}


def poll(bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
    question, options = parameters.get("question"), structured(parameters, "options", list)
    if not isinstance(question, str) or not 0 < len(question) <= 300:
        raise bad_request("poll question length must not exceed 300")
    if not options or len(options) > 12:
        raise bad_request("poll must have from 1 to 12 options")
    texts = [option["text"] if isinstance(option, dict) else option for option in options]
    if not all(isinstance(each, str) and 0 < len(each) <= 100 for each in texts):
        raise bad_request("poll options length must not exceed 100")
    number = f"{random.getrandbits(62)}"
    shown = {
        "id": number,
        "question": question,
        "options": [
            {"persistent_id": str(place), "text": each, "voter_count": 0} for place, each in enumerate(texts)
        ],
        "total_voter_count": 0,
        "is_closed": is_set(parameters, "is_closed"),
        "is_anonymous": "is_anonymous" not in parameters or is_set(parameters, "is_anonymous"),
        "type": parameters.get("type", "regular"),
        "allows_multiple_answers": is_set(parameters, "allows_multiple_answers"),
        "allows_revoting": is_set(parameters, "allows_revoting"),
        "members_only": is_set(parameters, "members_only"),
    }
    if shown["type"] == "quiz" and not structured(parameters, "correct_option_ids", list):
        raise bad_request("there must be a correct option in a quiz")
    return {"poll": shown}


def dice(bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
    emoji = parameters.get("emoji", "🎲")
    if emoji not in ("🎲", "🎯", "🏀", "⚽", "🎳", "🎰"):
        raise bad_request("wrong emoji specified")
    return {"dice": {"emoji": emoji, "value": random.randint(1, 5)}}  # noqa: S311


def checklist(bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
    if "business_connection_id" not in parameters:
        raise bad_request("business connection is required")
    given = structured(parameters, "checklist") or {}
    tasks = given.get("tasks")
    if not given.get("title") or not isinstance(tasks, list) or not 0 < len(tasks) <= 30:
        raise bad_request("checklist is invalid")
    return {"checklist": {"title": given["title"], "tasks": tasks}}


def rich_message(bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
    given = structured(parameters, "rich_message") or {}
    sources = [given[name] for name in ("html", "markdown", "blocks") if given.get(name)]
    if len(sources) != 1:
        raise bad_request("exactly one of html, markdown and blocks must be used")
    [source] = sources
    blocks = source if isinstance(source, list) else [{"type": "paragraph", "text": source}]
    return {"rich_message": {"blocks": blocks}}


def invoice(bot: Bot, parameters: dict[str, Any]) -> dict[str, Any]:
    prices = structured(parameters, "prices", list)
    if not prices or not all(parameters.get(n) for n in ("title", "description", "payload", "currency")):
        raise bad_request("invoice is invalid")
    shown = {name: parameters[name] for name in ("title", "description", "currency")}
    total = sum(int(price["amount"]) for price in prices)
    return {"invoice": {**shown, "start_parameter": "", "total_amount": total}}


CONTENTS: Mapping[str, Callable[[Bot, dict[str, Any]], dict[str, Any]]] = {
    "sendmessage": text,
    "sendlocation": location,
    "sendvenue": venue,
    "sendcontact": contact,
    "sendpoll": poll,
    "senddice": dice,
    "sendchecklist": checklist,
    "sendrichmessage": rich_message,
    "sendinvoice": invoice,
}


def options(bot: Bot, chat: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """The fields of a message that its options make. Raises `BotApiError` for what Telegram refuses."""
    shown: dict[str, Any] = {}
    if parameters.get("message_thread_id") is not None:
        if not chat.get("is_forum"):
            raise bad_request("message thread not found")
        shown |= {"message_thread_id": whole(parameters, "message_thread_id", 0), "is_topic_message": True}
    if (reply := structured(parameters, "reply_parameters")) is not None:
        shown |= _reply(bot, chat, reply)
    if is_set(parameters, "protect_content"):
        shown["has_protected_content"] = True
    if parameters.get("message_effect_id"):
        shown["effect_id"] = parameters["message_effect_id"]
    if (business := parameters.get("business_connection_id")) is not None:
        if business not in bot.businesses:
            raise bad_request("business connection not found")
        shown |= {"business_connection_id": business, "sender_business_bot": bot.user}
    if (markup := structured(parameters, "reply_markup")) is not None:
        _check_keyboard(markup)
        shown |= {"reply_markup": markup} if "inline_keyboard" in markup else {}
    return shown


def _reply(bot: Bot, chat: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
    quoted = bot.messages.get((chat["id"], whole(reply, "message_id", 0)))
    if quoted is None:
        if is_set(reply, "allow_sending_without_reply"):
            return {}
        raise bad_request("message to be replied not found")
    quote = reply.get("quote")
    if quote is not None and quote not in quoted.get("text", quoted.get("caption", "")):
        raise bad_request("QUOTE_TEXT_INVALID")
    shown = {"reply_to_message": {k: v for k, v in quoted.items() if k != "reply_to_message"}}
    return shown | ({"quote": {"text": quote, "position": 0, "is_manual": True}} if quote else {})


def _check_keyboard(markup: dict[str, Any]) -> None:
    for button in (button for row in markup.get("inline_keyboard", []) for button in row):
        if not isinstance(button, dict) or not button.get("text"):
            raise bad_request("inline keyboard button text must be non-empty")
        if len(button) < 2:
            raise bad_request("text buttons are unallowed in the inline keyboard")
        if len(str(button.get("callback_data", "")).encode()) > MAX_CALLBACK_DATA:
            raise bad_request("BUTTON_DATA_INVALID")
