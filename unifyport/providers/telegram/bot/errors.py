"""Bot API errors -> failure classes.

An error is `{"ok": false, "error_code", "description", "parameters"}` with `retry_after` or
`migrate_to_chat_id` (https://core.telegram.org/bots/api#making-requests). A token that never existed gets 404
or 401, a revoked token 401. 409 means another `getUpdates` of the same bot, or a webhook that is set.
"""

from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import (
    CONVERSATION,
    ChannelError,
    Conflict,
    LoggedOut,
    RateLimited,
    Rejected,
    Transient,
)

_DEFAULT_WAIT = 5.0
# What the descriptions say where the chat is not there; the code is 400 for each.
_NO_CHAT = ("chat not found", "peer_id_invalid", "chat_id_invalid", "group chat was deactivated")
# What a 403 says of why the bot may not write there: the code tells no more. Others are `forbidden`.
_FORBIDDEN = {
    "bot was blocked by the user": "blocked_by_recipient",
    "bot was kicked from the": "not_a_member",
    "bot is not a member of the": "not_a_member",
}


class Migrated(Rejected):
    """The group has become a supergroup: it is the chat `chat_id` now. Nothing was applied."""

    def __init__(self, chat_id: int, detail: str) -> None:
        super().__init__("migrated", detail)
        self.chat_id = chat_id


def failure(
    code: int,
    description: str,
    retry_after: float | None,
    *,
    moved_to: int | None = None,
    login: bool = False,
) -> ChannelError:
    """The failure class of an error answer. `login`: whether the call was the login's check of the token.

    `moved_to`: the chat that a group has become.
    """
    if moved_to is not None:
        return Migrated(moved_to, description)
    if code == 401 or (code == 404 and login):
        return LoggedOut("invalid_credentials")
    if code == 409:
        return Conflict("webhook_is_set" if "webhook" in description.lower() else "other_poller")
    if code == 429:
        # The answer does not say which limit it was. The account's pace keeps below the limit of the bot, so
        # it was the chat's.
        wait = _DEFAULT_WAIT if retry_after is None else retry_after
        return RateLimited(wait, scope=CONVERSATION)
    if code == 400 and any(text in description.lower() for text in _NO_CHAT):
        return Rejected(CONVERSATION_NOT_FOUND, description, code=code)
    if code == 403:
        known = (reason for text, reason in _FORBIDDEN.items() if text in description.lower())
        return Rejected(next(known, "forbidden"), description, code=code)
    if code == 400:
        return Rejected("bad_request", description, code=code)
    if code == 413:
        return Rejected("too_large", description, code=code)
    return Transient(f"http_{code}", maybe_applied=code >= 500)
