"""Bringing the running state to what the file declares.

A declared object is known by its name. It is created when it is new and replaced when its declaration has
changed since it was last applied (a digest says so); what only the API knows is never touched. An object that
has left the file is not deleted: an endpoint becomes inactive and keeps its debt, an account is stopped and
keeps its login. Deleting is a decision of its own.
"""

import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import msgspec

from unifyport.model.account import ACTIVE, Account, AuthStatus, Origin
from unifyport.model.ids import new_id
from unifyport.model.proxy import Proxy
from unifyport.model.structuring import Problems
from unifyport.model.webhook import ENDPOINT_ACTIVE, ENDPOINT_INACTIVE, WebhookEndpoint
from unifyport.net.guard import AddressGuard, UrlNotAllowed
from unifyport.providers.registry import Registry
from unifyport.settings import DeclaredAccount, DeclaredEndpoint, Settings
from unifyport.storage.base import (
    ApiKey,
    DeleteApiKey,
    PutAccount,
    PutApiKey,
    PutEndpoint,
    PutWorkspace,
    Refused,
    Result,
    Store,
    Write,
)
from unifyport.storage.sealing import KeyRing

log = logging.getLogger("unifyport.declared")

Commit = Callable[[Sequence[Write]], Awaitable[list[Result]]]


def hash_key(key: str) -> bytes:
    """What is stored of an API key."""
    return hashlib.sha256(key.encode()).digest()


def new_key(prefix: str) -> str:
    """An API key: `<prefix>_` and 256 random bits."""
    return f"{prefix}_{secrets.token_hex(32)}"


async def reconcile(
    settings: Settings, registry: Registry, guard: AddressGuard, store: Store, commit: Commit, now_ms: int
) -> None:
    """Apply the file. Raises `Problems` for what only shows now (an address that is not allowed, a duplicate)."""
    ring = settings.key_ring
    for endpoint in settings.webhook_endpoints:
        try:
            await guard.vet(endpoint.url)
        except UrlNotAllowed as error:
            raise Problems([f"webhook endpoint {endpoint.name!r}: url: {error}"]) from None
    writes = [
        *await _workspace(settings, store),
        *await _keys(settings, store, now_ms),
        *await _endpoints(settings.webhook_endpoints, ring, store),
        *await _accounts(settings.accounts, ring, registry, store, now_ms),
    ]
    results = await commit(writes) if writes else []
    problems = [
        f"{_name(write)}: {result.reason}"
        for write, result in zip(writes, results, strict=True)
        if isinstance(result, Refused)
    ]
    if problems:
        raise Problems(problems)


async def _workspace(settings: Settings, store: Store) -> list[Write]:
    name = settings.workspace.name
    known = await store.workspace()
    if name is None or name == known.name:
        return []
    return [PutWorkspace(name, known.status, known.metadata)]


async def _keys(settings: Settings, store: Store, now_ms: int) -> list[Write]:
    known = {key.name: key for key in await store.api_keys() if key.origin == Origin.FILE}
    writes: list[Write] = []
    for declared in settings.api_keys:
        old, hashed = known.pop(declared.name, None), hash_key(declared.key)
        if old is None:
            writes.append(
                PutApiKey(
                    ApiKey(new_id("ak"), declared.name, "file", hashed, created_at=now_ms, origin=Origin.FILE)
                )
            )
        elif old.hash != hashed:
            writes.append(PutApiKey(attrs.evolve(old, hash=hashed)))
    return writes + [DeleteApiKey(key.id) for key in known.values()]


async def _endpoints(declared: list[DeclaredEndpoint], ring: KeyRing, store: Store) -> list[Write]:
    known = {e.name: e for e in await store.endpoints() if e.origin is Origin.FILE and e.name is not None}
    writes: list[Write] = []
    for entry in declared:
        digest = _digest(ring, attrs.asdict(entry))
        old = known.pop(entry.name, None)
        if old is not None and old.digest == digest and old.status != ENDPOINT_INACTIVE:
            continue
        base = old if old is not None else WebhookEndpoint(new_id("we"), entry.url, origin=Origin.FILE)
        writes.append(
            PutEndpoint(
                attrs.evolve(
                    base,
                    name=entry.name,
                    url=entry.url,
                    status=ENDPOINT_ACTIVE,
                    reason=None,
                    failing_since=None,
                    subscribed_events=entry.subscribed_events,
                    secret=entry.signing_secret,
                    retry_policy=entry.retry_policy,
                    digest=digest,
                )
            )
        )
    for orphan in known.values():
        if orphan.status == ENDPOINT_ACTIVE:
            log.warning("webhook endpoint %r left the file: inactive, its debt is kept", orphan.name)
            writes.append(PutEndpoint(attrs.evolve(orphan, status=ENDPOINT_INACTIVE)))
    return writes


async def _accounts(
    declared: list[DeclaredAccount], ring: KeyRing, registry: Registry, store: Store, now_ms: int
) -> list[Write]:
    known = {account.name: account for account in await store.accounts() if account.origin is Origin.FILE}
    writes: list[Write] = []
    for entry in declared:
        digest = _digest(ring, attrs.asdict(entry))
        old = known.pop(entry.name, None)
        if old is None or old.digest != digest or old.status != ACTIVE:
            writes.append(PutAccount(_account(entry, old, registry, digest, now_ms)))
    for orphan in known.values():
        if orphan.status == ACTIVE:
            log.warning("account %r left the file: stopped, its login is kept", orphan.name)
            writes.append(PutAccount(attrs.evolve(orphan, status="inactive", updated_at=now_ms)))
    return writes


def _account(
    entry: DeclaredAccount, old: Account | None, registry: Registry, digest: str, now_ms: int
) -> Account:
    channel = registry.find(entry.provider)
    assert channel is not None, "the settings were checked"
    connection = channel.connection(entry.auth_mode)
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
        provider=entry.provider,
        channel=channel.name,
        region=entry.region,
        auth_mode=entry.auth_mode,
        status=ACTIVE,
        metadata=entry.metadata,
        credentials=entry.credentials,
        receive=entry.receive or connection.receive[0],
        proxy=None if entry.proxy is None else Proxy.parse(entry.proxy),
        digest=digest,
        updated_at=now_ms,
    )
    return with_new_login(account) if entry.credentials != base.credentials else account


def with_new_login(account: Account) -> Account:
    """The account after its credentials changed: what an earlier login came to no longer counts."""
    return attrs.evolve(
        account,
        auth_status=AuthStatus.PENDING_AUTH,
        last_error=None,
        terminal=None,
        not_before=None,
        provider_account_ref=None,
        profile={},
        login=account.login + 1,
    )


def _digest(ring: KeyRing, declaration: dict[str, Any]) -> str:
    """A MAC and not a hash: a declaration holds secrets, and short secrets could be guessed from a hash."""
    return ring.mac("digest", msgspec.json.encode(declaration, order="deterministic")).hex()


def _name(write: Write) -> str:
    match write:
        case PutAccount(account=account):
            return f"account {account.name!r}"
        case PutEndpoint(endpoint=endpoint):
            return f"webhook endpoint {endpoint.name!r}"
    return type(write).__name__
