"""`/metrics`, in Prometheus' text format: ids and numbers, never names, phones or addresses.

The actors count in plain integers as they go; a scrape reads them. Only HTTP requests are counted here. What
each metric means is in `docs/metrics.md`.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

import attrs
import trio
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from supervisors import Slices
from unifyport.front.connections import Connections, Phase
from unifyport.front.tls import Certificate
from unifyport.gateway.figures import AccountFigures, EndpointFigures, Figures, OneAccountFigures
from unifyport.model.tally import Tally
from unifyport.process.watchdog import Watchdog
from unifyport.version import VERSION

from ..ingress import IngressFront

_AT_ONCE = 50  # accounts or endpoints that are read in one step
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Requests:
    """API requests by operation and status, and how long they took."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()
        self.seconds: dict[str, Tally] = {}

    def observe(self, operation: str, status: int, seconds: float) -> None:
        self.counts[operation, status] += 1
        if operation not in self.seconds:
            self.seconds[operation] = Tally()
        self.seconds[operation].observe(seconds)


@attrs.frozen
class FrontFigures:
    """What the listeners know of their connections, and what of the event loop."""

    connections: Connections
    certificate: Certificate | None
    watchdog: Watchdog


class Exposition:
    """What `/metrics` shows."""

    def __init__(
        self, figures: Figures, requests: Requests, ingress: IngressFront, front: FrontFigures
    ) -> None:
        self._figures = figures
        self._gateway = _Gateway(figures, requests, ingress)
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._registry.register(self._gateway)
        self._registry.register(_Connections(front))
        self._registry.register(_Loop(front.watchdog))

    async def expose(self) -> bytes:
        """Thousands of endpoints have a hundred thousand lines: they are collected in slices, and written
        beside the loop.
        """
        self._gateway.accounts = await self._figures.read_accounts()
        families: dict[str, Metric] = {}
        slices = Slices()
        for family in self._registry.collect():
            if family is not (known := families.setdefault(family.name, family)):
                known.samples += family.samples
            await slices.pause()
        registry = CollectorRegistry()
        registry.register(_Collected(families.values()))
        return await trio.to_thread.run_sync(generate_latest, registry)


