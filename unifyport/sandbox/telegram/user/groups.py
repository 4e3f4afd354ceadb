"""Calls about basic groups: https://core.telegram.org/api/channel#basic-groups, and invitations."""

import secrets
from typing import TYPE_CHECKING, Any

from telethon.tl import functions as F
from telethon.tl import types as T
from telethon.tl.types import messages

from .delivery import Delivery
from .directory import Channel, Entry, Group, Person
from .errors import bad
from .files import Files
from .members import Members
from .peers import chat as see_chat
from .peers import described, find, find_person

if TYPE_CHECKING:
    from .server import Call, Server

_LINK = "https://t.me/+"
_PICTURES = (".jpg", ".jpeg", ".png")


class Groups:
    def __init__(self, server: "Server", delivery: Delivery, members: Members, files: Files) -> None:
        self._server = server
        self._delivery = delivery
        self._members = members
        self._files = files
        server.handlers |= {
            F.messages.CreateChatRequest: self._create,
            F.messages.AddChatUserRequest: self._add,
            F.messages.DeleteChatUserRequest: self._remove,
            F.messages.EditChatTitleRequest: self._rename,
            F.messages.EditChatAboutRequest: self._about,
            F.messages.EditChatPhotoRequest: self._photo,
            F.messages.EditChatAdminRequest: self._promote,
            F.messages.GetFullChatRequest: self._full,
            F.messages.GetChatsRequest: self._chats,
            F.messages.MigrateChatRequest: self._migrate,
            F.messages.ExportChatInviteRequest: self._invite,
            F.messages.CheckChatInviteRequest: self._check,
            F.messages.ImportChatInviteRequest: self._join,
        }

    def group(self, call: "Call", number: int) -> Group:
        """Raises `Refused`."""
        group = self._server.directory.groups.get(number)
        if group is None or call.person not in group.members:
            raise bad("CHAT_ID_INVALID" if group is None else "PEER_ID_INVALID")
        return group

    def answer(self, call: "Call", entry: Entry | None, *rooms: Group | Channel) -> Any:
        """`updates` of the caller's own change."""
        person = call.person
        shown = [update for update in [entry.update(person) if entry else None] if update is not None]
        named = described(self._server, person, shown, rooms)
        return T.Updates(updates=shown, date=self._server.now, seq=0, **named)

    def _create(self, call: "Call", query: Any) -> Any:
        if not query.title:
            raise bad("CHAT_TITLE_EMPTY")
        people = [call.person, *(find_person(call, each) for each in query.users)]
        group = self._members.make_group(query.title, list(dict.fromkeys(people)), origin=call.session)
        entry = call.person.box.log[-1]
        return messages.InvitedUsers(updates=self.answer(call, entry, group), missing_invitees=[])

    def _add(self, call: "Call", query: Any) -> Any:
        group = self.group(call, query.chat_id)
        person = find_person(call, query.user_id)
        entry = self._members.add(group, [person], call.person, origin=call.session)
        return messages.InvitedUsers(updates=self.answer(call, entry, group), missing_invitees=[])

    def _remove(self, call: "Call", query: Any) -> Any:
        group = self.group(call, query.chat_id)
        person = find_person(call, query.user_id)
        if person is not call.person:
            self._members.check_admin(group, call.person)
        entry = self._members.remove(group, person, call.person, origin=call.session)
        return self.answer(call, entry, group)

    def _rename(self, call: "Call", query: Any) -> Any:
        group = self.group(call, query.chat_id)
        entry = self._members.rename(group, query.title, call.person, origin=call.session)
        return self.answer(call, entry, group)

    def _about(self, call: "Call", query: Any) -> bool:
        room: Any = find(call, query.peer)
        if isinstance(room, Person):
            raise bad("PEER_ID_INVALID")
        if room.about == query.about:
            raise bad("CHAT_ABOUT_NOT_MODIFIED")
        self._members.check_admin(room, call.person)
        room.about = query.about
        return True

    def _photo(self, call: "Call", query: Any) -> Any:
        group = self.group(call, query.chat_id)
        return self.answer(call, self.change_photo(call, group, query.photo), group)

    def change_photo(self, call: "Call", room: Group | Channel, named: Any) -> Entry | None:
        """Raises `Refused`."""
        if isinstance(named, T.InputChatPhotoEmpty):
            room.photo = None
            action: Any = T.MessageActionChatDeletePhoto()
        elif isinstance(named, T.InputChatUploadedPhoto) and named.file is not None:
            if not named.file.name.lower().endswith(_PICTURES):
                raise bad("PHOTO_EXT_INVALID")
            file = self._files.uploaded(call, named.file)
            room.photo = T.ChatPhoto(photo_id=file.id, dc_id=file.dc)
            action = T.MessageActionChatEditPhoto(self._files.photo(file).photo)
        else:
            raise bad("PHOTO_INVALID")
        return self._members.announce(room, call.person, action, origin=call.session)

    def _promote(self, call: "Call", query: Any) -> bool:
        group = self.group(call, query.chat_id)
        self._members.check_admin(group, call.person)
        self._members.promote(group, find_person(call, query.user_id), admin=query.is_admin)
        return True

    def _full(self, call: "Call", query: Any) -> Any:
        group = self.group(call, query.chat_id)
        listed = [_participant(member) for member in group.members.values()]
        full = T.ChatFull(
            id=group.id,
            about=group.about,
            participants=T.ChatParticipants(group.id, listed, group.version),
            notify_settings=T.PeerNotifySettings(),
        )
        named = described(self._server, call.person, full, [group, *group.members])
        return messages.ChatFull(full_chat=full, **named)

    def _chats(self, call: "Call", query: Any) -> Any:
        groups = [self.group(call, number) for number in query.id]
        return messages.Chats([see_chat(self._server, call.person, each) for each in groups])

    def _migrate(self, call: "Call", query: Any) -> Any:
        group = self.group(call, query.chat_id)
        channel = self._members.migrate(group, call.person, origin=call.session)
        return self.answer(call, channel.box.log[-1], group, channel)

    # -- invitations -----------------------------------------------------------------------------------------

    def _invite(self, call: "Call", query: Any) -> Any:
        room = find(call, query.peer)
        if isinstance(room, Person):
            raise bad("PEER_ID_INVALID")
        self._members.check_admin(room, call.person)
        if query.legacy_revoke_permanent:
            invites = self._server.directory.invites
            for each in [key for key, value in invites.items() if value is room]:
                del invites[each]
        hash = secrets.token_urlsafe(12)
        self._server.directory.invites[hash] = room
        return T.ChatInviteExported(
            link=_LINK + hash, admin_id=call.person.id, date=self._server.now, permanent=True
        )

    def _invited(self, query: Any) -> Group | Channel:
        room = self._server.directory.invites.get(query.hash)
        if room is None:
            raise bad("INVITE_HASH_EXPIRED")
        return room

    def _check(self, call: "Call", query: Any) -> Any:
        room = self._invited(query)
        if call.person in room.members:
            return T.ChatInviteAlready(see_chat(self._server, call.person, room))
        megagroup = isinstance(room, Channel) and room.megagroup
        return T.ChatInvite(
            title=room.title,
            photo=T.PhotoEmpty(0),
            participants_count=len(room.members),
            color=0,
            channel=isinstance(room, Channel) or None,
            broadcast=(isinstance(room, Channel) and not megagroup) or None,
            megagroup=megagroup or None,
        )

    def _join(self, call: "Call", query: Any) -> Any:
        room = self._invited(query)
        creator = next(member.person for member in room.members.values() if member.rank == "creator")
        action = T.MessageActionChatJoinedByLink(creator.id)
        entry = self._members.add(room, [call.person], call.person, action=action, origin=call.session)
        return self.answer(call, entry, room)


def _participant(member: Any) -> Any:
    if member.rank == "creator":
        return T.ChatParticipantCreator(member.person.id)
    kind = T.ChatParticipantAdmin if member.rank else T.ChatParticipant
    return kind(member.person.id, member.inviter.id, member.joined)
