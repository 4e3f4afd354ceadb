"""What is observed of a platform's calls to one account: when it called last, and when it was refused.

It is known since the process started. A connection that only waits for calls looks well whatever its platform
does, so this is what tells a wrong secret, or an address that the platform does not call.
"""

import attrs

SIGNATURE = "the signature does not match"
TOO_OLD = "the signature is right, but the time in it is too far from that of this machine"
BEFORE_LOGIN = "the account has not logged in yet"
_IN_A_ROW = 3  # refused calls after an accepted one that are a problem: a stranger may know the address


@attrs.define
class PlatformCalls:
    """Times are unix ms. `refused_since`: refused calls since the last accepted one."""

    accepted_at: int | None = None
    refused_at: int | None = None
    refused_because: str = ""
    refused_since: int = 0

    def accepted(self, now_ms: int) -> None:
        self.accepted_at, self.refused_since = now_ms, 0

    def refused(self, now_ms: int, because: str) -> None:
        self.refused_at, self.refused_because = now_ms, because
        self.refused_since += 1

    @property
    def are_refused(self) -> bool:
        """Whether calls are refused, and none is accepted."""
        return self.refused_since >= (1 if self.accepted_at is None else _IN_A_ROW)
