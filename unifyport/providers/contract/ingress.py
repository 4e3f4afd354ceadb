"""The contract of a connection whose platform calls us: pure functions over one request.

The account in the path supplies the secrets; nothing of a request is parsed before `verify` returned True.
Platforms register one address per *app*: each item of a request goes to the account that it names, but only
if that account's own secrets verify the request too. Then both accounts belong to one app, and a sender
cannot write into an account whose secret it does not know.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from unifyport.model.inbound import ProviderEvent
from unifyport.model.unit import SessionChange

Credentials = Mapping[str, Any]
Headers = Mapping[str, str]  # names in lower case
Query = Mapping[str, str]


@attrs.define
class Addressed:
    """One item of a request. `at` (unix ms) is the item's own time stamp, where it has one.

    `group`: the item is for every account of this group, see `InboundHook.group`; for `identity` if there is
    none. `state`: records of the account's session that are committed with the event, also if it is a repeat:
    what the connector needs of it later and no event may show, such as a token that answers it once. The
    connector itself never writes these records.
    """

    identity: str  # the provider identity that the item is addressed to
    event: ProviderEvent
    raw: bytes
    at: int | None = None
    group: str = ""
    state: list[SessionChange] = attrs.field(factory=list)


@attrs.frozen
class InboundHook:
    """`verify` compares in constant time. `parse` never raises: what it cannot read becomes `Unparsed`. Where
    a request may hold many items it yields each one as soon as it is read, so that the caller can pause
    between them.

    `challenge` answers the platform's check of the address; None refuses it. `limit` bounds a body in bytes,
    `commit_seconds` the wait for the commit: it must be shorter than the platform's own time-out. `group`:
    the group that an account belongs to, such as a business with several numbers. `acknowledge`: the JSON
    that answers a body once it is committed, for platforms that read our answers; empty: an answer without
    a body. `verify_at_any_time`: `verify` without the check of the request's age, for the time while our
    clock is in doubt; None: `verify` checks no age.
    """

    verify: Callable[[Credentials, Headers, bytes], bool]
    parse: Callable[[bytes, str], Iterable[Addressed]]  # body, identity of the account in the path
    challenge: Callable[[Credentials, Query], str | None] | None = None
    limit: int = 1024 * 1024
    commit_seconds: float = 8.0
    group: Callable[[Credentials], str | None] | None = None
    acknowledge: Callable[[bytes], bytes] | None = None
    verify_at_any_time: Callable[[Credentials, Headers, bytes], bool] | None = None
