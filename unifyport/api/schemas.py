"""The contract's shapes as attrs classes: what bodies are checked against and the OpenAPI document shows.

Names and fields are the contract's. A field that may be absent is None here and left out of answers.
"""

from typing import Any, Literal

import attrs
from msgspec import UNSET

ProviderName = Literal["telegram", "whatsapp", "line", "twitter", "x", "zalo", "tiktok"]
RuntimeStatus = Literal[
    "unknown", "starting", "running", "stopping", "stopped", "reconnecting", "disconnected", "error"
]
ConversationType = Literal["user", "group", "channel"]
FreeFormObject = dict[str, Any]

# `UNSET`: a field that was left out, where null means something


@attrs.define
class Workspace:
    name: str
    status: str
    account_quota: int
    account_quota_unlimited: bool
    metadata: dict[str, str] | None = None


@attrs.define
class WorkspaceUpdateRequest:
    name: str
    status: str
    metadata: dict[str, str] | None = None


@attrs.define
class APIKey:
    id: str
    name: str
    key_prefix: str
    status: Literal["active", "inactive"]
    origin: Literal["api", "file"]


@attrs.define
class APIKeyCreateRequest:
    name: str
    prefix: str | None = None


@attrs.define
class APIKeyCreateResult:
    """`api_key` is the secret, shown only here."""

    api_key: str
    key: APIKey


@attrs.define
class APIKeyStatusUpdateRequest:
    status: Literal["active", "inactive"]


@attrs.define
class RegionAvailability:
    region: str
    supported: bool
    allocatable: bool


@attrs.define
class ProviderRegionsResponse:
    provider: ProviderName
    regions: list[RegionAvailability]


@attrs.define
class CredentialField:
    """A field of `provider_data`."""

    name: str
    required: bool


@attrs.define
class ConnectionCapabilities:
    """What one way to be connected needs and can do. Lengths in characters and bytes; absent: no limit is known."""

    auth_mode: str
    provider_data: list[CredentialField]
    receive: list[str]
    inbound: Literal["acked", "replayable", "volatile"]
    capabilities: list[str]
    message_types: list[str]
    max_text: int | None = None
    max_download: int | None = None


@attrs.define
class ChannelCapabilities:
    provider: str
    aliases: list[str]
    connections: list[ConnectionCapabilities]


@attrs.define
class OkData:
    ok: Literal[True] = True


@attrs.define
class ConversationReadRequest:
    """Both message fields, or neither."""

    conversation_id: str
    up_to_message_id: str | None = None
    up_to_message_sender_id: str | None = None


@attrs.define
class ProviderProfile:
    """An open object: platforms may add keys."""

    id: str | None = None
    phone: str | None = None
    username: str | None = None
    display_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    avatar_url: str | None = None
    bio: str | None = None


@attrs.define
class AccountRequest:
    """`provider` is required to create; an update may name it but not change it. `provider_data` is write-only.

    `proxy`, `proxy_config` and `provider_data.proxy_config` are one and the same; null takes the proxy away.
    """

    provider: str | None = None
    region: str | None = None
    name: str | None = None
    status: str | None = None
    runtime_status: str | None = None
    auth_mode: str | None = None
    capabilities: list[str] | None = None
    metadata: FreeFormObject | None = None
    provider_account_ref: str | None = None
    provider_data: FreeFormObject | None = None
    receive: str | None = None
    proxy: Any = UNSET
    proxy_config: Any = UNSET


@attrs.define
class Account:
    id: str
    name: str
    provider: ProviderName
    region: str
    status: str
    runtime_status: RuntimeStatus
    auth_mode: str
    capabilities: list[str]
    metadata: FreeFormObject
    origin: Literal["api", "file"]
    provider_account_ref: str | None = None
    provider_profile: ProviderProfile | None = None
    receive: str | None = None
    ingress_url: str | None = None  # where the platform must call
    proxy: FreeFormObject | None = None  # the password is hidden
    proxy_config: FreeFormObject | None = None  # the same


