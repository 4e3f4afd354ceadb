"""Reading: what a client has read, and what those who wrote it are told.

https://core.telegram.org/method/messages.readHistory. In private chats and basic groups the states are part
of the boxes of updates; of channels they are pushed only.
"""

from typing import TYPE_CHECKING, Any

from telethon.tl import functions as F
from telethon.tl import types as T
from telethon.tl.types import messages

from .delivery import Delivery
from .directory import Channel, Group, Person
from .errors import bad
from .peers import find, find_channel, peer

if TYPE_CHECKING:
    from .server import Call, Server


class Reading:
    def __init__(self, server: "Server", delivery: Delivery) -> None:
        self._delivery = delivery
        server.handlers |= {
            F.messages.ReadHistoryRequest: self._read,
            F.channels.ReadHistoryRequest: self._read_channel,
            F.messages.ReadMessageContentsRequest: self._contents,
            F.channels.ReadMessageContentsRequest: lambda call, query: True,
        }

    def _read(self, call: "Call", query: Any) -> Any:
        chat = find(call, query.peer)
        if isinstance(chat, Channel):
            raise bad("PEER_ID_INVALID")
        count = self.read(call.person, chat, query.max_id or call.person.last_post, origin=call.session)
        return messages.AffectedMessages(call.person.box.pts, count)

    def read(self, person: Person, chat: Person | Group, max_id: int, *, origin: Any = None) -> int:
        """The person has read a private chat or basic group. Returns by how much its box has advanced."""
        dialog = person.dialog(chat)
        if max_id <= dialog.read_inbox:
            return 0
        seen = [
            post
            for number, post in person.posts.items()
            if dialog.read_inbox < number <= max_id
            and post.chat_for(person) is chat
            and post.sender is not person
        ]
        dialog.read_inbox = max_id
        left = sum(
            number > max_id and post.chat_for(person) is chat and post.sender is not person
            for number, post in person.posts.items()
        )
        self._delivery.tell(
            person,
            lambda viewer, pts, count: T.UpdateReadHistoryInbox(
                peer(chat), max_id, still_unread_count=left, pts=pts, pts_count=count
            ),
            origin=origin,
        )
        last: dict[Person, int] = {}
        for post in seen:
            if isinstance(post.sender, Person):
                last[post.sender] = max(last.get(post.sender, 0), post.numbers[post.sender])
        for sender, number in last.items():
            self._outbox(sender, person if isinstance(chat, Person) else chat, number)
        return 1

    def _outbox(self, sender: Person, chat: Person | Group, number: int) -> None:
        dialog = sender.dialog(chat)
        if number > dialog.read_outbox:
            dialog.read_outbox = number
            self._delivery.tell(
                sender,
                lambda viewer, pts, count: T.UpdateReadHistoryOutbox(peer(chat), number, pts, count),
            )

    def _read_channel(self, call: "Call", query: Any) -> bool:
        channel = find_channel(call, query.channel)
        self.read_channel(call.person, channel, query.max_id or channel.last_post, origin=call.session)
        return True

    def read_channel(self, person: Person, channel: Channel, max_id: int, *, origin: Any = None) -> None:
        dialog = person.dialog(channel)
        if max_id <= dialog.read_inbox:
            return
        before, dialog.read_inbox = dialog.read_inbox, max_id
        inbox = T.UpdateReadChannelInbox(channel.id, max_id, channel.last_post - max_id, channel.box.pts)
        self._delivery.push_short(person, inbox, origin=origin)
        senders = {
            post.sender
            for number, post in channel.posts.items()
            if before < number <= max_id and post.sender is not person and isinstance(post.sender, Person)
        }
        for sender in senders if channel.megagroup else ():
            assert isinstance(sender, Person)
            own = sender.dialog(channel)
            own.read_outbox = max(own.read_outbox, max_id)
            self._delivery.push_short(sender, T.UpdateReadChannelOutbox(channel.id, max_id))

    def _contents(self, call: "Call", query: Any) -> Any:
        person, numbers = call.person, list(query.id)
        self._delivery.tell(
            person,
            lambda viewer, pts, count: T.UpdateReadMessagesContents(numbers, pts, count),
            origin=call.session,
        )
        for number in numbers:
            post = person.posts.get(number)
            if post is not None and isinstance(post.sender, Person) and post.sender is not person:
                own = [post.numbers[post.sender]]
                self._delivery.tell(
                    post.sender,
                    lambda viewer, pts, count, own=own: T.UpdateReadMessagesContents(own, pts, count),  # type: ignore[misc]
                )
        return messages.AffectedMessages(person.box.pts, 1)
