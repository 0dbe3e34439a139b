"""`/metrics`: numbers for Prometheus, read from the database at each scrape.

The roles are several processes, so nothing is counted in memory.  Labels are of fixed lists or of
the configuration; no patient, no UID, and no name that a sender has chosen and nobody configured.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from m3net.errors import WeightsError
from m3net.model_files import fingerprint
from node import __version__
from node.config import NodeConfig
from node.core.drift import OTHER
from node.core.errors import NodeError
from node.core.sender import SenderKind
from node.core.states import State
from node.persistence.counting import Counted
from node.persistence.tallies import (
    KERNEL,
    MANUFACTURER,
    NODULES,
    PHASE_SECONDS,
    PROBABILITY,
    RANGES,
    SLICE_THICKNESS,
    SOURCE,
    SUM,
    TallyRow,
)
from node.watch.look import Lookout
from node.watch.moment import Moment, moment
from node.watch.one_look import OneLook
from node.watch.sign import Severity
from node.web.services import Services


def routes(services: Services) -> list[BaseRoute]:
    """Who may ask is decided before (`node.web.access`)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(
        Numbers(services.config, services.store.counted, services.lookout, services.clock)
    )

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(registry), media_type=content_type)

    return [Route("/metrics", metrics)]


class Numbers(Collector):
    """Everything that is told, read anew at each scrape."""

    def __init__(
        self,
        config: NodeConfig,
        count: Callable[[], Counted],
        lookout: Lookout,
        clock: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._count = OneLook(count)
        self._lookout = lookout
        self._clock = clock
        self._fingerprint = cache(_fingerprint)

    def describe(self) -> Iterable[Metric]:
        """Nothing is read before somebody asks."""
        return []

    def collect(self) -> Iterator[Metric]:
        """A database that does not answer in time leaves signs, disk and `m3node_database_up`."""
        yield _info(self._fingerprint(self._config))
        yield from self._signs()
        yield from _disk(self._config)
        try:
            counted = self._count.seen()
        except (SQLAlchemyError, NodeError, TimeoutError):
            counted = None
        yield _gauge("database_up", "Whether the database answers.", counted is not None)
        if counted is not None:
            now = moment(self._clock())
            yield from _received(counted)
            yield from _work(counted, self._config)
            yield from _ages(counted, now)
            yield from _tallied(counted.tallies, self._config)

    def _signs(self) -> Iterator[Metric]:
        signs = self._lookout.signs()
        each = GaugeMetricFamily(
            "m3node_sign",
            "One thing that is wrong right now; `m3node health` says what to do.",
            labels=["name", "severity", "subject"],
        )
        for sign in signs:
            each.add_metric([sign.name, sign.severity, sign.subject], 1)
        yield each
        yield _by(
            "signs",
            "How many things are wrong right now.",
            "severity",
            {one.value: sum(sign.severity is one for sign in signs) for one in Severity},
        )


def _fingerprint(config: NodeConfig) -> str:
    try:
        return fingerprint(config.model.weights, config.model.precision)
    except (WeightsError, OSError):
        return "unreadable"


def _info(model: str) -> Metric:
    info = InfoMetricFamily("m3node", "The program and its network.")
    info.add_metric([], {"version": __version__, "model_fingerprint": model})
    return info


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(f"m3node_{name}", says, value=value)


def _counter(name: str, says: str, value: float) -> Metric:
    return CounterMetricFamily(f"m3node_{name}", says, value=value)


def _by(name: str, says: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"m3node_{name}", says, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _disk(config: NodeConfig) -> Iterator[Metric]:
    limit = config.storage.min_free_gb * 1e9
    yield _gauge("disk_limit_bytes", "Below so much free space nothing is taken in.", limit)
    try:
        disk = shutil.disk_usage(config.storage.directory)
    except OSError:
        return
    yield _gauge("disk_free_bytes", "Free space where received objects lie.", disk.free)
    yield _gauge("disk_total_bytes", "Size of that disk.", disk.total)


def _received(counted: Counted) -> Iterator[Metric]:
    yield _counter("objects_received", "Objects that have come.", counted.objects)
    yield _counter(
        "associations", "Associations and transactions that have brought something.",
        counted.associations,
    )  # fmt: skip
    kinds = {"dimse": 0, "dicomweb": 0, "file": 0, "source": 0} | dict(counted.open_senders)
    yield _by("senders_open", "Who is sending something right now.", "kind", kinds)
    yield _gauge("studies", "Studies that are here.", counted.studies)
    standing = {
        "waiting": counted.waiting,
        "expired": counted.expired,
        "ignored": counted.ignored,
    }
    yield _by("studies_not_judged", "Studies without an analysis.", "standing", standing)


def _work(counted: Counted, config: NodeConfig) -> Iterator[Metric]:
    states = {state.value: 0 for state in State}
    yield _by("jobs", "Analyses.", "state", states | dict(counted.jobs))
    yield _by("jobs_done", "Analyses that are done.", "outcome", counted.outcomes)
    yield _by("fetches", "Questions to sources.", "state", states | dict(counted.fetches))
    names = [each.name for each in config.destinations]
    totals = {(name, state): 0 for name in names for state in states}
    for (destination, state), number in counted.deliveries.items():
        key = destination if destination in names else OTHER, state
        totals[key] = totals.get(key, 0) + number
    deliveries = GaugeMetricFamily(
        "m3node_deliveries", "What is sent where.", labels=["destination", "state"]
    )
    for (destination, state), number in totals.items():
        deliveries.add_metric([destination, state], number)
    yield deliveries


def _ages(counted: Counted, now: Moment) -> Iterator[Metric]:
    kinds = ("job", "delivery", "waiting study", "unread object")
    yield _by(
        "oldest_seconds",
        "For how long the oldest that is queued or waits has been here.",
        "what",
        {
            kind: max(0.0, (now.at - counted.oldest[kind]).total_seconds())
            if kind in counted.oldest
            else 0.0
            for kind in kinds
        },
    )
    silent, still = {}, {}
    for pulse in counted.pulses:
        silent_s = max(0.0, now.age_s(boot=pulse.boot, tick=pulse.tick, at=pulse.at))
        silent[pulse.role] = silent_s
        still[pulse.role] = silent_s + pulse.tick - pulse.moved_tick
    yield _by("process_silent_seconds", "Since a process said that it runs.", "role", silent)
    yield _by("process_still_seconds", "Since a process has got on.", "role", still)


_HISTOGRAMS = (
    (PHASE_SECONDS, "Seconds of each phase of a study.", "phase"),
    (SLICE_THICKNESS, "Slice thickness of the series analysed, in mm.", None),
    (PROBABILITY, "Malignancy probability of the nodules judged.", None),
)
_COUNTERS = (
    (KERNEL, "analysed_kernel", "Series analysed, by how sharp their kernel is.", "sharpness"),
    (MANUFACTURER, "analysed_manufacturer", "Series analysed, by their scanner.", "manufacturer"),
    (SOURCE, "analysed_source", "Series analysed, by configured AE title.", "source"),
    (NODULES, "nodules", "Annotated nodules.", "result"),
)  # fmt: skip


def _tallied(rows: Iterable[TallyRow], config: NodeConfig) -> Iterator[Metric]:
    by_metric: dict[str, list[TallyRow]] = {}
    for row in rows:
        by_metric.setdefault(row.metric, []).append(row)
    for metric, says, label in _HISTOGRAMS:
        yield _histogram(metric, says, label, by_metric.get(metric, []))
    for metric, name, says, label in _COUNTERS:
        totals: dict[str, float] = {}
        for row in by_metric.get(metric, []):
            key = _named(row.label, config) if metric == SOURCE else row.label
            totals[key] = totals.get(key, 0.0) + row.value
        family = CounterMetricFamily(f"m3node_{name}", says, labels=[label])
        for key, value in totals.items():
            family.add_metric([key], value)
        yield family


def _named(source: str, config: NodeConfig) -> str:
    """A title that the configuration names, or a way of coming; else "other".

    Each way is compared whole: an AE title may begin with a bracket too.
    """
    allowed = config.receiver.allowed_calling_ae_titles or ()
    known = {*allowed, *config.watch.expect_ct_from, *(f"({kind})" for kind in SenderKind)}
    return source if source in known else OTHER


def _histogram(metric: str, says: str, label: str | None, rows: Iterable[TallyRow]) -> Metric:
    family = HistogramMetricFamily(
        f"m3node_{metric}", says, labels=[] if label is None else [label]
    )
    ends = RANGES[metric]
    by_label: dict[str, dict[int, float]] = {} if label is not None else {"": {}}
    for row in rows:
        by_label.setdefault(row.label, {})[row.bucket] = row.value
    for key, values in by_label.items():
        total, buckets = 0.0, []
        for number, end in enumerate((*map(floatToGoString, ends), "+Inf")):
            total += values.get(number, 0.0)
            buckets.append((end, total))
        family.add_metric([] if label is None else [key], buckets, values.get(SUM, 0.0))
    return family
