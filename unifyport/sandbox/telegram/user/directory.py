"""People, groups and channels, and the state of updates that each account and each channel has.

https://core.telegram.org/api/updates: an account has one box (pts) for its private chats and basic groups;
each channel or supergroup has a box of its own. https://core.telegram.org/api/peers: an access hash is valid
for the account that got it only.
"""

import hashlib
import hmac
import itertools
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from .authorizations import Authorization
    from .posts import Post

Update = Callable[["Person"], Any]  # the update as this account sees it; None: there is nothing left of it


@attrs.frozen
class Entry:
    """One update of a box. `pts` is the box's state after it; `count` how much it counts."""

    pts: int
    count: int
    date: int
    update: Update


@attrs.define
class Box:
    """Updates in their order. `forget`: how many of the newest a difference can still give."""

    pts: int = 1
    log: list[Entry] = attrs.field(factory=list, repr=False)

    def add(self, make: Callable[[int, int], Update], *, count: int = 1) -> Entry:
        """Record an update; `make` is given its pts and count."""
        self.pts += count
        entry = Entry(self.pts, count, int(time.time()), make(self.pts, count))
        self.log.append(entry)
        return entry

    def after(self, pts: int) -> list[Entry]:
        """What came after `pts`, oldest first."""
        at = len(self.log)
        while at and self.log[at - 1].pts > pts:
            at -= 1
        return self.log[at:]


@attrs.define(eq=False)
class Dialog:
    """How one account has one chat."""

    read_inbox: int = 0
    read_outbox: int = 0
    unread_mark: bool = False
    pinned: bool = False
    mute_until: int = 0
    hidden: bool = False  # its history was deleted


@attrs.define(eq=False)
class Person:
    """`posts`: private chats and basic groups, by the identifier that this account has for the message."""

    id: int
    phone: str
    name: str
    last_name: str = ""
    username: str | None = None
    dc: int = 2
    password: str | None = attrs.field(default=None, repr=False)
    hint: str | None = None
    deleted: bool = False
    bot: bool = False
    about: str = ""
    box: Box = attrs.field(factory=Box, repr=False)
    posts: dict[int, "Post"] = attrs.field(factory=dict, repr=False)
    last_post: int = 0
    dialogs: dict["Chat", Dialog] = attrs.field(factory=dict, repr=False)
    contacts: dict["Person", dict[str, str]] = attrs.field(factory=dict, repr=False)
    blocked: set["Person"] = attrs.field(factory=set, repr=False)
    authorizations: list["Authorization"] = attrs.field(factory=list, repr=False)
    sent: dict[int, "Post"] = attrs.field(factory=dict, repr=False)  # by random_id
    channels: set["Channel"] = attrs.field(factory=set, repr=False)

    def dialog(self, chat: "Chat") -> Dialog:
        return self.dialogs.setdefault(chat, Dialog())


@attrs.define(eq=False)
class Member:
    """`rank`: `creator`, `admin` or nothing."""

    person: Person
    joined: int
    inviter: Person
    rank: str = ""


@attrs.define(eq=False)
class Group:
    """A basic group: its messages are in the boxes of its members."""

    id: int
    title: str
    members: dict[Person, Member] = attrs.field(factory=dict, repr=False)
    about: str = ""
    version: int = 1
    photo: Any = None
    migrated_to: "Channel | None" = None
    left: set[Person] = attrs.field(factory=set, repr=False)

    @property
    def audience(self) -> list[Person]:
        return list(self.members)


@attrs.define(eq=False)
class Channel:
    """A channel (only admins post), or a supergroup (`megagroup`), with topics if `forum`."""

    id: int
    title: str
    megagroup: bool = False
    forum: bool = False
    username: str | None = None
    members: dict[Person, Member] = attrs.field(factory=dict, repr=False)
    about: str = ""
    photo: Any = None
    box: Box = attrs.field(factory=Box, repr=False)
    posts: dict[int, "Post"] = attrs.field(factory=dict, repr=False)
    last_post: int = 0
    topics: dict[int, str] = attrs.field(factory=dict, repr=False)
    banned: set[Person] = attrs.field(factory=set, repr=False)
    changed: int = 0  # when its box last changed
    deleted: bool = False

    @property
    def audience(self) -> list[Person]:
        return list(self.members)


Chat = Person | Group | Channel


@attrs.define(eq=False)
class Directory:
    """People, groups and channels, by identifier."""

    people: dict[int, Person] = attrs.field(factory=dict)
    groups: dict[int, Group] = attrs.field(factory=dict)
    channels: dict[int, Channel] = attrs.field(factory=dict)
    invites: dict[str, Group | Channel] = attrs.field(factory=dict)
    _secret: bytes = attrs.field(factory=lambda: os.urandom(16), repr=False)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), repr=False)

    def add_person(self, phone: str, name: str, **settings: Any) -> Person:
        """Raises `ValueError`."""
        if self.by_phone(phone) is not None:
            raise ValueError("phone: this account exists")
        # Identifiers beyond 31 bits are usual: they must not be cut.
        person = Person((1 << 32) + 1000 + next(self._numbers), phone.lstrip("+"), name, **settings)
        self.people[person.id] = person
        return person

    def add_group(self, title: str) -> Group:
        group = Group((1 << 31) + next(self._numbers), title)
        self.groups[group.id] = group
        return group

    def add_channel(self, title: str, **settings: Any) -> Channel:
        channel = Channel((1 << 31) + 500 + next(self._numbers), title, **settings)
        self.channels[channel.id] = channel
        return channel

    def by_phone(self, phone: str) -> Person | None:
        digits = phone.lstrip("+")
        return next((each for each in self.people.values() if each.phone == digits), None)

    def by_username(self, username: str) -> Person | Channel | None:
        name = username.lstrip("@").lower()
        named: list[Person | Channel] = [*self.people.values(), *self.channels.values()]
        for each in named:
            if each.username is not None and each.username.lower() == name:
                return each
        return None

    def access_hash(self, viewer: Person, chat: Person | Channel) -> int:
        """What `viewer` has to show to use this chat."""
        text = f"{viewer.id} {type(chat).__name__} {chat.id}".encode()
        return int.from_bytes(hmac.digest(self._secret, text, hashlib.sha256)[:8], "little", signed=True)
