"""Messages on their way out: the send command, its states, and the answers it can end with.

    accepted -> sending -> sent | rejected | unknown
    accepted -> not_sent        sending -> not_sent only when provably nothing was applied

`unknown` is an honest answer: the platform may have acted. It is never turned into a second send.
"""

import enum
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

T = TypeVar("T")


class CommandState(enum.StrEnum):
    ACCEPTED = "accepted"
    SENDING = "sending"
    SENT = "sent"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


@attrs.define
class OutboundMessage:
    """What every message has, in the words of the API: where it goes, and the text that it is or that goes
    with it.

    `client_ref` is the id that the platform may keep of it. `mentions` are ids of people; the text names them
    by anchors such as `{{@6590000001}}`. A channel that has no mentions, or no `parse_mode`, ignores it.
    """

    conversation_id: str
    conversation_type: str
    text: str = ""  # of a file: its caption
    parse_mode: str | None = None
    reply_to_message_id: str | None = None
    client_ref: str = ""
    mentions: list[str] = attrs.field(factory=list)
    # What the connection's `check` made of it, kept so that its connector need not make it again.
    rendered: Any = attrs.field(default=None, eq=False, repr=False)

    def rendered_by(self, render: Callable[[Any], T]) -> T:
        """What was kept of `render`, or else what it makes now."""
        return render(self) if self.rendered is None else self.rendered


@attrs.define
class OutboundText(OutboundMessage):
    """A text."""


@attrs.define
class Voice:
    """A recording that is shown as one: `seconds` long,
    `waveform` as the platform's app draws it (base64).
    """

    seconds: int | None = None
    waveform: str | None = None


@attrs.define(kw_only=True)
class OutboundMedia(OutboundMessage):
    """A file, which lies whole at `path` while it is sent. `type`: image, video, audio, document.

    `mime_type` is what its source says it is, or its name; nobody has looked into it.
    """

    type: str
    path: str = ""
    name: str = ""
    mime_type: str = "application/octet-stream"
    size: int = 0  # bytes
    voice: Voice | None = None  # of audio


@attrs.define
class Phone:
    number: str
    type: str = ""


@attrs.define
class Email:
    address: str
    type: str = ""


@attrs.define
class Contact:
    """A contact card."""

    name: str
    phones: list[Phone] = attrs.field(factory=list)
    emails: list[Email] = attrs.field(factory=list)
    organization: str = ""
    title: str = ""


@attrs.define(kw_only=True)
class OutboundContacts(OutboundMessage):
    """Contact cards, at least one."""

    contacts: list[Contact]


@attrs.define
class SendCommand:
    """A send as it is recorded. `client_ref` is the id given to the platform, chosen before the call."""

    id: str
    account_id: str
    message: OutboundMessage
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
    """Ask a connector for one of its capabilities, by its name in the table of them;
    nothing of it is recorded.
    """

    capability: str
    arguments: tuple[Any, ...]
    deadline: int  # unix ms


@attrs.define
class Answer:
    """What a command came to.

    Plain values: it may have crossed processes. `value`: what a platform call returned.
    """

    state: CommandState
    message_id: str = ""
    provider_ref: str = ""
    code: str = ""  # the platform's or our own machine-readable reason, for everything but `sent`
    message: str = ""  # for people; never holds a secret
    retry_after: float | None = None
    value: Any = None

    def as_dict(self) -> dict[str, Any]:
        return attrs.asdict(self)
