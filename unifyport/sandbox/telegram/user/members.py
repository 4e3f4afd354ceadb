"""Who is in a group or channel, and what it is called: changes tell their audience by service messages."""

from typing import TYPE_CHECKING, Any

from telethon.tl import types as T

from .authorizations import Session
from .delivery import Delivery
from .directory import Channel, Entry, Group, Member, Person
from .errors import Refused, bad
from .posts import Post

if TYPE_CHECKING:
    from .server import Server

Room = Group | Channel


class Members:
    """Each change returns the entry that the actor's answer shows, if there is one."""

    def __init__(self, server: "Server", delivery: Delivery) -> None:
        self._server = server
        self._delivery = delivery

    def check_admin(self, room: Room, actor: Person) -> None:
        """Raises `Refused`."""
        member = room.members.get(actor)
        if member is None or not member.rank:
            raise bad("CHAT_ADMIN_REQUIRED")

    def make_group(self, title: str, people: list[Person], *, origin: Session | None = None) -> Group:
        """A basic group; the first of `people` is its creator."""
        group = self._server.directory.add_group(title)
        self._fill(group, people)
        action = T.MessageActionChatCreate(title, [each.id for each in people])
        self.announce(group, people[0], action, origin=origin)
        return group

    def make_channel(
        self, title: str, people: list[Person], *, origin: Session | None = None, **settings: Any
    ) -> Channel:
        channel = self._server.directory.add_channel(title, **settings)
        self._fill(channel, people)
        self.announce(channel, people[0], T.MessageActionChannelCreate(title), origin=origin)
        return channel

    def _fill(self, room: Room, people: list[Person]) -> None:
        for person in people:
            self._enter(room, person, people[0], "creator" if person is people[0] else "")

    def _enter(self, room: Room, person: Person, inviter: Person, rank: str = "") -> None:
        room.members[person] = Member(person, self._server.now, inviter, rank)
        person.dialog(room).hidden = False
        if isinstance(room, Channel):
            person.channels.add(room)
            room.banned.discard(person)
            person.dialog(room).read_inbox = room.last_post
        else:
            room.left.discard(person)
            room.version += 1

    def add(
        self, room: Room, people: list[Person], actor: Person, *, action: Any = None, origin: Any = None
    ) -> Entry | None:
        """Raises `Refused`."""
        if any(person in room.members for person in people):
            raise bad("USER_ALREADY_PARTICIPANT")
        for person in people:
            if actor in person.blocked:
                raise Refused(403, "USER_PRIVACY_RESTRICTED")
            self._enter(room, person, actor)
        action = action or T.MessageActionChatAddUser([person.id for person in people])
        entry = self.announce(room, actor, action, origin=origin)
        if isinstance(room, Channel):
            for person in people:
                update = T.UpdateChannel(room.id)
                self._delivery.push(person, [update], origin=origin if person is actor else None)
        return entry

    def remove(
        self, room: Room, person: Person, actor: Person, *, banned: bool = False, origin: Any = None
    ) -> Entry | None:
        """Raises `Refused`."""
        if person not in room.members:
            raise bad("USER_NOT_PARTICIPANT")
        entry = None
        if isinstance(room, Group) or (room.megagroup and person is not actor):
            entry = self.announce(room, actor, T.MessageActionChatDeleteUser(person.id), origin=origin)
        del room.members[person]
        if isinstance(room, Group):
            room.left.add(person)
            room.version += 1
            return entry
        person.channels.discard(room)
        if banned:
            room.banned.add(person)
        update = T.UpdateChannel(room.id)
        self._delivery.push(person, [update], origin=origin if person is actor else None)
        return entry

    def rename(self, room: Room, title: str, actor: Person, *, origin: Any = None) -> Entry | None:
        if not title:
            raise bad("CHAT_TITLE_EMPTY")
        if title == room.title:
            raise bad("CHAT_NOT_MODIFIED")
        room.title = title
        return self.announce(room, actor, T.MessageActionChatEditTitle(title), origin=origin)

    def promote(self, room: Room, person: Person, *, admin: bool) -> None:
        member = room.members.get(person)
        if member is None:
            raise bad("USER_NOT_PARTICIPANT")
        if member.rank == "creator":
            raise bad("USER_CREATOR")
        member.rank = "admin" if admin else ""

    def announce(self, room: Room, actor: Person, action: Any, *, origin: Any = None) -> Entry | None:
        """A service message."""
        sender = room if isinstance(room, Channel) and not room.megagroup else actor
        post = Post(sender, room, self._server.now, action=action)
        return self._delivery.publish(post, origin=origin)

    def migrate(self, group: Group, actor: Person, *, origin: Any = None) -> Channel:
        """A basic group becomes a supergroup."""
        settings = {"megagroup": True}
        channel = self._server.directory.add_channel(group.title, **settings)
        for member in list(group.members.values()):
            self._enter(channel, member.person, member.inviter, member.rank)
        self.announce(group, actor, T.MessageActionChatMigrateTo(channel.id), origin=origin)
        group.migrated_to = channel
        self.announce(channel, actor, T.MessageActionChannelMigrateFrom(group.title, group.id), origin=origin)
        return channel
