"""Reactions: the platform says which ones a message has now, and not what changed.

A change is found by comparing with what was known of the message before. A reaction is known by who reacted:
one that is new is told, and one that is no longer there was removed.
"""

from collections.abc import Mapping
from typing import Any

import attrs
from telethon.tl import types

from .peer import id_of


@attrs.frozen
class Change:
    """`who`: as in events. `emoji` empty: removed. `at`: unix ms; 0: not said."""

    who: int
    emoji: str
    at: int


def emoji_of(reaction: Any) -> str:
    match reaction:
        case types.ReactionEmoji(emoticon=emoticon):
            return str(emoticon)
        case types.ReactionCustomEmoji(document_id=document_id):
            return str(document_id)
        case types.ReactionPaid():
            return "paid"
    return ""


def _newest(reactions: Any) -> dict[int, tuple[str, int]]:
    """Who -> (emoji, unix ms); of several reactions of one person the newest."""
    found: dict[int, tuple[str, int]] = {}
    for each in getattr(reactions, "recent_reactions", None) or ():
        who, at = id_of(each.peer_id), int(each.date.timestamp() * 1000) if each.date is not None else 0
        if who not in found or found[who][1] <= at:
            found[who] = (emoji_of(each.reaction), at)
    return found


def state_of(reactions: Any) -> dict[str, str]:
    """What is kept of a message: who -> emoji."""
    return {str(who): emoji for who, (emoji, _) in _newest(reactions).items()}


def changes(reactions: Any, before: Mapping[str, str]) -> list[Change]:
    """What changed, as far as the platform names people. It names a few of many: a person who is not
    named any more while there are more reactions than names may still react.
    """
    now = _newest(reactions)
    found = [
        Change(who, emoji, at) for who, (emoji, at) in now.items() if before.get(str(who)) != emoji and emoji
    ]
    total = sum(each.count for each in getattr(reactions, "results", None) or ())
    if total <= len(now):
        found += [Change(int(who), "", 0) for who in before if int(who) not in now]
    return found
