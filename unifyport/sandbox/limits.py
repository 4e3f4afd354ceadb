"""The send limits of a platform, enforced while a `limits` fault is ordered.

The numbers are those that the platform publishes, with room for messages that left evenly and arrive in a
bunch.
"""

import attrs
import trio

from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Bucket


@attrs.define
class SendLimits:
    """`pace`: what the platform allows. `refused` counts the messages that exceeded it."""

    pace: Pace
    refused: int = 0
    _accounts: dict[str, Bucket] = attrs.field(factory=dict)
    _conversations: dict[tuple[str, str], Bucket] = attrs.field(factory=dict)

    def take(self, account: str, conversation: str, conversation_type: str) -> tuple[float, bool]:
        """Count one message; seconds until it would be allowed (0.0: it is), and whether the account is at
        fault.
        """
        now = trio.current_time()
        of_account = self._accounts.setdefault(account, Bucket())
        of_conversation = self._conversations.setdefault((account, conversation), Bucket())
        limit = self.pace.of_conversation(conversation_type)
        account_wait = of_account.wait(self.pace.account, now)
        wait = max(account_wait, of_conversation.wait(limit, now))
        if wait > 0:
            self.refused += 1
            return wait, account_wait == wait
        of_account.take(self.pace.account, now)
        of_conversation.take(limit, now)
        return 0.0, False
