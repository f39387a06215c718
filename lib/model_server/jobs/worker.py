"""A worker: claims one job at a time for its runner."""

import asyncio
import concurrent.futures
import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from model_server.converters import ConverterDiedError
from model_server.jobs import database
from model_server.jobs.heartbeat import Heartbeat
from model_server.jobs.job import Claim, Job, JobResult
from model_server.jobs.notifications import result_of
from model_server.jobs.store import Store, copy, result_name
from model_server.log import log_job, logger
from model_server.metrics import Metrics
from model_server.runner_client import Outcome, RunnerDiedError
from model_server.tabular.problems import NOT_TAKEN, DataError
from model_server.tracing import Tracing

_AFTER_FAULT_SECONDS = 1.0
_TOO_LATE = "is no longer ours; nothing was recorded"


class Runner(Protocol):
    """A worker's runner (runner_client.RunnerClient)."""

    @property
    def mode(self) -> str: ...

    @property
    def folder(self) -> str: ...

    async def ready(self) -> None: ...

    def prepare(self) -> None: ...

    def said(self, job_id: str) -> tuple[str, ...] | None: ...

    async def work(
        self, job_id: str, input_path: str, output_path: str, timeout: float, content: bytes | None
    ) -> Outcome: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Gate(Protocol):
    """The condition for taking jobs (self_proof.SelfProof)."""

    async def passes(self, runner: Runner) -> bool: ...

    def stop(self) -> None: ...


#: Of a job, its data as sent, and where the model's input goes.
Prepare = Callable[[Job, Path, Path], None]