class _Collected(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families

    def describe(self) -> Iterable[Metric]:
        return ()


class _Gateway(Collector):
    """Yields some families several times, each time for some endpoints. `accounts`: read before `collect`."""

    def __init__(self, figures: Figures, requests: Requests, ingress: IngressFront) -> None:
        self._figures = figures
        self._requests = requests
        self._ingress = ingress
        self.accounts: AccountFigures | None = None

    def collect(self) -> Iterator[Metric]:
        yield from self._process()
        yield from self._accounts()
        yield from self._each_account()
        yield from self._road()
        yield from self._deliveries()
        yield from self._http()

    def describe(self) -> Iterable[Metric]:
        return ()  # nothing is counted yet when it is registered

    def _process(self) -> Iterator[Metric]:
        yield _gauge("unifyport_info", "The running version", ["version"], [((VERSION,), 1)])
        ready = self._figures.ready() is None
        yield _gauge("unifyport_ready", "1 when the gateway can do its work", [], [((), ready)])

        clock = self._figures.clock
        yield _gauge(
            "unifyport_clock_in_doubt",
            "1 while the wall clock is in doubt and nothing is purged or called stale",
            [],
            [((), clock.in_doubt)],
        )
        yield _counter("unifyport_clock_steps", "Steps of the wall clock", [], [((), clock.steps)])
        configuration = self._figures.read_configuration()
        yield _gauge(
            "unifyport_config_last_reload_successful",
            "1 when the configuration file was good the last time it was read",
            [],
            [((), configuration.reload_succeeded)],
        )
        yield _gauge(
            "unifyport_config_last_reload_success_timestamp_seconds",
            "When the running configuration was read",
            [],
            [((), configuration.reloaded_at / 1000)],
        )
        yield _gauge(
            "unifyport_config_file_changed",
            "1 when the configuration file is no longer what was loaded",
            [],
            [((), configuration.file_changed)],
        )

    def _accounts(self) -> Iterator[Metric]:
        accounts = self.accounts
        assert accounts is not None
        yield _gauge(
            "unifyport_accounts",
            "Accounts by channel and observed runtime status",
            ["channel", "runtime_status"],
            accounts.statuses.items(),
        )
        yield _counter(
            "unifyport_account_incarnations",
            "Connections that accounts have begun; each after the first is a restart",
            ["channel"],
            (((channel,), count) for channel, count in accounts.incarnations.items()),
        )
        yield _counter(
            "unifyport_commands",
            "Commands to platforms by what became of them",
            ["channel", "command", "outcome"],
            accounts.commands.items(),
        )
        yield _counter(
            "unifyport_commands_refused",
            "Commands refused before they were recorded, as they could not begin in time",
            ["channel", "reason"],
            accounts.refused.items(),
        )
        yield _counter(
            "unifyport_undecryptable",
            "Messages that could not be decrypted, repeats included",
            ["channel", "reason"],
            accounts.undecryptable.items(),
        )
        yield _counter(
            "unifyport_not_asked_for",
            "Posts and messages of kinds that accounts have not asked for",
            ["channel", "kind"],
            accounts.not_asked_for.items(),
        )
        for name, text, counts in (
            ("unifyport_commands_queued", "Commands that wait or are in progress", accounts.queued),
            (
                "unifyport_commands_in_progress",
                "Commands that platforms are working on",
                accounts.in_progress,
            ),
        ):
            yield _gauge(name, text, ["channel"], (((channel,), count) for channel, count in counts.items()))

    def _each_account(self) -> Iterator[Metric]:
        found = self._figures.read_each_account()
        while accounts := list(itertools.islice(found, _AT_ONCE)):
            yield from self._some_accounts(accounts)

    def _some_accounts(self, accounts: list[OneAccountFigures]) -> Iterator[Metric]:
        labels = ["account", "name"]
        values = [((each.id, each.name), each.up) for each in accounts]
        yield _gauge("unifyport_account_up", "1 while the account is connected", labels, values)
        for name, text, read in _OF_ACCOUNTS:
            times = [((each.id, each.name), at / 1000) for each in accounts if (at := read(each)) is not None]
            if times:
                yield _gauge(name, text, labels, times)

    def _road(self) -> Iterator[Metric]:
        road = self._figures.read_road()
        yield _counter(
            "unifyport_events",
            "Standard events made, repeats included",
            ["type"],
            (((name,), count) for name, count in road.events.items()),
        )
        yield _counter(
            "unifyport_quarantined",
            "Items that could not be read or normalised, and are kept raw",
            [],
            [((), road.quarantined)],
        )
        yield _counter(
            "unifyport_unsupported_messages",
            "Messages of kinds that no parser knows, repeats included",
            ["provider", "kind"],
            road.unsupported.items(),
        )
        yield _gauge(
            "unifyport_files_to_fetch",
            "Files of incoming messages that wait to be fetched on receipt",
            [],
            [((), self._figures.files_to_fetch)],
        )
        yield _gauge(
            "unifyport_storage_available",
            "0 while the database cannot be read or written",
            [],
            [((), road.storage_available)],
        )
        yield _gauge(
            "unifyport_writer_queue", "Writes that wait for a commit", [], [((), road.queued_writes)]
        )
        yield _counter("unifyport_writes", "Writes that were committed", [], [((), road.writes)])
        yield _histogram("unifyport_commit_seconds", "Time of a commit", [], [((), road.commits)])
        yield _gauge(
            "unifyport_wal_bytes",
            "Size of the write-ahead log; it grows while a reader keeps checkpoints back",
            [],
            [((), road.wal_bytes)],
        )

    def _deliveries(self) -> Iterator[Metric]:
        found = self._figures.read_endpoints()
        endpoints = list(itertools.islice(found, _AT_ONCE))
        yield from self._some_deliveries(endpoints)
        while endpoints := list(itertools.islice(found, _AT_ONCE)):
            yield from self._some_deliveries(endpoints)
        streams = self._figures.streams
        yield _gauge("unifyport_event_streams", "Readers that follow the event log", [], [((), streams)])

    def _some_deliveries(self, endpoints: list[EndpointFigures]) -> Iterator[Metric]:
        yield _counter(
            "unifyport_deliveries",
            "Attempts by endpoint and outcome",
            ["endpoint_id", "outcome"],
            (
                ((endpoint.id, verdict.name.lower()), count)
                for endpoint in endpoints
                for verdict, count in endpoint.verdicts.items()
            ),
        )
        yield _histogram(
            "unifyport_delivery_seconds",
            "Time of an attempt",
            ["endpoint_id"],
            (((endpoint.id,), endpoint.seconds) for endpoint in endpoints),
        )
        for name, text, read in _OF_ENDPOINTS:
            values = [((endpoint.id,), read(endpoint)) for endpoint in endpoints]
            yield _gauge(name, text, ["endpoint_id"], values)
        yield _counter(
            "unifyport_endpoint_expired",
            "Events that were owed until they were too old, since the endpoint was made",
            ["endpoint_id"],
            (((endpoint.id,), endpoint.expired) for endpoint in endpoints),
        )

    def _http(self) -> Iterator[Metric]:
        yield _counter(
            "unifyport_http_requests",
            "API requests by operation and status",
            ["operation", "status"],
            (((op, str(status)), count) for (op, status), count in self._requests.counts.items()),
        )
        yield _histogram(
            "unifyport_http_request_seconds",
            "Time of an API request",
            ["operation"],
            (((operation,), tally) for operation, tally in self._requests.seconds.items()),
        )
        yield _gauge(
            "unifyport_ingress_bytes",
            "Bodies of platforms that are being held",
            [],
            [((), self._ingress.bytes_held)],
        )
        yield _counter(
            "unifyport_ingress_requests",
            "Requests of platforms by provider and status",
            ["provider", "status"],
            (((provider, str(status)), n) for (provider, status), n in self._ingress.answers.items()),
        )


class _Connections(Collector):
    def __init__(self, front: FrontFigures) -> None:
        self._connections = front.connections
        self._certificate = front.certificate

    def collect(self) -> Iterator[Metric]:
        connections, certificate = self._connections, self._certificate
        phases = connections.count_phases()
        yield _gauge(
            "unifyport_connections",
            "Connections of callers by what they do",
            ["phase"],
            (((phase.name.lower(),), phases[phase]) for phase in Phase),
        )
        yield _gauge(
            "unifyport_connections_limit",
            "Connections that there may be at a time",
            [],
            [((), connections.capacity)],
        )
        yield _counter(
            "unifyport_connections_refused",
            "Connections turned away, as none could be closed for them",
            [],
            [((), connections.refused)],
        )
        yield _counter(
            "unifyport_connections_closed_for_others",
            "Connections closed to make room, by what they did",
            ["phase"],
            (((name,), connections.closed[name]) for name in (phase.name.lower() for phase in Phase)),
        )
        yield _counter(
            "unifyport_tls_failed_handshakes",
            "Handshakes that failed or took too long",
            [],
            [((), connections.failed_handshakes)],
        )
        if certificate is not None:
            yield _gauge(
                "unifyport_tls_certificate_expires_at",
                "When the certificate in force expires",
                [],
                [((), certificate.expires_at)],
            )
            yield _gauge(
                "unifyport_tls_certificate_rejected",
                "1 while the files of the certificate cannot be used, and the one before stays",
                [],
                [((), certificate.problem is not None)],
            )

    def describe(self) -> Iterable[Metric]:
        return ()


class _Loop(Collector):
    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog

    def collect(self) -> Iterator[Metric]:
        watchdog = self._watchdog
        text = "Turns of the event loop that took longer than 50 ms"
        yield _counter("unifyport_loop_held", text, [], [((), watchdog.held)])
        text = "Seconds of those turns"
        yield _counter("unifyport_loop_held_seconds", text, [], [((), watchdog.held_seconds)])
        yield _gauge(
            "unifyport_loop_longest_turn_seconds",
            "The longest turn of the event loop since the start",
            [],
            [((), watchdog.longest)],
        )

    def describe(self) -> Iterable[Metric]:
        return ()


_OF_ACCOUNTS: tuple[tuple[str, str, Callable[[OneAccountFigures], int | None]], ...] = (
    (
        "unifyport_account_ingress_last_accepted_timestamp_seconds",
        "When a call of the account's platform was accepted last",
        attrgetter("accepted_at"),
    ),
    (
        "unifyport_account_ingress_last_refused_timestamp_seconds",
        "When a call of the account's platform was refused last",
        attrgetter("refused_at"),
    ),
)
_OF_ENDPOINTS: tuple[tuple[str, str, Callable[[EndpointFigures], float]], ...] = (
    ("unifyport_endpoint_in_flight", "Attempts under way", attrgetter("in_flight")),
    (
        "unifyport_endpoint_waiting",
        "Owed events in hand or passed over; all of them while there are less than a thousand",
        attrgetter("waiting"),
    ),
    (
        "unifyport_endpoint_breaker_open",
        "1 while attempts are held back because nothing but failures came",
        attrgetter("breaker_open"),
    ),
    (
        "unifyport_endpoint_congested",
        "1 while the backlog is too long for accounts to be served in turn",
        attrgetter("congested"),
    ),
    ("unifyport_endpoint_up", "1 while an endpoint is active and not failing", attrgetter("up")),
)
Labelled = Iterable[tuple[Sequence[str], float]]


def _gauge(name: str, text: str, labels: Sequence[str], values: Labelled) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for names, value in values:
        family.add_metric(names, value)
    return family


def _counter(name: str, text: str, labels: Sequence[str], values: Labelled) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for names, value in values:
        family.add_metric(names, value)
    return family


def _histogram(
    name: str, text: str, labels: Sequence[str], tallies: Iterable[tuple[Sequence[str], Tally]]
) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for names, tally in tallies:
        buckets = [("+Inf" if bound == float("inf") else str(bound), n) for bound, n in tally.cumulative()]
        family.add_metric(names, buckets, tally.sum)
    return family
