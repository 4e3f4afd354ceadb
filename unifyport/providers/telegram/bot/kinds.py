"""Kinds of content of a message: one row of `KINDS` for each.

A kind is the name of the field that a message of it has. Its row says what our type of it is, the shape of
the field, and the function that says its text, files and typed fields. The first row whose field is there
is the kind of the message, as some kinds fill the field of another one, too. Captions and entities are read
in `content.py`. The table is compared with the documentation's list of fields in
`tests/providers/test_telegram_kinds.py`.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs
import msgspec
from msgspec import Struct

from unifyport.model.inbound import Attachment, MessageType
from unifyport.model.vcard import Card

from . import media, shapes
from .people import full_name
from .rich import RichReader

S = TypeVar("S")
# Currencies whose amounts have no decimals: https://core.telegram.org/bots/payments/currencies.json
_WHOLE = frozenset("CLP ISK JPY KRW PYG UGX VND XTR".split())


@attrs.define
class Said:
    """What a field says. `fields` become fields of the message in the event."""

    text: str = ""
    files: list[Attachment] = attrs.field(factory=list)
    fields: dict[str, Any] = attrs.field(factory=dict)
    entities: list[dict[str, Any]] = attrs.field(factory=list)


@attrs.frozen
class Kind(Generic[S]):
    type: MessageType
    shape: Any  # of the field: `type[S]`
    say: Callable[[S], Said]


def _text(value: str) -> Said:
    return Said(value)


def _file(kind: str) -> Callable[[shapes.File], Said]:
    return lambda file: Said(file.emoji, [media.attachment(kind, file)])


def _photo(sizes: list[shapes.File]) -> Said:
    return Said(files=media.photo(sizes))


def _live_photo(file: shapes.File) -> Said:
    return Said(files=media.live_photo(file))


def _paid_media(paid: shapes.PaidMedia) -> Said:
    return Said(f"[paid media: {paid.star_count} stars]", media.attachments(paid.paid_media))


def _rich(message: shapes.Rich) -> Said:
    reader = RichReader()
    reader.read_blocks(message.blocks)
    return Said(reader.text, reader.files, entities=reader.entities)


def _point(location: shapes.Location) -> str:
    return f"{location.latitude:.6f},{location.longitude:.6f}"


def _location(location: shapes.Location) -> Said:
    return Said(_point(location), fields={"location": _plain(location)})


def _venue(venue: shapes.Venue) -> Said:
    named = {"name": venue.title, "address": venue.address}
    text = "\n".join(part for part in (venue.title, venue.address, _point(venue.location)) if part)
    return Said(text, fields={"location": _plain(venue.location) | {k: v for k, v in named.items() if v}})


def _contact(contact: shapes.Contact) -> Said:
    name = f"{contact.first_name} {contact.last_name}".strip()
    card = Card(name, family=contact.last_name, given=contact.first_name, phones=[(contact.phone_number, "")])
    known: dict[str, Any] = {"name": name, "phones": [{"phone": contact.phone_number}]}
    if contact.user_id is not None:
        known["user_id"] = str(contact.user_id)
    return Said(contact.vcard or "\n".join(card.lines()), fields={"contacts": [known]})


def _poll(poll: shapes.Poll) -> Said:
    lines = [poll.question, poll.description, *(f"- {option.text}" for option in poll.options)]
    with_media: list[shapes.Poll | shapes.Option] = [poll, *poll.options]
    files = media.attachments(each.media for each in with_media if each.media is not None)
    for each in with_media:
        each.media = None
    return Said("\n".join(line for line in lines if line), files, fields={"poll": _plain(poll)})


def _checklist(checklist: shapes.Checklist) -> Said:
    marks = (f"[{'x' if task.completion_date else ' '}] {task.text}" for task in checklist.tasks)
    return Said("\n".join((checklist.title, *marks)), fields={"checklist": _plain(checklist)})


def _dice(dice: shapes.Dice) -> Said:
    return Said(f"{dice.emoji} {dice.value}", fields={"dice": _plain(dice)})


def _game(game: shapes.Game) -> Said:
    files = media.attachments([shapes.Media(animation=game.animation, photo=game.photo)])
    return Said("\n".join(part for part in (game.title, game.text or game.description) if part), files)


def _invoice(invoice: shapes.Invoice) -> Said:
    price = f"{invoice.total_amount}" if invoice.currency in _WHOLE else f"{invoice.total_amount / 100:.2f}"
    lines = (invoice.title, invoice.description, f"{price} {invoice.currency}")
    return Said("\n".join(line for line in lines if line), fields={"invoice": _plain(invoice)})


def _story(story: shapes.Story) -> Said:
    named = {"id": str(story.id), "chat_id": str(story.chat.id)}
    return Said(f"[story of {full_name(story.chat) or story.chat.id}]", fields={"story": named})


def _prize(what: shapes.Giveaway | shapes.GiveawayWinners) -> str:
    if what.prize_star_count:
        return f"{what.prize_star_count} stars"
    months = what.premium_subscription_month_count
    return what.prize_description or (f"{months} months of Telegram Premium" if months else "")


def _giveaway(giveaway: shapes.Giveaway) -> Said:
    lines = (f"[giveaway: {giveaway.winner_count} winners]", _prize(giveaway))
    return Said("\n".join(line for line in lines if line), fields={"giveaway": _plain(giveaway)})


def _winners(ended: shapes.GiveawayWinners) -> Said:
    lines = (f"[giveaway ended: {ended.winner_count} winners]", _prize(ended), *map(full_name, ended.winners))
    return Said("\n".join(line for line in lines if line), fields={"giveaway_winners": _plain(ended)})


def _web_app_data(sent: shapes.WebAppData) -> Said:
    return Said(sent.data, fields={"web_app_data": _plain(sent)})


def _plain(value: Struct) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(value)
    return found


KINDS: dict[str, Kind[Any]] = {
    "text": Kind("text", str, _text),
    "rich_message": Kind("text", shapes.Rich, _rich),
    "animation": Kind("video", shapes.File, _file("video")),
    "live_photo": Kind("image", shapes.File, _live_photo),
    "photo": Kind("image", list[shapes.File], _photo),
    "video": Kind("video", shapes.File, _file("video")),
    "video_note": Kind("video", shapes.File, _file("video")),
    "audio": Kind("audio", shapes.File, _file("audio")),
    "voice": Kind("audio", shapes.File, _file("audio")),
    "sticker": Kind("sticker", shapes.File, _file("sticker")),
    "document": Kind("document", shapes.File, _file("document")),
    "venue": Kind("location", shapes.Venue, _venue),
    "location": Kind("location", shapes.Location, _location),
    "contact": Kind("contact", shapes.Contact, _contact),
    "poll": Kind("unknown", shapes.Poll, _poll),
    "checklist": Kind("unknown", shapes.Checklist, _checklist),
    "dice": Kind("unknown", shapes.Dice, _dice),
    "game": Kind("unknown", shapes.Game, _game),
    "invoice": Kind("unknown", shapes.Invoice, _invoice),
    "paid_media": Kind("unknown", shapes.PaidMedia, _paid_media),
    "story": Kind("unknown", shapes.Story, _story),
    "giveaway": Kind("unknown", shapes.Giveaway, _giveaway),
    "giveaway_winners": Kind("unknown", shapes.GiveawayWinners, _winners),
    "web_app_data": Kind("unknown", shapes.WebAppData, _web_app_data),
}
