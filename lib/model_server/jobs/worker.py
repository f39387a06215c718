"""The workers: each takes one job at a time from the queue and has its runner do it."""

import errno
import os
import shutil
import stat
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Protocol

from model_server.jobs.heart import Heart
from model_server.jobs.job import Claim, Ended, Job
from model_server.jobs.store import SMALL_BYTES, Store, result_name
from model_server.log import log_job, logger
from model_server.metrics import Metrics
from model_server.runner_client import Outcome, RunnerDiedError

#: How late a job of another server on the volume, or an expired lease, may be noticed.
_POLL_SECONDS = 1.0
_AFTER_FAULT_SECONDS = 1.0
_TOO_LATE = "is no longer ours; nothing was recorded"


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
        self._claim = Claim(owner, lease_seconds)
        self._work = work
        self._timeout = timeout_seconds
        self._stopping = threading.Event()
        self._giving_up = threading.Event()

    @property
    def mode(self) -> str:
        """How the program is run; "" as long as it is not known."""
        return self._runner.mode

    def stop_claiming(self) -> None:
        """No further job is started."""
        self._stopping.set()
        self._store.bench.ring()

    def give_up(self) -> None:
        """The running job, if there is one, is stopped and given back."""
        self._giving_up.set()
        self._runner.stop()

    def run(self) -> None:
        """Works until told to stop; a fault of one job, or of the database, never ends the thread."""
        try:
            self._runner.prepare()
        except Exception as error:  # noqa: BLE001 - without its worker the queue would stand still
            logger.warning("the runner is not ready (%s); it is started again for the first job", error)
        while not self._stopping.is_set():
            heard = self._store.bench.rings
            try:
                job = self._store.queue.claim(self._claim.owner, self._claim.lease_seconds)
                if job is None:
                    job = self._store.bench.wait(self._claim, heard, _POLL_SECONDS)
                if job is not None:
                    self._do(job)
            except Exception:  # noqa: BLE001 - whatever one job did: without its worker the queue would stand still
                logger.exception("a worker met a fault and goes on")
                self._stopping.wait(_AFTER_FAULT_SECONDS)
        self._runner.stop()

    def _do(self, job: Job) -> None:
        log_job(job.id, "started, attempt %d", job.attempts)
        self._metrics.started()
        output = self._work / result_name(job.id, job.token)
        source = self._work / f"{output.name}-input"
        try:
            try:
                with self._heart.beating(job, self._runner.stop):
                    outcome = self._runner.run(job.id, self._bring(job, source), output, self._timeout)
                    ended = self._end(job, output, outcome)
            finally:
                _remove(output)
                if job.content is not None:
                    source.unlink(missing_ok=True)
            # Behind the beat: a job that is recorded is no longer ours, and the heart would stop its runner.
            self._record(job, ended, outcome)
        except RunnerDiedError as error:
            if self._giving_up.is_set():
                recorded, text = self._store.queue.release(job), "given back: the server stops"
            else:
                recorded, text = self._store.queue.abandon(job), f"given back: {error}"
            log_job(job.id, "%s", text if recorded else _TOO_LATE)
        except OSError:  # no room, no descriptor: another server may have the job, or this one later
            self._store.queue.release(job)
            raise

    def _bring(self, job: Job, place: Path) -> Path:
        """The job's input as a file: at `place`, which is not synced, if the queue keeps it."""
        if job.content is None:
            return self._store.input_of(job.id)
        with place.open("xb", buffering=0) as file:
            if file.write(job.content) != len(job.content):
                raise OSError(errno.ENOSPC, "no room for the input")
        return place

    def _record(self, job: Job, ended: Ended, outcome: Outcome) -> None:
        """Has the end of the job recorded, and does not wait for it: the next job can begin."""
        self._store.queue.end(job, ended).add_done_callback(partial(self._recorded, job, ended, outcome))

    def _end(self, job: Job, output: Path, outcome: Outcome) -> Ended:
        if outcome.error is not None:
            return Ended(outcome.error, None, None)
        try:
            content = _small(output)
            if content is not None:
                return Ended(None, output.name, content)
            return Ended(None, self._store.publish(job, output), None)
        except OSError as error:
            return Ended(f"The program's output cannot be kept: {error.strerror}.", None, None)

    def _recorded(self, job: Job, ended: Ended, outcome: Outcome, future: Future[bool]) -> None:
        error = future.exception()
        if error is not None:  # the job's lease ends, and it is done again
            logger.error("the end of a job could not be recorded", exc_info=error)
        elif future.result():
            verb = "complete" if ended.error is None else "failed"
            self._metrics.ended(outcome.error is None, outcome.seconds)
            self._store.tell_over(job, ended)
            log_job(job.id, "%s after %.3f s", verb, outcome.seconds)
        else:
            if ended.result is not None and ended.content is None:
                self._store.result_path(ended.result).unlink(missing_ok=True)
            log_job(job.id, _TOO_LATE)


def _small(output: Path) -> bytes | None:
    """The content of a file; None if it is large.

    Raises:
        OSError: it is no file that can be read.
    """
    descriptor = os.open(output, os.O_RDONLY | os.O_NONBLOCK)  # to open a pipe would wait for somebody who writes
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        if status.st_size > SMALL_BYTES:
            return None
        content = os.read(descriptor, SMALL_BYTES + 1)
    finally:
        os.close(descriptor)
    return None if len(content) > SMALL_BYTES else content


def _remove(output: Path) -> None:
    """What a program left where its output belongs, as far as it can be; it may even be a folder."""
    try:
        output.unlink(missing_ok=True)
    except OSError:
        shutil.rmtree(output, ignore_errors=True)


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
