"""The heartbeat: renews leases, stops lost jobs, gives back dead servers' jobs."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from model_server.jobs import database
from model_server.jobs.job import Job, Lease
from model_server.jobs.late_stop import LateStop
from model_server.jobs.store import Store
from model_server.log import log_job, logger

S = TypeVar("S")
#: How late a deletion through another server may be noticed.
_LOOK_SECONDS = 1.0


class Heartbeat(threading.Thread):
    """One thread for all workers of a server."""

    def __init__(
        self, store: Store, lease_seconds: float, server: str, takes_jobs: Callable[[], bool] = lambda: True
    ) -> None:
        """Announce `server` once it `takes_jobs`."""
        super().__init__(name="heartbeat", daemon=True)
        self._store = store
        self._lease = lease_seconds
        self._stopping = threading.Event()
        #: To add, to discard and to copy are one step each for all threads.
        self._kept: set[_KeptLease] = set()
        self._leases = _SignsOfLife[Lease](lease_seconds)
        self._beats = _SignsOfLife[tuple[str, int]](lease_seconds)
        self._server = server
        self._takes_jobs = takes_jobs
        #: When the server is announced again; 0: it is not announced.
        self._due = 0.0
        self._withdrawn = threading.Event()

    def keep_lease(self, job: Job, stop: Callable[[], None]) -> "_KeptLease":
        """Keep the job's lease in an `async with`; call `stop` in another thread if it is lost.

        It is called at each look: a runner just being started misses the first call. The block's end waits for a
        running call.
        """
        return _KeptLease(self._kept, job, stop, self._lease / 3)

    def withdraw(self) -> None:
        """Leave this build's waiting jobs to all: the server ends."""
        self._withdrawn.set()
        self._store.deleted.notify()

    def stop(self) -> None:
        self._stopping.set()
        self._store.deleted.notify()

    def run(self) -> None:
        while not self._stopping.is_set():
            seen = self._store.deleted.count
            try:
                self._announce()
                self._beat()
                self._listen()
            except Exception as error:  # noqa: BLE001 - without the heartbeat nobody would stop what was deleted
                database.log_fault("the leases could not be extended, trying again", error)
            self._store.deleted.wait(seen, min(_LOOK_SECONDS, self._lease / 3))

    def _announce(self) -> None:
        now = time.monotonic()
        if self._withdrawn.is_set():
            if self._due:
                self._store.queue.servers.dismiss(self._server)
                self._due = 0.0
        elif now >= self._due and self._takes_jobs():
            self._store.queue.servers.announce(self._server)
            self._due = now + self._lease / 3

    def _beat(self) -> None:
        kept = self._kept.copy()
        if not kept:
            return
        lost = {(job.id, job.token) for job in self._store.queue.not_held(held.job for held in kept)}
        now = time.monotonic()
        for held in kept:
            if (held.job.id, held.job.token) in lost:
                held.stop()
            elif now >= held.due:
                held.due = now + self._lease / 3
                if not self._store.queue.heartbeat(held.job, self._lease):
                    held.stop()

    def _listen(self) -> None:
        """Give back dead servers' jobs; only after beating: a frozen server must not blame others."""
        now = time.monotonic()
        for lease in self._leases.missed(self._store.queue.leases(), now):
            if self._store.queue.expire(lease):
                log_job(lease.id, "its worker gives no sign of life: given back")
                self._store.notify_waiting()
        servers = self._store.queue.servers
        for server, beat in self._beats.missed(servers.beats(), now):
            if servers.dismiss(server, beat):
                logger.info("another server gives no sign of life: what waits for its build is for all")
                self._store.notify_waiting()


class _SignsOfLife(Generic[S]):
    """The age of each sign of life, by our own clock."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[S, float] = {}

    def missed(self, signs: Iterable[S], now: float) -> list[S]:
        self._since = {sign: self._since.get(sign, now) for sign in signs}
        return [sign for sign, since in self._since.items() if now - since > self._seconds]


class _KeptLease:
    def __init__(self, kept: set["_KeptLease"], job: Job, stop: Callable[[], None], seconds: float) -> None:
        self.job = job
        self.due = time.monotonic() + seconds
        self.stop = LateStop(stop)
        self._kept = kept

    async def __aenter__(self) -> None:
        self._kept.add(self)

    async def __aexit__(self, *_: object) -> None:
        self._kept.discard(self)
        await self.stop.over()
