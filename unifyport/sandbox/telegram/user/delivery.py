"""Updates: recorded in the boxes of those whom they concern, and pushed to their connected sessions.

https://core.telegram.org/api/updates. The session whose call caused an update gets it in the answer.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from telethon.tl import types as T

from .authorizations import Session, sessions_of
from .codec import write
from .directory import Channel, Entry, Person
from .peers import described
from .posts import Post, audience

if TYPE_CHECKING:
    from .server import Server

See = Callable[[Person, int, int], Any]  # viewer, pts, count -> update, or None if nothing is left of it


class Delivery:
    """`short`: text of a private chat is pushed as `updateShortMessage`, as Telegram does. `least`: unknown
    people in groups are `min`.
    """

    def __init__(self, server: "Server") -> None:
        self._server = server
        self.short = True
        self.least = True

    # -- boxes -----------------------------------------------------------------------------------------------

    def record(self, owner: Person | Channel, see: See, *, count: int = 1) -> Entry:
        """An update of this box."""

        def make(pts: int, number: int) -> Callable[[Person], Any]:
            return lambda viewer: see(viewer, pts, number)

        entry = owner.box.add(make, count=count)
        if isinstance(owner, Channel):
            owner.changed = self._server.now
        return entry

    def tell(
        self, owner: Person | Channel, see: See, *, count: int = 1, origin: Session | None = None
    ) -> Entry:
        """Record an update, and push it to all whom it concerns except the session `origin`."""
        entry = self.record(owner, see, count=count)
        for viewer in [owner] if isinstance(owner, Person) else owner.audience:
            self.push_entry(viewer, entry, origin=origin)
        return entry

    def push_entry(self, viewer: Person, entry: Entry, *, origin: Session | None = None) -> None:
        update = entry.update(viewer)
        if update is not None:
            self.push(viewer, [update], origin=origin)

    # -- posts -----------------------------------------------------------------------------------------------

    def publish(self, post: Post, *, origin: Session | None = None) -> Entry | None:
        """Deliver a new message. Returns the entry in the sender's box, or in the channel's."""
        chat = post.chat
        if isinstance(chat, Channel):
            chat.last_post += 1
            post.numbers[chat] = chat.last_post
            chat.posts[chat.last_post] = post
            return self.tell(chat, _new_in_channel(post), origin=origin)
        own: Entry | None = None
        people = audience(chat, post.sender)
        for person in people:
            person.last_post += 1
            post.numbers[person] = person.last_post
            person.posts[person.last_post] = post
        for person in people:
            first = post.chat_for(person) not in person.dialogs
            person.dialog(post.chat_for(person)).hidden = False
            entry = self.record(person, _new(post))
            if person is post.sender:
                own = entry
                if post.random_id is not None:  # the difference names it, too
                    self.record(person, _identified(post), count=0)
            if self.short and not first and _is_plain(post):
                self._push_short(person, post, entry, origin)
            else:
                self.push_entry(person, entry, origin=origin)
        return own

    def edited(self, post: Post, *, origin: Session | None = None) -> Entry | None:
        """A message has changed. Returns the entry of the sender's box, or of the channel's."""
        if isinstance(post.chat, Channel):
            return self.tell(post.chat, _edited_in_channel(post), origin=origin)
        own = None
        for person in audience(post.chat, post.sender):
            if person in post.numbers and not post.is_gone_for(person):
                entry = self.tell(person, _edited(post), origin=origin)
                own = entry if person is post.sender else own
        return own

    def _push_short(self, viewer: Person, post: Post, entry: Entry, origin: Session | None) -> None:
        message = post.see(viewer)
        shared: dict[str, Any] = {
            "id": message.id,
            "message": message.message,
            "pts": entry.pts,
            "pts_count": entry.count,
            "date": post.date,
            "out": message.out,
            "silent": message.silent,
            "reply_to": message.reply_to,
            "entities": message.entities,
        }
        if isinstance(post.chat, Person):
            short = T.UpdateShortMessage(user_id=message.peer_id.user_id, **shared)
        else:
            short = T.UpdateShortChatMessage(from_id=post.sender.id, chat_id=post.chat.id, **shared)
        self._send(viewer, short, origin)

    # -- sessions --------------------------------------------------------------------------------------------

    def push(self, viewer: Person, updates: list[Any], *, origin: Session | None = None) -> None:
        """Push `updates` with all whom they name."""
        self._send(viewer, self.wrap(viewer, updates), origin)

    def push_short(self, viewer: Person, update: Any, *, origin: Session | None = None) -> None:
        """Push what is in no box: a person is typing, a login code was scanned."""
        self._send(viewer, T.UpdateShort(update, self._server.now), origin)

    def push_raw(self, viewer: Person, update: Any) -> None:
        """Push `updatesTooLong` or the like."""
        self._send(viewer, update, None)

    def wrap(self, viewer: Person, updates: list[Any]) -> Any:
        """`updates`, as a push or as an answer."""
        named = described(self._server, viewer, updates, least=self.least)
        return T.Updates(updates=updates, date=self._server.now, seq=0, **named)

    def _send(self, viewer: Person, update: Any, origin: Session | None) -> None:
        sessions = [session for session in sessions_of(viewer) if session is not origin]
        if not sessions:  # nothing is pushed, so that no noise that was ordered is used up
            return
        times = self._server.noise.pushes()
        body = write(update) if times else b""
        for session in sessions:
            for _ in range(times):
                session.push(body)

    def everyone(self, people: Iterable[Person], update: Any, *, origin: Session | None = None) -> None:
        for person in people:
            self.push_short(person, update, origin=origin)


def _is_plain(post: Post) -> bool:
    return post.media is None and post.action is None and not post.content and post.grouped_id is None


def _new(post: Post) -> See:
    def see(viewer: Person, pts: int, count: int) -> Any:
        return None if post.is_gone_for(viewer) else T.UpdateNewMessage(post.see(viewer), pts, count)

    return see


def _identified(post: Post) -> See:
    return lambda viewer, pts, count: T.UpdateMessageID(post.number_for(viewer), post.random_id)


def _new_in_channel(post: Post) -> See:
    def see(viewer: Person, pts: int, count: int) -> Any:
        return None if post.is_gone_for(viewer) else T.UpdateNewChannelMessage(post.see(viewer), pts, count)

    return see


def _edited(post: Post) -> See:
    def see(viewer: Person, pts: int, count: int) -> Any:
        return None if post.is_gone_for(viewer) else T.UpdateEditMessage(post.see(viewer), pts, count)

    return see


def _edited_in_channel(post: Post) -> See:
    def see(viewer: Person, pts: int, count: int) -> Any:
        return None if post.is_gone_for(viewer) else T.UpdateEditChannelMessage(post.see(viewer), pts, count)

    return see
