"""Pressed buttons: each is answered once its event is durable, so that the customer's client stops waiting.

https://core.telegram.org/bots/api#answercallbackquery. An answer that is lost is not sent again: the client
stops by itself after a while, and Telegram repeats an update that was not confirmed.
"""

from typing import Any

import msgspec
from msgspec import Struct

from unifyport.model.json_text import UNREADABLE

METHOD = "answerCallbackQuery"


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
