"""The contract between a connector and its account actor.

A *channel* is a platform. A *connection* is one way of being connected to it (a bot token, a device
session). A *connector* is the class that keeps one connection of one account alive:

1. `login()` presents the credentials and returns the identity that the platform reports.
2. `receive(link)` reads from the platform until cancelled. It passes what it read to `link.deliver` as a
   `Batch`, and acknowledges it to the platform only after `deliver` has returned: then events *and* state are
   on the disk. If `deliver` raises, nothing was committed: do not acknowledge, so that the platform repeats
   it. Where the platform calls us (`ingress.py`) there is nothing to read: `receive` then checks the login
   from time to time.
3. `aclose()` closes everything; it is always called.

A connector declares what else it can do by inheriting capability classes (`capabilities.py`): the capability
list, 501 answers and the documentation are derived from them. Every failure leaves a connector as one of the
failure classes of `errors.py`; any other exception counts as a bug of the connector.

A connector has no other way to write to the store, never restarts itself, and never repeats a request that
may have been applied. It is constructed anew for each incarnation, from what the store holds.
"""

import enum
import importlib
import re
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import attrs

from unifyport.model.account import Identity
from unifyport.model.inbound import ProviderEvent
from unifyport.model.message import OutboundMessage
from unifyport.model.phone import is_phone, to_e164
from unifyport.model.proxy import Proxy
from unifyport.model.send_pace import UNPACED, Pace
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.process.redaction import ShortLivedSecrets

from .counts import Counts
from .fields import NamedFile, ProviderField
from .ingress import InboundHook
from .session import Session

# -- what a connector is given -------------------------------------------------------------------------------


@attrs.define
class Batch:
    """Events read from the platform, in order, and the session changes that reading them made."""

    events: list[ProviderEvent]
    state: list[SessionChange] = attrs.field(factory=list)
    size: int = 0  # bytes as read; counts against the bound on bytes in flight


class Link(Protocol):
    """The account actor, as its connector sees it."""

    async def deliver(self, batch: Batch) -> None:
        """Return once the batch is durable. Raises if it will not be committed: then do not acknowledge."""

    def observed(self) -> None:
        """Report that the platform sent something: the connection is alive."""


@attrs.frozen
class ConnectorContext:
    """What a connector is constructed from."""

    credentials: Mapping[str, Any]
    receive: str  # how events arrive: `poll` or `webhook`, one of `ConnectionSpec.receive`
    session: Session  # the durable state of the connection
    endpoints: Any  # the channel's attrs class of base URLs and trust anchors
    ssl_context: ssl.SSLContext
    ingress_url: str | None = None  # URL of this account's webhook; None: `public_url` is not configured
    # What others claimed at the platform, such as a webhook, is theirs: a connector that needs it raises
    # `Conflict`, unless the operator has set this.
    take_over: bool = False
    proxy: Proxy | None = None  # resolved and checked; every connection must use it
    secrets: ShortLivedSecrets = attrs.field(factory=ShortLivedSecrets)  # of the account: blanked in logs
    clock: Clock = attrs.field(factory=Clock)  # while it is in doubt, nothing is too old
    wanted: frozenset[str] = frozenset()  # of `ConnectionSpec.on_request`, what the account has asked for
    counts: Counts = attrs.field(factory=Counts)
    former: Session | None = None  # of a login: the session that it will replace, to read from
    guesses_left: int | None = None  # of a login: what the last wrong passcode has left; None: not known


class Connector(Protocol):
    def __init__(self, context: ConnectorContext) -> None: ...

    async def login(self) -> Identity:
        """Present the credentials. Raises a failure class; `LoggedOut` when they are refused."""

    async def receive(self, link: Link) -> None:
        """Read until cancelled. Raises a failure class when the connection is lost."""

    async def aclose(self) -> None:
        """Close everything, also while being cancelled."""


class AnswersProbes(ABC):
    @abstractmethod
    async def probe(self) -> None:
        """Send the platform a harmless request of this login. Any answer counts, a refusal too.

        Raises a failure class; cancelled after the policy's `probe.timeout`.
        """


class KeepsTokens(ABC):
    """A connector whose access tokens expire."""

    @abstractmethod
    async def keep_fresh(self) -> None:
        """Refresh the tokens ahead of their expiry, also while the account is idle; run until cancelled.

        Called once after `login`, beside `receive`; usually `await self._tokens.keep_fresh()` of
        `oauth.OAuthTokens`. What it raises ends the connection: `LoggedOut` for tokens that are dead.
        """


