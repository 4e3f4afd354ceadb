"""Items of webhooks: content that is JSON in a string, keys, people.

One request holds one item. `content` is JSON as text; an item in an event has it decoded, so that the URLs in
it can be taken out.
"""

from typing import Any

import attrs
import msgspec

from unifyport.model.inbound import Conversation, Identity, Sender, dedupe_key
from unifyport.model.json_text import decode_object, without_nulls
from unifyport.model.provider_data import ProviderData, Redactions, provider_data

from . import shapes

# URLs of files; the URL of a post, or of an ad, is public and stays.
REDACTIONS: Redactions = {
    "sticker": frozenset({"url"}),
    "emoji": frozenset({"url"}),
    "reaction": frozenset({"ai_emoji_url"}),
    "image": frozenset({"url"}),
    "video": frozenset({"url"}),
    "content": frozenset({"media_url"}),
}


@attrs.frozen
class Item:
    """A webhook. `content` is decoded, empty where it is no object. `at`: unix ms."""

    envelope: shapes.Envelope
    content: dict[str, Any]
    whole: dict[str, Any]
    raw: bytes
    at: int | None

    @property
    def event(self) -> str:
        return self.envelope.event

    @property
    def business(self) -> str:
        return str(self.envelope.user_openid)

    def key(self, *fields: str) -> bytes:
        """The key of a fact that has these fields."""
        return dedupe_key("tiktok", self.business, *fields)

    def provider_data(self) -> ProviderData:
        return provider_data(self.whole, self.raw, REDACTIONS)


def read_item(raw: bytes) -> Item:
    """Raises `DecodeError`, `RecursionError`, `ValueError`."""
    whole = decode_object(raw)
    envelope = msgspec.convert(whole, shapes.Envelope)
    content: Any = envelope.content
    if isinstance(content, str) and content:
        content = decode_object(content.encode())
    if not isinstance(content, dict):
        return Item(envelope, {}, whole, raw, _at(envelope))
    return Item(envelope, without_nulls(content), {**whole, "content": content}, raw, _at(envelope))


def customer(id_: str, username: str, unique_identifier: str) -> Sender:
    """Raises `ValueError` without an id."""
    if not id_:
        raise ValueError("no sender")
    ids = {"user_id": id_, "unique_identifier": unique_identifier, "username": username}
    return Sender(
        id_, "user", username, username, "", [Identity(kind, value) for kind, value in ids.items() if value]
    )


def chat_with(conversation_id: str, who: Sender) -> Conversation:
    """Raises `ValueError` without an id."""
    if not conversation_id:
        raise ValueError("no conversation")
    return Conversation(conversation_id, "user", who.name, [Identity("conversation_id", conversation_id)])


def _at(envelope: shapes.Envelope) -> int | None:
    return None if envelope.create_time is None else envelope.create_time * 1000
