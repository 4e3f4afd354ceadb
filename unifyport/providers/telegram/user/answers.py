"""Answers to sends: updates in any order, among which are the ids of the messages that were made."""

from collections.abc import Sequence
from typing import Any

from telethon.tl import types

_NEW = (types.UpdateNewMessage, types.UpdateNewChannelMessage, types.UpdateNewScheduledMessage)


def sent_ids(found: Any, random_ids: Sequence[int]) -> list[int]:
    """The ids of the messages that the platform made of these `random_id`s, in their order. Without
    `updateMessageID` they are those of the messages of the account in the answer.
    """
    if isinstance(found, types.UpdateShortSentMessage):
        return [found.id]
    updates = getattr(found, "updates", None)
    if updates is None:
        updates = [found.update] if isinstance(found, types.UpdateShort) else []
    named = {each.random_id: each.id for each in updates if isinstance(each, types.UpdateMessageID)}
    ids = [named[random_id] for random_id in random_ids if random_id in named]
    if len(ids) == len(random_ids):
        return ids
    return [
        each.message.id
        for each in updates
        if isinstance(each, _NEW)
        and isinstance(each.message, types.Message)
        and (each.message.out or each.message.post)
    ][: len(random_ids)]
