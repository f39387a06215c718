"""The server's metrics, in Prometheus' text format."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from model_server.jobs.job import Counts, State
from model_server.siblings import ATTEMPTS, SECONDS, Siblings, alone

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, float("inf"))
_NAMES = {_SECONDS[-1]: "+Inf"}
_OUTCOMES = ("error", "complete")


class Metrics:
    """A server's metrics; gauges tell of the whole queue."""

    def __init__(self, model: str, version: str, build_id: str, siblings: Siblings | None = None) -> None:
        """Begin with nothing; what `siblings` counted counts, too."""
        self._siblings = siblings or alone()
        self._registry = CollectorRegistry()
        info = Gauge("model_info", "The model that answers.", ["model", "version", "build_id"], registry=self._registry)
        info.labels(model, version, build_id).set(1)
        self._jobs = Gauge("model_jobs", "Jobs in the queue by state.", ["state"], registry=self._registry)
        self._oldest = Gauge(
            "model_oldest_waiting_job_seconds", "Age of the oldest job that waits, 0 if none.", registry=self._registry
        )
        self._callbacks = Gauge(
            "model_callbacks_waiting", "Callbacks that are still to be made.", registry=self._registry
        )
        self._room = Gauge(
            "model_volume_room_bytes",
            "What new jobs may still take of the data volume; below 0 none is taken.",
            registry=self._registry,
        )
        self._registry.register(_Sums(self._siblings))

    def started(self) -> None:
        self._siblings.add(ATTEMPTS, 1)

    def ended(self, succeeded: bool, seconds: float) -> None:
        first = _first(succeeded)
        self._siblings.add(first, seconds)
        self._siblings.add(first + 1 + bisect_left(_SECONDS, seconds), 1)

    def exposition(self, counts: Counts, now: float, room: int) -> bytes:
        self._room.set(room)
        for state in State:
            self._jobs.labels(state).set(counts.by_state[state])
        self._oldest.set(0 if counts.oldest_waiting is None else max(0.0, now - counts.oldest_waiting))
        self._callbacks.set(counts.callbacks_waiting)
        return generate_latest(self._registry)


class _Sums(Collector):
    """Sums of all processes of the server."""

    def __init__(self, siblings: Siblings) -> None:
        self._siblings = siblings

    def collect(self) -> Iterator[Metric]:
        total = self._siblings.total
        yield CounterMetricFamily(
            "model_job_attempts", "Jobs started here, again and again counted.", value=total(ATTEMPTS)
        )
        seconds = HistogramMetricFamily(
            "model_job_duration_seconds", "How long the program ran for a job.", labels=["outcome"]
        )
        for succeeded, outcome in enumerate(_OUTCOMES):
            first = _first(bool(succeeded))
            counts = accumulate(total(first + 1 + bucket) for bucket in range(len(_SECONDS)))
            buckets = [
                (_NAMES.get(most, str(float(most))), count) for most, count in zip(_SECONDS, counts, strict=True)
            ]
            seconds.add_metric([outcome], buckets, total(first))
        yield seconds


def _first(succeeded: bool) -> int:
    """Return an outcome's first figure: the sum of its seconds, before its jobs by _SECONDS."""
    return SECONDS + succeeded * (1 + len(_SECONDS))
