"""Accounts: what they are, how they log in, how they run."""

from typing import Any, Literal

import attrs
from msgspec import UNSET

from .common import FreeFormObject, ProviderName, RuntimeStatus
from .fields import Answer, HttpsUrl, MediaFetch, Name, PasskeyAnswer, ProviderText, Receive

# `UNSET`: a field that was left out, where null means something


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
    region: str | None = None


@attrs.define
class AccountRequest:
    """`provider` is required to create; an update may name it but not change it.

    `provider_data` is write-only. `take_over`: a login may take from others what they claimed there.
    `media_fetch`: when files of incoming messages are fetched; `default`, and leaving it out when the account
    is created: as `[media] fetch` in the file.

    `proxy`, `proxy_config` and `provider_data.proxy_config` are one and the same; null takes the proxy away.
    """

    provider: ProviderText | None = None
    region: str | None = None
    name: Name | None = None
    status: Name | None = None
    runtime_status: str | None = None
    auth_mode: str | None = None
    capabilities: list[str] | None = None
    metadata: FreeFormObject | None = None
    provider_account_ref: Name | None = None
    provider_data: FreeFormObject | None = None
    receive: Receive | None = None
    take_over: bool | None = None
    media_fetch: MediaFetch | None = None
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
    take_over: bool = False
    media_fetch: Literal["on_link", "on_receive"] = "on_link"
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
class AuthCodeRequest:
    """`code`: at most 256 characters; for a passkey its `PublicKeyCredential` as JSON text."""

    code: PasskeyAnswer | None = None


@attrs.define
class AuthPasswordRequest:
    """`confirm_last_guesses`: required as true where `ask_passcode.guesses_left` is 3 or less."""

    password: Answer | None = None
    confirm_last_guesses: bool = False


@attrs.define
class AuthSessionImportRequest:
    """`session_url` (https, fetched once) or `session`, which is the exported session itself:
    text or an object.
    """

    session_url: HttpsUrl | None = None
    pin: Answer | None = None
    proxy_config: Any = UNSET
    session: Any = None


@attrs.define
class ExportedSession:
    """A session as tools of its platform read it. It gives full access to the account."""

    session: str


@attrs.define
class RuntimeFailure:
    """`kind`: transient, deferred (told to wait), conflict, terminal, bug."""

    at: str
    kind: str
    reason: str


@attrs.define
class RuntimeSends:
    """The commands of an account. `begins_in_seconds`: when a message to an idle conversation would begin."""

    queued: int
    in_progress: int
    parallel: int
    service_seconds: float
    begins_in_seconds: float


@attrs.define
class PlatformCalls:
    """Of an account that its platform calls, what was observed since the gateway started."""

    refused_in_a_row: int
    last_accepted_at: str | None = None
    last_refused_at: str | None = None
    refused_because: str | None = None


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
    sends: RuntimeSends
    next_retry_at: str | None = None
    last_seen_at: str | None = None
    terminal: str | None = None
    calls: PlatformCalls | None = None


@attrs.define
class Explanation:
    """Why an account is not running, what happens next by itself, and what a human must do (empty:
    nothing).

    `detail` says what `why` does not: the host that cannot be reached, or when the platform called last.
    """

    account_id: str
    runtime_status: RuntimeStatus
    why: str
    next: str
    action: str
    detail: str = ""


@attrs.define
class RuntimeActionResult:
    account_id: str
    provider: ProviderName
    action: Literal["refresh_status", "start", "stop", "reconnect", "reset"]
    operation_status: str
    runtime_status: RuntimeStatus
    runtime_error: str
