"""Sends, follows and ends Batch jobs."""

import hashlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model_dockerize.aws.batch import array_jobs as job_list
from model_dockerize.aws.batch.runnable import why_runnable
from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import BATCH, TAG, legal_name
from model_dockerize.aws.client.retries import finds_what_was_lost, says_role_is_new
from model_dockerize.aws.logs import last_lines
from model_dockerize.errors import AwsAccessError, AwsError
from model_dockerize.progress import Progress

_STUCK_SECONDS = 120.0
#: How long jobs are sent again because ECS cannot assume their role yet, and after which pause.
_ROLE_SECONDS, _ROLE_PAUSE = 60.0, 5.0
_LINES = 100
_ASKED_AT_ONCE = 100  # what DescribeJobs takes
_ORDER = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")

_OVER = ("SUCCEEDED", "FAILED")
_SAID = {"SUCCEEDED": "done", "FAILED": "failed", "RUNNING": "running", "STARTING": "starting"}

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Job:
    """A job or array, as last seen."""

    id: str
    inputs: tuple[str, ...]
    status: str  # one of _ORDER
    reason: str = ""
    exit_code: int | None = None
    stream: str = ""  # of its log
    counts: Mapping[str, int] = field(default_factory=dict)  # of an array: children by state

    @property
    def over(self) -> bool:
        return self.status in _OVER

    @property
    def lacks_role(self) -> bool:
        """Tell whether its role may be too new."""
        return self.status == "FAILED" and self.exit_code is None and says_role_is_new(self.reason)


@dataclass(frozen=True)
class _Name:
    work: str  # the same for the same definition, inputs and output
    sending: str
    once: bool  # not while another sending of the same work is under way

    def __str__(self) -> str:
        return f"{self.work}-{self.sending}"


def send_jobs(
    aws: Aws,
    queue: str,
    definition: str,
    name: str,
    inputs: Sequence[str],
    output: str,
    progress: Progress,
    *,
    once: bool = False,
) -> Iterator[Job]:
    """Send one job, or array jobs, for all `inputs`.

    Args:
        definition: ARN or NAME.
        output: `{name}` stands for the input's stem.
        once: take one under way, whose sender may have ended before noting it.
    """
    for part in job_list.parts(inputs, output):
        same = hashlib.sha256(json.dumps([definition, part, output]).encode()).hexdigest()[:12]
        own = _Name(f"{legal_name(name, 100)}-{same}", uuid.uuid4().hex[:8], once)
        if len(part) == 1:
            parameters = {"input": part[0], "output": job_list.place(output, part[0])}
            identity = _send(aws, queue, definition, own, parameters, 1)
            progress.info(f"job {identity}: {part[0]}")
        else:
            identity = _send(aws, queue, definition, own, {"input": job_list.packed(part), "output": output}, len(part))
            progress.info(f"array job {identity}: {len(part)} inputs, from {part[0]} to {part[-1]}")
        yield Job(identity, part, "SUBMITTED")


@finds_what_was_lost
def _send(aws: Aws, queue: str, definition: str, name: _Name, parameters: Mapping[str, str], size: int) -> str:
    with translate(f"submit a job of {definition.rsplit('/', 1)[-1]}"):
        named: Any = [{"name": "JOB_NAME", "values": [f"{name.work}-*"]}]
        for page in aws.batch.get_paginator("list_jobs").paginate(jobQueue=queue, filters=named):
            for there in page["jobSummaryList"]:
                if there["jobName"] == str(name) or (name.once and there["status"] not in _OVER):
                    return there["jobId"]
        array: Any = {"arrayProperties": {"size": size}} if size > 1 else {}
        return aws.batch.submit_job(
            jobName=str(name),
            jobQueue=queue,
            jobDefinition=definition,
            parameters=parameters,
            propagateTags=True,
            tags={TAG: BATCH, **aws.tags},
            **array,
        )["jobId"]


def follow_to_end(
    aws: Aws,
    queue: str,
    sent: list[Job],
    send: Callable[..., Iterator[Job]],
    progress: Progress,
    sleep: Sleep = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    done: int = 0,
) -> Iterator[Job]:
    """Follow jobs; resend, into `sent`, those whose role is too new."""
    following, until = list(sent), clock() + _ROLE_SECONDS
    while following:
        early: list[str] = []
        for job in follow_jobs(aws, queue, following, progress, sleep, clock, done):
            if job.lacks_role and clock() < until:
                early += job.inputs
            else:
                yield job
        following = []
        if early:
            progress.info(f"Their role may be too new to be assumed: {len(early)} of the inputs are sent again.")
            sleep(_ROLE_PAUSE)
        for job in send(inputs=early):
            sent.append(job)
            following.append(job)


