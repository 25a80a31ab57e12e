import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.runtime.metrics import Metrics


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    made = Metrics()
    made.serve("127.0.0.1", 0)
    yield made
    made.close()


def scrape(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def test_everything_counted_can_be_scraped(metrics: Metrics) -> None:
    metrics.link("wifi")("received")
    metrics.output("mqtt")("published", 3)
    metrics.frame("n1", "accepted")
    metrics.frame("", "bad_tag")
    metrics.event("commit_failed", 2)
    metrics.library("asyncua", "error")
    metrics.commit_s.observe(0.003)
    metrics.lag.labels("opcua").set(12)
    metrics.journal_bytes.set(4096)
    metrics.accepting.set(1)
    found = scrape(metrics)
    for name, labels, value in (
        ("stethos_link_total", {"link": "wifi", "name": "received"}, 1),
        ("stethos_output_total", {"output": "mqtt", "name": "published"}, 3),
        ("stethos_frames_total", {"node": "n1", "verdict": "accepted"}, 1),
        ("stethos_frames_total", {"node": "", "verdict": "bad_tag"}, 1),
        ("stethos_events_total", {"name": "commit_failed"}, 2),
        ("stethos_library_messages_total", {"logger": "asyncua", "level": "error"}, 1),
        ("stethos_commit_seconds_count", {}, 1),
        ("stethos_commit_seconds_bucket", {"le": "0.005"}, 1),
        ("stethos_output_lag_events", {"output": "opcua"}, 12),
        ("stethos_journal_bytes", {}, 4096),
        ("stethos_accepting", {}, 1),
    ):
        assert found[name, frozenset(labels.items())] == value, name


def test_the_engines_counters_are_read_when_somebody_looks(metrics: Metrics) -> None:
    counters: dict[str, int] = {}
    metrics.engine(lambda: counters)
    counters["score_not_awaited"] = 5
    assert scrape(metrics)["stethos_engine_total", frozenset({("name", "score_not_awaited")})] == 5


def test_a_port_that_is_taken_is_an_error_of_the_system(metrics: Metrics) -> None:
    other = Metrics()
    with pytest.raises(OSError, match="in use"):
        other.serve("127.0.0.1", metrics.port)
    other.close()
