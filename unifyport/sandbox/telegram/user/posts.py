"""Messages: written once, and seen by each account under an identifier of its own.

https://core.telegram.org/constructor/message. In private chats and basic groups each account counts for
itself; a channel counts for all.
"""

from typing import Any

import attrs
from telethon.tl import types as T

from .directory import Channel, Chat, Person
from .peers import peer

Sender = Person | Channel


@attrs.define(eq=False)
class Post:
    """`numbers`: the identifier in each box. `content`: further fields of `message` as Telegram names them.
    `action`: of a service message.
    """

    sender: Sender
    chat: Chat
    date: int
    text: str = ""
    entities: list[Any] = attrs.field(factory=list)
    media: Any = None
    action: Any = None
    reply_to: "Post | None" = None
    quote: str | None = None
    topic: int | None = None
    grouped_id: int | None = None
    edit_date: int | None = None
    edit_hide: bool = False
    random_id: int | None = None
    silent: bool = False
    content: dict[str, Any] = attrs.field(factory=dict)
    reactions: dict[Person, list[Any]] = attrs.field(factory=dict)
    votes: dict[Person, list[bytes]] = attrs.field(factory=dict)
    numbers: dict[Person | Channel, int] = attrs.field(factory=dict)
    pinned: bool = False
    deleted_for: set[Person | Channel] = attrs.field(factory=set)

    def number_for(self, viewer: Person) -> int:
        return self.numbers[self.chat if isinstance(self.chat, Channel) else viewer]

    def is_gone_for(self, viewer: Person) -> bool:
        return (self.chat if isinstance(self.chat, Channel) else viewer) in self.deleted_for

    def chat_for(self, viewer: Person) -> Chat:
        """The chat in which `viewer` sees it: of a private chat the other side."""
        if isinstance(self.chat, Person) and self.sender is not viewer:
            assert isinstance(self.sender, Person)
            return self.sender
        return self.chat

    def see(self, viewer: Person) -> Any:
        """`message` or `messageService`."""
        out = self.sender is viewer
        broadcast = isinstance(self.chat, Channel) and not self.chat.megagroup
        private = isinstance(self.chat, Person)
        shared: dict[str, Any] = {
            "id": self.number_for(viewer),
            "peer_id": peer(self.chat_for(viewer)),
            "date": self.date,
            "out": out or None,
            "silent": self.silent or None,
            "post": broadcast or None,
            "from_id": None if broadcast or (private and not out) else peer(self.sender),
            "reply_to": self._reply(viewer),
        }
        if self.action is not None:
            return T.MessageService(action=self.action, **shared)
        return T.Message(
            message=self.text,
            entities=self.entities or None,
            media=self._media(viewer),
            grouped_id=self.grouped_id,
            edit_date=self.edit_date,
            edit_hide=self.edit_hide or None,
            reactions=self.reactions_for(viewer) if self.reactions else None,
            pinned=self.pinned or None,
            views=1 if broadcast else None,
            forwards=0 if broadcast else None,
            **shared,
            **self.content,
        )

    def _reply(self, viewer: Person) -> Any:
        if self.reply_to is None and self.topic is None:
            return None
        to = self.topic
        if self.reply_to is not None and not self.reply_to.is_gone_for(viewer):
            to = self.reply_to.numbers.get(self.chat if isinstance(self.chat, Channel) else viewer, to)
        return T.MessageReplyHeader(
            reply_to_msg_id=to,
            forum_topic=self.topic is not None or None,
            reply_to_top_id=self.topic if to != self.topic else None,
            quote=self.quote is not None or None,
            quote_text=self.quote,
        )

    def _media(self, viewer: Person) -> Any:
        if not isinstance(self.media, T.MessageMediaPoll):
            return self.media
        return T.MessageMediaPoll(self.media.poll, self.results_for(viewer))

    def results_for(self, viewer: Person) -> Any:
        """`pollResults`."""
        poll = self.media.poll
        counts = [
            T.PollAnswerVoters(
                answer.option,
                voters=sum(answer.option in votes for votes in self.votes.values()),
                chosen=answer.option in self.votes.get(viewer, []) or None,
                recent_voters=[],
            )
            for answer in poll.answers
        ]
        return T.PollResults(results=counts, total_voters=len(self.votes))

    def reactions_for(self, viewer: Person) -> Any:
        """`messageReactions`."""
        counts: dict[str, int] = {}
        kinds: dict[str, Any] = {}
        for given in self.reactions.values():
            for reaction in given:
                key = repr(reaction.to_dict())
                kinds[key] = reaction
                counts[key] = counts.get(key, 0) + 1
        mine = [repr(reaction.to_dict()) for reaction in self.reactions.get(viewer, [])]
        results = [
            T.ReactionCount(kinds[key], count, chosen_order=mine.index(key) if key in mine else None)
            for key, count in counts.items()
        ]
        if isinstance(self.chat, Channel) and not self.chat.megagroup:
            return T.MessageReactions(results)
        recent = [
            T.MessagePeerReaction(peer(person), self.date, reaction, my=person is viewer or None)
            for person, given in self.reactions.items()
            for reaction in given
        ]
        return T.MessageReactions(results, can_see_list=True, recent_reactions=recent)


def audience(chat: Chat, sender: Sender) -> list[Person]:
    """The accounts that have a message in this chat, the sender first."""
    if isinstance(chat, Person):
        assert isinstance(sender, Person)
        return [sender] if sender is chat else [sender, chat]
    others = [person for person in chat.audience if person is not sender]
    return [sender, *others] if isinstance(sender, Person) and sender in chat.members else others
