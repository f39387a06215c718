"""Batches: small waiting jobs, joined to one run of the program.

A joined run without one record for each record counts for nothing: its jobs run again, each alone, so that none suffers
by another.
"""

import asyncio
import concurrent.futures
import os
import threading
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from model_server.jobs.late_stop import LateStop
from model_server.jobs.member import Member
from model_server.jobs.pending import PendingJob, Run
from model_server.jobs.store import SMALL_BYTES
from model_server.jobs.worker import Runner, remove
from model_server.log import logger
from model_server.runner_client import Outcome, RunnerDiedError
from model_server.tabular.joining import Records, cut, join, joinable
from model_server.tabular.mime import Form

#: Jobs of one run; twice as many members bring the next ones while it goes on.
MOST_JOBS = 32
_STOPPED = "its job was stopped"


@dataclass(frozen=True)
class Rules:
    """Rules for joining jobs."""

    #: Of one run, at most.
    records: int
    #: How long the first job of a run waits for others.
    seconds: float
    input: Form
    output: Form


#: Of a runner, the reason why no jobs may be joined; None: they may.
Objection = Callable[[Runner], Awaitable[str | None]]


class Batches:
    """Waiting jobs and the runners that take them, in one loop."""

    def __init__(self, runners: Sequence[Runner], folder: Path, rules: Rules, objection: Objection) -> None:
        """Start nothing yet.

        Args:
            runners: return results up to BATCH_RESULT_BYTES with their outcome.
            folder: for waiting jobs' files, closed to the program.
            objection: asked once, with a runner at rest.
        """
        self._runners = runners
        self.folder = str(folder)
        self._rules = rules
        self._objection = objection
        #: Nothing is joined before the model has shown that it may be.
        self._may_join = False
        self._waiting: deque[PendingJob] = deque()
        self._changed = asyncio.Event()
        #: One runner at a time waits for its run to fill.
        self._gathering = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: list[concurrent.futures.Future[None]] = []
        self._guard = threading.Lock()
        count = len(runners) * 2 * min(MOST_JOBS, rules.records)
        self.members = [Member(self) for _ in range(count)]
        self._open = set(self.members)

    @property
    def mode(self) -> str:
        return next((runner.mode for runner in self._runners if runner.mode), "")

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._serving = [asyncio.run_coroutine_threadsafe(self._serve(runner), loop) for runner in self._runners]

    def bring(
        self, job_id: str, input_path: str, output_path: str, timeout: float, content: bytes | None
    ) -> PendingJob:
        """Enqueue a job."""
        records = None
        if self._may_join and content is not None:
            records = joinable(content, self._rules.input)
            if records is not None and len(records.records) >= self._rules.records:
                records = None  # it fills a run by itself
        loop = asyncio.get_running_loop()
        made = PendingJob(job_id, input_path, output_path, timeout, content, records, loop.time(), loop.create_future())
        self._waiting.append(made)
        self._changed.set()
        return made

    def withdraw(self, job: PendingJob) -> None:
        """Withdraw a job; stop its run if it has no other. From any thread."""
        job.is_withdrawn = True
        run = job.run
        if run is not None and run.is_deserted:
            run.stop()  # and the job ends with it; until then its owner may call again
        elif self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._drop, job)

    def leave(self, member: Member) -> None:
        """Close the runners with the last member. From any thread."""
        with self._guard:
            self._open.discard(member)
            is_over = not self._open
        if is_over:
            for runner in self._runners:
                runner.close()

    def _drop(self, job: PendingJob) -> None:
        with suppress(ValueError):
            self._waiting.remove(job)
        job.fail(RunnerDiedError(_STOPPED))
        self._changed.set()

    async def _serve(self, runner: Runner) -> None:
        try:
            await asyncio.to_thread(runner.prepare)
        except Exception as error:  # noqa: BLE001 - without its runner jobs would wait forever
            logger.warning("the runner is not ready (%s); it is started again for the first job", error)
        if runner is self._runners[0]:
            await self._decide(runner)
        while True:
            await self._do(runner, await self._gather())

    async def _decide(self, runner: Runner) -> None:
        try:
            reason = await self._objection(runner)
        except Exception as error:  # noqa: BLE001 - as above
            reason = f"{type(error).__name__}: {error}"
        self._may_join = reason is None
        if reason is None:
            logger.info("batches: at most %d records, %g s after the first", self._rules.records, self._rules.seconds)
        else:
            logger.warning("no batches: %s", reason)

    async def _gather(self) -> list[PendingJob]:
        async with self._gathering:
            while True:
                while not self._waiting:
                    await self._change(None)
                first = self._waiting[0]
                end = first.arrived + self._rules.seconds
                while first.records is not None and not first.ended.done() and not self._is_full(first.records):
                    if asyncio.get_running_loop().time() >= end:
                        break
                    await self._change(end)
                if not first.ended.done():  # else it was withdrawn meanwhile
                    return self._take(first)
                with suppress(ValueError):
                    self._waiting.remove(first)

    async def _change(self, end: float | None) -> None:
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                await self._changed.wait()

    def _alike(self, records: Records) -> list[PendingJob]:
        kind = records.kind
        return [other for other in self._waiting if other.records is not None and other.records.kind == kind]

    def _is_full(self, records: Records) -> bool:
        alike = self._alike(records)
        return len(alike) >= MOST_JOBS or sum(map(_count, alike)) >= self._rules.records

    def _take(self, first: PendingJob) -> list[PendingJob]:
        taken: list[PendingJob] = []
        left = self._rules.records
        for job in [first] if first.records is None else self._alike(first.records)[:MOST_JOBS]:
            left -= _count(job)
            if taken and left < 0:
                break  # none is overtaken by a smaller one
            taken.append(job)
            self._waiting.remove(job)
        return taken

    async def _do(self, runner: Runner, jobs: Sequence[PendingJob]) -> None:
        run = Run(runner, jobs, LateStop(runner.stop))
        for job in jobs:
            job.run = run
        wanted = [job for job in jobs if not job.is_withdrawn]  # behind the line above: `withdraw` sees the run
        failed: Sequence[PendingJob] = ()
        try:
            if len(wanted) == 1:
                await self._run_alone(runner, wanted[0])
            elif wanted and not await self._run_joined(runner, wanted):
                failed = wanted
        except Exception as error:  # noqa: BLE001 - a runner that served no longer would leave jobs waiting
            for job in wanted:
                job.fail(error)
        await run.stop.over()
        for job in jobs:
            job.run = None
            if job.is_withdrawn:
                job.fail(RunnerDiedError(_STOPPED))
        self._again([job for job in failed if not job.ended.done()])

    def _again(self, jobs: Sequence[PendingJob]) -> None:
        for job in jobs:
            job.records = None
        self._waiting.extendleft(reversed(jobs))
        self._changed.set()

    async def _run_alone(self, runner: Runner, job: PendingJob) -> None:
        output = f"{runner.folder}/{os.path.basename(job.output_path)}"  # noqa: PTH119 - a Path costs 20 µs
        source = f"{output}-input"
        is_clean = False
        try:
            if job.content is None:
                await runner.ready()
                await asyncio.to_thread(os.rename, job.input_path, source)
            outcome = await runner.work(job.job_id, source, output, job.timeout, job.content)
            is_clean = outcome.content is not None and job.content is not None
            if outcome.error is None and outcome.content is None:
                # What is no longer there, the worker misses at its new place.
                with suppress(OSError):
                    await asyncio.to_thread(os.rename, output, job.output_path)
            await self._hand_over(job, outcome)
        finally:
            if not is_clean:
                await asyncio.to_thread(remove, output, source)

    async def _run_joined(self, runner: Runner, jobs: Sequence[PendingJob]) -> bool:
        parts = [job.records for job in jobs if job.records is not None]
        counts = [len(part.records) for part in parts]
        name = f"batch-{uuid.uuid4().hex[:12]}"
        output = f"{runner.folder}/{name}"
        ids = " ".join(job.job_id for job in jobs)
        results = None
        try:
            outcome = await runner.work(name, f"{output}-input", output, jobs[0].timeout, join(parts))
            if outcome.content is not None:
                results = await asyncio.to_thread(cut, outcome.content, self._rules.output, counts)
            reason = outcome.error or "its result is not one record for each record"
        except (RunnerDiedError, OSError) as error:
            reason = str(error)
        if results is None:
            await asyncio.to_thread(remove, output, f"{output}-input")
            logger.warning("%s failed (%s); its jobs run alone: %s", name, reason.strip().rpartition("\n")[2], ids)
            return False
        logger.info("%s: %d records of %d jobs, %.3f s: %s", name, sum(counts), len(jobs), outcome.seconds, ids)
        for job, result in zip(jobs, results, strict=True):
            await self._hand_over(job, replace(outcome, content=result))
        return True

    async def _hand_over(self, job: PendingJob, outcome: Outcome) -> None:
        if outcome.content is not None and len(outcome.content) > SMALL_BYTES:
            await asyncio.to_thread(Path(job.output_path).write_bytes, outcome.content)
            outcome = replace(outcome, content=None)
        job.end(outcome)


def _count(job: PendingJob) -> int:
    return 0 if job.records is None else len(job.records.records)