@attrs.define
class AuthField:
    type: str
    required: bool
    label: str | None = None
    placeholder: str | None = None


@attrs.define
class AccountSession:
    account_id: str
    status: str
    auth_fields: list[AuthField] | None = None
    auth_payload: FreeFormObject | None = None
    expires_at: str | None = None
    last_error: str | None = None


@attrs.define
class RuntimeFailure:
    """`kind`: transient, deferred (told to wait), conflict, terminal, bug."""

    at: str
    kind: str
    reason: str


@attrs.define
class Runtime:
    """What the supervisor of an account knows: where it is, since when, and what comes next."""

    account_id: str
    runtime_status: RuntimeStatus
    phase: str
    reason: str
    since: str
    desired: Literal["running", "stopped"]
    incarnations: int
    restarts_in_window: int
    budget_left: int
    recent_failures: list[RuntimeFailure]
    next_retry_at: str | None = None
    last_seen_at: str | None = None
    terminal: str | None = None


@attrs.define
class Explanation:
    """Why an account is not running, what happens next by itself, and what a human must do (empty: nothing)."""

    account_id: str
    runtime_status: RuntimeStatus
    why: str
    next: str
    action: str


@attrs.define
class SupervisedChild:
    """A child of the supervision tree. Only a supervisor has `strategy`, `counts` (by phase) and `children`."""

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
    """`options` are in force now; `needs_restart` are not; `left` has left the file and is kept, out of use."""

    dry_run: bool
    differences: list[Difference]
    options: list[str]
    needs_restart: list[str]
    policies_changed: int
    left: list[str]


@attrs.define
class RuntimeActionResult:
    account_id: str
    provider: ProviderName
    action: Literal["refresh_status", "start", "stop", "reconnect", "reset"]
    operation_status: str
    runtime_status: RuntimeStatus
    runtime_error: str


@attrs.define
class Recipient:
    id: str
    type: str


@attrs.define
class ContactPhone:
    number: str
    type: str | None = None


@attrs.define
class ContactEmail:
    address: str
    type: str | None = None


@attrs.define
class ContactCard:
    name: str
    phones: list[ContactPhone] | None = None
    emails: list[ContactEmail] | None = None
    organization: str | None = None
    title: str | None = None


@attrs.define
class MessagePayload:
    type: Literal["text", "image", "video", "audio", "document", "file", "contact"]
    text: str | None = None
    url: str | None = None
    file_url: str | None = None
    file_key: str | None = None
    caption: str | None = None
    contacts: list[ContactCard] | None = None


@attrs.define
class ReplyTo:
    reply_token: str


@attrs.define
class Mention:
    id: str


@attrs.define
class SendMessageRequest:
    account_id: str
    to: Recipient
    message: MessagePayload
    provider_data: FreeFormObject | None = None
    reply_to: ReplyTo | None = None
    mentions: list[Mention] | None = None


@attrs.define
class SendMessageResult:
    message_id: str
    account_id: str
    status: str
    command_id: str
    provider_ref: str | None = None
    reply_token: str | None = None


@attrs.define
class Command:
    """What became of a send. Our extension; `outcome` is one of `CommandState`."""

    id: str
    account_id: str
    outcome: Literal["accepted", "sending", "sent", "rejected", "not_sent", "unknown"]
    message_id: str | None = None
    reason: str | None = None


@attrs.define
class WebhookEndpointRequest:
    """`url` and `status` are required to create; an update may leave them out.

    `delivery` says how events travel, see docs/webhooks.md; what it leaves out is as the operator's defaults say. In an
    update `delivery.resume` = "now" ends what is owed until then. A new `signing_secret` leaves the old one signing
    beside it for `delivery.secret_overlap`, with the `standard` scheme; so does `previous_signing_secret`.
    """

    url: str | None = None
    status: str | None = None
    subscribed_events: list[str] | None = None
    signing_secret: str | None = None
    previous_signing_secret: str | None = None
    retry_policy: FreeFormObject | None = None
    delivery: FreeFormObject | None = None


