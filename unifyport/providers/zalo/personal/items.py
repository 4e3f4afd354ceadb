"""One action of a frame with what is known of the frame: the part that all readers share."""

from typing import Any

import attrs

from unifyport.model.inbound import Conversation, ProviderEvent, Reported, dedupe_key, raw_key
from unifyport.model.provider_data import Redactions, provider_data

from ..items import milliseconds
from . import people
from .shapes import exact

# Addresses of files and pictures, which open without a credential. `attach` is the quoted message's content
# as text. `href` of a link stays: a person wrote it.
_PICTURES = frozenset({"thumb", "thumbUrl", "attach", "avatar", "avatar_25", "avt", "fullAvt"})
REDACTIONS: Redactions = {"*": _PICTURES}
_FILES = _PICTURES | {"href", "params", "hdUrl", "oriUrl", "normalUrl", "rawUrl", "url"}
FILE_REDACTIONS: Redactions = {"*": _FILES}
TEXT_REDACTIONS: Redactions = {"*": _FILES | {"content"}}  # the content is JSON as text


@attrs.frozen
class Item:
    """`value`: without nulls. `shown`, `raw`: as it came. `me`: the account's user id. `now_ms`: when the
    frame came, for items without a time.
    """

    value: dict[str, Any]
    shown: Any
    raw: bytes
    me: str
    now_ms: int

    def key(self, *fields: str | int) -> bytes:
        return dedupe_key("zalo", self.me, *fields)

    def raw_key(self, *more: str) -> bytes:
        return raw_key("zalo", self.me, self.raw, *more)

    def time(self, value: str | int) -> int:
        return milliseconds(value) or self.now_ms

    def who(self, uid: object) -> str:
        """A user's id; Zalo writes 0 for the account itself."""
        return exact(uid) or self.me

    def place(self, from_: object, to: object, *, in_group: bool, name: str = "") -> Conversation:
        """The conversation of what `from_` said to `to`. Raises `ValueError` if a side is no id."""
        if in_group:
            return people.group(exact(to))
        peer, mine = self.who(from_), self.who(from_) == self.me
        return people.person(self.who(to)) if mine else people.person(peer, name)


def with_data(event: ProviderEvent, item: Item, redactions: Redactions = REDACTIONS) -> ProviderEvent:
    if isinstance(event, Reported):
        event.provider_data = provider_data(item.shown, item.raw, redactions)
    return event
