"""The configuration as values: every section and every option, with its default."""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NewType

import attrs

from supervisors import Admission, Backoff, OnExhausted, Policy, PolicyProblem, Probe, Restart
from unifyport.model.account import ON_LINK, Account, Origin
from unifyport.model.send_pace import Pace
from unifyport.model.webhook import DeliveryPolicy, RetryPolicy, WebhookDefaults
from unifyport.net.guard import Network
from unifyport.process.redaction import HeldSecrets
from unifyport.storage.sealing import KeyRing

Name = NewType("Name", str)  # in its one spelling, `model/texts.py`
Secret = NewType("Secret", str)
Duration = NewType("Duration", float)
Size = NewType("Size", int)
Rate = NewType("Rate", float)
PaceLimit = NewType("PaceLimit", object)  # `Limit`, or OFF
Off = Literal["off"]
OFF: Off = "off"
MediaFetch = Literal["on_link", "on_receive"]


@attrs.frozen
class Tls:
    """PEM files: the certificate with its chain, and its key."""

    cert: str
    key: str


@attrs.frozen
class ServerSettings:
    """`ingress_bind`, `admin_bind`: separate listeners for webhooks of platforms and for operators."""

    bind: str = "127.0.0.1:8080"
    ingress_bind: str | None = None
    admin_bind: str | None = None
    public_url: str | None = None
    tls: Tls | None = None
    front: Literal["native", "hypercorn"] = "native"
    trusted_proxies: list[str] = attrs.field(factory=list)
    max_streams: int = 1024  # readers of the event stream at a time
    proxy_protocol: bool = False  # each connection comes from a trusted proxy, and begins with its header

    @property
    def proxies(self) -> tuple[Network, ...]:
        return tuple(ipaddress.ip_network(text) for text in self.trusted_proxies)


@attrs.frozen
class Media:
    """Files in and out. Sizes are bytes, times seconds. `directory` is beside the database by default.

    `fetch`: when a customer's file is fetched from its platform.
    """

    fetch: MediaFetch = ON_LINK
    directory: str | None = None
    max_bytes: Size = Size(1024**3)  # the whole cache
    max_file: Size = Size(100 * 1024**2)
    retention: Duration = Duration(7 * 86400.0)
    max_uploads: Size = Size(1024**3)  # all files together that wait to be sent
    upload_lifetime: Duration = Duration(86400.0)
    link_lifetime: Duration = Duration(86400.0)


@attrs.frozen
class Logging:
    level: str = "info"
    requests: bool = True  # one line for each API request


@attrs.frozen
class Metrics:
    """`accounts`: metrics of each account, labelled with its id and its name."""

    accounts: bool = False


@attrs.frozen
class Api:
    """`strict`: a request that would be answered with warnings is refused."""

    strict: bool = False


@attrs.frozen
class Storage:
    url: str = "sqlite:///unifyport.db"
    event_retention: Duration = Duration(7 * 86400.0)
    dedupe_retention: Duration = Duration(14 * 86400.0)
    dead_letter_retention: Duration = Duration(30 * 86400.0)
    alias_retention: Duration = Duration(365 * 86400.0)
    page_cache: Size = Size(16 * 1024**2)  # of the connection that writes; four that read have 2 MiB each


@attrs.frozen
class Security:
    master_key: Secret
    webhook_allow: list[str] = attrs.field(factory=list)
    media_allow: list[str] = attrs.field(factory=list)  # private networks that files to send may come from
    proxy_allow: list[str] = attrs.field(factory=list)
    ca_file: str | None = None

    @property
    def webhook_networks(self) -> tuple[Network, ...]:
        return tuple(ipaddress.ip_network(text) for text in self.webhook_allow)

    @property
    def media_networks(self) -> tuple[Network, ...]:
        return tuple(ipaddress.ip_network(text) for text in self.media_allow)

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        return tuple(ipaddress.ip_network(text) for text in self.proxy_allow)


