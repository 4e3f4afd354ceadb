"""The gateway as its HTTP front sees it: values in, values out, and no actor object but these doors."""

from collections.abc import Callable
from typing import Any

import attrs
import trio

from actors.accounts import Accounts
from actors.delivery import ENDPOINTS_TOPIC, Deliveries
from actors.ingress import Ingress
from actors.normalizer import Normalizers
from actors.reply import Failed
from actors.writer import Writer
from unifyport.media import MediaCache, MediaLinks
from unifyport.model.account import Account
from unifyport.net.guard import AddressGuard
from unifyport.providers.registry import Registry
from unifyport.settings import Settings
from unifyport.storage.base import Committed, Fenced, Refused, Store, StoreUnavailable, Write
from unifyport.storage.bus import Bus
from unifyport.storage.sealing import KeyRing

WRITE_SECONDS = 5.0


class WriteRefused(Exception):
    """The store refused a write; `reason` is machine-readable."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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
    media: MediaCache
    bus: Bus
    guard: AddressGuard
    proxy_guard: AddressGuard
    ring: KeyRing
    now_ms: Callable[[], int]
    ready: Callable[[], str | None]  # why the gateway is not ready, or None
    ingress_url: Callable[[Account], str | None]
    # What two at once could do wrong: pass a quota, take away the last key.
    creating_account: trio.Lock = attrs.field(factory=trio.Lock)
    changing_keys: trio.Lock = attrs.field(factory=trio.Lock)

    async def write(self, write: Write) -> Any:
        """Through the writer; the value of the committed write.

        Raises `WriteRefused`, and `StoreUnavailable` when the store does not take it within a few seconds.
        """
        if self.writer.unavailable is not None:
            raise StoreUnavailable(self.writer.unavailable)
        with trio.move_on_after(WRITE_SECONDS):
            match await self.writer.ask(write):
                case Committed(value=value):
                    return value
                case Refused(reason=reason):
                    raise WriteRefused(reason)
                case Fenced():
                    raise WriteRefused("lease_lost")
                case Failed(reason=reason):
                    raise StoreUnavailable(reason)
        raise StoreUnavailable("the write was not answered in time")

    def endpoints_changed(self) -> None:
        self.bus.ring(ENDPOINTS_TOPIC)