class Worker:
    """One coroutine with one runner."""

    def __init__(
        self,
        store: Store,
        runner: Runner,
        heartbeat: Heartbeat,
        metrics: Metrics,
        *,
        owner: str,
        timeout_seconds: float,
        lease_seconds: float,
        prepare: Prepare,
        gate: Gate | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """Share all but the runner with other workers.

        Args:
            timeout_seconds: of a job.
            gate: None: it may take jobs at once.
        """
        self._store = store
        self._heartbeat = heartbeat
        self._metrics = metrics
        self._runner = runner
        self._prepare = prepare
        self._gate = gate
        self._tracing = tracing
        #: It may take jobs.
        self._is_open = gate is None
        self._claim = Claim(owner, lease_seconds)
        self._timeout = timeout_seconds
        self._stopping = threading.Event()
        self._giving_up = threading.Event()
        #: The end of the last job.
        self._recording: asyncio.Future[None] | None = None

    @property
    def mode(self) -> str:
        return self._runner.mode

    def said(self, job_id: str) -> tuple[str, ...] | None:
        return self._runner.said(job_id)

    def stop_claiming(self) -> None:
        self._stopping.set()
        if self._gate is not None and not self._is_open:
            self._gate.stop()
            self.give_up()
        self._store.idle_workers.notify()

    def give_up(self) -> None:
        """Stop the running job, if any, and give it back."""
        self._giving_up.set()
        self._runner.close()

    async def run(self) -> None:
        """Work until told to stop; no fault of a job or database ends it."""
        if self._gate is not None:
            self._is_open = await self._gate.passes(self._runner)
        if self._is_open:
            await self._work()
        await asyncio.to_thread(self._runner.close)

    async def _work(self) -> None:
        try:
            await asyncio.to_thread(self._runner.prepare)
        except Exception as error:  # noqa: BLE001 - without its worker the queue would stand still
            logger.warning("the runner is not ready (%s); it is started again for the first job", error)
        while not self._stopping.is_set():
            try:
                job = await self._next()
                if job is not None:
                    await self._do(job)
            except Exception as error:  # noqa: BLE001 - whatever one job did: without its worker the queue would stand still
                database.log_fault("a worker met a fault and goes on", error)
                await asyncio.sleep(_AFTER_FAULT_SECONDS)
        if self._recording is not None:
            await asyncio.wait((self._recording,))

    async def _next(self) -> Job | None:
        idle_workers = self._store.idle_workers
        seen = idle_workers.count
        if not idle_workers.pause:
            job = await result_of(self._store.queue.claim_next(self._claim.owner, self._claim.lease_seconds))
            if job is not None:
                return job
            idle_workers.found_nothing(seen)
        deferred = self._store.queue.claim_deferred(self._claim)
        if deferred is not None:
            return deferred
        return await idle_workers.wait(self._claim, seen, idle_workers.pause)

    async def _do(self, job: Job) -> None:
        log_job(job.id, "started, attempt %d", job.attempts)
        self._metrics.started()
        name = result_name(job.id, job.token)
        output = f"{self._runner.folder}/{name}"  # pathlib's paths would cost a job 20 µs
        source = f"{output}-input"
        is_clean = False
        try:
            try:
                async with self._heartbeat.keep_lease(job, self._runner.stop):
                    problem = None
                    if job.content is None:
                        await self._runner.ready()
                        problem = await asyncio.to_thread(self._bring, job, source)
                    if problem is None:
                        outcome = await self._runner.work(job.id, source, output, self._timeout, job.content)
                        self._store.pace.ended(outcome.seconds)
                    else:
                        outcome = Outcome(problem, 0.0)
                    is_clean = outcome.content is not None and job.content is not None
                    ended = await self._end(job, name, output, outcome)
            finally:
                if not is_clean:
                    await asyncio.to_thread(remove, output, source)  # there may be gigabytes, or a folder
            # Behind the beat: a job that is recorded is no longer ours, and the heartbeat would stop its runner.
            told = self._recording = asyncio.get_running_loop().create_future()
            is_private = job.id in self._store.queue.deferred
            # Nobody waits for it: the next job can begin.
            tell = partial(self._recorded, job, ended, outcome, told, is_private)
            self._store.queue.end(job, ended).add_done_callback(tell)
        except RunnerDiedError as error:
            if self._giving_up.is_set():
                recorded, text = await self._give_back(self._store.queue.release, job), "given back: the server stops"
            else:
                recorded, text = await self._give_back(self._store.queue.abandon, job), f"given back: {error}"
            log_job(job.id, "%s", text if recorded else _TOO_LATE)
        except OSError:  # no room, no descriptor: another server may have the job, or this one later
            await self._give_back(self._store.queue.release, job)
            raise

    def _bring(self, job: Job, source: str) -> str | None:
        """Make a file for this attempt alone: the program may change it."""
        try:
            sent = self._store.sent_of(job.id)
            if sent.exists():
                self._prepare(job, sent, Path(source))
            else:
                copy(self._store.input_of(job.id), Path(source))
            Path(source).chmod(0o666)  # for the program, another user; nobody else gets into the folder
        except ConverterDiedError as error:
            raise RunnerDiedError(str(error)) from error
        except DataError as error:
            return f"{NOT_TAKEN}: {error}"
        except FileNotFoundError:
            return "The job's data is not on the volume."
        return None

    async def _give_back(self, change: Callable[[Job], bool], job: Job) -> bool:
        recorded = await asyncio.to_thread(change, job)
        self._store.notify_waiting()
        return recorded

    async def _end(self, job: Job, name: str, output: str, outcome: Outcome) -> JobResult:
        if outcome.error is not None:
            return JobResult(outcome.error, None, None)
        if outcome.content is not None:
            return JobResult(None, name, outcome.content)
        try:
            return JobResult(None, await asyncio.to_thread(self._store.publish, job, Path(output)), None)
        except OSError as error:
            return JobResult(f"The program's output cannot be kept: {error.strerror}.", None, None)

    def _recorded(
        self,
        job: Job,
        ended: JobResult,
        outcome: Outcome,
        told: asyncio.Future[None],
        is_private: bool,
        future: concurrent.futures.Future[Any],
    ) -> None:
        if told.get_loop().is_closed():
            return
        told.set_result(None)
        error = future.exception()
        if error is not None:  # the job's lease ends, and it is done again
            database.log_fault("the end of a job could not be recorded", error)
        elif future.result():
            verb = "complete" if ended.error is None else "failed"
            self._metrics.ended(outcome.error is None, outcome.seconds)
            if self._tracing is not None:
                self._tracing.ended(job, ended)
            self._store.notify_end(job, ended, is_private)
            log_job(job.id, "%s after %.3f s", verb, outcome.seconds)
        else:
            if ended.result is not None and ended.content is None:
                late = self._store.result_path(ended.result)
                asyncio.get_running_loop().run_in_executor(None, partial(late.unlink, missing_ok=True))
            log_job(job.id, _TOO_LATE)


def remove(*paths: str) -> None:
    """Remove files or folders, as far as possible."""
    for path in map(Path, paths):
        try:
            path.unlink(missing_ok=True)
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
