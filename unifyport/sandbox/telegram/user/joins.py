"""Requests to join a group or channel: https://core.telegram.org/api/invites#join-requests."""

from typing import TYPE_CHECKING, Any

from telethon.tl import functions as F
from telethon.tl import types as T
from telethon.tl.types import messages

from .delivery import Delivery
from .directory import Channel, Group, Person
from .errors import bad
from .groups import Groups
from .members import Members
from .peers import described, find, find_channel, find_person, peer

if TYPE_CHECKING:
    from .server import Call, Server

Room = Group | Channel


class Joins:
    """Who asks to be let in. Administrators are told how many there are."""

    def __init__(self, server: "Server", delivery: Delivery, members: Members, groups: Groups) -> None:
        self._server = server
        self._delivery = delivery
        self._members = members
        self._groups = groups
        self._asking: dict[Room, dict[Person, int]] = {}
        self._closed: set[Channel] = set()  # who joins has to ask
        server.handlers |= {
            F.channels.ToggleJoinRequestRequest: self._toggle,
            F.messages.GetChatInviteImportersRequest: self._importers,
            F.messages.HideChatJoinRequestRequest: self._decide,
        }

    def ask(self, room: Room, person: Person) -> None:
        """A person asks to join. Raises `Refused`."""
        if person in room.members:
            raise bad("USER_ALREADY_PARTICIPANT")
        self._asking.setdefault(room, {})[person] = self._server.now
        self._tell(room)

    def _tell(self, room: Room) -> None:
        asking = list(self._asking[room])
        update = T.UpdatePendingJoinRequests(peer(room), len(asking), [each.id for each in asking[-3:]])
        for member in room.members.values():
            if member.rank:
                self._delivery.push(member.person, [update])

    def _room(self, call: "Call", named: Any) -> Room:
        room = find(call, named)
        if isinstance(room, Person):
            raise bad("PEER_ID_INVALID")
        self._members.check_admin(room, call.person)
        return room

    def _toggle(self, call: "Call", query: Any) -> Any:
        channel = find_channel(call, query.channel)
        self._members.check_admin(channel, call.person)
        if query.enabled == (channel in self._closed):
            raise bad("CHAT_NOT_MODIFIED")
        if query.enabled:
            self._closed.add(channel)
        else:
            self._closed.discard(channel)
        return self._groups.answer(call, None, channel)

    def _importers(self, call: "Call", query: Any) -> Any:
        room = self._room(call, query.peer)
        asking = self._asking.get(room, {}) if query.requested else {}
        listed = [T.ChatInviteImporter(each.id, at, requested=True) for each, at in asking.items()]
        people = described(self._server, call.person, [], list(asking))["users"]
        return messages.ChatInviteImporters(len(listed), listed[: query.limit], people)

    def _decide(self, call: "Call", query: Any) -> Any:
        room = self._room(call, query.peer)
        person = find_person(call, query.user_id)
        if self._asking.get(room, {}).pop(person, None) is None:
            raise bad("HIDE_REQUESTER_MISSING")
        entry = None
        if query.approved:
            action = T.MessageActionChatJoinedByRequest()
            entry = self._members.add(room, [person], person, action=action)
        self._tell(room)
        return self._groups.answer(call, entry, room)
