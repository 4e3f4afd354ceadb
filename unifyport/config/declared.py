"""Compares what the file declares with what is stored, and makes the writes that remove the differences.

A declared object is identified by its name. It is created when it is new, and replaced when the digest of its
declaration differs from the stored one. Objects made through the API are never touched. An object that is no
longer in the file is not deleted: an endpoint becomes inactive and keeps its debt, an account is stopped and
keeps its login. They are deleted only with `prune`.
"""

import enum
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import attrs
import msgspec
import trio

from unifyport.config.settings import DeclaredAccount, Mistake, Settings
from unifyport.model.account import ACTIVE, Account, AuthStatus, Origin
from unifyport.model.ids import new_id
from unifyport.model.proxy import Proxy
from unifyport.model.structuring import Problems
from unifyport.model.texts import as_name
from unifyport.model.webhook import ENDPOINT_ACTIVE, ENDPOINT_INACTIVE, WebhookEndpoint
from unifyport.net.guard import AddressGuard, UrlNotAllowed
from unifyport.process.clock import Moment
from unifyport.providers.registry import Registry
from unifyport.storage.contract import (
    ApiKey,
    Declaration,
    DeleteApiKey,
    DeleteEndpoint,
    PutAccount,
    PutApiKey,
    PutEndpoint,
    PutWorkspace,
    Refused,
    Store,
    Together,
)
from unifyport.storage.sealing import KeyRing


def hash_key(key: str) -> bytes:
    """The SHA-256 of an API key; the store holds only this."""
    return hashlib.sha256(key.encode()).digest()


def new_key(prefix: str) -> str:
    """An API key: `<prefix>_` and 256 random bits."""
    return f"{prefix}_{secrets.token_hex(32)}"


class Action(enum.StrEnum):
    CREATE = "create"
    UPDATE = "update"
    STOP = "stop"  # no longer in the file
    REMOVE = "remove"


VET_SECONDS = 10.0
LEFT_THE_FILE = "left_the_file"  # why an endpoint is inactive

Kind = Literal["workspace", "api_key", "webhook_endpoint", "account"]


@attrs.frozen
class Difference:
    """One object that differs from the file. `fields` are names without values, which may be secrets."""

    kind: Kind
    name: str
    action: Action
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        changed = f" ({', '.join(self.fields)})" if self.fields else ""
        return f"{self.kind.replace('_', ' ')} {self.name!r}: {self.action}{changed}"


@attrs.define
class Plan:
    """The differences, each with its write, and the accounts and endpoints that are no longer in the file."""

    steps: list[tuple[Difference, Declaration]] = attrs.field(factory=list)
    left_accounts: list[Account] = attrs.field(factory=list)
    left_endpoints: list[WebhookEndpoint] = attrs.field(factory=list)

    @property
    def differences(self) -> list[Difference]:
        return [difference for difference, _ in self.steps]

    @property
    def write(self) -> Together:
        return Together([write for _, write in self.steps])

    def add(
        self, kind: Kind, name: str, action: Action, write: Declaration, *, fields: Iterable[str] = ()
    ) -> None:
        self.steps.append((Difference(kind, name, action, tuple(fields)), write))

    def refused(self, refused: Refused) -> Problems:
        """The store's refusal of `write`, as a problem of the object that was refused."""
        difference, _ = self.steps[refused.place]
        return Problems([f"{difference.kind.replace('_', ' ')} {difference.name!r}: {refused.reason}"])


@attrs.define
class Report:
    """What a reload changed, or with `dry_run` would change."""

    plan: Plan
    options: list[str]  # changed, and in force
    needs_restart: list[str]  # changed, but read only at the start
    policies_changed: int  # accounts whose supervision policy changed
    not_removed: list[str] = attrs.field(factory=list)  # accounts whose deletion failed

    @property
    def left(self) -> list[str]:
        """Objects that are no longer in the file and are still stored."""
        removed = {(d.kind, d.name) for d in self.plan.differences if d.action is Action.REMOVE}
        removed -= {("account", name) for name in self.not_removed}
        kept = [("account", account.name) for account in self.plan.left_accounts]
        kept += [("webhook_endpoint", endpoint.name or endpoint.id) for endpoint in self.plan.left_endpoints]
        return [f"{kind.replace('_', ' ')} {name!r}" for kind, name in kept if (kind, name) not in removed]

    @property
    def lines(self) -> list[str]:
        """The report as text, one line for each change."""
        lines = [str(difference) for difference in self.plan.differences]
        lines += [f"{name}: changed" for name in self.options]
        if self.policies_changed:
            lines.append(f"supervision of {self.policies_changed} running accounts: changed")
        lines += [f"{name}: changed, needs a restart" for name in self.needs_restart]
        return lines or ["nothing is different"]


@attrs.frozen
class Vetted:
    """`refused`: in the order of the endpoints in the file. `unresolved`: names of endpoints."""

    refused: list[Mistake]
    unresolved: set[str]


