"""Ids of webhooks -> senders and conversations."""

from unifyport.model.inbound import Conversation, Identity, Sender

from ..items import usable
from .render import ANONYMOUS


def customer(id_: str, by_app: str = "") -> Sender:
    """A customer by the id that the account knows. `by_app`: the id that the app knows.

    Raises `ValueError` without an id.
    """
    identities = [Identity("user_id", usable(id_))]
    if by_app:
        identities.append(Identity("user_id_by_app", by_app))
    return Sender(id_, "user", identities=identities)


def chat_with(who: Sender) -> Conversation:
    return Conversation(who.id, "user", who.name, list(who.identities))


def group(group_id: str) -> Conversation:
    return Conversation(usable(group_id), "group", "", [Identity("group_id", group_id)])


def anonymous_chat(who: str, conversation_id: str) -> Conversation:
    """The conversation of a customer who has not logged in, which one writes to by both ids."""
    id_ = f"{ANONYMOUS}:{usable(who)}:{usable(conversation_id)}"
    return Conversation(id_, "user", "", [Identity("anonymous_id", who)])
