"""A message of the platform -> the `Message` of the Bot API, whose tables say what it means.

Both connections of Telegram show the same messages, and their events are the same: the kinds of content
(`bot/kinds.py`), what stands beside it (`bot/content.py`), and service messages (`bot/services.py`) are read
from the Bot API's form. `CONTENTS` has a row for each kind of media of the platform.
https://core.telegram.org/type/MessageMedia
"""

from collections.abc import Callable
from typing import Any

from telethon.tl import types

from . import entities
from .files import Files
from .peers import SUPERGROUP, USER, Known, Peer, channel_id, id_of
from .rich import rich_message

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
            "date": _unix(message.date),
            "chat": self.chat_of(message.peer_id),
        }
        author = self.author
        if author > 0:
            fields["from"] = self.user(author)
        else:
            fields["sender_chat"] = self.peer(author).as_chat()
        if getattr(message, "edit_date", None) is not None:
            fields["edit_date"] = _unix(message.edit_date)
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
        fields: Fields = {"date": _unix(origin.date)}
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


# -- kinds of media ------------------------------------------------------------------------------------------


def _photo(shaper: Shaper, media: Any) -> Fields:
    photo = shaper.files.photo(media.photo)
    if media.video is None:
        return {"photo": photo}
    _, file = shaper.files.document(media.video)
    return {"live_photo": {**file, "photo": photo}} if file else {"photo": photo}


def _document(shaper: Shaper, media: Any) -> Fields:
    kind, file = shaper.files.document(media.document)
    if not file:  # it was shown for a time, or once
        gone = "voice" if media.voice else "video_note" if media.round else "video" if media.video else kind
        return {f"expired_{gone}": {}}
    return {kind: file}


def _geo(geo: Any) -> Fields:
    if not isinstance(geo, types.GeoPoint):
        return {"latitude": 0.0, "longitude": 0.0}
    found: Fields = {"latitude": geo.lat, "longitude": geo.long}
    return found | ({"horizontal_accuracy": geo.accuracy_radius} if geo.accuracy_radius else {})


def _live(shaper: Shaper, media: Any) -> Fields:
    found = _geo(media.geo) | {"live_period": media.period}
    return {"location": found | ({"heading": media.heading} if media.heading else {})}


def _venue(shaper: Shaper, media: Any) -> Fields:
    return {"venue": {"location": _geo(media.geo), "title": media.title, "address": media.address}}


def _contact(shaper: Shaper, media: Any) -> Fields:
    names = ("phone_number", "first_name", "last_name", "vcard")
    found: Fields = {name: getattr(media, name) or "" for name in names}
    return {"contact": found | ({"user_id": media.user_id} if media.user_id else {})}


def poll_fields(shaper: Shaper, media: Any) -> Fields:
    """A `Poll` of the Bot API."""
    poll, results = media.poll, media.results
    votes = {each.option: each for each in results.results or ()}
    options: list[Fields] = []
    for answer in poll.answers:
        option: Fields = {"text": _plain(answer.text), "persistent_id": _option_id(answer)}
        vote = votes.get(getattr(answer, "option", None))
        option["voter_count"] = (vote.voters or 0) if vote is not None else 0
        options.append(option | _inner(shaper, getattr(answer, "media", None)))
    correct = [place for place, answer in enumerate(poll.answers) if _is_correct(votes, answer)]
    found: Fields = {
        "id": str(poll.id),
        "question": _plain(poll.question),
        "options": options,
        "type": "quiz" if poll.quiz else "regular",
        "allows_multiple_answers": bool(poll.multiple_choice),
        "is_anonymous": not poll.public_voters,
        "is_closed": bool(poll.closed),
        "total_voter_count": results.total_voters or 0,
        "explanation": results.solution or "",
    }
    found |= {"correct_option_ids": correct} if correct else {}
    return found | _inner(shaper, media.attached_media)


def _is_correct(votes: dict[Any, Any], answer: Any) -> bool:
    vote = votes.get(getattr(answer, "option", None))
    return vote is not None and bool(vote.correct)


def _option_id(answer: Any) -> str:
    option = getattr(answer, "option", b"")
    return option.hex() if isinstance(option, bytes) else ""