@attrs.frozen
class Workspace:
    name: str | None = None
    account_quota: int = 0  # 0: unlimited
    key_rate: Rate | None = None  # requests per second of each API key; None: unlimited
    regions: list[str] = attrs.field(factory=lambda: ["global"])  # the first is the default


@attrs.frozen
class DeclaredKey:
    name: Name
    key: Secret


@attrs.frozen
class Webhooks:
    """Defaults of webhook endpoints: the same objects that an endpoint has."""

    retry_policy: dict[str, Any] = attrs.field(factory=dict)
    delivery: dict[str, Any] = attrs.field(factory=dict)

    @property
    def defaults(self) -> WebhookDefaults:
        """Both objects as values. Raises `ValueError` that names the field."""
        return WebhookDefaults(RetryPolicy.parse(self.retry_policy), DeliveryPolicy.parse(self.delivery))


@attrs.frozen
class DeclaredEndpoint:
    """`previous_signing_secret` also signs, for `delivery.secret_overlap` after the new one was declared."""

    name: Name
    url: str
    subscribed_events: list[str] = attrs.field(factory=list)
    signing_secret: Secret = Secret("")
    previous_signing_secret: Secret | None = None
    retry_policy: dict[str, Any] = attrs.field(factory=dict)
    delivery: dict[str, Any] = attrs.field(factory=dict)
    status: Literal["active", "inactive"] = "active"  # inactive: paused, but events are still owed to it
    renamed_from: Name | None = None


@attrs.frozen
class BackoffSettings:
    initial: Duration = Duration(1.0)
    factor: float = 2.0
    max: Duration = Duration(300.0)
    jitter: float = 0.2


@attrs.frozen
class ProbeSettings:
    interval: Duration = Duration(60.0)
    timeout: Duration = Duration(10.0)
    failures: int = 3


@attrs.frozen
class PolicySettings:
    """`max_concurrent_starts` and `start_rate` (starts per second) limit a channel, not an account."""

    restart: str = "permanent"
    backoff: BackoffSettings = attrs.field(factory=BackoffSettings)
    stable_after: Duration = Duration(60.0)
    max_restarts: int = 15
    window: Duration = Duration(3600.0)
    on_exhausted: str = "park"
    park_interval: Duration = Duration(3600.0)
    start_timeout: Duration = Duration(30.0)
    stop_timeout: Duration = Duration(10.0)
    probe: ProbeSettings | Off = attrs.field(factory=ProbeSettings)
    max_concurrent_starts: int = 20
    start_rate: Rate = Rate(50.0)

    def policy(self) -> Policy:
        """The policy. Raises `ValueError` with all `problems`."""
        if problems := self.problems():
            raise ValueError("; ".join(map(str, problems)))
        return self._policy()

    def problems(self) -> list[PolicyProblem]:
        """Every mistake in these values; fields of `backoff` and `probe` are dotted."""
        backoff = self.backoff
        found = [
            PolicyProblem((name,), f"must be one of {', '.join(choices)}")
            for name, choices in CHOICES.items()
            if getattr(self, name) not in choices
        ]
        values = {name: getattr(self, name) for name in _TIMES_AND_COUNTS}
        found += _under(
            "backoff", Backoff.problems(backoff.initial, backoff.factor, backoff.max, backoff.jitter)
        )
        found += Policy.problems(values)
        if self.probe != OFF:
            probe = self.probe
            found += _under("probe", Probe.problems(probe.interval, probe.timeout, probe.failures))
        if self.max_concurrent_starts < 1:
            found.append(PolicyProblem(("max_concurrent_starts",), "must be at least 1"))
        wrong = {name for problem in found for name in problem.fields}
        if not wrong & set(OF_THE_BUDGET) and not self._can_be_exhausted():
            text = (
                f"is too many: the back-off never makes max_restarts ({self.max_restarts}) restarts within"
                " the window, so on_exhausted would never apply"
            )
            found.append(PolicyProblem(OF_THE_BUDGET, text))
        return found

    def _can_be_exhausted(self) -> bool:
        return Policy(
            backoff=self._backoff(), max_restarts=self.max_restarts, window=self.window
        ).can_be_exhausted

    def _backoff(self) -> Backoff:
        return Backoff(self.backoff.initial, self.backoff.factor, self.backoff.max, self.backoff.jitter)

    def _policy(self) -> Policy:
        return Policy(
            restart=Restart(self.restart),
            backoff=self._backoff(),
            stable_after=self.stable_after,
            max_restarts=self.max_restarts,
            window=self.window,
            on_exhausted=OnExhausted(self.on_exhausted),
            park_interval=self.park_interval,
            start_timeout=self.start_timeout,
            stop_grace=self.stop_timeout / 2,
            stop_timeout=self.stop_timeout / 2,
            probe=None if self.probe == OFF else Probe(*attrs.astuple(self.probe)),
        )

    def admission(self) -> Admission:
        """The admission limits of a channel. Raises `ValueError`."""
        return Admission(self.max_concurrent_starts, self.start_rate)


