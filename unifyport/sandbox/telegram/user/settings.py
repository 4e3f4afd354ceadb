"""What an account keeps for itself: contacts, blocked people, muted, pinned and marked dialogs.

Its other devices are told of each change.
"""

from typing import TYPE_CHECKING, Any

from telethon.tl import functions as F
from telethon.tl import types as T
from telethon.tl.types import contacts, users

from .delivery import Delivery
from .directory import Channel, Chat, Person
from .errors import bad
from .peers import described, find, find_person, peer

if TYPE_CHECKING:
    from .server import Call, Server


class Settings:
    def __init__(self, server: "Server", delivery: Delivery) -> None:
        self._server = server
        self._delivery = delivery
        server.handlers |= {
            F.users.GetFullUserRequest: self._full,
            F.contacts.AddContactRequest: self._add,
            F.contacts.ImportContactsRequest: self._import,
            F.contacts.DeleteContactsRequest: self._delete,
            F.contacts.UpdateContactNoteRequest: self._note,
            F.contacts.BlockRequest: lambda call, query: self._block(call, query, blocked=True),
            F.contacts.UnblockRequest: lambda call, query: self._block(call, query, blocked=False),
            F.contacts.GetBlockedRequest: self._blocked,
            F.contacts.SearchRequest: self._search,
            F.account.UpdateNotifySettingsRequest: self._mute,
            F.account.GetNotifySettingsRequest: self._muted,
            F.account.ResetAuthorizationRequest: self._reset,
            F.messages.ToggleDialogPinRequest: self._pin,
            F.messages.MarkDialogUnreadRequest: self._mark,
        }

    def _full(self, call: "Call", query: Any) -> Any:
        person = find_person(call, query.id)
        contact = call.person.contacts.get(person, {})
        note = contact.get("note")
        full = T.UserFull(
            id=person.id,
            settings=T.PeerSettings(),
            notify_settings=T.PeerNotifySettings(mute_until=call.person.dialog(person).mute_until or None),
            common_chats_count=0,
            blocked=person in call.person.blocked or None,
            about=person.about or None,
            note=T.TextWithEntities(note, []) if note else None,
        )
        return users.UserFull(full_user=full, **described(self._server, call.person, [], [person]))

    # -- contacts --------------------------------------------------------------------------------------------

    def _add(self, call: "Call", query: Any) -> Any:
        person = find_person(call, query.id)
        if not query.first_name:
            raise bad("CONTACT_NAME_EMPTY")
        known = call.person.contacts.setdefault(person, {})
        known |= {"first_name": query.first_name, "last_name": query.last_name}
        if query.note is not None:
            known["note"] = query.note.text
        return self._changed(call, T.UpdatePeerSettings(peer(person), T.PeerSettings()), person)

    def _import(self, call: "Call", query: Any) -> Any:
        imported, found = [], []
        for each in query.contacts:
            person = self._server.directory.by_phone(each.phone)
            if person is not None:
                names = {"first_name": each.first_name, "last_name": each.last_name}
                call.person.contacts[person] = names
                imported.append(T.ImportedContact(person.id, each.client_id))
                found.append(person)
        named = described(self._server, call.person, [], found)["users"]
        return contacts.ImportedContacts(
            imported=imported, popular_invites=[], retry_contacts=[], users=named
        )

    def _delete(self, call: "Call", query: Any) -> Any:
        people = [find_person(call, each) for each in query.id]
        for person in people:
            call.person.contacts.pop(person, None)
        named = described(self._server, call.person, [], people)
        return T.Updates(updates=[], date=self._server.now, seq=0, **named)

    def _note(self, call: "Call", query: Any) -> bool:
        person = find_person(call, query.id)
        if person not in call.person.contacts:
            raise bad("CONTACT_MISSING")
        call.person.contacts[person]["note"] = query.note.text
        return True

    def _block(self, call: "Call", query: Any, *, blocked: bool) -> bool:
        person = find_person(call, query.id)
        if person is call.person:
            raise bad("CONTACT_ID_INVALID")
        if blocked:
            call.person.blocked.add(person)
        else:
            call.person.blocked.discard(person)
        update = T.UpdatePeerBlocked(peer(person), blocked=blocked or None)
        self._delivery.push(call.person, [update], origin=call.session)
        return True

    def _blocked(self, call: "Call", query: Any) -> Any:
        people = list(call.person.blocked)[query.offset : query.offset + query.limit]
        listed = [T.PeerBlocked(peer(person), self._server.now) for person in people]
        return contacts.Blocked(blocked=listed, **described(self._server, call.person, [], people))

    def _search(self, call: "Call", query: Any) -> Any:
        text = query.q.lower()
        if len(text) < 3:
            raise bad("SEARCH_QUERY_EMPTY" if not text else "QUERY_TOO_SHORT")
        directory = self._server.directory
        everybody: list[Person | Channel] = [*directory.people.values(), *directory.channels.values()]
        found: list[Chat] = [
            each for each in everybody if each.username is not None and text in each.username.lower()
        ]
        mine = [each for each in call.person.contacts if text in each.name.lower()]
        named = described(self._server, call.person, [], [*mine, *found])
        return contacts.Found(my_results=[peer(p) for p in mine], results=[peer(p) for p in found], **named)

    # -- dialogs ---------------------------------------------------------------------------------------------

    def _mute(self, call: "Call", query: Any) -> bool:
        if not isinstance(query.peer, T.InputNotifyPeer):
            return True
        chat = find(call, query.peer.peer)
        until = query.settings.mute_until
        call.person.dialog(chat).mute_until = int(until.timestamp()) if until is not None else 0
        settings = T.PeerNotifySettings(mute_until=call.person.dialog(chat).mute_until)
        self._told(call, T.UpdateNotifySettings(T.NotifyPeer(peer(chat)), settings))
        return True

    def _muted(self, call: "Call", query: Any) -> Any:
        chat = find(call, query.peer.peer)
        return T.PeerNotifySettings(mute_until=call.person.dialog(chat).mute_until or None)

    def _dialog(self, call: "Call", named: Any) -> Chat:
        if not isinstance(named, T.InputDialogPeer):
            raise bad("PEER_ID_INVALID")
        return find(call, named.peer)

    def _pin(self, call: "Call", query: Any) -> bool:
        chat = self._dialog(call, query.peer)
        call.person.dialog(chat).pinned = bool(query.pinned)
        self._told(call, T.UpdateDialogPinned(T.DialogPeer(peer(chat)), pinned=query.pinned))
        return True

    def _mark(self, call: "Call", query: Any) -> bool:
        chat = self._dialog(call, query.peer)
        call.person.dialog(chat).unread_mark = bool(query.unread)
        self._told(call, T.UpdateDialogUnreadMark(T.DialogPeer(peer(chat)), unread=query.unread))
        return True

    def _reset(self, call: "Call", query: Any) -> bool:
        for authorization in call.person.authorizations:
            if authorization.hash == query.hash and authorization is not call.authorization:
                authorization.refusal = 401, "SESSION_REVOKED"
                authorization.close()
                return True
        raise bad("HASH_INVALID")

    def _told(self, call: "Call", update: Any) -> None:
        self._delivery.push(call.person, [update], origin=call.session)

    def _changed(self, call: "Call", update: Any, person: Person | Channel) -> Any:
        self._told(call, update)
        named = described(self._server, call.person, [update], [person])
        return T.Updates(updates=[update], date=self._server.now, seq=0, **named)
