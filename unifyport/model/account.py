"""An account: one login at one platform, and its three statuses.

`status` is set by the caller (active or not), `auth_status` says whether the platform accepts the login, and
`runtime_status` (observed, not stored) says whether the account is connected.
"""

import enum
from typing import Any, Final

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
    """Where an object is declared: through the API, or in the configuration file."""

    API = "api"
    FILE = "file"


ACTIVE = "active"
AS_FILE: Final = "default"  # of a request: as `[media] fetch` says
ON_LINK: Final = "on_link"  # files of incoming messages are fetched when their link is followed
ON_RECEIVE: Final = "on_receive"  # they are fetched when the message was received


@attrs.define
class Account:
    """A row of the account table. `credentials` are plain here and sealed in the store."""

    id: str
    name: str
    provider: str  # as the caller wrote it: `twitter` stays `twitter`
    channel: str  # the canonical name: `x`
    region: str
    auth_mode: str
    no: int = 0  # given by the store; never reused
    status: str = ACTIVE
    desired: str = "running"  # running | stopped, as the operator last ordered
    auth_status: AuthStatus = AuthStatus.PENDING_AUTH
    last_error: str | None = None
    terminal: str | None = None  # why it must not be restarted; cleared by a new login
    not_before: int | None = None  # unix ms: no start before then, as the platform asked
    provider_account_ref: str | None = None
    profile: dict[str, Any] = attrs.field(factory=dict)
    metadata: dict[str, Any] = attrs.field(factory=dict)
    capabilities: list[str] | None = None  # the caller's own list, if any
    credentials: dict[str, Any] = attrs.field(factory=dict)
    login: int = 0  # incremented by new credentials
    # What a human must see to log in (QR code, PIN, code); sealed in the store.
    auth_payload: dict[str, Any] = attrs.field(factory=dict)
    auth_sequence: int = 0  # number of `auth_payload`: grows with each step of each login
    auth_expires_at: int | None = None  # unix ms: when `auth_payload` expires
    proxy: Proxy | None = None
    receive: str = ""  # how events arrive: `poll` or `webhook`
    take_over: bool = False  # whether a login may take from others what they claimed at the platform
    media_fetch: str = ""  # `ON_LINK` or `ON_RECEIVE`; empty: as `[media] fetch`
    origin: Origin = Origin.API
    digest: str | None = None  # hash of its declaration in the file
    version: int = 1
    created_at: int = 0
    updated_at: int = 0

    @property
    def may_run(self) -> bool:
        return self.status == ACTIVE and self.desired == "running"


# Fields that a login sets. They are discarded when the credentials change.
OF_A_LOGIN = frozenset(
    {
        *("auth_status", "last_error", "terminal", "not_before", "provider_account_ref", "profile"),
        *("auth_payload", "auth_sequence", "auth_expires_at"),
    }
)


@attrs.define
class Identity:
    """The identity that the platform reports for an account, once it has accepted the credentials."""

    provider_account_ref: str
    display_name: str = ""
    username: str = ""
    picture_url: str = ""
    phone: str = ""  # E.164
    bio: str = ""
    region: str = ""  # of the account at the platform: a country (ISO 3166-1)

    def profile(self) -> dict[str, str]:
        """The contract's `ProviderProfile`."""
        return {
            "id": self.provider_account_ref,
            "phone": self.phone,
            "username": self.username,
            "display_name": self.display_name,
            "avatar_url": self.picture_url,
            "bio": self.bio,
            "region": self.region,
        }
