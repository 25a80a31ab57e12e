"""Named counters and gauges, in the form that Prometheus reads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily

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
        self._link = Counter("stethos_link", "Frames, by link and what became of them", ["link", "name"],
                             registry=self.registry)  # fmt: skip
        self._output = Counter("stethos_output", "By output, what happened to its peers and batches",
                               ["output", "name"], registry=self.registry)  # fmt: skip
        self._frames = Counter("stethos_frames", "Envelopes, by node and verdict (nodes/wire/SPEC.md)",
                               ["node", "verdict"], registry=self.registry)  # fmt: skip
        self._events = Counter("stethos_events", "What the gateway itself did or could not do", ["name"],
                               registry=self.registry)  # fmt: skip
        self._library = Counter("stethos_library_messages", "Messages of libraries that were collapsed in the log",
                                ["logger", "level"], registry=self.registry)  # fmt: skip
        self.commit_s = Histogram("stethos_commit_seconds", "Time of one journal commit", buckets=COMMIT_BUCKETS_S,
                                  registry=self.registry)  # fmt: skip
        self.lag = Gauge("stethos_output_lag_entries", "Journal entries that an output has not delivered yet",
                         ["output"], registry=self.registry)  # fmt: skip
        self.accepting = Gauge("stethos_accepting", "1; 0 while the journal cannot be written, nothing is accepted",
                               registry=self.registry)  # fmt: skip
        self.journal_bytes = Gauge("stethos_journal_bytes", "Size of the journal on disk", registry=self.registry)
        self._server: tuple[_Server, threading.Thread] | None = None

    def link(self, link: str) -> Callable[[str], None]:
        """The counting function that a Link is given."""
        return lambda name: self._link.labels(link, name).inc()

    def output(self, output: str) -> Count:
        """The counting function that an Output is given."""

        def count(name: str, by: int = 1) -> None:
            self._output.labels(output, name).inc(by)

        return count

    def frame(self, node: str, verdict: str) -> None:
        """One envelope was judged. `node` is "" where nobody's identity was proved."""
        self._frames.labels(node, verdict).inc()

    def event(self, name: str, by: int = 1) -> None:
        """The gateway did, or could not do, something that has a name."""
        self._events.labels(name).inc(by)

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


class _EngineCounters:
    """A collector over the engine's counters, which the journal determines and which therefore live there."""

    def __init__(self, counters: Callable[[], Mapping[str, int]]) -> None:
        self._counters = counters

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily("stethos_engine", "What the engine could not use, by name", labels=["name"])
        for name, value in sorted(self._counters().items()):
            family.add_metric([name], value)
        yield family