class SettlesEchoes(ABC):
    """A connector whose platform reports our own sends to a webhook, perhaps before it answers them."""

    @abstractmethod
    async def settle(self, events: list[ProviderEvent]) -> tuple[list[ProviderEvent], list[SessionChange]]:
        """What is to be committed of a request's events: with `Ignored`, or the end of a send, in place of
        its echo, and the session changes that belong to that.

        May wait for sends in progress, for less than the hook's `commit_seconds`. Cancelled: the platform is
        told to repeat the request.
        """


# -- what a channel declares ---------------------------------------------------------------------------------


class Inbound(enum.Enum):
    """What the platform does with an event until we acknowledge it."""

    ACKED = "acked"  # keeps and repeats it
    REPLAYABLE = "replayable"  # does not repeat it, but a gap can be fetched
    VOLATILE = "volatile"  # drops it


@attrs.frozen
class Credential:
    """`pattern` must match the whole value; a value that does not match never reaches a URL or a header.

    `app`: it belongs to the app that is registered at the platform. An account that does not give it has the
    value of `[providers.<channel>]`. `granted`: it comes of a human's consent, which an account without it
    asks for.
    """

    name: str
    required: bool = True
    pattern: str = r"[!-~]+"
    app: bool = attrs.field(default=False, kw_only=True)
    granted: bool = attrs.field(default=False, kw_only=True)

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None

    @property
    def complaint(self) -> str:
        """What is said of a value that is not accepted, without the value."""
        return f"is not a valid {self.name}"


@attrs.frozen
class PhoneCredential(Credential):
    """A phone number with its country code, in any spelling. `read` gives it in E.164."""

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and is_phone(value)

    @property
    def complaint(self) -> str:
        return "is not a phone number with its country code"

    def read(self, credentials: Mapping[str, Any]) -> str | None:
        """The number in E.164; None if there is none. Also an `identify`."""
        value = credentials.get(self.name)
        return to_e164(value) if isinstance(value, str) and is_phone(value) else None


TOKEN = "token"  # noqa: S105 (an auth mode, not a secret)
POLL, WEBHOOK = "poll", "webhook"
ON = "on"
Receipt = Literal["sent", "delivered", "read"]
SENT: Receipt = "sent"
DELIVERED: Receipt = "delivered"
READ: Receipt = "read"
OTHER_CALLS = 4  # connections of a client beside those of `parallel_sends`: receiving, probes, look-ups


@attrs.frozen
class ConnectorIn:
    """The import path of a connector class. Calling it imports the module; the declaration alone does not."""

    module: str
    name: str

    def __call__(self) -> type[Connector]:
        connector: type[Connector] = getattr(importlib.import_module(self.module), self.name)
        return connector


