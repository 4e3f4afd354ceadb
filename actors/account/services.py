"""What every account actor uses of the process it runs in."""

import itertools
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from unifyport.fleet.leases import Fleet
from unifyport.model.account import Account
from unifyport.model.send_pace import Pace
from unifyport.net.guard import AddressGuard
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


@attrs.define(kw_only=True)
class Services:
    """Shared by all accounts; built by the composition root."""

    store: Store
    registry: Registry
    fleet: Fleet
    normalizers: Normalizers
    endpoints: Mapping[str, Any]  # channel name -> its attrs class of base URLs
    ssl_context: ssl.SSLContext
    now_ms: Callable[[], int]
    ingress_url: Callable[[Account], str | None]  # where the account's platform calls the gateway
    proxy_guard: AddressGuard
    qr_url: Callable[[str, int, int], str]  # account id, sequence, expiry (unix ms) -> URL of the picture
    pace_of: PaceOf = lambda account, declared: declared
    tallies: Tallies = attrs.field(factory=Tallies)
    generations: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))
