"""Workspace, API keys, providers, and what runs: shapes for operators."""

from typing import Literal

import attrs

from .common import ProviderName
from .fields import KeyPrefix, Name, Time


@attrs.define
class Workspace:
    name: str
    status: str
    account_quota: int
    account_quota_unlimited: bool
    metadata: dict[str, str] | None = None


@attrs.define
class WorkspaceUpdateRequest:
    name: Name
    status: Name
    metadata: dict[str, str] | None = None


@attrs.define
class APIKey:
    id: str
    name: str
    key_prefix: str
    status: Literal["active", "inactive"]
    origin: Literal["api", "file"]
    created_at: str
    last_used_at: str | None = None  # to the minute
    expires_at: str | None = None


@attrs.define
class APIKeyCreateRequest:
    """`expires_at`: RFC 3339; from then on the key is refused."""

    name: Name
    prefix: KeyPrefix | None = None
    expires_at: Time | None = None


@attrs.define
class APIKeyCreateResult:
    """`api_key` is the secret, shown only here."""

    api_key: str
    key: APIKey


@attrs.define
class APIKeyStatusUpdateRequest:
    status: Literal["active", "inactive"]


@attrs.define
class AuthModeAvailability:
    """Whether accounts of one auth mode can be made."""

    auth_mode: str
    supported: bool
    allocatable: bool


@attrs.define
class RegionAvailability:
    """`supported`: by at least one auth mode; `auth_modes` says which."""

    region: str
    supported: bool
    allocatable: bool
    auth_modes: list[AuthModeAvailability]


@attrs.define
class ProviderRegionsResponse:
    provider: ProviderName
    regions: list[RegionAvailability]


@attrs.define
class CredentialField:
    """A field of `provider_data`. `app`: `[providers.<channel>]` may give it instead."""

    name: str
    required: bool
    app: bool = False


@attrs.define
class ConnectionCapabilities:
    """What one way to be connected needs and can do.

    Lengths in characters and bytes (`max_upload` by message type); absent: no limit is known.
    `window_hours`: how long after a customer's last message one may write freely, absent: at any time.
    `can_start_conversation`: whether one may write to a customer who has not written first. `receipts`: what
    the platform tells of a sent message. `experimental`: the platform offers no such API, and may refuse it
    at any time.
    """

    auth_mode: str
    provider_data: list[CredentialField]
    receive: list[str]
    inbound: Literal["acked", "replayable", "volatile"]
    capabilities: list[str]
    message_types: list[str]
    max_text: int | None = None
    max_download: int | None = None
    max_upload: dict[str, int] | None = None
    window_hours: int | None = None
    can_start_conversation: bool = True
    receipts: list[Literal["sent", "delivered", "read"]] = attrs.field(factory=list)
    experimental: bool = False


@attrs.define
class ChannelCapabilities:
    provider: str
    aliases: list[str]
    connections: list[ConnectionCapabilities]


@attrs.define
class SupervisedChild:
    """A child of the supervision tree.

    Only a supervisor has `strategy`, `counts` (by phase) and `children`.
    """

    id: str
    phase: str
    since: str
    incarnations: int
    strategy: str | None = None
    counts: dict[str, int] | None = None
    children: "list[SupervisedChild] | None" = None


@attrs.define
class ReloadRequest:
    """`dry_run`: only compare. `prune`: delete accounts and endpoints that have left the file."""

    dry_run: bool = False
    prune: bool = False


@attrs.define
class Difference:
    """An object that is, or was, not as the file says. `fields`: what of it, by name."""

    kind: Literal["workspace", "api_key", "webhook_endpoint", "account"]
    name: str
    action: Literal["create", "update", "stop", "remove"]
    fields: list[str]


@attrs.define
class Reload:
    """`options` are in force now; `needs_restart` are not; `left` has left the file and is kept,
    out of use.
    """

    dry_run: bool
    differences: list[Difference]
    options: list[str]
    needs_restart: list[str]
    policies_changed: int
    left: list[str]


@attrs.define
class AccountStatus:
    """One account. `problem`: it should run and does not, or calls of its platform are refused."""

    id: str
    name: str
    provider: str
    runtime_status: str
    since: str
    reason: str
    detail: str
    next: str
    action: str
    next_retry_at: str
    budget_left: int
    auth_status: str
    last_error: str
    problem: bool


@attrs.define
class EndpointStatus:
    """An endpoint that is not active, or fails, or whose host's name has no address.

    `last_error`: why its last attempt failed, or `name_not_resolved`; empty: not known.
    """

    id: str
    name: str
    status: str
    reason: str
    last_error: str
    breaker_open: bool
    failing_since: str | None = None


@attrs.define
class GatewayStatus:
    """What runs and what does not. `counts`: all accounts by runtime status; `problems`: how many have one.

    `accounts`: those that were asked for, problems first; `matching`: how many there are in all. While
    `has_more`, call again with `next_cursor`.
    `not_ready`: why the gateway is not ready.
    """

    ready: bool
    version: str
    counts: dict[str, int]
    problems: int
    accounts: list[AccountStatus]
    matching: int
    has_more: bool
    next_cursor: str
    endpoint_count: int
    endpoint_problems: int
    endpoints: list[EndpointStatus]
    not_ready: str | None = None


@attrs.define
class QuarantinedItem:
    """An item that could not be read. `size`: bytes as stored. `text` or `base64`: its contents."""

    id: str
    at: str
    reason: str
    size: int
    account_id: str | None = None
    text: str | None = None
    base64: str | None = None


@attrs.define
class QuarantinePage:
    items: list[QuarantinedItem]
    has_more: bool
    next_cursor: str


@attrs.define
class Purged:
    """How many items were deleted."""

    purged: int