def follow_jobs(
    aws: Aws,
    queue: str,
    jobs: Sequence[Job],
    progress: Progress,
    sleep: Sleep = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    done: int = 0,
) -> Iterator[Job]:
    """Yield ended jobs and failed children of arrays.

    Args:
        done: inputs done before, for the progress.
    """
    waiting = {job.id: job for job in jobs}
    every = dict(waiting)
    told: set[str] = set()
    changed, explained, said = clock(), False, ""
    while waiting:
        for now in _look(aws, waiting):
            before, waiting[now.id] = waiting[now.id], now
            every[now.id] = now
            if (now.status, now.counts) != (before.status, before.counts):
                changed = clock()
            is_worse = now.counts.get("FAILED", 0) > before.counts.get("FAILED", 0)
            if is_worse or (now.status == "FAILED" and len(now.inputs) > 1):
                yield from _failed_children(aws, now, told)
            if now.over:
                del waiting[now.id]
                if len(now.inputs) == 1:
                    yield now
        if (words := tally(every.values(), done)) != said:
            said = words
            progress.info(words)
        quiet = clock() - changed
        if quiet > _STUCK_SECONDS and not explained and (stuck := _runnable(waiting.values())):
            explained = True
            for line in why_runnable(aws, queue, stuck):
                progress.warning(line)
        if waiting:
            sleep(1.0 if quiet < 30 else 5.0)


def underway(aws: Aws, jobs: Sequence[Job]) -> tuple[Job, ...]:
    """Return jobs not ended; all, if AWS cannot be asked."""
    try:
        return tuple(job for job in _look(aws, {job.id: job for job in jobs}) if not job.over)
    except (AwsError, AwsAccessError):
        return tuple(jobs)


def end_jobs(aws: Aws, jobs: Sequence[Job], reason: str) -> tuple[Job, ...]:
    """Terminate the jobs; return the failures."""
    left = []
    for job in jobs:
        try:
            with translate(f"end job {job.id}"):
                aws.batch.terminate_job(jobId=job.id, reason=reason)
        except (AwsError, AwsAccessError):
            left.append(job)
    return tuple(left)


def log_of(aws: Aws, group: str, job: Job) -> tuple[str, ...]:
    return last_lines(aws, group, job.stream, _LINES) if job.stream else ()


def _look(aws: Aws, waiting: Mapping[str, Job]) -> Iterator[Job]:
    with translate("follow the jobs"):
        for found in _described(aws, list(waiting)):
            yield _seen(found, waiting[found["jobId"]].inputs)


def _described(aws: Aws, ids: Sequence[str]) -> Iterator[Any]:
    for start in range(0, len(ids), _ASKED_AT_ONCE):
        yield from aws.batch.describe_jobs(jobs=list(ids[start : start + _ASKED_AT_ONCE]))["jobs"]


def _seen(found: Any, inputs: tuple[str, ...]) -> Job:
    container: Any = found.get("container", {})
    counts = found.get("arrayProperties", {}).get("statusSummary", {})
    return Job(
        found["jobId"],
        inputs,
        found["status"],
        str(container.get("reason") or found.get("statusReason", "")),
        container.get("exitCode"),
        container.get("logStreamName", ""),
        {state: counts[state] for state in _ORDER if counts.get(state)} if len(inputs) > 1 else {},
    )


def _failed_children(aws: Aws, parent: Job, told: set[str]) -> Iterator[Job]:
    with translate(f"look for what failed in job {parent.id}"):
        pages = aws.batch.get_paginator("list_jobs").paginate(arrayJobId=parent.id, jobStatus="FAILED")
        indexes = {c["jobId"]: c["arrayProperties"]["index"] for page in pages for c in page["jobSummaryList"]}
        new = sorted((identity for identity in indexes if identity not in told), key=indexes.__getitem__)
        told.update(new)
        for found in _described(aws, new):
            yield _seen(found, (parent.inputs[indexes[found["jobId"]]],))


def tally(jobs: Iterable[Job], done: int = 0) -> str:
    """Return `13/20 done, 1 failed`."""
    states, total = Counter({"done": done}), done
    for job in jobs:
        total += len(job.inputs)
        counts = job.counts or {job.status: len(job.inputs)}
        for state, number in counts.items():
            states[_SAID.get(state, "waiting")] += number
    words = [f"{states[word]} {word}" for word in ("failed", "running", "starting", "waiting") if states[word]]
    return ", ".join((f"{states['done']}/{total} done", *words))


def _runnable(jobs: Any) -> str:
    for job in jobs:
        if job.status == "RUNNABLE":
            return str(job.id)
        if job.counts and set(job.counts) <= {"RUNNABLE", "SUCCEEDED", "FAILED"} and "RUNNABLE" in job.counts:
            return f"{job.id}:0"
    return ""