async def vet(settings: Settings, guard: AddressGuard) -> Vetted:
    """Look up the names in the endpoint URLs of the file, side by side.

    An https URL whose name is not known, or not within `VET_SECONDS`, is not refused.
    """
    found: dict[int, str] = {}
    unresolved = {str(endpoint.name) for endpoint in settings.webhook_endpoints}

    async def look_up(place: int, url: str) -> None:
        try:
            resolves = await guard.vet(url)
        except UrlNotAllowed as error:
            found[place], resolves = str(error), True
        if resolves:
            unresolved.discard(settings.webhook_endpoints[place].name)

    with trio.move_on_after(VET_SECONDS):
        async with trio.open_nursery() as nursery:
            for place, endpoint in enumerate(settings.webhook_endpoints):
                nursery.start_soon(look_up, place, endpoint.url)
    refused = [Mistake(("webhook_endpoints", place, "url"), found[place]) for place in sorted(found)]
    return Vetted(refused, unresolved)


async def plan(
    settings: Settings,
    registry: Registry,
    store: Store,
    now: Moment,
    *,
    running: Callable[[Account], bool] = lambda stored: True,
    prune: bool = False,
) -> Plan:
    """Compare the file with the store.

    `running`: whether an account runs as it is stored; an account that does not is written again. `prune`:
    remove what is no longer in the file; the plan only stops such accounts, the caller deletes them. Raises
    `Problems` for a change that is not possible.
    """
    made = Plan()
    await _plan_workspace(made, settings, store)
    await _plan_keys(made, settings, store, now.wall)
    await _plan_endpoints(made, settings, store, now.steady)
    _plan_accounts(
        made, settings, registry=registry, stored=await store.accounts(), now_ms=now.wall, running=running
    )
    _plan_left(made, now.wall, running, prune=prune)
    return made


async def _plan_workspace(made: Plan, settings: Settings, store: Store) -> None:
    name = settings.workspace.name
    known = await store.workspace()
    if name is not None and name != known.name:
        write = PutWorkspace(name)
        made.add("workspace", name, Action.UPDATE, write, fields=["name"])


async def _plan_keys(made: Plan, settings: Settings, store: Store, now_ms: int) -> None:
    """A key is identified by its value, so it can be renamed, else by its name, so it can be rotated."""
    known = {key.hash: key for key in await store.api_keys() if key.origin == Origin.FILE}
    hashes = {hash_key(declared.key) for declared in settings.api_keys}
    stale = {as_name(key.name): key for key in known.values() if key.hash not in hashes}
    steps: list[tuple[str, Action, PutApiKey, list[str]]] = []
    for declared in settings.api_keys:
        name, hashed = str(declared.name), hash_key(declared.key)
        old = known.get(hashed)
        if old is not None and old.name != name:
            steps.append((name, Action.UPDATE, PutApiKey(attrs.evolve(old, name=name)), ["name"]))
        elif old is None and (rotated := stale.pop(name, None)) is not None:
            steps.append(
                (name, Action.UPDATE, PutApiKey(attrs.evolve(rotated, name=name, hash=hashed)), ["key"])
            )
        elif old is None:
            key = ApiKey(new_id("ak"), name, "file", hashed, created_at=now_ms, origin=Origin.FILE)
            steps.append((name, Action.CREATE, PutApiKey(key), []))
    for key in stale.values():
        made.add("api_key", key.name, Action.REMOVE, DeleteApiKey(key.id))
    for name, action, write, fields in steps:
        made.add("api_key", name, action, write, fields=fields)


async def _plan_endpoints(made: Plan, settings: Settings, store: Store, now: int) -> None:
    kind: Kind = "webhook_endpoint"
    ring, defaults = settings.key_ring, settings.webhooks.defaults
    known: dict[str | None, WebhookEndpoint] = {
        as_name(e.name): e for e in await store.endpoints() if e.origin is Origin.FILE and e.name is not None
    }
    for entry in settings.webhook_endpoints:
        # The digest does not cover names: a rename alone changes nothing else, not even a pause.
        digest = _compute_digest(ring, {**attrs.asdict(entry), "name": None, "renamed_from": None})
        old = known.pop(entry.name, None) or known.pop(entry.renamed_from, None)
        if old is not None and old.digest == digest and old.reason != LEFT_THE_FILE:
            if old.name != entry.name:
                renamed = PutEndpoint(attrs.evolve(old, name=entry.name))
                made.add(kind, entry.name, Action.UPDATE, renamed, fields=["name"])
            continue  # the operator may have paused or resumed it through the API: that stays
        base = old if old is not None else WebhookEndpoint(new_id("we"), entry.url, origin=Origin.FILE)
        endpoint = attrs.evolve(
            base,
            name=entry.name,
            url=entry.url,
            status=entry.status,
            reason=None,
            failing_since=None,
            subscribed_events=entry.subscribed_events,
            retry_policy=entry.retry_policy,
            delivery=entry.delivery,
            digest=digest,
        )
        _, policy = endpoint.policies(defaults)
        endpoint = endpoint.with_secrets(
            entry.signing_secret, entry.previous_signing_secret, policy.secret_overlap, now
        )
        if old is None:
            made.add(kind, entry.name, Action.CREATE, PutEndpoint(endpoint))
        else:
            fields = _list_changes(old, endpoint, _OF_AN_ENDPOINT)
            made.add(kind, entry.name, Action.UPDATE, PutEndpoint(endpoint), fields=fields)
    made.left_endpoints += known.values()


