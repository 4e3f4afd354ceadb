"""Messages that a client sends: https://core.telegram.org/method/messages.sendMessage and its relatives."""

from typing import TYPE_CHECKING, Any, Final

from telethon.tl import functions as F
from telethon.tl import types as T

from .delivery import Delivery
from .directory import Channel, Chat, Entry, Group, Person
from .errors import Refused, bad
from .files import Files
from .peers import find, find_person
from .posts import Post

if TYPE_CHECKING:
    from .server import Call, Server

MAX_TEXT: Final = 4096  # UTF-16 code units
MAX_CAPTION: Final = 1024
MAX_ALBUM: Final = 10


class Sends:
    def __init__(self, server: "Server", delivery: Delivery, files: Files) -> None:
        self._server = server
        self._delivery = delivery
        self._files = files
        self._album = 0
        server.handlers |= {
            F.messages.SendMessageRequest: self._send_message,
            F.messages.SendMediaRequest: self._send_media,
            F.messages.SendMultiMediaRequest: self._send_album,
            F.messages.ForwardMessagesRequest: self._forward,
            F.messages.UploadMediaRequest: self._upload,
        }

    # -- calls -----------------------------------------------------------------------------------------------

    def _send_message(self, call: "Call", query: Any) -> Any:
        if not query.message.strip():
            raise bad("MESSAGE_EMPTY")
        if _units(query.message) > MAX_TEXT:
            raise bad("MESSAGE_TOO_LONG")
        post = self._new(call, query, text=query.message, entities=query.entities)
        return self._publish(call, post, short=True)

    def _send_media(self, call: "Call", query: Any) -> Any:
        if _units(query.message) > MAX_CAPTION:
            raise bad("MEDIA_CAPTION_TOO_LONG")
        chat = find(call, query.peer)
        media = self._files.media(call, query.media, self._server)
        self._check(call.person, chat)
        post = self._new(call, query, text=query.message, entities=query.entities)
        post.media = media
        return self._publish(call, post)

    def _send_album(self, call: "Call", query: Any) -> Any:
        if not 1 <= len(query.multi_media) <= MAX_ALBUM:
            raise bad("MULTI_MEDIA_TOO_LONG")
        self._album += 1
        posts = []
        for item in query.multi_media:
            if not isinstance(item.media, T.InputMediaPhoto | T.InputMediaDocument):
                raise bad("MEDIA_INVALID")
            item.silent = query.silent
            post = self._new(call, query, text=item.message, entities=item.entities, random_id=item.random_id)
            post.media = self._files.media(call, item.media, self._server)
            post.grouped_id = (1 << 40) + self._album
            posts.append(post)
        return self._answer(call, [(post, self._deliver(call, post)) for post in posts])

    def _upload(self, call: "Call", query: Any) -> Any:
        find(call, query.peer)
        return self._files.media(call, query.media, self._server)

    def _forward(self, call: "Call", query: Any) -> Any:
        source = find(call, query.from_peer)
        posts = source.posts if isinstance(source, Channel) else call.person.posts
        done = []
        for number, random_id in zip(query.id, query.random_id, strict=True):
            original = posts.get(number)
            if original is None or original.is_gone_for(call.person):
                raise bad("MESSAGE_ID_INVALID")
            post = self._new(
                call,
                query,
                to=query.to_peer,
                text=original.text,
                entities=original.entities,
                random_id=random_id,
            )
            post.media = original.media
            author = original.sender
            post.content["fwd_from"] = T.MessageFwdHeader(
                date=original.date,
                from_id=T.PeerUser(author.id) if isinstance(author, Person) else T.PeerChannel(author.id),
            )
            done.append((post, self._deliver(call, post)))
        return self._answer(call, done)

    # -- how -------------------------------------------------------------------------------------------------

    def _new(
        self,
        call: "Call",
        query: Any,
        *,
        text: str,
        entities: list[Any] | None,
        to: Any = None,
        random_id: int | None = None,
    ) -> Post:
        """Raises `Refused` if it may not be sent, or was sent before."""
        person = call.person
        chat = find(call, to or query.peer)
        if isinstance(chat, Group) and chat.migrated_to is not None:
            raise bad("CHAT_RESTRICTED")
        number = random_id if random_id is not None else query.random_id
        self._check(person, chat)
        if number == 0:
            raise bad("RANDOM_ID_EMPTY")
        if number in person.sent:
            raise Refused(500, "RANDOM_ID_DUPLICATE")
        sender: Any = chat if isinstance(chat, Channel) and not chat.megagroup else person
        post = Post(sender, chat, self._server.now, text, random_id=number, silent=bool(query.silent))
        post.entities = self._entities(call, entities or [])
        self._reply(call, post, getattr(query, "reply_to", None))
        if isinstance(chat, Channel) and chat.forum and (top := getattr(query, "top_msg_id", None)):
            post.topic = top
        return post

    def _entities(self, call: "Call", entities: list[Any]) -> list[Any]:
        made = []
        for entity in entities:
            if isinstance(entity, T.InputMessageEntityMentionName):
                person = find_person(call, entity.user_id)
                entity = T.MessageEntityMentionName(entity.offset, entity.length, person.id)
            made.append(entity)
        return made

    def _check(self, person: Person, chat: Chat) -> None:
        """Whether this person may write here. Raises `Refused`."""
        match chat:
            case Person():
                if chat.deleted:
                    raise bad("INPUT_USER_DEACTIVATED")
                if person in chat.blocked:
                    raise bad("USER_IS_BLOCKED")
                if chat in person.blocked:
                    raise bad("YOU_BLOCKED_USER")
            case Group():
                if person not in chat.members:
                    raise bad("PEER_ID_INVALID" if person not in chat.left else "CHAT_WRITE_FORBIDDEN")
            case Channel():
                member = chat.members.get(person)
                if member is None or (not chat.megagroup and not member.rank):
                    raise Refused(403, "CHAT_WRITE_FORBIDDEN")

    def _reply(self, call: "Call", post: Post, to: Any) -> None:
        if to is None:
            return
        if not isinstance(to, T.InputReplyToMessage):
            raise bad("REPLY_TO_INVALID")
        chat = post.chat
        topics = chat.topics if isinstance(chat, Channel) and chat.forum else {}
        if to.reply_to_msg_id in topics:
            post.topic = to.reply_to_msg_id
            return
        posts = chat.posts if isinstance(chat, Channel) else call.person.posts
        post.reply_to = posts.get(to.reply_to_msg_id)
        if post.reply_to is None or post.reply_to.chat_for(call.person) is not chat:
            raise bad("REPLY_MESSAGE_ID_INVALID")
        post.quote = to.quote_text
        post.topic = to.top_msg_id if to.top_msg_id in topics else post.reply_to.topic

    def _deliver(self, call: "Call", post: Post) -> Entry:
        assert post.random_id is not None
        call.person.sent[post.random_id] = post
        entry = self._delivery.publish(post, origin=call.session)
        assert entry is not None
        return entry

    def _publish(self, call: "Call", post: Post, *, short: bool = False) -> Any:
        entry = self._deliver(call, post)
        if short and isinstance(post.chat, Person):
            return T.UpdateShortSentMessage(
                id=post.number_for(call.person),
                pts=entry.pts,
                pts_count=entry.count,
                date=post.date,
                out=True,
                entities=post.entities or None,
            )
        return self._answer(call, [(post, entry)])

    def _answer(self, call: "Call", done: list[tuple[Post, Entry]]) -> Any:
        person = call.person
        names = [T.UpdateMessageID(post.number_for(person), post.random_id) for post, _ in done]
        return self._delivery.wrap(person, [*names, *(entry.update(person) for _, entry in done)])


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