@attrs.frozen
class BackoffOverride:
    initial: Duration | None = None
    factor: float | None = None
    max: Duration | None = None
    jitter: float | None = None


@attrs.frozen
class ProbeOverride:
    interval: Duration | None = None
    timeout: Duration | None = None
    failures: int | None = None


@attrs.frozen
class PolicyOverride:
    """The fields of the default policy that a channel or an account changes; None: unchanged."""

    restart: str | None = None
    backoff: BackoffOverride | None = None
    stable_after: Duration | None = None
    max_restarts: int | None = None
    window: Duration | None = None
    on_exhausted: str | None = None
    park_interval: Duration | None = None
    start_timeout: Duration | None = None
    stop_timeout: Duration | None = None
    probe: ProbeOverride | Off | None = None
    max_concurrent_starts: int | None = None
    start_rate: Rate | None = None

    def apply_to(self, base: PolicySettings) -> PolicySettings:
        """`base` with these changes."""
        changes = _list_given(self)
        if self.backoff is not None:
            changes["backoff"] = attrs.evolve(base.backoff, **_list_given(self.backoff))
        if isinstance(self.probe, ProbeOverride):
            probe = ProbeSettings() if base.probe == OFF else base.probe
            changes["probe"] = attrs.evolve(probe, **_list_given(self.probe))
        return attrs.evolve(base, **changes)


def _list_given(override: Any) -> dict[str, Any]:
    """The fields that are not None."""
    fields = attrs.asdict(override, recurse=False)
    return {name: value for name, value in fields.items() if value is not None}


@attrs.frozen
class Policies:
    default: PolicySettings = attrs.field(factory=PolicySettings)


@attrs.frozen
class Supervision:
    """The default policy and its overrides by channel; those by account are in the account's declaration.

    `max_children`: the maximum of accounts that one process runs.
    """

    max_children: int = 20_000
    policies: Policies = attrs.field(factory=Policies)
    providers: dict[str, PolicyOverride] = attrs.field(factory=dict)

    def of(self, channel: str, account: PolicyOverride | None = None) -> PolicySettings:
        """The default with the overrides of a channel and of an account."""
        settings = self.policies.default
        for override in (self.providers.get(channel), account):
            settings = settings if override is None else override.apply_to(settings)
        return settings


@attrs.frozen
class PaceOverride:
    """`pace` of a channel or of an account: the limits that differ; `"off"` removes one."""

    account: PaceLimit | None = None
    user: PaceLimit | None = None
    group: PaceLimit | None = None

    def apply_to(self, base: Pace) -> Pace:
        """`base` with these limits."""
        changes = {name: None if limit == OFF else limit for name, limit in _list_given(self).items()}
        return attrs.evolve(base, **changes)


