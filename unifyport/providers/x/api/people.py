"""Users, and the conversations that the account has with them.

A conversation with one person is named by the id of that person. X has two names of its own for it:
`<smaller id>-<larger id>` in `/2/dm_conversations`, and the same two ids with a colon, in any order, in
encrypted messages. A group has an id of its own, of an encrypted one it begins with `g`.
"""

import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw

from unifyport.model.inbound import Conversation, Identity, Sender
from unifyport.model.json_text import UNREADABLE

from .shapes import Entry, Person, Profile

PAIR = re.compile(r"([0-9]{1,19})[-:]([0-9]{1,19})")
USER = re.compile(r"[0-9]{1,19}")
Users = Mapping[str, Profile]


def users_of(raw: Raw) -> dict[str, Profile]:
    """The `users` map of a payload. What cannot be read is left out: only names are lost."""
    found: dict[str, Profile] = {}
    try:
        entries = msgspec.json.decode(raw, type=dict[str, Raw] | None) or {}
    except UNREADABLE:
        return found
    for id_, item in entries.items():
        try:
            entry = msgspec.json.decode(item, type=Entry)
        except UNREADABLE:
            continue
        found[id_] = entry.data or Profile(entry.name, entry.screen_name)
    return found


def included_users(items: list[Raw]) -> dict[str, Profile]:
    """`includes.users` of a page."""
    found: dict[str, Profile] = {}
    for item in items:
        try:
            person = msgspec.json.decode(item, type=Person)
        except UNREADABLE:
            continue
        found[person.id] = Profile(person.name, person.username)
    return found


def sender(id_: str, users: Users) -> Sender:
    known = users.get(id_) or Profile()
    username = known.username or known.screen_name
    identities = [Identity("user_id", id_)]
    if username:
        identities.append(Identity("username", username))
    return Sender(id_, "user", known.name, username, identities=identities)


def chat_with(me: str, other: str, users: Users) -> Conversation:
    """The conversation with one person."""
    who = sender(other, users)
    pair = pair_of(me, other)
    identities = [*who.identities, Identity("conversation_id", pair)]
    return Conversation(other, "user", who.name, identities, [pair])


def conversation(me: str, id_: str, users: Users) -> Conversation:
    """The conversation that X calls `id_`."""
    pair = PAIR.fullmatch(id_)
    if pair is None or me not in pair.groups():
        return Conversation(id_, "group")
    other = pair[2] if pair[1] == me else pair[1]
    return chat_with(me, other, users)


def pair_of(one: str, other: str) -> str:
    """The id of the conversation of two users in `/2/dm_conversations`."""
    low, high = sorted((one, other), key=int)
    return f"{low}-{high}"


def canonical(conversation_id: str) -> str:
    """A conversation id in one spelling: ids of two users in order and with a hyphen."""
    pair = PAIR.fullmatch(conversation_id)
    return conversation_id if pair is None else pair_of(pair[1], pair[2])
