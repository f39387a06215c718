"""The workers: each takes one job at a time from the queue and has its runner do it."""

import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from model_server.jobs.heart import Heart
from model_server.jobs.queue import Job
from model_server.jobs.store import Store, result_name
from model_server.log import log_job, logger
from model_server.metrics import Metrics
from model_server.runner_client import Outcome, RunnerDiedError

#: How late a job of another server on the volume, or an expired lease, may be noticed.
_POLL_SECONDS = 1.0
_AFTER_FAULT_SECONDS = 1.0


class Runner(Protocol):
    """What a worker needs of a runner (runner_client.RunnerClient)."""

    @property
    def mode(self) -> str: ...

    def prepare(self) -> None: ...

    def run(self, job_id: str, input_path: Path, output_path: Path, timeout: float) -> Outcome: ...

    def stop(self) -> None: ...


class Worker(threading.Thread):
    """One thread with one runner."""

    def __init__(
        self,
        store: Store,
        runner: Runner,
        heart: Heart,
        metrics: Metrics,
        *,
        owner: str,
        work: Path,
        timeout_seconds: float,
        lease_seconds: float,
    ) -> None:
        super().__init__(name="worker", daemon=True)
        self._store = store
        self._heart = heart
        self._metrics = metrics
        self._runner = runner
        self._owner = owner
        self._work = work
        self._timeout = timeout_seconds
        self._lease = lease_seconds
        self._stopping = threading.Event()
        self._giving_up = threading.Event()

    @property
    def mode(self) -> str:
        """How the program is run; "" as long as it is not known."""
        return self._runner.mode

    def stop_claiming(self) -> None:
        """No further job is started."""
        self._stopping.set()
        self._store.put.ring()

    def give_up(self) -> None:
        """The running job, if there is one, is stopped and given back."""
        self._giving_up.set()
        self._runner.stop()

    def run(self) -> None:
        """Works until told to stop; a fault of one job, or of the database, never ends the thread."""
        try:
            self._runner.prepare()
        except RunnerDiedError as error:
            logger.warning("%s; it is started again for the first job", error)
        while not self._stopping.is_set():
            heard = self._store.put.rings
            try:
                job = self._store.queue.claim(self._owner, self._lease)
                if job is None:
                    self._store.put.wait(heard, _POLL_SECONDS)
                else:
                    self._do(job)
            except Exception:  # noqa: BLE001 - whatever one job did: without its worker the queue would stand still
                logger.exception("a worker met a fault and goes on")
                self._stopping.wait(_AFTER_FAULT_SECONDS)
        self._runner.stop()

    def _do(self, job: Job) -> None:
        log_job(job.id, "started, attempt %d", job.attempts)
        self._metrics.started()
        output = self._work / result_name(job.id, job.token)
        with self._heart.beating(job, self._runner.stop):
            try:
                outcome = self._runner.run(job.id, self._store.input_of(job.id), output, self._timeout)
                recorded, text = self._record(job, output, outcome)
                if recorded:
                    self._metrics.ended(outcome.error is None, outcome.seconds)
            except RunnerDiedError as error:
                if self._giving_up.is_set():
                    recorded, text = self._store.queue.release(job), "given back: the server stops"
                else:
                    recorded, text = self._store.queue.abandon(job), f"given back: {error}"
            finally:
                _remove(output)
        log_job(job.id, "%s", text if recorded else "is no longer ours; nothing was recorded")
        if recorded:
            self._store.tell_over(job)

    def _record(self, job: Job, output: Path, outcome: Outcome) -> tuple[bool, str]:
        if outcome.error is not None:
            return self._store.queue.fail(job, outcome.error), f"failed after {outcome.seconds:.3f} s"
        try:
            name = self._store.publish(job, output)
        except OSError as error:
            text = f"The program's output cannot be kept: {error.strerror}."
            return self._store.queue.fail(job, text), f"failed after {outcome.seconds:.3f} s"
        recorded = self._store.queue.complete(job, name)
        if not recorded:
            self._store.result_path(name).unlink(missing_ok=True)
        return recorded, f"complete after {outcome.seconds:.3f} s"


def _remove(output: Path) -> None:
    """What a program left where its output belongs; it may even be a folder."""
    if output.is_dir() and not output.is_symlink():
        shutil.rmtree(output, ignore_errors=True)
    else:
        output.unlink(missing_ok=True)


class Workers:
    """All workers of a server."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._draining = threading.Event()

    @property
    def draining(self) -> bool:
        """True once `drain` was called: the server is about to stop."""
        return self._draining.is_set()

    @property
    def mode(self) -> str:
        """How the program is run; "" as long as it is not known."""
        return next((worker.mode for worker in self._workers if worker.mode), "")

    @property
    def problem(self) -> str | None:
        """Why no job would be done now, or None."""
        return None if any(worker.is_alive() for worker in self._workers) else "no worker runs"

    def start(self) -> None:
        for worker in self._workers:
            worker.start()

    def drain(self, seconds: float) -> None:
        """Starts no further job, lets running ones end within `seconds`, then stops them and gives them back."""
        self._draining.set()
        deadline = time.monotonic() + seconds
        for worker in self._workers:
            worker.stop_claiming()
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        for worker in self._workers:
            if worker.is_alive():
                worker.give_up()
        for worker in self._workers:
            worker.join(5)
