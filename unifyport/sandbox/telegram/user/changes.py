"""What is done to messages that exist: edited, deleted, reacted to, pinned, voted on."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from telethon.tl import functions as F
from telethon.tl import types as T
from telethon.tl.types import messages

from .delivery import Delivery
from .directory import Channel, Chat, Group, Person
from .errors import Refused, bad
from .files import Files
from .peers import find, find_channel, peer
from .posts import Post, audience

if TYPE_CHECKING:
    from .server import Call, Server


class Changes:
    def __init__(self, server: "Server", delivery: Delivery, files: Files) -> None:
        self._server = server
        self._delivery = delivery
        self._files = files
        server.handlers |= {
            F.messages.EditMessageRequest: self._edit,
            F.messages.DeleteMessagesRequest: self._delete,
            F.channels.DeleteMessagesRequest: self._delete_in_channel,
            F.messages.SendReactionRequest: self._react,
            F.messages.UpdatePinnedMessageRequest: self._pin,
            F.messages.SendVoteRequest: self._vote,
            F.messages.SetTypingRequest: self._typing,
            F.messages.DeleteHistoryRequest: self._delete_history,
        }

    def post(self, call: "Call", chat: Chat, number: int) -> Post:
        """Raises `Refused`."""
        posts = chat.posts if isinstance(chat, Channel) else call.person.posts
        post = posts.get(number)
        if post is None or post.is_gone_for(call.person) or post.chat_for(call.person) is not chat:
            raise bad("MESSAGE_ID_INVALID")
        return post

    # -- edits and deletions ---------------------------------------------------------------------------------

    def _edit(self, call: "Call", query: Any) -> Any:
        chat = find(call, query.peer)
        post = self.post(call, chat, query.id)
        if not self.may_change(call.person, post) or post.action is not None:
            raise Refused(403, "MESSAGE_AUTHOR_REQUIRED")
        if query.media is not None:
            post.media = self._files.media(call, query.media, self._server)
        elif (post.text, post.entities) == (query.message, query.entities or []):
            raise bad("MESSAGE_NOT_MODIFIED")
        if query.message is not None:
            if not query.message and post.media is None:
                raise bad("MESSAGE_EMPTY")
            post.text, post.entities = query.message, query.entities or []
        post.edit_date = self._server.now
        post.edit_hide = False
        entry = self._delivery.edited(post, origin=call.session)
        assert entry is not None
        return self._delivery.wrap(call.person, [entry.update(call.person)])

    def may_change(self, person: Person, post: Post) -> bool:
        if isinstance(post.sender, Channel):
            member = post.sender.members.get(person)
            return member is not None and bool(member.rank)
        return post.sender is person

    def _delete(self, call: "Call", query: Any) -> Any:
        person = call.person
        doomed = [post for number in query.id if (post := person.posts.get(number)) is not None]
        doomed = [post for post in doomed if not post.is_gone_for(person)]
        self.delete(doomed, person, everywhere=bool(query.revoke), origin=call.session)
        return messages.AffectedMessages(person.box.pts, len(doomed))

    def delete(self, doomed: list[Post], person: Person, *, everywhere: bool, origin: Any = None) -> None:
        """Delete messages of private chats and basic groups."""
        gone: dict[Person, list[int]] = defaultdict(list)
        for post in doomed:
            for each in audience(post.chat, post.sender) if everywhere else [person]:
                if each in post.numbers and each not in post.deleted_for:
                    post.deleted_for.add(each)
                    gone[each].append(post.numbers[each])
        for each, numbers in gone.items():
            self._delivery.tell(
                each,
                lambda viewer, pts, count, numbers=numbers: T.UpdateDeleteMessages(numbers, pts, count),  # type: ignore[misc]
                count=len(numbers),
                origin=origin,
            )

    def _delete_in_channel(self, call: "Call", query: Any) -> Any:
        channel = find_channel(call, query.channel)
        posts = [channel.posts[number] for number in query.id if number in channel.posts]
        member = channel.members.get(call.person)
        if member is None or not (member.rank or all(post.sender is call.person for post in posts)):
            raise Refused(403, "MESSAGE_DELETE_FORBIDDEN")
        count = self.delete_in_channel(channel, posts, origin=call.session)
        return messages.AffectedMessages(channel.box.pts, count)

    def delete_in_channel(self, channel: Channel, posts: list[Post], *, origin: Any = None) -> int:
        numbers = [post.numbers[channel] for post in posts if channel not in post.deleted_for]
        for post in posts:
            post.deleted_for.add(channel)
        if numbers:
            self._delivery.tell(
                channel,
                lambda viewer, pts, count: T.UpdateDeleteChannelMessages(channel.id, numbers, pts, count),
                count=len(numbers),
                origin=origin,
            )
        return len(numbers)

    def _delete_history(self, call: "Call", query: Any) -> Any:
        person, chat = call.person, find(call, query.peer)
        if isinstance(chat, Channel):
            raise bad("PEER_ID_INVALID")
        posts = [post for post in person.posts.values() if post.chat_for(person) is chat]
        posts = [post for post in posts if not post.is_gone_for(person)]
        self.delete(posts, person, everywhere=bool(query.revoke), origin=call.session)
        person.dialog(chat).hidden = not query.just_clear
        return messages.AffectedHistory(person.box.pts, len(posts), offset=0)

    # -- reactions, pins, votes, typing ----------------------------------------------------------------------

    def _react(self, call: "Call", query: Any) -> Any:
        post = self.post(call, find(call, query.peer), query.msg_id)
        self.react(post, call.person, list(query.reaction or []), origin=call.session)
        return self._delivery.wrap(call.person, [self._reactions(post, call.person)])

    def react(self, post: Post, person: Person, given: list[Any], *, origin: Any = None) -> None:
        if any(isinstance(each, T.ReactionEmoji) and not each.emoticon for each in given):
            raise bad("REACTION_INVALID")
        if given:
            post.reactions[person] = given
        else:
            post.reactions.pop(person, None)
        for viewer in audience(post.chat, post.sender):
            if not post.is_gone_for(viewer):
                self._delivery.push(viewer, [self._reactions(post, viewer)], origin=origin)

    def _reactions(self, post: Post, viewer: Person) -> Any:
        return T.UpdateMessageReactions(
            peer(post.chat_for(viewer)), post.number_for(viewer), post.reactions_for(viewer)
        )

    def _pin(self, call: "Call", query: Any) -> Any:
        chat = find(call, query.peer)
        post = self.post(call, chat, query.id)
        post.pinned = not query.unpin
        if isinstance(chat, Channel):
            entry = self._delivery.tell(
                chat,
                lambda viewer, pts, count: T.UpdatePinnedChannelMessages(
                    chat.id, [query.id], pts, count, pinned=post.pinned or None
                ),
                origin=call.session,
            )
        else:
            entry = self._delivery.tell(
                call.person,
                lambda viewer, pts, count: T.UpdatePinnedMessages(
                    peer(chat), [query.id], pts, count, pinned=post.pinned or None
                ),
                origin=call.session,
            )
        return self._delivery.wrap(call.person, [entry.update(call.person)])

    def _vote(self, call: "Call", query: Any) -> Any:
        post = self.post(call, find(call, query.peer), query.msg_id)
        self.vote(post, call.person, list(query.options), origin=call.session)
        results = T.UpdateMessagePoll(post.media.poll.id, post.results_for(call.person), poll=post.media.poll)
        return self._delivery.wrap(call.person, [results])

    def vote(self, post: Post, person: Person, options: list[bytes], *, origin: Any = None) -> None:
        known = {answer.option for answer in post.media.poll.answers}
        if not known.issuperset(options):
            raise bad("OPTION_INVALID")
        post.votes[person] = options
        poll = post.media.poll
        for viewer in audience(post.chat, post.sender):
            update = T.UpdateMessagePoll(poll.id, post.results_for(viewer), poll=poll)
            self._delivery.push_short(viewer, update, origin=origin)
            if poll.public_voters:
                positions = [at for at, answer in enumerate(poll.answers) if answer.option in options]
                self._delivery.push(
                    viewer, [T.UpdateMessagePollVote(poll.id, peer(person), options, positions, 0)]
                )

    def _typing(self, call: "Call", query: Any) -> bool:
        self.typing(call.person, find(call, query.peer), query.action, topic=query.top_msg_id)
        return True

    def typing(self, person: Person, chat: Chat, action: Any, *, topic: int | None = None) -> None:
        update: Any
        if isinstance(chat, Person):
            update = T.UpdateUserTyping(person.id, action)
        elif isinstance(chat, Group):
            update = T.UpdateChatUserTyping(chat.id, peer(person), action)
        else:
            update = T.UpdateChannelUserTyping(chat.id, peer(person), action, top_msg_id=topic)
        others = [each for each in audience(chat, person) if each is not person]
        self._delivery.everyone(others, update)
