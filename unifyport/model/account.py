"""An account: one login at one platform, and the three dimensions of its state.

`status` is the caller's business switch, `auth_status` says whether the platform knows us, and
`runtime_status` (not stored: it is observed) says whether we are connected.
"""

import enum
from typing import Any

import attrs

from .proxy import Proxy


class AuthStatus(enum.StrEnum):
    PENDING_AUTH = "pending_auth"
    AWAITING_QR_SCAN = "awaiting_qr_scan"
    AWAITING_CODE = "awaiting_code"
    AWAITING_PASSWORD = "awaiting_password"  # noqa: S105 (a state, not a secret)
    AUTHORIZED = "authorized"
    FAILED = "failed"


class Origin(enum.StrEnum):
    """Who owns an object: calls to the API, or the configuration file."""

    API = "api"
    FILE = "file"


ACTIVE = "active"


@attrs.define
class Account:
    """A row of the account table. `credentials` are plain here and sealed in the store."""

    id: str
    name: str
    provider: str  # as the caller wrote it: `x` stays `x`
    channel: str  # the canonical name: `twitter`
    region: str
    auth_mode: str
    no: int = 0  # given by the store; never reused
    status: str = ACTIVE
    desired: str = "running"  # the operator's last word: running | stopped
    auth_status: AuthStatus = AuthStatus.PENDING_AUTH
    last_error: str | None = None
    terminal: str | None = None  # why it must not be restarted; cleared by a new login
    not_before: int | None = None  # unix ms: the platform told us to wait
    provider_account_ref: str | None = None
    profile: dict[str, Any] = attrs.field(factory=dict)
    metadata: dict[str, Any] = attrs.field(factory=dict)
    capabilities: list[str] | None = None  # the caller's own list, if any
    credentials: dict[str, Any] = attrs.field(factory=dict)
    login: int = 0  # raised by new credentials
    auth_payload: dict[str, Any] = attrs.field(
        factory=dict
    )  # what a human must see to log in; sealed in the store
    auth_sequence: int = 0  # of what was shown: grows with each step of each login
    auth_expires_at: int | None = None  # unix ms: what is shown is of no use then
    proxy: Proxy | None = None
    receive: str = ""  # how events come in: one of the connection's `receive`
    origin: Origin = Origin.API
    digest: str | None = None  # of its declaration in the file
    version: int = 1
    created_at: int = 0
    updated_at: int = 0

    @property
    def may_run(self) -> bool:
        return self.status == ACTIVE and self.desired == "running"


# What a login finds out: of no worth once there are other credentials.
OF_A_LOGIN = frozenset(
    {
        *("auth_status", "last_error", "terminal", "not_before", "provider_account_ref", "profile"),
        *("auth_payload", "auth_sequence", "auth_expires_at"),
    }
)


@attrs.define
class Identity:
    """Who the platform says we are, once it has accepted the credentials."""

    provider_account_ref: str
    display_name: str = ""
    username: str = ""
    picture_url: str = ""
    phone: str = ""  # E.164
    bio: str = ""

    def profile(self) -> dict[str, str]:
        """In the contract's words (`ProviderProfile`)."""
        return {
            "id": self.provider_account_ref,
            "phone": self.phone,
            "username": self.username,
            "display_name": self.display_name,
            "avatar_url": self.picture_url,
            "bio": self.bio,
        }