def _inner(shaper: Shaper, media: Any) -> Fields:
    """The file that a part of a message has."""
    if not isinstance(media, types.MessageMediaPhoto | types.MessageMediaDocument):
        return {}
    found = shaper.media(media)
    return {"media": found} if not any(name.startswith("expired_") for name in found) else {}


def _checklist(shaper: Shaper, media: Any) -> Fields:
    done = {each.id: _unix(each.date) for each in media.completions or ()}
    tasks = [
        {"id": item.id, "text": _plain(item.title), "completion_date": done.get(item.id, 0)}
        for item in media.todo.list
    ]
    return {"checklist": {"title": _plain(media.todo.title), "tasks": tasks}}


def _game(shaper: Shaper, media: Any) -> Fields:
    game = media.game
    found: Fields = {"title": game.title, "description": game.description}
    photo = shaper.files.photo(game.photo)
    found |= {"photo": photo} if photo else {}
    _, file = shaper.files.document(game.document)
    return {"game": found | ({"animation": file} if file else {})}


def _invoice(shaper: Shaper, media: Any) -> Fields:
    names = ("title", "description", "currency", "total_amount")
    return {"invoice": {name: getattr(media, name) for name in names}}


def _paid(shaper: Shaper, media: Any) -> Fields:
    shown = [each.media for each in media.extended_media if isinstance(each, types.MessageExtendedMedia)]
    files = [shaper.media(each) for each in shown]
    return {"paid_media": {"star_count": media.stars_amount, "paid_media": files}}


def _story(shaper: Shaper, media: Any) -> Fields:
    return {"story": {"id": media.id, "chat": shaper.chat_of(media.peer)}}


def _prize(media: Any) -> Fields:
    found = {
        "prize_description": media.prize_description,
        "prize_star_count": media.stars,
        "premium_subscription_month_count": media.months,
    }
    return {name: value for name, value in found.items() if value}


def _giveaway(shaper: Shaper, media: Any) -> Fields:
    chats = [shaper.peer(channel_id(number)).as_chat() for number in media.channels]
    date = _unix(media.until_date)
    found = {"winner_count": media.quantity, "winners_selection_date": date, "chats": chats}
    return {"giveaway": found | _prize(media)}


def _winners(shaper: Shaper, media: Any) -> Fields:
    winners, date = [shaper.user(number) for number in media.winners], _unix(media.until_date)
    found = {"winner_count": media.winners_count, "winners": winners, "winners_selection_date": date}
    return {"giveaway_winners": found | _prize(media)}


CONTENTS: dict[type, Callable[[Shaper, Any], Fields]] = {
    types.MessageMediaPhoto: _photo,
    types.MessageMediaDocument: _document,
    types.MessageMediaGeo: lambda shaper, media: {"location": _geo(media.geo)},
    types.MessageMediaGeoLive: _live,
    types.MessageMediaVenue: _venue,
    types.MessageMediaContact: _contact,
    types.MessageMediaPoll: lambda shaper, media: {"poll": poll_fields(shaper, media)},
    types.MessageMediaDice: lambda _, media: {"dice": {"emoji": media.emoticon, "value": media.value}},
    types.MessageMediaToDo: _checklist,
    types.MessageMediaGame: _game,
    types.MessageMediaInvoice: _invoice,
    types.MessageMediaPaidMedia: _paid,
    types.MessageMediaStory: _story,
    types.MessageMediaGiveaway: _giveaway,
    types.MessageMediaGiveawayResults: _winners,
}


def name_of(thing: Any, prefix: str) -> str:
    """The platform's word in the Bot API's spelling: `MessageMediaVideoStream` is `video_stream`."""
    word = type(thing).__name__.removeprefix(prefix)
    letters = [f"_{letter.lower()}" if letter.isupper() else letter for letter in word]
    return "".join(letters).lstrip("_") or "message"


def _plain(text: Any) -> str:
    return text if isinstance(text, str) else getattr(text, "text", "") or ""


def _unix(date: Any) -> int:
    return int(date.timestamp()) if date is not None else 0
