"""Lists of the API -> conversations and their members.

A list of conversations has ids and times only; names and the last message come with one conversation
(https://business-api.tiktok.com/portal/docs?id=1832184415059970).
"""

from typing import Any

from msgspec import Struct

from unifyport.model import directory
from unifyport.model.times import rfc3339

from .shapes import Id, Milliseconds

# TikTok's types: begun by a customer and not answered yet; answered.
STRANGER, SINGLE = "STRANGER", "SINGLE"
LISTS = (SINGLE, STRANGER)


class Row(Struct):
    conversation_id: Id
    update_time: Milliseconds = 0


class Rows(Struct):
    conversations: list[Row] = []
    has_more: bool = False
    cursor: int = 0


class Participant(Struct):
    id: Id
    role: str = ""
    display_name: str = ""
    is_follower: bool | None = None


class Text(Struct, frozen=True):
    body: str = ""


class Line(Struct):
    timestamp: Milliseconds = 0
    text: Text = Text()


class Messages(Struct):
    """At most the last 20 messages; there are no pages."""

    participants: list[Participant] = []
    messages: list[Line] = []


def read_cursor(after: str | None) -> tuple[str, int]:
    """The list, and the platform's cursor in it."""
    name, _, cursor = (after or f"{LISTS[0]}:0").partition(":")
    return (name if name in LISTS else LISTS[0]), int(cursor) if cursor.isascii() and cursor.isdigit() else 0


def page_of(name: str, rows: Rows, cursor: int) -> directory.Page[directory.Conversation]:
    """A page of the list `name`, which was asked for at `cursor`; the last page leads to the next list."""
    items = [
        directory.Conversation(
            str(row.conversation_id), "user", "", last_message_at=_time(row.update_time), extra={"type": name}
        )
        for row in rows.conversations
    ]
    if rows.has_more and rows.cursor > cursor:
        return directory.Page(items, f"{name}:{rows.cursor}")
    following = LISTS[LISTS.index(name) + 1 :]
    return directory.Page(items, f"{following[0]}:0" if following else None)


def conversation_of(conversation_id: str, found: Messages) -> directory.Conversation:
    customers = [each for each in found.participants if each.role != "BUSINESS_ACCOUNT"]
    last = max(found.messages, key=lambda line: line.timestamp, default=Line())
    return directory.Conversation(
        conversation_id,
        "user",
        customers[0].display_name if customers else "",
        last_message_at=_time(last.timestamp),
        last_message_text=last.text.body or None,
        members_count=len(found.participants),
    )


def member_of(participant: Participant) -> directory.ConversationMember:
    extra: dict[str, Any] = {}
    if participant.is_follower is not None:
        extra["is_follower"] = participant.is_follower
    owner = participant.role == "BUSINESS_ACCOUNT"
    return directory.ConversationMember(
        str(participant.id),
        participant.display_name,
        role="owner" if owner else "member",
        extra=extra or None,
    )


def _time(ms: int) -> str | None:
    return rfc3339(ms) if ms else None
