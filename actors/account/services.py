"""What every account actor uses of the process it runs in."""

import itertools
import secrets
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from unifyport.fleet.leases import Fleet
from unifyport.model.account import Account
from unifyport.model.send_pace import Pace
from unifyport.net.guard import AddressGuard
from unifyport.process.clock import Clock
from unifyport.providers.contract.counts import Counts
from unifyport.providers.registry import Registry
from unifyport.storage.contract import Store

from ..normalizer import Normalizers

# The pace of an account, from the one that its connection declares.
PaceOf = Callable[[Account, Pace], Pace]


@attrs.define
class Tallies:
    """Counters of accounts, kept by channel because an account may be deleted."""

    incarnations: Counter[str] = attrs.field(factory=Counter)
    commands: Counter[tuple[str, str, str]] = attrs.field(factory=Counter)  # channel, command, outcome
    refused: Counter[tuple[str, str]] = attrs.field(factory=Counter)  # channel, reason: not admitted
    connectors: Counts = attrs.field(factory=Counts)  # what connectors count


@attrs.frozen(kw_only=True)
class LoginPages:
    """Public addresses of a login's pages. The defaults are those of a process without a public address.

    `page_url`: of (account id, token). `callback_url`: where a platform sends the human back to; None
    without `server.public_url`. `new_state`: a state of OAuth that names (account id, number of the login).
    """

    page_url: Callable[[str, str], str] = lambda account_id, token: f"/login/{account_id}.{token}"
    callback_url: str | None = None
    new_state: Callable[[str, int], str] = lambda account_id, login: f"{account_id}.{secrets.token_urlsafe()}"


@attrs.define(kw_only=True)
class Services:
    """Shared by all accounts; built by the composition root."""

    store: Store
    registry: Registry
    fleet: Fleet
    normalizers: Normalizers
    endpoints: Mapping[str, Any]  # channel name -> its attrs class of base URLs
    apps: Mapping[str, Mapping[str, str]] = attrs.field(
        factory=dict
    )  # channel name -> credentials of its app
    ssl_context: ssl.SSLContext
    clock: Clock
    ingress_url: Callable[[Account], str | None]  # where the account's platform calls the gateway
    proxy_guard: AddressGuard
    qr_url: Callable[[str, int, int], str]  # account id, sequence, expiry (unix ms) -> URL of the picture
    login_pages: LoginPages = LoginPages()
    pace_of: PaceOf = lambda account, declared: declared
    tallies: Tallies = attrs.field(factory=Tallies)
    generations: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))

    def now_ms(self) -> int:
        """The wall clock, unix ms."""
        return self.clock.now_ms()

    def steady_ms(self) -> int:
        """The clock of deadlines and of what is stored to be aged, unix ms."""
        return self.clock.steady_ms()
