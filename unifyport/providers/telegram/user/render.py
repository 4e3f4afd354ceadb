"""A plan -> calls of the API. Pure.

`peer`, users and uploaded files are looked up before; https://core.telegram.org/method/messages.sendMedia.
"""

import contextlib
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from telethon.tl import functions, types

from unifyport.model.entities import in_utf16
from unifyport.providers.contract.fields import invalid

from ..bot.render import Request
from .entities import rendered

Fields = Mapping[str, Any]


@attrs.frozen
class Target:
    """Where a message goes. `users`: those that entities name. `reply_peer`: of a reply to another chat."""

    peer: Any
    random_ids: Sequence[int]
    users: Mapping[int, Any] = attrs.field(factory=dict)
    reply_peer: Any = None


def render(made: Request, target: Target, media: Any = None) -> Any:
    """The call that sends a text, or the `media`."""
    fields = made.fields
    options = options_of(fields, target)
    [random_id] = target.random_ids
    if media is None:
        preview = fields.get("link_preview_options") or {}
        return functions.messages.SendMessageRequest(
            target.peer,
            fields["text"],
            no_webpage=bool(preview.get("is_disabled")) or None,
            invert_media=bool(preview.get("show_above_text")) or None,
            random_id=random_id,
            entities=_entities("entities", fields.get("entities"), target),
            **options,
        )
    return functions.messages.SendMediaRequest(
        target.peer,
        media,
        fields.get("caption", ""),
        invert_media=fields.get("show_caption_above_media") or None,
        random_id=random_id,
        entities=_entities("entities", fields.get("caption_entities"), target),
        **options,
    )


def render_album(made: Request, target: Target, media: Sequence[Any]) -> Any:
    """The call that sends an album, whose files are at the platform already."""
    singles = []
    for place, item in enumerate(made.fields["media"]):
        entities = _entities(f"album[{place}].caption_entities", item.get("caption_entities"), target)
        caption, random_id = item.get("caption", ""), target.random_ids[place]
        singles.append(types.InputSingleMedia(media[place], caption, random_id, entities))
    above = any(item.get("show_caption_above_media") for item in made.fields["media"])
    return functions.messages.SendMultiMediaRequest(
        target.peer, singles, invert_media=above or None, **options_of(made.fields, target)
    )


def options_of(fields: Fields, target: Target) -> dict[str, Any]:
    """What every kind of message may have."""
    effect = str(fields.get("message_effect_id") or "")
    if effect and not (effect.isascii() and effect.isdigit() and len(effect) < 20):
        raise invalid("message_effect_id", "must be a number")
    return {
        "silent": fields.get("disable_notification") or None,
        "noforwards": fields.get("protect_content") or None,
        "reply_to": _reply(fields, target),
        "effect": int(effect) if effect else None,
    }


def _reply(fields: Fields, target: Target) -> Any:
    """A reply, or a topic: the platform takes a message of a topic for a reply to its first one."""
    given, thread = fields.get("reply_parameters") or {}, fields.get("message_thread_id")
    number = given.get("message_id")
    if number is None:
        return types.InputReplyToMessage(thread, top_msg_id=thread) if thread else None
    quote, entities = given.get("quote"), given.get("quote_entities") or []
    return types.InputReplyToMessage(
        number,
        top_msg_id=thread,
        reply_to_peer_id=target.reply_peer,
        quote_text=str(quote)[:1024] if quote else None,
        quote_entities=_quoted(str(quote), entities, target) if quote and entities else None,
        quote_offset=given.get("quote_position") if quote else None,
        todo_item_id=given.get("checklist_task_id"),
        poll_option=_option_of(given.get("poll_option_id")),
    )


def _quoted(quote: str, entities: Sequence[Any], target: Target) -> Any:
    usable = [
        each
        for each in entities
        if isinstance(each, dict) and type(each.get("offset")) is int and type(each.get("length")) is int
    ]
    return _entities("reply_parameters.quote_entities", in_utf16(quote, usable), target)


