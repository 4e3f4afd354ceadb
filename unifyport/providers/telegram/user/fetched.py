"""A part of what was missed, and what is still to be fetched of it."""

from typing import Any, Final

import attrs

from unifyport.providers.contract.errors import ChannelError, Rejected

from .numbers import Numbers
from .update_box import ACCOUNT

MOST_MISSED: Final = 1000  # messages of a conversation
_GONE: Final = frozenset(
    {"CHANNEL_PRIVATE", "CHANNEL_INVALID", "CHANNEL_PUBLIC_GROUP_NA", "USER_BANNED_IN_CHANNEL"}
)


@attrs.frozen
class History:
    """The part of a history that is still to be fetched: of conversation `chat` what is above message
    `after`, up to `until`, at most `left` messages; then that of the `others`, each with its newest message.
    """

    chat: int
    after: int
    until: int
    pts: int  # to be reached with the last message
    left: int = MOST_MISSED
    others: tuple[tuple[int, int], ...] = ()
    start: int = 0  # `after` of the others
    top: int = 0  # the newest message of all


@attrs.frozen
class Gap:
    """Messages between these two were left out; `before` 0: the last one is not known. `chat` 0: of several
    conversations.
    """

    after: int
    before: int
    chat: int = 0


@attrs.frozen
class Fetched:
    """A part of what was missed, of the sequence `box`.

    `top`: the newest message of the account that is told when this part is; 0: it stays, as the histories of
    others follow; None: as the messages say.
    """

    box: int
    messages: list[Any] = attrs.field(factory=list)  # updates of new messages
    updates: list[Any] = attrs.field(factory=list)
    entities: list[Any] = attrs.field(factory=list)
    pts: int = 0
    is_final: bool = True
    state: Any = None  # of the account
    history: History | Numbers | None = None
    gap: Gap | None = None
    top: int | None = None
    unreadable: tuple[str, bytes] | None = None  # which part cannot be read, and how it begins
    error: ChannelError | None = None

    @property
    def is_gone(self) -> bool:
        """The account has no access to the channel any more."""
        return self.box != ACCOUNT and isinstance(self.error, Rejected) and is_gone(self.error)


def is_gone(error: Rejected) -> bool:
    """Whether a refusal says that the account has no access to a channel any more."""
    return error.code in _GONE or error.reason == "contact_not_reachable"
