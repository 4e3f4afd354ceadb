"""Kinds of media of a message -> fields of the Bot API's `Message`: `CONTENTS` has a row for each.

https://core.telegram.org/type/MessageMedia
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from telethon.tl import types

from .peer import channel_id
from .values import plain_text, unix

if TYPE_CHECKING:
    from .shapes import Shaper

Fields = dict[str, Any]


def _photo(shaper: "Shaper", media: Any) -> Fields:
    photo = shaper.files.photo(media.photo)
    if media.video is None:
        return {"photo": photo}
    _, file = shaper.files.document(media.video)
    return {"live_photo": {**file, "photo": photo}} if file else {"photo": photo}


def _document(shaper: "Shaper", media: Any) -> Fields:
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


def _live(shaper: "Shaper", media: Any) -> Fields:
    found = _geo(media.geo) | {"live_period": media.period}
    return {"location": found | ({"heading": media.heading} if media.heading else {})}


def _venue(shaper: "Shaper", media: Any) -> Fields:
    return {"venue": {"location": _geo(media.geo), "title": media.title, "address": media.address}}


def _contact(shaper: "Shaper", media: Any) -> Fields:
    names = ("phone_number", "first_name", "last_name", "vcard")
    found: Fields = {name: getattr(media, name) or "" for name in names}
    return {"contact": found | ({"user_id": media.user_id} if media.user_id else {})}


def poll_fields(shaper: "Shaper", media: Any) -> Fields:
    """A `Poll` of the Bot API."""
    poll, results = media.poll, media.results
    votes = {each.option: each for each in results.results or ()}
    options: list[Fields] = []
    for answer in poll.answers:
        option: Fields = {"text": plain_text(answer.text), "persistent_id": _option_id(answer)}
        vote = votes.get(getattr(answer, "option", None))
        option["voter_count"] = (vote.voters or 0) if vote is not None else 0
        options.append(option | _inner(shaper, getattr(answer, "media", None)))
    correct = [place for place, answer in enumerate(poll.answers) if _is_correct(votes, answer)]
    found: Fields = {
        "id": str(poll.id),
        "question": plain_text(poll.question),
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


def _inner(shaper: "Shaper", media: Any) -> Fields:
    """The file that a part of a message has."""
    if not isinstance(media, types.MessageMediaPhoto | types.MessageMediaDocument):
        return {}
    found = shaper.media(media)
    return {"media": found} if not any(name.startswith("expired_") for name in found) else {}


def _checklist(shaper: "Shaper", media: Any) -> Fields:
    done = {each.id: unix(each.date) for each in media.completions or ()}
    tasks = [
        {"id": item.id, "text": plain_text(item.title), "completion_date": done.get(item.id, 0)}
        for item in media.todo.list
    ]
    return {"checklist": {"title": plain_text(media.todo.title), "tasks": tasks}}


def _game(shaper: "Shaper", media: Any) -> Fields:
    game = media.game
    found: Fields = {"title": game.title, "description": game.description}
    photo = shaper.files.photo(game.photo)
    found |= {"photo": photo} if photo else {}
    _, file = shaper.files.document(game.document)
    return {"game": found | ({"animation": file} if file else {})}


def _invoice(shaper: "Shaper", media: Any) -> Fields:
    names = ("title", "description", "currency", "total_amount")
    return {"invoice": {name: getattr(media, name) for name in names}}


def _paid(shaper: "Shaper", media: Any) -> Fields:
    shown = [each.media for each in media.extended_media if isinstance(each, types.MessageExtendedMedia)]
    files = [shaper.media(each) for each in shown]
    return {"paid_media": {"star_count": media.stars_amount, "paid_media": files}}


def _story(shaper: "Shaper", media: Any) -> Fields:
    return {"story": {"id": media.id, "chat": shaper.chat_of(media.peer)}}


def _prize(media: Any) -> Fields:
    found = {
        "prize_description": media.prize_description,
        "prize_star_count": media.stars,
        "premium_subscription_month_count": media.months,
    }
    return {name: value for name, value in found.items() if value}


def _giveaway(shaper: "Shaper", media: Any) -> Fields:
    chats = [shaper.peer(channel_id(number)).as_chat() for number in media.channels]
    date = unix(media.until_date)
    found = {"winner_count": media.quantity, "winners_selection_date": date, "chats": chats}
    return {"giveaway": found | _prize(media)}


def _winners(shaper: "Shaper", media: Any) -> Fields:
    winners, date = [shaper.user(number) for number in media.winners], unix(media.until_date)
    found = {"winner_count": media.winners_count, "winners": winners, "winners_selection_date": date}
    return {"giveaway_winners": found | _prize(media)}


CONTENTS: dict[type, Callable[["Shaper", Any], Fields]] = {
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