@attrs.frozen
class DeclaredAccount:
    name: Name
    provider: str
    credentials: dict[str, Any] = attrs.field(factory=dict)
    auth_mode: str = "token"
    region: str = "global"
    receive: str | None = None
    take_over: bool = False
    media_fetch: MediaFetch | None = None
    metadata: dict[str, Any] = attrs.field(factory=dict)
    proxy: dict[str, Any] | None = None
    supervision: PolicyOverride | None = None
    pace: PaceOverride | None = None


@attrs.frozen
class Settings:
    """`path` is the file; `directory` is its directory, to which relative paths in the file refer."""

    security: Security
    server: ServerSettings = attrs.field(factory=ServerSettings)
    storage: Storage = attrs.field(factory=Storage)
    media: Media = attrs.field(factory=Media)
    logging: Logging = attrs.field(factory=Logging)
    api: Api = attrs.field(factory=Api)
    metrics: Metrics = attrs.field(factory=Metrics)
    workspace: Workspace = attrs.field(factory=Workspace)
    webhooks: Webhooks = attrs.field(factory=Webhooks)
    api_keys: list[DeclaredKey] = attrs.field(factory=list)
    webhook_endpoints: list[DeclaredEndpoint] = attrs.field(factory=list)
    accounts: list[DeclaredAccount] = attrs.field(factory=list)
    providers: dict[str, Any] = attrs.field(factory=dict)  # channel name -> its endpoints
    # Channel name -> credentials of its app, which stand in `[providers.<channel>]` too.
    apps: dict[str, dict[str, str]] = attrs.field(factory=dict)
    paces: dict[str, PaceOverride] = attrs.field(factory=dict)  # by channel: `[providers.<channel>.pace]`
    supervision: Supervision = attrs.field(factory=Supervision)
    directory: Path = Path()
    path: Path | None = None
    secrets: HeldSecrets = attrs.field(factory=HeldSecrets, eq=False, repr=False)  # blanked in logs

    def paces_of_accounts(self) -> Callable[[Account, Pace], Pace]:
        """The pace of an account from the one that its connection declares: its channel's, then its own
        entry's.
        """
        own = {str(entry.name): entry.pace for entry in self.accounts if entry.pace is not None}

        def pace_of(account: Account, declared: Pace) -> Pace:
            declared_here = own.get(account.name) if account.origin is Origin.FILE else None
            for override in (self.paces.get(account.channel), declared_here):
                declared = declared if override is None else override.apply_to(declared)
            return declared

        return pace_of

    @property
    def database(self) -> Path:
        return self.directory / self.storage.url.removeprefix("sqlite:///")

    @property
    def media_directory(self) -> Path:
        if self.media.directory is not None:
            return self.directory / self.media.directory
        return self.database.with_name(self.database.name + ".media")

    @property
    def socket(self) -> Path:
        """The control socket beside the database."""
        return self.database.with_name(self.database.name + ".sock")

    @property
    def key_ring(self) -> KeyRing:
        return KeyRing.parse(self.security.master_key)

    @property
    def ca_file(self) -> Path | None:
        return None if self.security.ca_file is None else self.directory / self.security.ca_file


CHOICES = {
    "restart": tuple(each.value for each in Restart),
    "on_exhausted": tuple(each.value for each in OnExhausted),
}
_TIMES_AND_COUNTS = (
    "stable_after",
    "max_restarts",
    "window",
    "park_interval",
    "start_timeout",
    "stop_timeout",
)
OF_THE_BUDGET = (
    "max_restarts",
    "window",
    *(f"backoff.{name}" for name in ("initial", "factor", "max", "jitter")),
)


def _under(table: str, problems: list[PolicyProblem]) -> list[PolicyProblem]:
    return [
        attrs.evolve(problem, fields=tuple(f"{table}.{name}" for name in problem.fields))
        for problem in problems
    ]
