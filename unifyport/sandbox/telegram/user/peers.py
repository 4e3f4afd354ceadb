"""People and chats as one account sees them, and the ones that a call names.

https://core.telegram.org/api/peers, https://core.telegram.org/api/min: of a person whom an account only met
in a group it gets a `min` constructor; it reaches such a person through the message
(`inputPeerUserFromMessage`).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from telethon.tl import types as T

from .codec import walk
from .directory import Channel, Chat, Group, Person
from .errors import bad

if TYPE_CHECKING:
    from .server import Call, Server


def peer(chat: Chat) -> Any:
    if isinstance(chat, Person):
        return T.PeerUser(chat.id)
    return T.PeerChat(chat.id) if isinstance(chat, Group) else T.PeerChannel(chat.id)


def user(server: "Server", viewer: Person, person: Person, *, least: bool = False) -> Any:
    """`least`: as `min` if the viewer does not know this person."""
    if person.deleted:
        hash = server.directory.access_hash(viewer, person)
        return T.User(id=person.id, deleted=True, access_hash=hash)
    known = person is viewer or person in viewer.contacts or person in viewer.dialogs
    contact = viewer.contacts.get(person)
    is_min = least and not known
    shown = contact or {"first_name": person.name, "last_name": person.last_name}
    return T.User(
        id=person.id,
        is_self=person is viewer or None,
        contact=contact is not None or None,
        mutual_contact=(contact is not None and viewer in person.contacts) or None,
        bot=person.bot or None,
        bot_info_version=1 if person.bot else None,
        min=is_min or None,
        access_hash=1 if is_min else server.directory.access_hash(viewer, person),
        first_name=shown["first_name"],
        last_name=shown["last_name"] or None,
        username=person.username,
        phone=person.phone if person is viewer or contact is not None else None,
    )


def chat(server: "Server", viewer: Person, found: Group | Channel) -> Any:
    member = found.members.get(viewer)
    photo = found.photo or T.ChatPhotoEmpty()
    rank = member.rank if member is not None else ""
    creator = rank == "creator" or None
    admin = T.ChatAdminRights(**dict.fromkeys(_ADMIN, True)) if rank else None
    date = member.joined if member is not None else server.now
    if isinstance(found, Group):
        if viewer not in found.members and viewer not in found.left:
            return T.ChatForbidden(found.id, found.title)
        migrated = found.migrated_to
        return T.Chat(
            id=found.id,
            title=found.title,
            photo=photo,
            participants_count=len(found.members),
            date=date,
            version=found.version,
            creator=creator,
            left=viewer in found.left or None,
            deactivated=migrated is not None or None,
            migrated_to=T.InputChannel(migrated.id, server.directory.access_hash(viewer, migrated))
            if migrated is not None
            else None,
            admin_rights=admin,
            default_banned_rights=T.ChatBannedRights(until_date=None),
        )
    hash = server.directory.access_hash(viewer, found)
    if viewer in found.banned or found.deleted:
        return T.ChannelForbidden(found.id, hash, found.title, megagroup=found.megagroup or None)
    return T.Channel(
        id=found.id,
        title=found.title,
        photo=photo,
        date=date,
        creator=creator,
        left=member is None or None,
        broadcast=not found.megagroup or None,
        megagroup=found.megagroup or None,
        forum=found.forum or None,
        access_hash=hash,
        username=found.username,
        admin_rights=admin,
        default_banned_rights=T.ChatBannedRights(until_date=None) if found.megagroup else None,
        participants_count=len(found.members),
    )


_ADMIN = (
    "change_info", "post_messages", "edit_messages", "delete_messages", "ban_users", "invite_users",
    "pin_messages", "add_admins", "manage_call", "other", "manage_topics",
)  # fmt: skip


def described(
    server: "Server", viewer: Person, values: Any, more: Iterable[Chat] = (), *, least: bool = False
) -> dict[str, list[Any]]:
    """`users` and `chats` of everything that `values` name. `least`: unknown people as `min`."""
    people: dict[Person, None] = {}
    chats: dict[Group | Channel, None] = {}
    for each in more:
        if isinstance(each, Person):
            people[each] = None
        else:
            chats[each] = None
    directory = server.directory
    for each in walk(values):
        number = getattr(each, "user_id", None)
        if isinstance(number, int) and number in directory.people:
            people[directory.people[number]] = None
        number = getattr(each, "chat_id", None)
        if isinstance(number, int) and number in directory.groups:
            chats[directory.groups[number]] = None
        number = getattr(each, "channel_id", None)
        if isinstance(number, int) and number in directory.channels:
            chats[directory.channels[number]] = None
    return {
        "users": [user(server, viewer, person, least=least) for person in people],
        "chats": [chat(server, viewer, found) for found in chats],
    }


def find_person(call: "Call", named: Any) -> Person:
    """Who an `InputUser` or `InputPeer` is. Raises `Refused`."""
    found = find(call, named)
    if not isinstance(found, Person):
        raise bad("USER_ID_INVALID")
    return found


def find_channel(call: "Call", named: Any) -> Channel:
    found = find(call, named)
    if not isinstance(found, Channel):
        raise bad("CHANNEL_INVALID")
    return found


def find(call: "Call", named: Any) -> Chat:
    """The chat of an `InputPeer`, `InputUser` or `InputChannel`. Raises `Refused`."""
    viewer, directory = call.person, call.server.directory
    match named:
        case T.InputPeerSelf() | T.InputUserSelf():
            return viewer
        case T.InputPeerUser() | T.InputUser():
            person = directory.people.get(named.user_id)
            if person is None or named.access_hash != directory.access_hash(viewer, person):
                raise bad("PEER_ID_INVALID" if isinstance(named, T.InputPeerUser) else "USER_ID_INVALID")
            return person
        case T.InputPeerChat():
            group = directory.groups.get(named.chat_id)
            if group is None:
                raise bad("CHAT_ID_INVALID")
            return group
        case T.InputPeerChannel() | T.InputChannel():
            channel = directory.channels.get(named.channel_id)
            if channel is None or named.access_hash != directory.access_hash(viewer, channel):
                raise bad("CHANNEL_INVALID")
            if viewer in channel.banned or channel.deleted:
                raise bad("CHANNEL_PRIVATE")
            return channel
        case T.InputPeerUserFromMessage() | T.InputUserFromMessage():
            return _from_message(call, named)
    raise bad("PEER_ID_INVALID")


def _from_message(call: "Call", named: Any) -> Person:
    chat = find(call, named.peer)
    posts = chat.posts if isinstance(chat, Channel) else call.person.posts
    post = posts.get(named.msg_id)
    person = call.server.directory.people.get(named.user_id)
    if post is None or person is None or post.sender is not person:
        raise bad("PEER_ID_INVALID")
    return person