def _plan_accounts(
    made: Plan,
    settings: Settings,
    *,
    registry: Registry,
    stored: Iterable[Account],
    now_ms: int,
    running: Callable[[Account], bool],
) -> None:
    ring = settings.key_ring
    known = {as_name(account.name): account for account in stored if account.origin is Origin.FILE}
    problems = []
    for entry in settings.accounts:
        digest = _compute_digest(ring, attrs.asdict(entry))
        old = known.pop(entry.name, None)
        if old is not None and old.provider != entry.provider:
            problems.append(
                f"account {entry.name!r}: provider cannot be changed from {old.provider} to {entry.provider};"
                " use another name"
            )
        elif old is None:
            new = PutAccount(_make_account(entry, None, registry, digest=digest, now_ms=now_ms))
            made.add("account", entry.name, Action.CREATE, new)
        elif old.digest != digest or old.status != ACTIVE or not running(old):
            account = _make_account(entry, old, registry, digest=digest, now_ms=now_ms)
            fields = _list_changes(old, account, _OF_AN_ACCOUNT) or ["supervision"]
            write = PutAccount(account, declared=True, new_login=account.login != old.login)
            made.add("account", entry.name, Action.UPDATE, write, fields=fields)
    if problems:
        raise Problems(problems)
    made.left_accounts += known.values()


def _plan_left(made: Plan, now_ms: int, running: Callable[[Account], bool], *, prune: bool) -> None:
    """Stop, or with `prune` remove, what is no longer in the file."""
    for endpoint in made.left_endpoints:
        name = endpoint.name or endpoint.id
        if prune:
            made.add("webhook_endpoint", name, Action.REMOVE, DeleteEndpoint(endpoint.id))
        elif endpoint.status == ENDPOINT_ACTIVE:
            left = attrs.evolve(endpoint, status=ENDPOINT_INACTIVE, reason=LEFT_THE_FILE)
            made.add("webhook_endpoint", name, Action.STOP, PutEndpoint(left))
    for account in made.left_accounts:
        stopped = PutAccount(attrs.evolve(account, status="inactive", updated_at=now_ms), declared=True)
        if prune:
            made.add("account", account.name, Action.REMOVE, stopped)
        elif account.status == ACTIVE or not running(account):
            made.add("account", account.name, Action.STOP, stopped)


_OF_AN_ENDPOINT = {
    name: name for name in ("name", "url", "status", "subscribed_events", "retry_policy", "delivery")
} | {"secret": "signing_secret", "previous_secret": "previous_signing_secret"}
_OF_AN_ACCOUNT = {
    name: name
    for name in (
        *("region", "auth_mode", "status", "metadata", "credentials", "receive", "take_over", "media_fetch"),
        "proxy",
    )
}


def _list_changes(old: object, new: object, names: Mapping[str, str]) -> list[str]:
    """The fields that differ, by their names in the file."""
    return [shown for name, shown in names.items() if getattr(old, name) != getattr(new, name)]


def _make_account(
    entry: DeclaredAccount, old: Account | None, registry: Registry, *, digest: str, now_ms: int
) -> Account:
    channel = registry.find_channel(entry.provider)
    assert channel is not None, "the settings were checked"
    connection = channel.connection(entry.auth_mode, entry.credentials)
    assert connection is not None, "the settings were checked"
    base = old
    if base is None:
        base = Account(
            new_id("acct"),
            entry.name,
            entry.provider,
            channel.name,
            entry.region,
            entry.auth_mode,
            origin=Origin.FILE,
            created_at=now_ms,
        )
    account = attrs.evolve(
        base,
        name=entry.name,  # another spelling of the same
        provider=entry.provider,
        channel=channel.name,
        region=entry.region,
        auth_mode=entry.auth_mode,
        status=ACTIVE,
        metadata=entry.metadata,
        credentials=entry.credentials,
        receive=entry.receive or connection.receive[0],
        take_over=entry.take_over,
        media_fetch=entry.media_fetch or "",
        proxy=None if entry.proxy is None else Proxy.parse(entry.proxy),
        digest=digest,
        updated_at=now_ms,
    )
    return with_new_login(account) if entry.credentials != base.credentials else account


def with_new_login(account: Account) -> Account:
    """The account after its credentials changed: counts `login` up and clears the state of the last login."""
    return attrs.evolve(
        account,
        auth_status=AuthStatus.PENDING_AUTH,
        last_error=None,
        terminal=None,
        not_before=None,
        provider_account_ref=None,
        profile={},
        auth_payload={},
        auth_expires_at=None,
        login=account.login + 1,
    )


def _compute_digest(ring: KeyRing, declaration: dict[str, Any]) -> str:
    """A MAC and not a hash: a declaration holds secrets, and short secrets could be guessed from a hash."""
    return ring.mac("digest", msgspec.json.encode(declaration, order="deterministic")).hex()
