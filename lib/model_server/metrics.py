"""The server's metrics, in Prometheus' text format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from model_server.jobs.job import Counts, State

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)


class Metrics:
    """A server's metrics; gauges tell of the whole queue."""

    def __init__(self, model: str, version: str, build_id: str) -> None:
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
        self._attempts = Counter(
            "model_job_attempts", "Jobs started here, again and again counted.", registry=self._registry
        )
        self._seconds = Histogram(
            "model_job_duration_seconds",
            "How long the program ran for a job.",
            ["outcome"],
            buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._complete, self._error = self._seconds.labels("complete"), self._seconds.labels("error")

    def started(self) -> None:
        self._attempts.inc()

    def ended(self, succeeded: bool, seconds: float) -> None:
        (self._complete if succeeded else self._error).observe(seconds)

    def exposition(self, counts: Counts, now: float, room: int) -> bytes:
        self._room.set(room)
        for state in State:
            self._jobs.labels(state).set(counts.by_state[state])
        self._oldest.set(0 if counts.oldest_waiting is None else max(0.0, now - counts.oldest_waiting))
        self._callbacks.set(counts.callbacks_waiting)
        return generate_latest(self._registry)
