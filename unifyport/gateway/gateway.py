"""The gateway as its HTTP front sees it: values in, values out, and no actor object but these doors."""

import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import attrs
import trio

from actors.accounts import Accounts
from actors.delivery import Deliveries
from actors.normalizer import Normalizers
from actors.reply import Failed
from actors.writer import OutcomeUnknown, Writer
from supervisors import Node
from unifyport.config.declared import Report
from unifyport.config.settings import Settings
from unifyport.delivery.client import NewClient
from unifyport.files.incoming import MediaCache, MediaLinks
from unifyport.files.outgoing import OutgoingFiles
from unifyport.fleet.doorbells import ENDPOINTS_TOPIC, EVENTS_TOPIC, Bus
from unifyport.gateway.ingress import Ingress
from unifyport.links.qr import QrPictures
from unifyport.links.reply_tokens import ReplyTokens
from unifyport.model.account import Account
from unifyport.model.times import rfc3339
from unifyport.net.guard import AddressGuard
from unifyport.providers.registry import Registry
from unifyport.storage.contract import (
    Committed,
    DeleteAccount,
    Fenced,
    Refused,
    Store,
    StoreUnavailable,
    Write,
)
from unifyport.storage.sealing import KeyRing

WRITE_SECONDS = 5.0
SETTLE_SECONDS, SETTLE_POLL = 30.0, 0.2  # after which a deletion whose outcome nobody knew has not happened


class WriteRefused(Exception):
    """The store refused a write; `reason` is machine-readable, `place` which of several writes it was."""

    def __init__(self, reason: str, place: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place


class NotKnownYet(StoreUnavailable):
    """A write may have been committed, or may be yet."""


class BeingDeleted(Exception):
    """Somebody else deletes this account just now."""


class NoFile(Exception):
    """The settings of this process come from no file."""


class Reloads(Protocol):
    """Reading the configuration file again (`unifyport.config.reload`)."""

    succeeded: bool
    succeeded_at: int

    @property
    def file_changed(self) -> bool: ...

    async def reload(self, *, dry_run: bool = False, prune: bool = False) -> Report:
        """Raises `Problems`, `NoFile`, `StoreUnavailable`."""


@attrs.define
class Gateway:
    settings: Settings
    registry: Registry
    store: Store
    writer: Writer
    normalizers: Normalizers
    accounts: Accounts
    deliveries: Deliveries
    ingress: Ingress
    links: MediaLinks
    reply_tokens: ReplyTokens
    qr_pictures: QrPictures
    media: MediaCache
    outgoing: OutgoingFiles
    bus: Bus
    guard: AddressGuard
    media_guard: AddressGuard
    proxy_guard: AddressGuard
    ssl_context: ssl.SSLContext
    ring: KeyRing
    now_ms: Callable[[], int]
    ready: Callable[[], str | None]  # why the gateway is not ready, or None
    ingress_url: Callable[[Account], str]  # for people
    supervision_tree: Callable[[], list[Node]]
    reloader: Callable[[], "Reloads"]
    new_delivery_client: NewClient
    sending: dict[str, trio.Event] = attrs.field(
        factory=dict
    )  # sends under way, set when they have an outcome
    streams: int = 0  # readers that follow the event log
    closing: bool = False  # the front stops: what has no end of its own ends now
    # What two at once could do wrong: pass a quota, take one identity twice, delete twice, take away the last key.
    changing_accounts: trio.Lock = attrs.field(factory=trio.Lock)
    changing_keys: trio.Lock = attrs.field(factory=trio.Lock)
    _deleting: set[str] = attrs.field(factory=set)

    def wall_time(self, at: float) -> str:
        """A time of trio's clock, as RFC 3339."""
        return rfc3339(self.now_ms() + int((at - trio.current_time()) * 1000))

    async def write(self, write: Write) -> Any:
        """Through the writer; the value of the committed write.

        Raises `WriteRefused`, and `StoreUnavailable` when the store does not take it within a few seconds: then
        it was taken back.
        """
        if self.writer.unavailable is not None:
            raise StoreUnavailable(self.writer.unavailable)
        try:
            result = await self.writer.submit_within(WRITE_SECONDS, write)
        except OutcomeUnknown:
            raise NotKnownYet("a commit takes too long; read what became of it") from None
        match result:
            case Committed(value=value):
                return value
            case Refused(reason=reason, place=place):
                raise WriteRefused(reason, place)
            case Fenced():
                raise WriteRefused("lease_lost")
            case Failed(reason=reason):
                raise StoreUnavailable(reason)
        raise AssertionError("not a result of a write")

    async def delete_account(self, account_id: str) -> None:
        """Stop it, delete it, forget it, and log it out. When it cannot be deleted it goes on as before; where nobody knows
        yet, it stays down until that is known.

        Raises `BeingDeleted`, and what `write` does.
        """
        if account_id in self._deleting:
            raise BeingDeleted
        self._deleting.add(account_id)
        settled = True
        try:
            await self.accounts.take_down(account_id)
            try:
                farewell = await self.accounts.farewell(account_id)
                await self.write(DeleteAccount(account_id))
            except NotKnownYet:
                settled = not self.accounts.beside(self._settle_deletion, account_id, farewell)
                raise
            except BaseException:
                self.accounts.bring_back(account_id)
                raise
            self.accounts.forget(account_id)
        finally:
            if settled:
                self._deleting.discard(account_id)
        await farewell()
        await self.media.forget(account_id)

    async def _settle_deletion(self, account_id: str, farewell: Callable[[], Awaitable[None]]) -> None:
        """A commit has taken longer than its caller waits. It has happened, or will not, once the store takes writes."""
        try:
            quiet = 0.0  # seconds that the store has taken writes, and the account is there
            while quiet < SETTLE_SECONDS:
                await trio.sleep(SETTLE_POLL)
                quiet = quiet + SETTLE_POLL if self.writer.unavailable is None else 0.0
                with contextlib.suppress(StoreUnavailable):
                    if await self.store.account(account_id) is None:
                        self.accounts.forget(account_id)
                        await farewell()
                        await self.media.forget(account_id)
                        return
            self.accounts.bring_back(account_id)
        finally:
            self._deleting.discard(account_id)

    def end_streams(self) -> None:
        """Readers of the log go on elsewhere, or after the restart, from where they are."""
        self.closing = True
        self.bus.ring(EVENTS_TOPIC)

    def endpoints_changed(self) -> None:
        self.bus.ring(ENDPOINTS_TOPIC)
