"""The contract between a connector and its account actor.

A *channel* is a platform. A *connection* is one way of being connected to it (a bot token, a device
session). A *connector* is the class that keeps one connection of one account alive:

1. `login()` presents the credentials and returns who the platform says we are.
2. `receive(link)` reads from the platform until cancelled. It hands what it read to `link.deliver` as a
   `Batch`, and acknowledges it to the platform only after `deliver` has returned: then events *and* state are
   on the disk. If `deliver` raises, nothing was committed and the platform must be left to repeat it. Where
   the platform calls us (`ingress.py`) there is nothing to read: `receive` then watches over the login.
3. `aclose()` lets go of everything; it is always called.

What a connector can do beyond that it declares by inheriting capability classes (`capabilities.py`): the capability
list, 501 answers and the documentation are derived from them. Whatever goes wrong leaves a connector as one of the
failure classes of `errors.py`; anything else counts as its bug.

A connector never writes to the store by another way, never restarts itself, and never repeats a request that
may have been applied. It is constructed anew for each incarnation, from what the store holds.
"""

import enum
import importlib
import re
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from unifyport.model.account import Identity
from unifyport.model.inbound import ProviderEvent
from unifyport.model.message import OutboundMessage
from unifyport.model.proxy import Proxy
from unifyport.model.unit import SessionChange

from .ingress import InboundHook

# -- what a connector is given --------------------------------------------------------------------------------


@attrs.define
class Batch:
    """What was read from the platform, in order, and what reading it changed in the connection's state."""

    events: list[ProviderEvent]
    state: list[SessionChange] = attrs.field(factory=list)
    size: int = 0  # bytes as read, for the bound on what is in flight


class Link(Protocol):
    """The account actor, as its connector sees it."""

    async def deliver(self, batch: Batch) -> None:
        """Return once the batch is durable. Raises when it is not, and will not be: do not acknowledge."""

    def observed(self) -> None:
        """Bytes came from the platform: the connection is alive."""


@attrs.frozen
class ConnectorContext:
    """What a connector is constructed from."""

    credentials: Mapping[str, Any]
    receive: str  # one of the connection's `receive`
    session: Mapping[tuple[str, bytes], bytes]  # connection state as committed: (name, key) -> value
    endpoints: Any  # the channel's attrs class of base URLs and trust anchors
    ssl_context: ssl.SSLContext
    ingress_url: str | None = None  # where the platform reaches this account; None: nobody has said
    proxy: Proxy | None = None  # resolved and checked; no connection may go round it


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
        """Ask the platform for a sign of life of this login, harmlessly. Any answer at all is one: a refusal too.

        Raises a failure class; cancelled after the policy's `probe.timeout`.
        """


# -- what a channel declares ------------------------------------------------------------------------------------


class Inbound(enum.Enum):
    """What the platform does with an event until we acknowledge it."""

    ACKED = "acked"  # keeps it
    REPLAYABLE = "replayable"  # forgets it, but a gap can be fetched
    VOLATILE = "volatile"  # forgets it


@attrs.frozen
class Credential:
    """`pattern` is a regular expression for the whole value; what does not fit never reaches a URL or a header."""

    name: str
    required: bool = True
    pattern: str = r"[!-~]+"

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None


POLL, WEBHOOK = "poll", "webhook"


@attrs.frozen
class ConnectorIn:
    """Where a connector class stands: imported when called, so that a declaration alone loads no shell."""

    module: str
    name: str

    def __call__(self) -> type[Connector]:
        connector: type[Connector] = getattr(importlib.import_module(self.module), self.name)
        return connector


@attrs.frozen(eq=False)
class ConnectionSpec:
    """The declaration of one way to be connected: what it is called, what it needs, and where its connector is.

    `connector` is called by the registry of a gateway alone (`Registry.connector`). `identify` reads from credentials
    which identity they are for, before a login with them.
    """

    auth_mode: str
    connector: Callable[[], type[Connector]]
    credentials: tuple[Credential, ...]
    inbound: Inbound
    identify: Callable[[Mapping[str, Any]], str | None] = lambda credentials: None
    receive: tuple[str, ...] = (POLL,)  # the first is the default
    probed: tuple[str, ...] = ()  # of `receive`: those that hold a link which can die silently
    ingress: InboundHook | None = None  # how the platform calls us, where `receive` may be `webhook`
    # Raises `Rejected` for what can only be refused. Asked once, when a file of it is unknown yet (no path, no size).
    check: Callable[[OutboundMessage], object] = lambda message: None
    conversation_types: tuple[str, ...] = ("user", "group", "channel")
    canonical: Callable[[str], str] = lambda conversation_id: conversation_id  # as events have it
    max_text: int | None = None  # characters of a text message
    max_download: int | None = None  # bytes of a file that the platform lets us fetch
    max_upload: Mapping[str, int] = attrs.field(factory=dict)  # bytes of a file to send, by its type
    sandbox: str | None = None  # `module:Class` of the local platform that speaks its wire protocols


@attrs.frozen
class Channel:
    """A platform. `endpoints` is an attrs class whose defaults are the production values."""

    name: str
    endpoints: type
    connections: Sequence[ConnectionSpec]
    aliases: tuple[str, ...] = ()

    def connection(self, auth_mode: str) -> ConnectionSpec | None:
        return next((known for known in self.connections if known.auth_mode == auth_mode), None)
