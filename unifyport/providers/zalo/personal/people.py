"""Ids of people and groups -> conversations and senders.

User ids and group ids are numbers of the same kind, and Zalo's requests need to know which one it is: a
group's conversation id is `g` with its id, so that an id alone says where it leads.
"""

import re

from unifyport.model.inbound import Conversation, Identity, Sender

from ..items import usable

_ID = re.compile(r"g?[0-9]{1,32}")


def is_conversation(id_: str) -> bool:
    return _ID.fullmatch(id_) is not None


def is_group(conversation_id: str) -> bool:
    return conversation_id.startswith("g")


def bare(conversation_id: str) -> str:
    """The id for Zalo."""
    return conversation_id.removeprefix("g")


def group(id_: str, title: str = "") -> Conversation:
    """Raises `ValueError` for an id that cannot be used."""
    id_ = usable(id_)
    return Conversation(f"g{id_}", "group", title, [Identity("group_id", id_)])


def person(id_: str, name: str = "") -> Conversation:
    id_ = usable(id_)
    return Conversation(id_, "user", name, [Identity("user_id", id_)])


def sender(id_: str, name: str = "") -> Sender:
    id_ = usable(id_)
    return Sender(id_, "user", name, identities=[Identity("user_id", id_)])


def receiver(conversation_id: str) -> dict[str, str]:
    """The field of a request that says where it goes."""
    return {"grid" if is_group(conversation_id) else "toid": bare(conversation_id)}
