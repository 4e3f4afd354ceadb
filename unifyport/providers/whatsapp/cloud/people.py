"""Customers and their ids -> senders and conversations.

A customer has a phone number, which may be hidden, and a business-scoped id. Both name one conversation: the
first is its id, the other an alias.
https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
"""

import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw

from unifyport.model.inbound import Conversation, Identity, Sender
from unifyport.model.json_text import UNREADABLE

from .items import LONGEST_ID, read_list
from .shapes import Customer, Head

_PHONE_NUMBER = re.compile(r"[0-9]{5,20}")
Customers = Mapping[str, Customer]


def customers_of(items: Raw) -> dict[str, Customer]:
    """Customers by each of their ids. Entries that cannot be read are left out: only names are lost."""
    found: dict[str, Customer] = {}
    try:
        known = read_list(items)
    except UNREADABLE:
        return found
    for item in known:
        try:
            customer = msgspec.json.decode(item, type=Customer)
        except UNREADABLE:
            continue
        found |= {name: customer for name in (customer.wa_id, customer.user_id) if name}
    return found


def person(number: str, user_id: str, customers: Customers) -> Sender:
    """A customer by the ids that an item names. Raises `ValueError` if it names none."""
    known = customers.get(number) or customers.get(user_id) or Customer()
    id_ = number or user_id
    if not id_ or len(id_) > LONGEST_ID:
        raise ValueError("no sender")
    number, user_id = number or known.wa_id, user_id or known.user_id
    profile = known.profile
    ids = {"user_id": user_id, "parent_user_id": known.parent_user_id, "username": profile.username}
    identities = [Identity(kind, value) for kind, value in ids.items() if value]
    if number:
        identities.insert(0, number_identity(number))
    return Sender(id_, "user", profile.name, profile.username, _phone(id_), identities)


def number_identity(number: str) -> Identity:
    phone = _phone(number)
    return Identity("phone", phone) if phone else Identity("wa_id", number)


def _phone(number: str) -> str:
    """E.164, empty if it is none."""
    return f"+{number}" if _PHONE_NUMBER.fullmatch(number) else ""


def chat_with(who: Sender) -> Conversation:
    """The conversation with one customer."""
    ids = {i.id.removeprefix("+") for i in who.identities if i.type in ("phone", "wa_id", "user_id")}
    return Conversation(who.id, "user", who.name, list(who.identities), sorted(ids - {who.id}))


def conversation(group_id: str, who: Sender) -> Conversation:
    return Conversation(group_id, "group") if group_id else chat_with(who)


def sender_of(head: Head, customers: Customers) -> Sender:
    return person(head.from_, head.from_user_id, customers)


def recipient_of(head: Head, customers: Customers) -> Sender:
    """Whom the owner wrote to."""
    return person(head.to, head.to_user_id, customers)
