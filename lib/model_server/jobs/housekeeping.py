"""Maintenance: dead servers' jobs, old jobs, orphaned files."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from model_server.jobs import database, instance
from model_server.jobs.store import Store
from model_server.log import logger
from model_server.volume import Volume

_EVERY_SECONDS = 5.0
_ORPHANS_EVERY_SECONDS = 3600.0
#: A file without a job may belong to one that is being made; not that long.
_ORPHAN_SECONDS = 3600.0
_AT_ONCE = 500
_DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class Retention:
    """The ended jobs to keep; None: all."""

    days: float | None
    jobs: int | None


class Housekeeper(threading.Thread):
    """One maintenance thread for each server."""

    def __init__(
        self, store: Store, volume: Volume, retention: Retention, locks_reach: bool, remove: instance.Remove
    ) -> None:
        """Maintain `volume`.

        Args:
            locks_reach: all servers see file locks: one without its lock is dead.
        """
        super().__init__(name="housekeeper", daemon=True)
        self._store = store
        self._volume = volume
        self._retention = retention
        self._locks_reach = locks_reach
        self._remove = remove
        #: Ids of dead servers whose folders cannot be removed: a program of another user left something there.
        self._kept: set[str] = set()
        self._orphans_due = time.monotonic()

    def run(self) -> None:
        while True:
            time.sleep(_EVERY_SECONDS)
            try:
                self.once()
            except Exception as error:  # noqa: BLE001 - else nothing would be removed any more, and nobody would know
                database.log_fault("housekeeping met a fault and goes on", error)

    def once(self) -> None:
        self.take_over()
        self._expire()
        if time.monotonic() >= self._orphans_due:
            self._orphans_due = time.monotonic() + _ORPHANS_EVERY_SECONDS
            self.remove_orphans(time.time() - _ORPHAN_SECONDS)

    def take_over(self) -> None:
        """Give back dead servers' jobs and remove their folders."""
        if not self._locks_reach:
            return  # their leases end, which says the same later
        for name in set(instance.find_dead(self._volume.instances)) - self._kept:
            count = self._store.queue.abandon_all(name)
            self._remove(name)
            if (self._volume.instances / name).exists():
                self._kept.add(name)
            logger.info("found a server that had died: %d job(s) given back", count)
            self._store.notify_waiting()

    def _expire(self) -> None:
        days, jobs = self._retention.days, self._retention.jobs
        before = None if days is None else time.time() - days * _DAY_SECONDS
        for job_id in self._store.queue.expired(before, jobs, _AT_ONCE):
            self._store.delete(job_id)

    def remove_orphans(self, before: float) -> None:
        """Remove files older than `before` that no job names."""
        for folder in (self._volume.inputs, self._volume.results):
            for path in folder.iterdir():
                with suppress(FileNotFoundError):  # another server was faster
                    if path.stat().st_mtime < before and not self._is_named(path.name):
                        path.unlink()
                        logger.info("removed a file that a crash had left")

    def _is_named(self, name: str) -> bool:
        job = self._store.queue.get(name[:36])
        return job is not None and (name in (job.id, self._store.sent_of(job.id).name, job.result) or not job.is_over)