@attrs.frozen(eq=False)
class ConnectionSpec:
    """The declaration of a connection: its name, the credentials it needs, its limits and its connector.

    Only `Registry.connector` calls `connector`. `identify` reads the provider identity from credentials,
    before any login with them; None if they do not contain it. `name`: what people call it, where the channel
    has another connection of the same auth mode (see `Channel.connection`).
    """

    auth_mode: str
    connector: Callable[[], type[Connector]]
    credentials: tuple[Credential, ...]
    inbound: Inbound
    identify: Callable[[Mapping[str, Any]], str | None] = lambda credentials: None
    receive: tuple[str, ...] = (POLL,)  # the first is the default
    probed: tuple[str, ...] = ()  # values of `receive` whose connection can die silently
    https_webhook: bool = False  # the platform refuses to register a webhook at an http URL
    ingress: InboundHook | None = None  # required if `receive` contains `webhook`
    # Returns the rendered message. Raises `Rejected` for a message that the platform would refuse. Called
    # once per send, before a file is fetched: `path` and `size` are not set yet.
    check: Callable[[OutboundMessage], object] = lambda message: None
    provider_data: tuple[ProviderField, ...] = ()  # of a send, beside `COMMON_FIELDS`
    # The files that `provider_data` of a message names, which `check` has taken.
    named_files: Callable[[OutboundMessage], list[NamedFile]] = lambda message: []
    mentions: bool = False  # `mentions` of a send have an effect
    conversation_types: tuple[str, ...] = ("user", "group", "channel")
    canonical: Callable[[str], str] = lambda conversation_id: conversation_id  # the form that events use
    max_text: int | None = None  # characters of a text message
    max_download: int | None = None  # bytes of a file that can be downloaded
    max_upload: Mapping[str, int] = attrs.field(factory=dict)  # bytes of a file to send, by message type
    # How long after a customer's last message one may write freely; None: at any time. Some platforms take
    # templates outside it.
    window_hours: int | None = None
    can_start_conversation: bool = True  # whether one may write to a customer who has not written first
    receipts: tuple[Receipt, ...] = ()  # what the platform tells of a sent message
    takes_urls: bool = False  # the platform fetches files to send itself, from `OutboundMedia.url`
    parallel_sends: int = 4  # commands that may be in progress at a time
    mark_read_needs_message: bool = False  # the platform cannot mark a conversation without a message id
    typing_needs_message: bool = False  # the platform shows typing as an answer to a message only
    marks_sending: bool = False  # its connector calls `Session.sending` in the middle of each send
    pace: Pace = UNPACED  # limits that the platform publishes; the configuration may set others
    sockets: int = 2  # that a connected account keeps open
    experimental: bool = False  # the platform offers no such API; nobody can prove it offline
    sandbox: str | None = None  # `module:Class` of the local platform for the sandbox
    name: str = ""
    # What is told only to an account whose `metadata` has this name with the value `on`. A change of that
    # ends the connection, and the next one knows it.
    on_request: tuple[str, ...] = ()

    def wanted(self, metadata: Mapping[str, Any]) -> frozenset[str]:
        """What an account with this metadata has asked for."""
        return frozenset(name for name in self.on_request if metadata.get(name) == ON)

    def with_app(self, credentials: Mapping[str, Any], app: Mapping[str, str]) -> Mapping[str, Any]:
        """`credentials` of an account, and those of `app` that it lacks and that this connection takes."""
        lacking = [
            each.name
            for each in self.credentials
            if each.app and each.name in app and credentials.get(each.name) is None
        ]
        return {**credentials, **{name: app[name] for name in lacking}} if lacking else credentials

    def has_token(self, credentials: Mapping[str, Any]) -> bool:
        """Whether an account with these credentials connects by its token, without a human.

        Of a connection with auth mode `token` it brings all credentials that are required or granted, but for
        those of the app; all that are declared, optional ones too, where none is declared as granted.
        """
        own = [each for each in self.credentials if not each.app]
        granted = any(each.granted for each in own)
        names = [each.name for each in own if each.required or each.granted or not granted]
        return self.auth_mode == TOKEN and bool(names) and all(credentials.get(name) for name in names)


@attrs.frozen
class Channel:
    """A platform. `endpoints` is an attrs class whose defaults are the production values."""

    name: str
    endpoints: type
    connections: Sequence[ConnectionSpec]
    aliases: tuple[str, ...] = ()

    def connection(self, auth_mode: str, credentials: Mapping[str, Any]) -> ConnectionSpec | None:
        """The connection that an account with these credentials has; None: there is none, or no single one.

        Where several have this auth mode, it is the one that a credential names which no other of them has;
        if there is no such credential, the one that needs no others than the app's.
        """
        known = self.connections_of(auth_mode)
        if len(known) < 2:
            return known[0] if known else None
        names = [{each.name for each in spec.credentials} for spec in known]
        found = [
            spec
            for place, spec in enumerate(known)
            if any(
                name in credentials and credentials[name] is not None
                for name in names[place].difference(*names[:place], *names[place + 1 :])
            )
        ]
        if not found:
            found = [
                spec
                for spec in known
                if all(
                    each.app or not each.required or credentials.get(each.name) for each in spec.credentials
                )
            ]
        return found[0] if len(found) == 1 else None

    def connections_of(self, auth_mode: str) -> list[ConnectionSpec]:
        return [known for known in self.connections if known.auth_mode == auth_mode]

    def app_credentials(self) -> dict[str, Credential]:
        """By name: what `[providers.<channel>]` may hold beside the fields of `endpoints`.

        Connections that share a name share the app.
        """
        return {each.name: each for spec in self.connections for each in spec.credentials if each.app}
