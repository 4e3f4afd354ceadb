"""The names of a conversation.

    in signatures and events   `<lower id>:<higher id>`, as numbers;  `g…` for a group
    in paths of the API        `<lower id>-<higher id>`;              `g…`
    in our events              the id of the other person;            `g…`

A conversation with oneself has the own id twice.
"""

import re

from ..api.people import PAIR as PAIR
from ..api.people import USER as USER

GROUP = re.compile(r"g[0-9]{1,19}")


def conversation_of(me: str, id_: str) -> str | None:
    """The name in signatures of a conversation of `me`, from any of its names; None: it has no such name."""
    if GROUP.fullmatch(id_):
        return id_
    if USER.fullmatch(id_):
        return pair(me, id_)
    found = PAIR.fullmatch(id_)
    if found is None or me not in found.groups():
        return None
    return pair(found[1], found[2])


def pair(one: str, other: str) -> str:
    low, high = sorted((one, other), key=int)
    return f"{low}:{high}"


def in_path(conversation: str) -> str:
    return conversation.replace(":", "-")


def other_of(me: str, conversation: str) -> str:
    """The other person; of a group and of a conversation with oneself, as far as it names one."""
    found = PAIR.fullmatch(conversation)
    if found is None:
        return conversation
    return found[2] if found[1] == me else found[1]
