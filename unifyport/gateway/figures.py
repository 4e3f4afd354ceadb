"""Figures of the running gateway, for its metrics: ids and numbers, never names, phones or addresses.

The actors count in plain integers as they go, and each method reads them as they are now.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import attrs

from actors.accounts import Accounts
from actors.delivery import Deliveries
from actors.normalizer import Normalizers
from actors.writer import Writer
from supervisors import Slices
from unifyport.config.settings import Settings
from unifyport.delivery.verdict import Verdict
from unifyport.files.on_receive import FetchOnReceive
from unifyport.model.event import name_of
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.tally import Tally
from unifyport.model.webhook import ENDPOINT_ACTIVE
from unifyport.process.clock import Clock
from unifyport.providers.registry import Registry
from unifyport.storage.contract import Store

from .configuration import Reloads
from .events import EventUseCases


@attrs.frozen(kw_only=True)
class ConfigurationFigures:
    reload_succeeded: bool
    reloaded_at: int  # unix ms
    file_changed: bool


@attrs.frozen(kw_only=True)
class AccountFigures:
    statuses: Counter[tuple[str, str]]  # by (channel, runtime status)
    incarnations: dict[str, int]  # by channel
    commands: dict[tuple[str, str, str], int]  # by (channel, command, outcome)
    refused: dict[tuple[str, str], int]  # commands that were not admitted, by (channel, reason)
    queued: Counter[str]  # commands that wait or are in progress, by channel
    in_progress: Counter[str]  # by channel
    undecryptable: Counter[tuple[str, str]]  # messages by (channel, reason)
    not_asked_for: Counter[tuple[str, str]]  # by (channel, kind)


@attrs.frozen(kw_only=True)
class OneAccountFigures:
    """Times are unix ms; None: never since the start, or the platform does not call this account."""

    id: str
    name: str
    up: bool
    accepted_at: int | None = None
    refused_at: int | None = None


@attrs.frozen(kw_only=True)
class RoadFigures:
    """`wal_bytes`: the size of the write-ahead log."""

    events: dict[str, int]  # by type
    quarantined: int
    unsupported: Counter[tuple[str, str]]  # messages by provider and kind
    storage_available: bool
    queued_writes: int
    writes: int
    commits: Tally
    wal_bytes: int


@attrs.frozen(kw_only=True)
class EndpointFigures:
    id: str
    verdicts: dict[Verdict, int]
    seconds: Tally
    in_flight: int
    waiting: int
    breaker_open: bool
    congested: bool
    expired: int
    up: bool


@attrs.frozen(kw_only=True)
class Figures:
    """`ready`: why the gateway is not ready, or None."""

    _registry: Registry
    _store: Store
    _writer: Writer
    _normalizers: Normalizers
    _accounts: Accounts
    _deliveries: Deliveries
    _events: EventUseCases
    _reloads: Reloads
    _fetching: FetchOnReceive
    _settings: Callable[[], Settings]
    ready: Callable[[], str | None]
    clock: Clock

    @property
    def files_to_fetch(self) -> int:
        """Files of incoming messages that wait to be fetched, of accounts that fetch them on receipt."""
        return self._fetching.waiting

    @property
    def streams(self) -> int:
        """Readers that follow the event log."""
        return self._events.streams

    def read_configuration(self) -> ConfigurationFigures:
        return ConfigurationFigures(
            reload_succeeded=self._reloads.succeeded,
            reloaded_at=self._reloads.succeeded_at,
            file_changed=self._reloads.file_changed,
        )

    async def read_accounts(self) -> AccountFigures:
        channels = self._registry.channels
        statuses: Counter[tuple[str, str]] = Counter({(c, s): 0 for c in channels for s in RuntimeStatus})
        queued: Counter[str] = Counter(dict.fromkeys(channels, 0))
        in_progress: Counter[str] = Counter(dict.fromkeys(channels, 0))
        slices = Slices()
        for actor in list(self._accounts):
            statuses[actor.row.channel, actor.view.status] += 1
            sends = actor.outbox.read_figures()
            queued[actor.row.channel] += sends.queued
            in_progress[actor.row.channel] += sends.in_progress
            await slices.pause()
        tallies = self._accounts.tallies
        return AccountFigures(
            statuses=statuses,
            incarnations=tallies.incarnations,
            commands=tallies.commands,
            refused=tallies.refused,
            queued=queued,
            in_progress=in_progress,
            undecryptable=tallies.connectors.undecryptable,
            not_asked_for=tallies.connectors.not_asked_for,
        )

    def read_each_account(self) -> Iterator[OneAccountFigures]:
        """Of each account; none unless `[metrics] accounts` asks for them."""
        for actor in list(self._accounts) if self._settings().metrics.accounts else []:
            yield OneAccountFigures(
                id=actor.row.id,
                name=actor.row.name,
                up=actor.view.status is RuntimeStatus.RUNNING,
                accepted_at=None if actor.calls is None else actor.calls.accepted_at,
                refused_at=None if actor.calls is None else actor.calls.refused_at,
            )

    def read_road(self) -> RoadFigures:
        partitions = self._normalizers.partitions
        kinds: Counter[int] = Counter()
        for partition in partitions:
            kinds += partition.events
        return RoadFigures(
            events={name_of(kind): count for kind, count in kinds.items()},
            quarantined=sum(partition.quarantined for partition in partitions),
            unsupported=sum((partition.unsupported for partition in partitions), Counter()),
            storage_available=self._writer.unavailable is None and self._store.trouble is None,
            queued_writes=len(self._writer.mailbox),
            writes=self._writer.writes,
            commits=self._writer.commits,
            wal_bytes=self._store.wal_bytes(),
        )

    def read_endpoints(self) -> Iterator[EndpointFigures]:
        for actor in list(self._deliveries):
            endpoint = actor.endpoint
            yield EndpointFigures(
                id=endpoint.id,
                verdicts=actor.verdicts,
                seconds=actor.seconds,
                in_flight=actor.in_flight,
                waiting=actor.waiting,
                breaker_open=actor.breaker_open,
                congested=actor.congested,
                expired=endpoint.expired,
                up=endpoint.status == ENDPOINT_ACTIVE and endpoint.failing_since is None,
            )