def _option_of(option: Any) -> bytes | None:
    if option is None:
        return None
    with contextlib.suppress(ValueError):
        return bytes.fromhex(str(option))
    raise invalid("reply_parameters.poll_option_id", "must be an id as events show it")


def _entities(field: str, entities: Any, target: Target) -> list[Any] | None:
    return rendered(field, entities, target.users) if entities else None


# -- contents that are no file -------------------------------------------------------------------------------


def contents(made: Request, target: Target) -> Any:
    """The media of a plan without a file; None for a text."""
    fields = made.fields
    match made.method:
        case "sendContact":
            card = fields["vcard"]
            return types.InputMediaContact(fields["phone_number"], fields["first_name"], "", card)
        case "sendLocation" if fields.get("live_period"):
            return types.InputMediaGeoLive(
                _point(fields),
                heading=fields.get("heading"),
                period=fields["live_period"],
                proximity_notification_radius=fields.get("proximity_alert_radius"),
            )
        case "sendLocation":
            return types.InputMediaGeoPoint(_point(fields))
        case "sendVenue":
            provider = (
                "foursquare"
                if fields.get("foursquare_id")
                else "gplaces"
                if fields.get("google_place_id")
                else ""
            )
            place = fields.get("foursquare_id") or fields.get("google_place_id") or ""
            kind = fields.get("foursquare_type") or fields.get("google_place_type") or ""
            return types.InputMediaVenue(
                _point(fields), str(fields["title"]), str(fields["address"]), provider, str(place), str(kind)
            )
        case "sendDice":
            return types.InputMediaDice(fields.get("emoji") or "🎲")
        case "sendPoll":
            return _poll(fields, target)
    return None


def _point(fields: Fields) -> Any:
    accuracy = fields.get("horizontal_accuracy")
    return types.InputGeoPoint(
        float(fields["latitude"]), float(fields["longitude"]), int(accuracy) if accuracy else None
    )


def _poll(fields: Fields, target: Target) -> Any:
    answers = [
        types.PollAnswer(types.TextWithEntities(str(option["text"]), []), bytes([place]))
        for place, option in enumerate(fields["options"])
    ]
    is_quiz, right = fields.get("type") == "quiz", fields.get("correct_option_ids")
    if is_quiz and not (isinstance(right, list) and right and all(type(each) is int for each in right)):
        raise invalid("poll.correct_option_ids", "a quiz needs the places of the right options")
    close = fields.get("close_date")
    question = types.TextWithEntities(fields["question"], _marks(fields, "question", target) or [])
    poll = types.Poll(
        0,
        question,
        answers,
        0,
        closed=fields.get("is_closed") or None,
        public_voters=fields.get("is_anonymous") is False or None,
        multiple_choice=fields.get("allows_multiple_answers") or None,
        quiz=is_quiz or None,
        revoting_disabled=fields.get("allows_revoting") is False or None,
        shuffle_answers=fields.get("shuffle_options") or None,
        open_answers=fields.get("allow_adding_options") or None,
        hide_results_until_close=fields.get("hide_results_until_closes") or None,
        close_period=fields.get("open_period"),
        close_date=datetime.datetime.fromtimestamp(close, datetime.UTC) if close else None,
    )
    return types.InputMediaPoll(
        poll,
        correct_answers=right if is_quiz else None,
        solution=fields.get("explanation") if is_quiz else None,
        solution_entities=_marks(fields, "explanation", target)
        if is_quiz and fields.get("explanation")
        else None,
    )


def _marks(fields: Fields, name: str, target: Target) -> list[Any] | None:
    entities = fields.get(f"{name}_entities")
    if not entities:
        return [] if name == "explanation" else None
    return _entities(f"poll.{name}_entities", in_utf16(fields[name], entities), target)
