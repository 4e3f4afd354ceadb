"""Calls about channels, supergroups and their topics.

https://core.telegram.org/api/channel, https://core.telegram.org/api/forum.
"""

from typing import TYPE_CHECKING, Any

from telethon.tl import functions as F
from telethon.tl import types as T
from telethon.tl.types import channels, messages

from .directory import Channel, Person
from .errors import bad
from .groups import Groups
from .members import Members
from .peers import chat as see_chat
from .peers import described, find, find_channel, find_person, peer

if TYPE_CHECKING:
    from .server import Call, Server

_PAGE = 200


class Channels:
    def __init__(self, server: "Server", members: Members, groups: Groups) -> None:
        self._server = server
        self._members = members
        self._groups = groups
        server.handlers |= {
            F.channels.CreateChannelRequest: self._create,
            F.channels.InviteToChannelRequest: self._invite,
            F.channels.JoinChannelRequest: self._join,
            F.channels.LeaveChannelRequest: self._leave,
            F.channels.DeleteChannelRequest: self._delete,
            F.channels.EditTitleRequest: self._rename,
            F.channels.EditPhotoRequest: self._photo,
            F.channels.EditAdminRequest: self._promote,
            F.channels.EditBannedRequest: self._ban,
            F.channels.ToggleForumRequest: self._toggle_forum,
            F.channels.GetChannelsRequest: self._channels,
            F.channels.GetFullChannelRequest: self._full,
            F.channels.GetParticipantsRequest: self._participants,
            F.channels.GetParticipantRequest: self._participant,
            F.messages.CreateForumTopicRequest: self._create_topic,
            F.messages.GetForumTopicsRequest: self._topics,
        }

    def _administered(self, call: "Call", named: Any) -> Channel:
        channel = find_channel(call, named)
        self._members.check_admin(channel, call.person)
        return channel

    # -- changes ---------------------------------------------------------------------------------------------

    def _create(self, call: "Call", query: Any) -> Any:
        if not query.title:
            raise bad("CHAT_TITLE_EMPTY")
        channel = self._members.make_channel(
            query.title,
            [call.person],
            origin=call.session,
            megagroup=bool(query.megagroup),
            forum=bool(query.forum),
            about=query.about,
        )
        return self._groups.answer(call, channel.box.log[-1], channel)

    def _invite(self, call: "Call", query: Any) -> Any:
        channel = find_channel(call, query.channel)
        people = [find_person(call, each) for each in query.users]
        entry = self._members.add(channel, people, call.person, origin=call.session)
        updates = self._groups.answer(call, entry, channel)
        return messages.InvitedUsers(updates=updates, missing_invitees=[])

    def _join(self, call: "Call", query: Any) -> Any:
        channel = find_channel(call, query.channel)
        if channel.username is None:
            raise bad("CHANNEL_PRIVATE")
        entry = self._members.add(channel, [call.person], call.person, origin=call.session)
        return self._groups.answer(call, entry, channel)

    def _leave(self, call: "Call", query: Any) -> Any:
        channel = find_channel(call, query.channel)
        entry = self._members.remove(channel, call.person, call.person, origin=call.session)
        return self._groups.answer(call, entry, channel)

    def _delete(self, call: "Call", query: Any) -> Any:
        channel = self._administered(call, query.channel)
        for person in list(channel.members):
            self._members.remove(channel, person, person, banned=True)
        channel.deleted = True
        return self._groups.answer(call, None, channel)

    def _rename(self, call: "Call", query: Any) -> Any:
        channel = self._administered(call, query.channel)
        entry = self._members.rename(channel, query.title, call.person, origin=call.session)
        return self._groups.answer(call, entry, channel)

    def _photo(self, call: "Call", query: Any) -> Any:
        channel = self._administered(call, query.channel)
        return self._groups.answer(call, self._groups.change_photo(call, channel, query.photo), channel)

    def _promote(self, call: "Call", query: Any) -> Any:
        channel = self._administered(call, query.channel)
        admin = any(query.admin_rights.to_dict().get(name) for name in _RIGHTS)
        self._members.promote(channel, find_person(call, query.user_id), admin=admin)
        return self._groups.answer(call, None, channel)

    def _ban(self, call: "Call", query: Any) -> Any:
        channel = self._administered(call, query.channel)
        person = find_person(call, query.participant)
        if query.banned_rights.view_messages:
            entry = self._members.remove(channel, person, call.person, banned=True, origin=call.session)
        else:
            channel.banned.discard(person)
            entry = None
        return self._groups.answer(call, entry, channel)

    # -- topics ----------------------------------------------------------------------------------------------

    def _toggle_forum(self, call: "Call", query: Any) -> Any:
        channel = self._administered(call, query.channel)
        channel.forum = query.enabled
        return self._groups.answer(call, None, channel)

    def _create_topic(self, call: "Call", query: Any) -> Any:
        channel = find(call, query.peer)
        if not isinstance(channel, Channel) or not channel.forum:
            raise bad("CHANNEL_FORUM_MISSING")
        action = T.MessageActionTopicCreate(query.title, query.icon_color or 0x6FB9F0)
        entry = self._members.announce(channel, call.person, action, origin=call.session)
        channel.topics[channel.last_post] = query.title
        return self._groups.answer(call, entry, channel)

    def _topics(self, call: "Call", query: Any) -> Any:
        channel = find(call, query.peer)
        if not isinstance(channel, Channel) or not channel.forum:
            raise bad("CHANNEL_FORUM_MISSING")
        creator = next(iter(channel.members))
        listed = [
            T.ForumTopic(
                id=number,
                date=self._server.now,
                peer=peer(channel),
                title=title,
                icon_color=0x6FB9F0,
                top_message=channel.last_post,
                read_inbox_max_id=0,
                read_outbox_max_id=0,
                unread_count=0,
                unread_mentions_count=0,
                unread_reactions_count=0,
                unread_poll_votes_count=0,
                from_id=peer(creator),
                notify_settings=T.PeerNotifySettings(),
            )
            for number, title in channel.topics.items()
        ]
        named = described(self._server, call.person, listed, [channel])
        return messages.ForumTopics(
            count=len(listed), topics=listed, messages=[], pts=channel.box.pts, **named
        )

    # -- what is known ---------------------------------------------------------------------------------------

    def _channels(self, call: "Call", query: Any) -> Any:
        found = [find_channel(call, each) for each in query.id]
        return messages.Chats([see_chat(self._server, call.person, each) for each in found])

    def _full(self, call: "Call", query: Any) -> Any:
        channel = find_channel(call, query.channel)
        dialog = call.person.dialog(channel)
        full = T.ChannelFull(
            id=channel.id,
            about=channel.about,
            read_inbox_max_id=dialog.read_inbox,
            read_outbox_max_id=dialog.read_outbox,
            unread_count=max(0, channel.last_post - dialog.read_inbox),
            chat_photo=T.PhotoEmpty(0),
            notify_settings=T.PeerNotifySettings(),
            bot_info=[],
            pts=channel.box.pts,
            can_view_participants=channel.megagroup or None,
            participants_count=len(channel.members),
        )
        return messages.ChatFull(full_chat=full, **described(self._server, call.person, full, [channel]))

    def _participants(self, call: "Call", query: Any) -> Any:
        channel = find_channel(call, query.channel)
        if not channel.megagroup:
            self._members.check_admin(channel, call.person)
        members = list(channel.members.values())
        if isinstance(query.filter, T.ChannelParticipantsAdmins):
            members = [member for member in members if member.rank]
        elif isinstance(query.filter, T.ChannelParticipantsSearch) and query.filter.q:
            members = [m for m in members if query.filter.q.lower() in m.person.name.lower()]
        page = members[query.offset : query.offset + min(query.limit, _PAGE)]
        return channels.ChannelParticipants(
            count=len(members),
            participants=[_participant(member, call.person) for member in page],
            **described(self._server, call.person, [], [channel, *(member.person for member in page)]),
        )

    def _participant(self, call: "Call", query: Any) -> Any:
        channel = find_channel(call, query.channel)
        member = channel.members.get(find_person(call, query.participant))
        if member is None:
            raise bad("USER_NOT_PARTICIPANT")
        return channels.ChannelParticipant(
            _participant(member, call.person),
            **described(self._server, call.person, [], [channel, member.person]),
        )


_RIGHTS = (
    "change_info", "post_messages", "edit_messages", "delete_messages", "ban_users", "invite_users",
    "pin_messages", "add_admins", "manage_call", "other", "manage_topics",
)  # fmt: skip


def _participant(member: Any, viewer: Person) -> Any:
    person, inviter = member.person, member.inviter
    rights = T.ChatAdminRights(**dict.fromkeys(_RIGHTS, True))
    if member.rank == "creator":
        return T.ChannelParticipantCreator(person.id, rights)
    if member.rank:
        return T.ChannelParticipantAdmin(person.id, inviter.id, member.joined, rights)
    if person is viewer:
        return T.ChannelParticipantSelf(person.id, inviter.id, member.joined)
    return T.ChannelParticipant(person.id, member.joined)
