"""Fetches files of incoming messages before their links are followed, for accounts that say `on_receive`.

Platforms keep files for some time only. What is fetched here is in the cache when the link is followed, and
counts toward it like any other file. A file that cannot be fetched is left to its link, which works as it
does without this.

Nothing waits for it: `note` is called after the commit of an event and queues the link. Each account has a
bounded queue and few fetches at a time. The queue is in memory; what it held when the process ended is found
again in the log, as far as `LOOK_BACK` goes.
"""

import heapq
import itertools
import logging
import math
from collections.abc import Callable, Sequence

import attrs
import msgspec
import trio

from actors.accounts import Accounts
from supervisors import Incarnation
from unifyport.model.account import ON_RECEIVE
from unifyport.model.event import EventType
from unifyport.storage.contract import Store, StoreUnavailable

from .incoming import MediaCache
from .media_links import MediaLinks, MediaUnavailable, Missing

log = logging.getLogger("unifyport.media")

QUEUED_EACH, QUEUED = 1_000, 20_000  # files of an account, and of all, that wait
AT_A_TIME_EACH, AT_A_TIME = 2, 8  # half of `incoming.FETCHES` is left to those who follow links
PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0)  # seconds before each further try
DOWN_PAUSE = 15.0  # seconds before another look at an account that is not connected
LOOK_BACK, LOOKED_AT = 3600.0, 20_000  # seconds and events that are searched at the start
_PAGE = 200
_LOG_EVERY = 60.0
_MASK = 1 << EventType.MESSAGE_RECEIVED.number | 1 << EventType.MESSAGE_UPDATED.number
_PATH = "/media/"


@attrs.define(order=True)
class _Wanted:
    """A file that is to be fetched at `due` (trio's clock) or later."""

    due: float
    number: int
    token: str = attrs.field(order=False, repr=False)
    failures: int = attrs.field(default=0, order=False)


@attrs.define
class _Queue:
    """The files of one account: a heap, and how many tasks work on it. `bell`: something was put into it."""

    account_id: str
    waiting: list[_Wanted] = attrs.field(factory=list)
    workers: int = 0
    bell: trio.Event = attrs.field(factory=trio.Event)


