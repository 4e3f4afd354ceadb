"""Messages on their way out: the send command, its states, and the answers it can end with.

    accepted -> sending -> sent | rejected | unknown
    accepted -> not_sent        sending -> not_sent only when provably nothing was applied

`unknown` is an honest answer: the platform may have acted. It is never turned into a second send.
"""

import enum
from typing import Any

import attrs


class CommandState(enum.StrEnum):
    ACCEPTED = "accepted"
    SENDING = "sending"
    SENT = "sent"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


@attrs.define
class OutboundText:
    """A text to one conversation, in the words of the API. `client_ref` is the id that the platform may keep of it."""

    conversation_id: str
    conversation_type: str
    text: str
    parse_mode: str | None = None
    reply_to_message_id: str | None = None
    client_ref: str = ""


@attrs.define
class SendCommand:
    """A send as it is recorded. `client_ref` is the id given to the platform, chosen before the call."""

    id: str
    account_id: str
    message: OutboundText
    deadline: int  # unix ms: still queued then means not sent
    created_at: int


@attrs.define
class MarkRead:
    """Tell a customer that his messages up to this one were read. Repeating it changes nothing."""

    conversation_id: str
    message_id: str
    deadline: int  # unix ms


@attrs.define
class FetchMedia:
    """Fetch a file of a customer into `path`, which must not exist yet."""

    file_id: str
    path: str
    limit: int  # bytes
    deadline: int  # unix ms


@attrs.define
class PlatformCall:
    """Ask a connector for one of its capabilities, by its name in the table of them; nothing of it is recorded."""

    capability: str
    arguments: tuple[Any, ...]
    deadline: int  # unix ms


@attrs.define
class Answer:
    """What a command came to. Plain values: it may have crossed processes. `value`: what a platform call returned."""

    state: CommandState
    message_id: str = ""
    provider_ref: str = ""
    code: str = ""  # the platform's or our own machine-readable reason, for everything but `sent`
    message: str = ""  # for people; never holds a secret
    retry_after: float | None = None
    value: Any = None

    def as_dict(self) -> dict[str, Any]:
        return attrs.asdict(self)
