"""The one activity stream of an app, shared by its accounts in this process.

X lets an app open two streams, and each carries the events of all its users. So the accounts of an app
(the same bearer token, API and proxy) *follow* one stream. One of them *leads*: it reads the stream and hands
each event to the account that it names. When it stops, another one leads.

    Opened        the stream is (again) open; a gap before it must be filled, unless `covered`
    bytes         an event, as X sent it
    Lost          the stream cannot be opened: the follower's connection ends with this failure

A follower that does not keep up ends with a failure, and no other one waits for it; it fills its gap when it
comes back. Nothing here is durable: what was handed over and not committed is fetched again
(`catch_up.py`).
"""

import contextlib
import copy
import hashlib
import logging
from collections.abc import Callable, Iterator
from weakref import WeakValueDictionary

import attrs
import msgspec
import trio

from unifyport.model.json_text import UNREADABLE, decode_text
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import ChannelError, Rejected, Transient

from .backoff import STABLE_SECONDS, Backoff
from .lines import LineReader
from .stream import BACKFILL_MINUTES, NotOpened, Opening, opened

log = logging.getLogger("unifyport.x")

# What a follower has not taken yet.
MAX_WAITING = 1000  # events
MAX_WAITING_BYTES = 16 * 1024 * 1024
_COVERED_SECONDS = BACKFILL_MINUTES * 60 - 60.0  # a gap of at most this length is filled by backfill


@attrs.frozen
class Opened:
    covered: bool = False


@attrs.frozen
class Lost:
    error: ChannelError


Item = bytes | Opened | Lost


class Follower:
    """What one account gets of the stream. `opened`: whether an `Opened` was taken."""

    def __init__(self, observed: Callable[[], None]) -> None:
        self.opened = False
        self._observed = observed
        self._send, self._receive = trio.open_memory_channel[Item](MAX_WAITING)
        self._held = 0  # bytes

    def give(self, item: Item) -> None:
        """Never waits. One that does not keep up is given nothing more."""
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            self._held += _size(item)
            if self._held > MAX_WAITING_BYTES:
                self._send.close()
            try:
                self._send.send_nowait(item)
            except trio.WouldBlock:
                self._send.close()

    def alive(self) -> None:
        self._observed()

    async def next(self) -> bytes | Opened:
        """Raises the failure class of a stream that is lost, and `Transient` if the follower fell behind."""
        try:
            item = await self._receive.receive()
        except trio.EndOfChannel:
            raise Transient("fell_behind_stream") from None
        return self._taken(item)

    def more(self) -> bytes | Opened | None:
        """What has come already; None: nothing."""
        try:
            return self._taken(self._receive.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return None

    def _taken(self, item: Item) -> bytes | Opened:
        self._held -= _size(item)
        if isinstance(item, Lost):
            raise copy.copy(item.error)
        if isinstance(item, Opened):
            self.opened = True
        return item

    def close(self) -> None:
        self._receive.close()


def _size(item: Item) -> int:
    return len(item) if isinstance(item, bytes) else 0


class Hub:
    """`registering`: held while an account of the app looks for its webhook and registers one."""

    def __init__(self) -> None:
        self.registering = trio.Lock()
        self._followers: dict[str, Follower] = {}
        self._turn = trio.Lock()
        self._backoff = Backoff()
        self._not_before = 0.0  # trio's clock
        self._open = False
        self._heard_at: float | None = None  # the last sign of life
        self._backfill = True  # until X refuses it

    @contextlib.contextmanager
    def follow(self, user_id: str, observed: Callable[[], None]) -> Iterator[Follower]:
        """`observed` is called at each sign of life of the stream."""
        follower = self._followers[user_id] = Follower(observed)
        if self._open:
            follower.give(Opened())
        try:
            yield follower
        finally:
            follower.close()
            if self._followers.get(user_id) is follower:
                del self._followers[user_id]

    async def lead(self, context: ConnectorContext) -> None:
        """Wait until no other account leads, then read the stream until cancelled or lost.

        Raises the failure class of a stream that cannot be opened, which all followers get as well.
        """
        async with self._turn:
            await trio.sleep_until(self._not_before)
            try:
                while True:
                    await self._read(Opening(context, self._backfill))
            except NotOpened as lost:
                wait = self._backoff.after(lost.error, network=lost.network)
                self._not_before = trio.current_time() + wait
                for follower in [*self._followers.values()]:
                    follower.give(Lost(lost.error))
                raise copy.copy(lost.error) from None

    async def _read(self, opening: Opening) -> None:
        """One connection. Returns when it was established, lasted, and is lost. Raises `NotOpened`."""
        began, reader = trio.current_time(), LineReader()
        gap = None if self._heard_at is None else began - self._heard_at
        minutes = BACKFILL_MINUTES if opening.backfill and gap is not None else 0
        try:
            async with opened(opening, minutes) as pieces:
                covered = bool(minutes) and gap is not None and gap <= _COVERED_SECONDS
                self._opened(covered)
                while True:
                    piece = await pieces.next()
                    self._heard(trio.current_time() - began)
                    for line in reader.feed(piece):
                        self._hand_over(line)
        except NotOpened as lost:
            if not self._open and minutes and isinstance(lost.error, Rejected):
                self._backfill = False  # it belongs to other plans
                return
            lasted = self._open and trio.current_time() - began >= STABLE_SECONDS
            if not lasted:
                raise
        finally:
            self._open = False

    def _opened(self, covered: bool) -> None:
        self._open = True
        for follower in self._followers.values():
            follower.give(Opened(covered))

    def _heard(self, lasted: float) -> None:
        self._heard_at = trio.current_time()
        if lasted >= STABLE_SECONDS:
            self._backoff.clear()
        for follower in self._followers.values():
            follower.alive()

    def _hand_over(self, line: bytes) -> None:
        """Give an event to the account that it names. What names no account of ours is for others."""
        try:
            named = decode_text(line, _NAMED)
            user_id = "" if named.data is None else _user_of(named.data)
        except UNREADABLE:
            log.warning("a line of the activity stream cannot be read", extra={"bytes": len(line)})
            return
        if named.data is None and named.errors:  # X says why it closes the connection
            raise NotOpened(Transient("stream_closed_by_x"), network=True)
        if (follower := self._followers.get(user_id)) is not None:
            follower.give(line)


class _User(msgspec.Struct):
    user_id: str = ""


class _Data(msgspec.Struct):
    filter: _User = msgspec.field(default_factory=_User)
    payload: msgspec.Raw = msgspec.Raw(b"{}")


class _Named(msgspec.Struct):
    data: _Data | None = None
    errors: list[object] = []


_NAMED = msgspec.json.Decoder(_Named)


def _user_of(data: _Data) -> str:
    """The user whose subscription matched; of `oauth.revoke`, which has none, the user who revoked."""
    return data.filter.user_id or msgspec.json.decode(data.payload, type=_User).user_id


_hubs: WeakValueDictionary[bytes, Hub] = WeakValueDictionary()


def hub_of(context: ConnectorContext) -> Hub:
    """The hub of an app. It lives as long as a connector holds it."""
    proxy = "" if context.proxy is None else repr(attrs.astuple(context.proxy))
    named = [context.endpoints.api_url, context.credentials["bearer_token"], proxy]
    key = hashlib.sha256(b"unifyport x stream" + msgspec.json.encode(named)).digest()
    return _hubs.setdefault(key, Hub())