class FetchOnReceive:
    """`default`: the `[media] fetch` of accounts that do not say it themselves."""

    def __init__(
        self,
        links: MediaLinks,
        cache: MediaCache,
        *,
        accounts: Accounts,
        store: Store,
        default: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._links = links
        self._cache = cache
        self._accounts = accounts
        self._store = store
        self._default = default
        self._now_ms = now_ms
        self._queues: dict[str, _Queue] = {}
        self._waiting = 0  # in all queues
        self._logged_at = -math.inf
        self._numbers = itertools.count()
        self._slots = trio.CapacityLimiter(AT_A_TIME)
        self._nursery: trio.Nursery | None = None

    @property
    def waiting(self) -> int:
        """Files that are to be fetched and are not yet."""
        return self._waiting

    def note(self, account_id: str, urls: Sequence[str]) -> None:
        """These are links to files of a committed event. Synchronous; not a checkpoint."""
        if not self._wants(account_id):
            return
        queue = self._queues.setdefault(account_id, _Queue(account_id))
        for url in urls:
            token = url.rpartition(_PATH)[2]
            self._put(queue, _Wanted(trio.current_time(), next(self._numbers), token))

    def _wants(self, account_id: str) -> bool:
        actor = self._accounts.actor(account_id)
        return actor is not None and (actor.row.media_fetch or self._default) == ON_RECEIVE

    async def _wait_for_connection(self, account_id: str) -> bool:
        """Wait until the account is connected; False if it is not after `DOWN_PAUSE`."""
        with trio.move_on_after(DOWN_PAUSE):
            actor = self._accounts.actor(account_id)
            if actor is not None and await actor.connection.next_lease() is not None:
                return True
            await trio.sleep_forever()
        return False

    # -- queues ----------------------------------------------------------------------------------------------

    def _put(self, queue: _Queue, wanted: _Wanted) -> None:
        """Queue a file; one for which there is no room is left to its link."""
        full = len(queue.waiting) >= QUEUED_EACH or self._waiting >= QUEUED
        if full and trio.current_time() >= self._logged_at + _LOG_EVERY:
            self._logged_at = trio.current_time()
            log.warning(
                "account %s: more files come than are fetched, some wait for their link", queue.account_id
            )
        if not full:
            heapq.heappush(queue.waiting, wanted)
            self._waiting += 1
            self._staff(queue)
        elif not queue.workers and not queue.waiting:
            self._queues.pop(queue.account_id, None)

    def _staff(self, queue: _Queue) -> None:
        """Have the queue worked on."""
        queue.bell.set()
        queue.bell = trio.Event()
        if self._nursery is not None and queue.workers < AT_A_TIME_EACH:
            queue.workers += 1
            self._nursery.start_soon(self._work, queue)

    async def run(self, incarnation: Incarnation) -> None:
        """Fetch until cancelled. Cancelled: a file that is being fetched is left to its link."""
        incarnation.started()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                for queue in list(self._queues.values()):
                    self._staff(queue)
                nursery.start_soon(self._look_back)
                await incarnation.stopping()
            finally:
                self._nursery = None
                nursery.cancel_scope.cancel()

    async def _work(self, queue: _Queue) -> None:
        """Fetch what is due until the queue is empty."""
        try:
            while queue.waiting:
                if not self._wants(queue.account_id):
                    self._waiting -= len(queue.waiting)
                    queue.waiting.clear()
                    return
                if not await self._wait_for_connection(queue.account_id) or not queue.waiting:
                    continue
                pause = queue.waiting[0].due - trio.current_time()
                if pause > 0:
                    with trio.move_on_after(pause):
                        await queue.bell.wait()
                    continue
                wanted = heapq.heappop(queue.waiting)
                self._waiting -= 1
                async with self._slots:
                    pause = await self._fetch(queue.account_id, wanted)
                if pause:
                    wanted.due = trio.current_time() + pause
                    self._put(queue, wanted)
        finally:
            queue.workers -= 1
            if not queue.workers and not queue.waiting:
                self._queues.pop(queue.account_id, None)

    async def _fetch(self, account_id: str, wanted: _Wanted) -> float:
        """Fetch a file as its link would. Returns the seconds until another try; 0 for none."""
        try:
            _, reference = self._links.read(wanted.token)
            file = await self._cache.open(account_id, reference)
            file.close()
            return 0.0
        except MediaUnavailable as unavailable:
            if unavailable.missing not in (Missing.NOT_FETCHED, Missing.NOT_NOW):
                return 0.0
            reason = unavailable.reason
            if reason == "account_not_running":
                return DOWN_PAUSE
        except (StoreUnavailable, OSError) as error:
            reason = type(error).__name__
        except Exception:
            log.exception("account %s: a file could not be fetched, its link is left", account_id)
            return 0.0
        wanted.failures += 1
        if wanted.failures <= len(PAUSES):
            return PAUSES[wanted.failures - 1]
        log.info("account %s: a file could not be fetched (%s), its link is left", account_id, reason)
        return 0.0

    # -- after a start ---------------------------------------------------------------------------------------

    async def _look_back(self) -> None:
        """Queue the files of the last hour's messages; those that are kept already cost no fetch."""
        if not any(self._wants(actor.row.id) for actor in self._accounts):
            return
        try:
            newest = await self._store.newest_position()
            since = self._now_ms() - int(LOOK_BACK * 1000)
            after = max(await self._store.position_at(since), newest - LOOKED_AT)
            while after < newest and (page := await self._store.events(after, _PAGE, mask=_MASK)):
                for event in page:
                    for url in _read_links(event.body):
                        self.note(url.rpartition(_PATH)[2].partition(".")[0], [url])
                after = page[-1].seq
        except StoreUnavailable as error:
            log.warning("files of messages before the start are left to their links: %s", error)


class _Attachment(msgspec.Struct):
    url: str = ""


class _Message(msgspec.Struct):
    attachments: list[_Attachment] = []


class _Data(msgspec.Struct):
    message: _Message = msgspec.field(default_factory=_Message)


class _Body(msgspec.Struct):
    """The part of an event's body that has links."""

    data: _Data = msgspec.field(default_factory=_Data)


def _read_links(body: bytes) -> list[str]:
    if _PATH.encode() not in body:
        return []
    try:
        attachments = msgspec.json.decode(body, type=_Body).data.message.attachments
    except msgspec.DecodeError:
        return []
    return [each.url for each in attachments if _PATH in each.url]
