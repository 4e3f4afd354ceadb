"""Outbound messages: the send command, its states, and the answer that it ends with.

    accepted -> sending -> sent | rejected | unknown
    accepted -> not_sent | rejected        sending -> not_sent only if it is certain that nothing was applied

`unknown` means that the platform may have carried out the send. Such a send is never repeated.
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
class OutboundFile:
    """A file beside the text of a message, complete at `path` while it is sent. `size`: bytes."""

    path: str
    name: str
    mime_type: str
    size: int


@attrs.define
class OutboundMessage:
    """The fields of every outbound message, named as in the API: the conversation, and the text or caption.

    `provider_data`: fields of the connection's table (`ConnectionSpec.provider_data`), each of its kind.
    `client_ref` is the id that we give the platform. `mentions` are ids of users; the text marks them by
    anchors such as `{{@6590000001}}`. A channel without mentions, or without `parse_mode`, ignores them.
    """

    conversation_id: str
    conversation_type: str
    text: str = ""  # of a file: its caption
    parse_mode: str | None = None
    reply_to_message_id: str | None = None
    client_ref: str = ""
    mentions: list[str] = attrs.field(factory=list)
    provider_data: dict[str, Any] = attrs.field(factory=dict)
    files: dict[str, OutboundFile] = attrs.field(factory=dict)  # those that `provider_data` names
    # The result of the connection's `check`, kept so that the connector need not render the message again.
    rendered: Any = attrs.field(default=None, eq=False, repr=False)

    def rendered_by(self, render: Callable[[Any], T]) -> T:
        """The kept result of `render`, or a new one."""
        return render(self) if self.rendered is None else self.rendered


@attrs.define
class OutboundText(OutboundMessage):
    """A text."""


@attrs.define
class Voice:
    """Marks a file as a voice recording. `waveform`: in the form of the platform's app, base64."""

    seconds: int | None = None
    waveform: str | None = None


@attrs.define(kw_only=True)
class OutboundMedia(OutboundMessage):
    """A file, complete at `path` while it is sent. `type`: image, video, audio, document.

    `mime_type` comes from the file's source or its name; the content is not inspected. `url`: where a
    platform that fetches files itself finds it (`ConnectionSpec.takes_urls`); there is a `path` then only if
    it was uploaded.
    """

    type: str
    url: str = ""
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
    """A send as it is recorded, before the platform is called."""

    id: str
    account_id: str
    message: OutboundMessage
    deadline: int  # unix ms: a command that is still queued then is not sent
    created_at: int


@attrs.define
class MarkRead:
    """Tell a customer that their messages were read: up to one, or all. Repeating it changes nothing."""

    conversation_id: str
    message_id: str | None
    deadline: int  # unix ms


@attrs.define
class FetchMedia:
    """Download a file that a customer sent to `path`, which must not exist yet.

    `handle`: that of the `Attachment`, or the bytes of its `file_id`.
    """

    handle: bytes = attrs.field(repr=False)
    path: str
    limit: int  # bytes
    deadline: int  # unix ms


@attrs.define
class PlatformCall:
    """Call a capability of a connector, by its name in `CAPABILITIES`. The call is not recorded."""

    capability: str
    arguments: tuple[Any, ...]
    deadline: int  # unix ms


@attrs.define
class Answer:
    """The result of a command, as plain values, so that it can pass between processes.

    `provider_code`: the platform's own code of a refusal. `value`: what a platform call returned.
    """

    state: CommandState
    message_id: str = ""
    provider_ref: str = ""
    code: str = ""  # machine-readable reason, the platform's or ours; empty for `sent`
    message: str = ""  # for the caller to read; never holds a secret
    retry_after: float | None = None
    value: Any = None
    provider_code: str = ""

    def as_dict(self) -> dict[str, Any]:
        return attrs.asdict(self)
