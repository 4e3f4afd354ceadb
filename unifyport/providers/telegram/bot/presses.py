"""Pressed buttons: each is answered once its event is durable, so that the customer's client stops waiting.

https://core.telegram.org/bots/api#answercallbackquery. An answer that is lost is not sent again: the client
stops by itself after a while, and Telegram repeats an update that was not confirmed.
"""

from typing import Any

import msgspec
from msgspec import Struct

from unifyport.model.json_text import UNREADABLE

METHOD = "answerCallbackQuery"
_GAME = "callback_game"  # of the button that starts a game, which has no data


class _Query(Struct):
    id: str


class _Update(Struct):
    callback_query: _Query | None = None


def answer_to(update: bytes) -> dict[str, Any] | None:
    """The parameters of the answer to an update; None if it needs none. Never raises."""
    if b'"callback_query"' not in update:
        return None
    try:
        query = msgspec.json.decode(update, type=_Update).callback_query
    except UNREADABLE:
        return None
    return None if query is None else {"callback_query_id": query.id}


def acknowledge(update: bytes) -> bytes:
    """The body of our answer to a webhook: Telegram carries out the method in it. Empty: none.

    https://core.telegram.org/bots/api#making-requests-when-getting-updates
    """
    answer = answer_to(update)
    return b"" if answer is None else msgspec.json.encode({"method": METHOD, **answer})


def label_of(reply_markup: Any, data: str | None) -> str:
    """What stands on the button that was pressed, by the keyboard of its message; empty if it is not there.

    The message may be inaccessible by then, or have other buttons. Of several buttons with the same data it
    is the first. `data` None: a button that starts a game.
    """
    rows = reply_markup.get("inline_keyboard") if isinstance(reply_markup, dict) else None
    for row in rows if isinstance(rows, list) else []:
        for button in row if isinstance(row, list) else []:
            if not isinstance(button, dict) or not isinstance(button.get("text"), str):
                continue
            pressed = _GAME in button if data is None else button.get("callback_data") == data
            if pressed and button["text"].strip():
                return str(button["text"])
    return ""
