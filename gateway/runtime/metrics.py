"""Named counters and gauges, in the form that Prometheus reads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from gateway.wire.messages import Birth, Health

REPORTED = ("wakes", "flags", "resends", "ring_drops", "refused")
"""What a node counts and tells in its Health (nodes/wire/wire.cddl); since its own last start."""
COMMIT_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)


class Count(Protocol):
    """Adds to a named counter."""

    def __call__(self, name: str, by: int = 1) -> None:
        """Add `by` to the counter `name`."""
        ...


class _Server(Protocol):
    server_port: int

    def shutdown(self) -> None: ...

    def server_close(self) -> None: ...


class Metrics:
    """Every loss has a counter with a name; all of them are here."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._link = _Counts("stethos_link", "Frames, by link and what became of them", "link", "name")
        self._output = _Counts("stethos_output", "By output, what happened to its peers and batches", "output", "name")
        self._frames = _Counts("stethos_frames", "Envelopes, by node and verdict (nodes/wire/SPEC.md)",
                               "node", "verdict")  # fmt: skip
        self._events = _Counts("stethos_events", "What the gateway itself did or could not do", "name")
        for counts in (self._link, self._output, self._frames, self._events):
            self.registry.register(counts)
        self._library = Counter("stethos_library_messages", "Log lines left out, as they repeat: of a library or ours",
                                ["logger", "level"], registry=self.registry)  # fmt: skip
        self.commit_s = Histogram("stethos_commit_seconds", "Time of one journal commit", buckets=COMMIT_BUCKETS_S,
                                  registry=self.registry)  # fmt: skip
        self.lag = Gauge("stethos_output_lag_events", "Alarm and incident events that an output has not delivered yet",
                         ["output"], registry=self.registry)  # fmt: skip
        self.accepting = Gauge("stethos_accepting", "1; 0 while the journal cannot be written, nothing is accepted",
                               registry=self.registry)  # fmt: skip
        self.journal_bytes = Gauge("stethos_journal_bytes", "Size of the journal on disk", registry=self.registry)
        self.disk_free = Gauge("stethos_disk_free_bytes", "What is free on the disk of the state folder",
                               registry=self.registry)  # fmt: skip
        self.near_bound = Gauge("stethos_near_bound", "1 while disk, journal, memory or an output is near its bound",
                                ["bound"], registry=self.registry)  # fmt: skip
        self.memory = Gauge("stethos_memory_bytes", "Resident memory of the gateway", registry=self.registry)
        self.memory_bound = Gauge("stethos_memory_bound_bytes", "What it may take, with its control group",
                                  registry=self.registry)  # fmt: skip
        self._skipped = Counter("stethos_node_skipped", "At most so many messages were lost with a node's memory",
                                ["node"], registry=self.registry)  # fmt: skip
        self._health: dict[str, Health] = {}
        self.registry.register(_NodeReports(self._health))
        self._server: tuple[_Server, threading.Thread] | None = None

    def link(self, link: str) -> Callable[[str], None]:
        """The counting function that a Link is given."""
        return lambda name: self._link.add((link, name))

    def output(self, output: str) -> Count:
        """The counting function that an Output is given."""

        def count(name: str, by: int = 1) -> None:
            self._output.add((output, name), by)

        return count

    def frame(self, node: str, verdict: str) -> None:
        """One envelope was judged. `node` is "" where nobody's identity was proved."""
        self._frames.add((node, verdict))

    def health(self, node: str, health: Health) -> None:
        """A node has told what it counted, its own losses among it."""
        self._health[node] = health

    def born(self, node: str, birth: Birth) -> None:
        """A node has told what a reset passed over."""
        self._skipped.labels(node).inc(birth.skipped)

    def event(self, name: str, by: int = 1) -> None:
        """The gateway did, or could not do, something that has a name."""
        self._events.add((name,), by)

    def library(self, logger: str, level: str) -> None:
        """A library's message was not logged, because it repeats."""
        self._library.labels(logger, level).inc()

    def engine(self, counters: Callable[[], Mapping[str, int]]) -> None:
        """Publish the engine's own counters as they stand when somebody looks."""
        self.registry.register(_EngineCounters(counters))

    def serve(self, host: str, port: int) -> None:
        """Answer Prometheus on host:port. Raises OSError if the port is taken."""
        self._server = start_http_server(port, host, self.registry)

    @property
    def port(self) -> int:
        """The port served, 0 if none is."""
        return self._server[0].server_port if self._server else 0

    def close(self) -> None:
        """Stop answering."""
        if self._server:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()
            self._server = None


class _Counts:
    """Counters by label for the loop's own thread. What comes with every frame must cost no more than a look-up:
    prometheus_client's take a lock and several calls.
    """

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._values: dict[tuple[str, ...], int] = {}

    def add(self, labels: tuple[str, ...], by: int = 1) -> None:
        values = self._values
        values[labels] = values.get(labels, 0) + by

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, value in sorted(self._values.copy().items()):  # asked for from another thread
            family.add_metric(labels, value)
        yield family


class _EngineCounters:
    """A collector over the engine's counters, which the journal determines and which therefore live there."""

    def __init__(self, counters: Callable[[], Mapping[str, int]]) -> None:
        self._counters = counters

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily("stethos_engine", "What the engine could not use, by name", labels=["name"])
        for name, value in sorted(self._counters().items()):
            family.add_metric([name], value)
        yield family


class _NodeReports:
    """A collector over what the nodes have last told of themselves; reports come more often than anybody looks."""

    def __init__(self, health: dict[str, Health]) -> None:
        self._health = health

    def collect(self) -> Iterator[GaugeMetricFamily]:
        told = GaugeMetricFamily(
            "stethos_node_reported", "What a node has last told of its own counters", labels=["node", "name"]
        )
        energy = GaugeMetricFamily(
            "stethos_node_energy_microcoulombs", "Charge a node has spent, as it reckons", labels=["node", "state"]
        )
        learner = GaugeMetricFamily(
            "stethos_node_learner", "How a node's learner is doing (nodes/wire/SPEC.md)", labels=["node", "name"]
        )
        for node, health in sorted(self._health.copy().items()):
            _tell(told, node, {name: getattr(health, name) for name in REPORTED})
            _tell(energy, node, health.energy_uc._asdict())
            if health.more:  # which only newer nodes tell
                _tell(told, node, health.more._asdict())
            if health.learner:
                _tell(learner, node, health.learner._asdict())
        yield from (told, energy, learner)


def _tell(family: GaugeMetricFamily, node: str, figures: Mapping[str, int | None]) -> None:
    for name, value in figures.items():
        if value is not None:
            family.add_metric([node, name], value)
