"""A customer presses a button below a message of the bot (https://core.telegram.org/bots/api#callbackquery)."""

import random
from typing import Any

from .state import Bot


def press(bot: Bot, sender: dict[str, Any], chat: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    """The callback query of `{press: <label or callback_data>, message_id}`; without `message_id` it is the
    newest message of the bot in the chat that has this button. Raises `ValueError`.
    """
    wanted, named = order["press"], order.get("message_id")
    for (there, number), message in reversed(bot.messages.items()):
        if there != chat["id"] or (named is not None and str(named) != str(number)):
            continue
        for button in _buttons(message):
            if "callback_data" in button and wanted in (button["text"], button["callback_data"]):
                query = {"id": str(random.getrandbits(62)), "from": sender, "chat_instance": str(chat["id"])}
                return {**query, "data": button["callback_data"], "message": message}
    raise ValueError("press: no message of the bot in this chat has such a button")


def _buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    keyboard = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button for row in keyboard for button in row]