@attrs.define
class WebhookEndpoint:
    """`retry_policy` and `delivery` are those in force. `reason`: why it is disabled. `dropped`: what `resume` ended."""

    id: str
    url: str
    status: str
    signing_enabled: bool
    subscribed_events: list[str]
    retry_policy: FreeFormObject
    delivery: FreeFormObject
    expired: int  # events that were owed for longer than the log is kept
    origin: Literal["api", "file"]
    name: str | None = None
    reason: str | None = None
    failing_since: str | None = None
    previous_secret_until: str | None = None
    runtime: "EndpointRuntime | None" = None
    dropped: int | None = None


@attrs.define
class EndpointRuntime:
    """What is owed (counted up to 10,000, as are dead letters), and what holds it up."""

    owed: int
    dead: int
    in_flight: int
    breaker: Literal["closed", "open"]
    congested: bool


@attrs.define
class DeliveryAttempt:
    """`outcome`: `delivered`, `retry`, `dead`, `expired`, or `not_counted` (a probe, an extra attempt).

    `response` is the beginning of the answer's body; absent when it came from a private address.
    """

    id: str
    attempt: int
    outcome: Literal["delivered", "retry", "dead", "expired", "not_counted"]
    at: str
    duration_ms: int
    response_size: int
    response_status: int | None = None
    response: str | None = None
    error: str | None = None


@attrs.define
class Delivery:
    """One event for one endpoint. A replay is a delivery of its own, of the same event."""

    id: str
    endpoint_id: str
    event_id: str
    event_type: str
    status: Literal["pending", "retrying", "delivered", "dead", "expired"]
    attempts: int  # recorded outcomes
    replay: bool
    history: list[DeliveryAttempt]  # the newest first; in a list only the last one
    next_attempt_at: str | None = None
    ended_at: str | None = None
    reason: str | None = None


@attrs.define
class DeliveryPage:
    items: list[Delivery]
    has_more: bool
    next_cursor: str


@attrs.define
class ReplayRequest:
    """What is to be delivered once more: dead letters, or events of the log that the endpoint subscribes to.

    `source`: `dead` (the default) or `log`. Of it, what `delivery_ids` (dead letters only) or `event_ids` name, or
    what died or was logged in [`since`, `until`). `cursor`: go on with a replay that was not finished.
    """

    source: Literal["dead", "log"] = "dead"
    delivery_ids: list[str] | None = None
    event_ids: list[str] | None = None
    since: str | None = None
    until: str | None = None
    cursor: str | None = None


@attrs.define
class ReplayResult:
    """`already_owed` were left alone. While `has_more`, call again with `next_cursor`."""

    replayed: int
    already_owed: int
    has_more: bool
    next_cursor: str


@attrs.define
class RetryRequest:
    """`force`: also when the endpoint is not active."""

    force: bool = False


@attrs.define
class EndpointTestCase:
    """One delivery of the self-test. `passed`: whether the receiver did what it should."""

    name: Literal["good", "stale", "forged", "repeated"]
    sent: str
    expected: Literal["accepted", "refused"]
    observed: Literal["accepted", "refused", "failed", "not_sent"]
    passed: bool
    meaning: str
    duration_ms: int
    response_status: int | None = None
    error: str | None = None


@attrs.define
class EndpointTest:
    """What a receiver does with four deliveries. `verdict`: `good`, `insecure` (it accepts what it must not) or
    `failing` (it does not accept what it must)."""

    endpoint_id: str
    verdict: Literal["good", "insecure", "failing"]
    cases: list[EndpointTestCase]


@attrs.define
class EventPage:
    """A page of the event log: each item is the body as it was or will be delivered."""

    items: list[FreeFormObject]
    has_more: bool
    next_cursor: str


@attrs.define
class Health:
    status: str


@attrs.define
class Error:
    code: str
    message: str
    problems: list[str] | None = None
    outcome: str | None = None
    command_id: str | None = None


@attrs.define
class ErrorEnvelope:
    request_id: str
    error: Error
    client_request_id: str | None = None
