"""Kinds of updates: one row of `UPDATES` for each (https://core.telegram.org/bots/api#update)."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import msgspec

from unifyport.model.inbound import (
    Button,
    Content,
    GroupChanged,
    Ignored,
    JoinRequested,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
)

from . import shapes
from .content import content, kind_of
from .people import author, conversation, head_of, sender
from .presses import label_of
from .services import SERVICES, Service, member_key, service_of


@attrs.frozen
class Update:
    """One update: the name of its kind, the object under that name, its dedupe key."""

    kind: str
    payload: Mapping[str, Any]
    key: bytes
    bot_id: str
    id: int


def _message(update: Update) -> ProviderEvent:
    head = head_of(update.payload)
    service = service_of(update.payload)
    if service is not None and kind_of(update.payload) is None:
        about = Service(service, update.payload[service], head, update.key, update.bot_id, update.id)
        return SERVICES[service](about)
    chat = conversation(head.chat, head.business_connection_id, head.guest_query_id)
    said = content(update.payload, head, update.id)
    if _by_owner(head):
        return _echo(update, head, said, "sent")
    return MessageReceived(update.key, chat, author(head), said, head.date * 1000)


def _edited(update: Update) -> ProviderEvent:
    head = head_of(update.payload)
    chat = conversation(head.chat, head.business_connection_id, head.guest_query_id)
    said = content(update.payload, head, update.id)
    if _by_owner(head):
        return _echo(update, head, said, "edited")
    at = (head.edit_date if head.edit_date is not None else head.date) * 1000
    return MessageEdited(update.key, chat, author(head), said, at, number=update.id)


def _by_owner(head: shapes.Head) -> bool:
    """Whether the owner of a business account wrote it, and not the customer, whose number the chat has."""
    return (
        head.business_connection_id is not None and head.from_ is not None and head.from_.id != head.chat.id
    )


def _echo(update: Update, head: shapes.Head, said: Content, change: str) -> ProviderEvent:
    """What the owner wrote. What this bot sent for the owner is known from the answer to its send."""
    bot = head.sender_business_bot
    if bot is not None and str(bot.id) == update.bot_id:
        return Ignored(update.key)
    at = head.edit_date if change == "edited" and head.edit_date is not None else head.date
    chat = conversation(head.chat, head.business_connection_id)
    return PlatformEvent(
        update.key,
        "message_echo",
        at * 1000,
        chat,
        author(head),
        said,
        "outbound",
        details={"change": change},
        number=update.id,
    )


def _deleted(update: Update) -> ProviderEvent:
    """Messages of a business account that were deleted; the platform does not say who wrote them, or when."""
    deleted = msgspec.convert(update.payload, shapes.Deleted)
    chat = conversation(deleted.chat, deleted.business_connection_id)
    first, *others = map(str, deleted.message_ids)
    return MessageDeleted(update.key, chat, first, None, others)


def _reaction(update: Update) -> ProviderEvent:
    reaction = msgspec.convert(update.payload, shapes.Reaction)
    newest = reaction.new_reaction[-1] if reaction.new_reaction else None
    return ReactionChanged(
        update.key,
        conversation(reaction.chat),
        sender(reaction.user, reaction.actor_chat or reaction.chat),
        reaction_id=f"{reaction.message_id}.{update.id}",
        target_message_id=str(reaction.message_id),
        emoji="" if newest is None else newest.emoji or newest.custom_emoji_id or newest.type,
        at=reaction.date * 1000,
    )


def _pressed(update: Update) -> ProviderEvent:
    """A button that the customer pressed. Without a message, it was in a chat that the bot does not know."""
    query = msgspec.convert(update.payload, shapes.CallbackQuery)
    chosen = query.data if query.data is not None else query.game_short_name or ""
    title = (label_of(query.message.reply_markup, query.data) if query.message is not None else "") or chosen
    said = Content(query.id, "text", title or "[callback_query]", kind=update.kind)
    said.button = Button(chosen, title)
    if query.message is None:
        who = sender(query.from_, shapes.Chat(query.from_.id, "private"))
        return PlatformEvent(update.key, update.kind, None, None, who, said, "inbound")
    said.reply_to_message_id = str(query.message.message_id)
    if query.message.message_thread_id is not None:
        said.fields["thread_id"] = str(query.message.message_thread_id)
    chat = conversation(query.message.chat, query.message.business_connection_id)
    return MessageReceived(update.key, chat, sender(query.from_, query.message.chat), said, None)


_PRESENT = frozenset({"creator", "administrator", "member"})
_ADMINS = frozenset({"creator", "administrator"})


def _member(update: Update) -> ProviderEvent:
    """A member of a group came, went or changed roles; or a customer blocked or unblocked the bot."""
    change = msgspec.convert(update.payload, shapes.MemberUpdate)
    old, new, at = change.old_chat_member, change.new_chat_member, change.date * 1000
    was, is_ = _is_there(old), _is_there(new)
    chat, actor = conversation(change.chat), sender(change.from_, change.chat)
    if change.chat.type == "private":
        if was is is_:
            return _reported(update)
        name = "contact_unblocked" if is_ else "contact_blocked"
        return PlatformEvent(update.key, name, at, chat, actor)
    key, member = update.key, str(new.user.id)
    if was is not is_:
        kind = "member_added" if is_ else "member_removed"
        key = member_key(update.bot_id, change.chat.id, new.user.id, kind, change.date)
    elif (old.status in _ADMINS) is not (new.status in _ADMINS):
        kind = "promoted" if new.status in _ADMINS else "demoted"
    else:
        return _reported(update)
    return GroupChanged(key, chat, actor.id, [{"kind": kind, "member_ids": [member]}], at)


def _is_there(member: shapes.Member) -> bool:
    return member.status in _PRESENT or (member.status == "restricted" and member.is_member)


def _join_request(update: Update) -> ProviderEvent:
    request = msgspec.convert(update.payload, shapes.JoinRequest)
    method = "invite_link" if request.invite_link else ""
    requester = str(request.from_.id)
    return JoinRequested(update.key, conversation(request.chat), requester, method, request.date * 1000)


def _vote(update: Update) -> ProviderEvent:
    vote = msgspec.convert(update.payload, shapes.Vote)
    voter = None
    if vote.user is not None:
        voter = sender(vote.user, shapes.Chat(vote.user.id, "private"))
    elif vote.voter_chat is not None:
        voter = sender(None, vote.voter_chat)
    details = {"poll_id": vote.poll_id, "option_ids": vote.option_ids}
    return PlatformEvent(update.key, "poll_vote", None, sender=voter, details=details)


def _reported(update: Update) -> ProviderEvent:
    """`provider.event` under the platform's word."""
    about = msgspec.convert(update.payload, shapes.About)
    user = about.from_ or about.user
    return PlatformEvent(
        update.key,
        update.kind,
        None if about.date is None else about.date * 1000,
        None if about.chat is None else conversation(about.chat),
        None if user is None else sender(user, about.chat or shapes.Chat(user.id, "private")),
    )


UPDATES: dict[str, Callable[[Update], ProviderEvent]] = {
    "message": _message,
    "edited_message": _edited,
    "channel_post": _message,
    "edited_channel_post": _edited,
    "business_connection": _reported,
    "business_message": _message,
    "edited_business_message": _edited,
    "deleted_business_messages": _deleted,
    "guest_message": _message,
    "message_reaction": _reaction,
    "message_reaction_count": _reported,
    "inline_query": _reported,
    "chosen_inline_result": _reported,
    "callback_query": _pressed,
    "shipping_query": _reported,
    "pre_checkout_query": _reported,
    "purchased_paid_media": _reported,
    "poll": _reported,
    "poll_answer": _vote,
    "my_chat_member": _member,
    "chat_member": _member,
    "chat_join_request": _join_request,
    "chat_boost": _reported,
    "removed_chat_boost": _reported,
    "managed_bot": _reported,
    "subscription": _reported,
    "stopped_message_generation": _reported,
}
# What the bot asks for. Some kinds come only if they are named; then all others must be named, too. Inline
# queries are not asked for: there is one for each letter that a user types, and only an answer makes sense.
ALLOWED_UPDATES = tuple(name for name in UPDATES if name not in ("inline_query", "chosen_inline_result"))
