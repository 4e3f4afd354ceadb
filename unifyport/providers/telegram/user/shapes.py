"""A message of the platform -> the `Message` of the Bot API, whose tables say what it means.

Both connections of Telegram show the same messages, and their events are the same: the kinds of content
(`bot/kinds.py`), what stands beside it (`bot/content.py`), and service messages (`bot/services.py`) are read
from the Bot API's form. Kinds of media are in `contents.py`.
"""

from typing import Any

from telethon.tl import types

from . import entities
from .contents import CONTENTS
from .files import Files
from .peer import SUPERGROUP, USER, Known, Peer, id_of
from .rich import rich_message
from .values import name_of, unix

Fields = dict[str, Any]


class Shaper:
    """Writes one message. `known`: the peers that it names, as far as they are known."""

    def __init__(self, message: Any, known: Known, me: int) -> None:
        self.message = message
        self.known = known
        self.me = me
        self.chat = id_of(message.peer_id)
        self.files = Files(self.chat, message.id)

    def peer(self, id_: int) -> Peer:
        found = self.known.get(id_)
        if found is None:
            found = Peer(id_, USER if id_ > 0 else "group" if id_ > -(10**12) else SUPERGROUP)
        return found

    def user(self, id_: int) -> Fields:
        return self.peer(id_).as_user()

    def chat_of(self, peer: Any) -> Fields:
        return self.peer(id_of(peer)).as_chat()

    # -- the whole ------------------------------------------------------------------------------------------

    def head(self) -> Fields:
        """The fields that every message has."""
        message = self.message
        fields: Fields = {
            "message_id": message.id,
            "date": unix(message.date),
            "chat": self.chat_of(message.peer_id),
        }
        author = self.author
        if author > 0:
            fields["from"] = self.user(author)
        else:
            fields["sender_chat"] = self.peer(author).as_chat()
        if getattr(message, "edit_date", None) is not None:
            fields["edit_date"] = unix(message.edit_date)
        return fields

    @property
    def author(self) -> int:
        """Who wrote it: of a private chat the platform leaves it out, of a channel it is the channel."""
        if self.message.from_id is not None:
            return id_of(self.message.from_id)
        if self.message.out and self.chat > 0:
            return self.me
        return self.chat

    def fields(self) -> Fields:
        """The whole message, as far as the Bot API has names for it."""
        message = self.message
        fields = self.head() | self._beside()
        media = message.media
        if message.rich_message is not None:
            fields["rich_message"] = rich_message(message.rich_message, self.files)
        elif media is None or isinstance(media, types.MessageMediaWebPage | types.MessageMediaEmpty):
            fields["text"] = message.message or ""
        else:
            fields |= self.media(media)
        if message.message and "text" not in fields:
            fields["caption"] = message.message
        if message.entities and message.message:
            name = "entities" if "text" in fields else "caption_entities"
            fields[name] = self.entities(message.entities)
        return fields

    def media(self, media: Any) -> Fields:
        """The field of a kind of media; one that no table knows is a field of that name."""
        make = CONTENTS.get(type(media))
        if make is not None:
            return make(self, media)
        return {name_of(media, "MessageMedia"): {}}

    def entities(self, found: Any) -> list[Fields]:
        return entities.shown(found, self.user)

    # -- beside the content ---------------------------------------------------------------------------------

    def _beside(self) -> Fields:
        message, fields = self.message, {}
        if message.post_author:
            fields["author_signature"] = message.post_author
        if message.grouped_id:
            fields["media_group_id"] = str(message.grouped_id)
        if message.via_bot_id:
            fields["via_bot"] = self.user(message.via_bot_id)
        if message.fwd_from is not None:
            fields["forward_origin"] = self._origin(message.fwd_from)
        match message.reply_to:
            case types.MessageReplyHeader():
                fields |= self._reply(message.reply_to)
            case types.MessageReplyStoryHeader(peer=peer, story_id=story_id):
                fields["reply_to_story"] = {"id": story_id, "chat": self.chat_of(peer)}
        return fields

    def _origin(self, origin: Any) -> Fields:
        fields: Fields = {"date": unix(origin.date)}
        match origin.from_id:
            case types.PeerUser(user_id=user_id):
                fields |= {"type": "user", "sender_user": self.user(user_id)}
            case types.PeerChannel() if origin.channel_post:
                chat = self.chat_of(origin.from_id)
                fields |= {"type": "channel", "chat": chat, "message_id": origin.channel_post}
            case None:
                fields |= {"type": "hidden_user", "sender_user_name": origin.from_name or ""}
            case _:
                fields |= {"type": "chat", "sender_chat": self.chat_of(origin.from_id)}
        return fields

    def _reply(self, reply: Any) -> Fields:
        fields: Fields = {}
        thread = reply.reply_to_top_id or (reply.reply_to_msg_id if reply.forum_topic else None)
        if thread:
            fields["message_thread_id"] = thread
            fields["is_topic_message"] = bool(reply.forum_topic)
        elsewhere = reply.reply_to_peer_id is not None and id_of(reply.reply_to_peer_id) != self.chat
        if elsewhere or reply.reply_from is not None:
            fields["external_reply"] = self._elsewhere(reply)
        elif reply.reply_to_msg_id:
            fields["reply_to_message"] = {"message_id": reply.reply_to_msg_id}
        if reply.quote_text:
            quoted = self.entities(reply.quote_entities)
            fields["quote"] = {
                "text": reply.quote_text,
                "position": reply.quote_offset or 0,
                "is_manual": bool(reply.quote),
                "entities": quoted,
            }
        if reply.todo_item_id is not None:
            fields["reply_to_checklist_task_id"] = reply.todo_item_id
        if reply.poll_option is not None:
            fields["reply_to_poll_option_id"] = reply.poll_option.hex()
        return fields

    def _elsewhere(self, reply: Any) -> Fields:
        origin: Fields = {"type": "hidden_user", "date": 0}
        if reply.reply_from is not None:
            origin = self._origin(reply.reply_from)
        found: Fields = {"origin": origin}
        if reply.reply_to_peer_id is not None:
            found["chat"] = self.chat_of(reply.reply_to_peer_id)
        if reply.reply_to_msg_id:
            found["message_id"] = reply.reply_to_msg_id
        return found
