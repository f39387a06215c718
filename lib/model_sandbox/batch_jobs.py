"""One Batch job: its record, and the thread that takes it from SUBMITTED to SUCCEEDED or FAILED in a real container."""

import copy
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from model_sandbox import container_log, definitions
from model_sandbox.api import ApiError
from model_sandbox.bridge import OF_JOBS
from model_sandbox.container_log import Forwarder, LogStream
from model_sandbox.definitions import DefinitionError
from model_sandbox.engine import ContainerSpec, Engine, PullError, StartError
from model_sandbox.sessions import Sessions
from model_sandbox.tokens import Scope
from model_sandbox.upstream import Upstream

LOG_GROUP = "/aws/batch/job"
_LOOK_SECONDS = 0.2
_REFERENCE = re.compile(r"Ref::([A-Za-z0-9_.-]+)")
_FINAL = ("SUCCEEDED", "FAILED")
_STOP_SECONDS = 30


def milliseconds() -> int:
    """Return the current time as Batch has it."""
    return int(time.time() * 1000)


class Capacity:
    """The vCPUs of a compute environment. A job that does not fit waits in RUNNABLE, as on AWS."""

    def __init__(self, vcpus: float) -> None:
        self._total, self._used = vcpus, 0.0
        self._lock = threading.Lock()

    def resize(self, vcpus: float) -> None:
        """Change how many there are."""
        with self._lock:
            self._total = vcpus

    def take(self, vcpus: float) -> bool:
        """Take so many if they are free; tell whether they were."""
        with self._lock:
            if self._used + vcpus > self._total:
                return False
            self._used += vcpus
            return True

    def give_back(self, vcpus: float) -> None:
        """Free what was taken."""
        with self._lock:
            self._used -= vcpus


@dataclass
class Job:
    """A job, or the parent of an array of them. `record` is what DescribeJobs shows."""

    scope: Scope
    identity: str
    record: dict[str, Any]
    request: dict[str, Any]
    capacity: Capacity
    environment: dict[str, str]
    attempts: int
    timeout: float | None
    predecessors: list["Job"]
    children: list["Job"] = field(default_factory=list)
    terminated: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def make(
        cls,
        scope: Scope,
        identity: str,
        arn: str,
        name: str,
        queue: dict[str, Any],
        definition: dict[str, Any],
        request: dict[str, Any],
        capacity: Capacity,
        predecessors: list["Job"],
    ) -> "Job":
        """Make a job from SubmitJob's `request` and `definition`; overrides win."""
        overrides = request.get("containerOverrides") or {}
        container = copy.deepcopy(definition["containerProperties"])
        if overrides.get("command"):
            container["command"] = overrides["command"]
        container["environment"] = _merged("name", container["environment"], overrides.get("environment", []))
        wanted = overrides.get("resourceRequirements", [])
        container["resourceRequirements"] = _merged("type", container["resourceRequirements"], wanted)
        retry = request.get("retryStrategy") or definition.get("retryStrategy") or {}
        timeout = (request.get("timeout") or definition.get("timeout") or {}).get("attemptDurationSeconds")
        first = queue["computeEnvironmentOrder"][0]["computeEnvironment"]
        record = {
            "jobId": identity,
            "jobArn": arn,
            "jobName": name,
            "jobQueue": queue["jobQueueArn"],
            "jobDefinition": definition["jobDefinitionArn"],
            "status": "SUBMITTED",
            "createdAt": milliseconds(),
            "attempts": [],
            "dependsOn": request.get("dependsOn", []),
            "parameters": {**definition.get("parameters", {}), **request.get("parameters", {})},
            "retryStrategy": {"attempts": int(retry.get("attempts", 1)), "evaluateOnExit": []},
            "platformCapabilities": definition["platformCapabilities"],
            "tags": request.get("tags", {}),
            "container": container,
            **({"timeout": {"attemptDurationSeconds": timeout}} if timeout else {}),
        }
        environment = {
            "AWS_BATCH_JOB_ID": identity,
            "AWS_BATCH_JQ_NAME": queue["jobQueueName"],
            "AWS_BATCH_CE_NAME": first.rsplit("/", 1)[-1],
        }
        attempts = int(retry.get("attempts", 1))
        return cls(scope, identity, record, request, capacity, environment, attempts, timeout, predecessors)

    def child(self, index: int) -> "Job":
        """Return the job at `index` of this array."""
        identity = f"{self.identity}:{index}"
        record = copy.deepcopy(self.record)
        record |= {"jobId": identity, "jobArn": f"{record['jobArn']}:{index}", "arrayProperties": {"index": index}}
        environment = {
            **self.environment,
            "AWS_BATCH_JOB_ID": identity,
            "AWS_BATCH_JOB_ARRAY_INDEX": str(index),
            "AWS_BATCH_JOB_ARRAY_SIZE": str(self.request["arrayProperties"]["size"]),
        }
        return Job(
            self.scope, identity, record, self.request, self.capacity, environment, self.attempts, self.timeout, []
        )

    @property
    def status(self) -> str:
        return str(self.record["status"])

    @property
    def vcpus(self) -> float:
        container = self.record["container"]
        wanted = [r["value"] for r in container["resourceRequirements"] if r["type"] == "VCPU"]
        return float(wanted[0] if wanted else container.get("vcpus", 1))

    @property
    def memory_mib(self) -> int | None:
        container = self.record["container"]
        wanted = [r["value"] for r in container["resourceRequirements"] if r["type"] == "MEMORY"]
        amount = wanted[0] if wanted else container.get("memory")
        return int(amount) if amount else None

    def terminate(self, reason: str) -> None:
        """End it and its children; the first reason stays."""
        for job in (self, *self.children):
            if job.status not in _FINAL and not job.terminated.is_set():
                job.record["statusReason"] = reason
                job.terminated.set()

    def finish(self, status: str, reason: str) -> None:
        """End the job as SUCCEEDED or FAILED."""
        if self.terminated.is_set():
            status, reason = "FAILED", self.record["statusReason"]
        self.record |= {"statusReason": reason, "stoppedAt": milliseconds(), "isTerminated": self.terminated.is_set()}
        self.record["status"] = status
        self.finished.set()

    def describe(self) -> dict[str, Any]:
        """Return the job as DescribeJobs shows it."""
        if not self.children:
            return self.record
        counts = Counter(child.status for child in self.children)
        return {**self.record, "arrayProperties": {"size": len(self.children), "statusSummary": dict(counts)}}

    def summary(self) -> dict[str, Any]:
        """Return the job as ListJobs shows it."""
        keys = ("jobId", "jobArn", "jobName", "jobDefinition", "createdAt", "status", "statusReason", "startedAt")
        shown = {key: self.record[key] for key in (*keys, "stoppedAt", "arrayProperties") if key in self.record}
        if "exitCode" in self.record["container"]:
            shown["container"] = {"exitCode": self.record["container"]["exitCode"]}
        return shown | ({"arrayProperties": {"size": len(self.children)}} if self.children else {})


class JobRunner:
    """Runs jobs, each in a thread of its own."""

    def __init__(
        self, upstream: Upstream, engine: Engine, sessions: Sessions, why_waiting: Callable[[Job], str | None]
    ) -> None:
        """Take `why_waiting`, which tells why a job does not start, in Batch's words; None: it may, given room."""
        self._upstream, self._engine, self._sessions = upstream, engine, sessions
        self._why_waiting = why_waiting

    def start(self, job: Job) -> None:
        """Start a job and return at once."""
        threading.Thread(target=self._live, args=(job,), daemon=True, name=f"job-{job.identity[:8]}").start()

    def _live(self, job: Job) -> None:
        with self._upstream.within(job.scope):
            try:
                if not self._wait_for_predecessors(job):
                    job.finish("FAILED", "Dependent Job failed")
                elif job.children:
                    self._run_children(job)
                else:
                    self._run(job)
            except Exception as error:  # noqa: BLE001 - whatever it was, the job must not stay RUNNING forever
                job.finish("FAILED", f"InternalError: {type(error).__name__}: {error}")

    def _wait_for_predecessors(self, job: Job) -> bool:
        for predecessor in job.predecessors:
            job.record["status"] = "PENDING"
            while not predecessor.finished.wait(_LOOK_SECONDS):
                if job.terminated.is_set():
                    return False
            if predecessor.status == "FAILED":
                return False
        return not job.terminated.is_set()

    def _run_children(self, parent: Job) -> None:
        parent.record |= {"status": "PENDING", "startedAt": milliseconds()}
        for child in parent.children:
            self.start(child)
        for child in parent.children:
            child.finished.wait()
        failed = any(child.status == "FAILED" for child in parent.children)
        parent.finish("FAILED" if failed else "SUCCEEDED", "Array Child Job failed" if failed else "")

    def _run(self, job: Job) -> None:
        job.record["status"] = "RUNNABLE"
        while (why := self._why_waiting(job)) is not None or not job.capacity.take(job.vcpus):
            if not job.terminated.is_set():
                job.record["statusReason"] = why or ""
            if job.terminated.wait(_LOOK_SECONDS):
                job.finish("FAILED", "")
                return
        try:
            code, reason = None, ""
            for number in range(1, job.attempts + 1):
                code, reason = self._attempt(job, number)
                if code == 0 or job.terminated.is_set():
                    break
        finally:
            job.capacity.give_back(job.vcpus)
        job.finish("SUCCEEDED" if code == 0 else "FAILED", reason)

    def _attempt(self, job: Job, number: int) -> tuple[int | None, str]:
        """Try once; return the exit code (None: it never started) and the reason of the end."""
        task, container = uuid.uuid4().hex, job.record["container"]
        name = job.record["jobDefinition"].rsplit("/", 1)[-1].rsplit(":", 1)[0]
        stream = _stream(container, name, task)
        job.record |= {"status": "STARTING"}
        shown: dict[str, Any] = {
            "container": {"taskArn": f"{_cluster_task_arn(job)}/{task}", "networkInterfaces": []},
            "startedAt": milliseconds(),
        }
        code, reason, detail = None, "", ""
        try:
            with self._credentials(job, container, task) as credentials:
                code, reason, detail = self._run_container(job, number, stream, shown, credentials)
        except (DefinitionError, ApiError) as error:
            reason = str(error)
        except PullError as error:
            reason = f"CannotPullContainerError: failed to resolve ref {container['image']}: {error}"
        except StartError as error:
            reason = f"CannotStartContainerError: {error}"
        shown["container"] |= {k: v for k, v in (("exitCode", code), ("reason", detail)) if v not in (None, "")}
        shown |= {"stoppedAt": milliseconds(), "statusReason": reason}
        container |= shown["container"]
        job.record["attempts"].append(shown)
        return code, reason

    def _credentials(self, job: Job, container: dict[str, Any], task: str) -> AbstractContextManager[Mapping[str, str]]:
        """Provide this attempt's credentials, by which a job with a role reaches this AWS."""
        role = container.get("jobRoleArn")
        return self._sessions.lent(job.scope, role, task, OF_JOBS) if role else nullcontext({})

    def _run_container(
        self, job: Job, number: int, stream: LogStream, shown: dict[str, Any], credentials: Mapping[str, str]
    ) -> tuple[int, str, str]:
        container = job.record["container"]
        definitions.check_role(self._upstream, container.get("executionRoleArn", ""))
        definitions.check_role(self._upstream, container.get("jobRoleArn", ""))
        environment = {
            **credentials,
            **definitions.secrets(self._upstream, container),
            **definitions.environment(container, {}),
            **job.environment,
            "AWS_BATCH_JOB_ATTEMPT": str(number),
        }
        self._engine.pull(container["image"], job.scope)
        container_log.create(self._upstream, stream, make_group=stream.group == LOG_GROUP)
        spec = ContainerSpec(
            image=container["image"],
            name=self._engine.container_name("job", job.record["jobName"], stream.name[-8:]),
            command=tuple(_filled(word, job.record["parameters"]) for word in container["command"]) or None,
            environment=environment,
            memory_mib=job.memory_mib,
            user=container.get("user"),
            read_only=bool(container.get("readonlyRootFilesystem")),
        )
        identity = self._engine.start(spec)
        try:
            log = Forwarder(self._upstream, stream, partial(self._engine.output, identity))
            shown["container"]["logStreamName"] = container["logStreamName"] = stream.name
            job.record |= {"status": "RUNNING", "startedAt": milliseconds()}
            reason = self._wait(job, identity)
            self._engine.stop(identity, _STOP_SECONDS)
            state = self._engine.state(identity)
            log.drain()
        finally:
            self._engine.remove(identity)
        detail = "OutOfMemoryError: Container killed due to memory usage" if state and state.out_of_memory else ""
        code = state.exit_code if state and state.exit_code is not None else 137
        # A job that timed out has failed, even if it used its grace to end with 0.
        return (code or 137) if "timeout" in reason else code, reason, detail

    def _wait(self, job: Job, identity: str) -> str:
        deadline = time.monotonic() + job.timeout if job.timeout else None
        while not job.terminated.wait(_LOOK_SECONDS):
            state = self._engine.state(identity)
            if state and state.exit_code is not None:
                return "Essential container in task exited"
            if deadline and time.monotonic() > deadline:
                return "Job attempt duration exceeded timeout"
        return str(job.record["statusReason"])


def _filled(word: str, parameters: dict[str, str]) -> str:
    """Replace `Ref::name` by the parameter; one that is not given stays as it is."""
    return _REFERENCE.sub(lambda match: str(parameters.get(match[1], match[0])), word)


def _merged(key: str, base: list[dict[str, str]], changes: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({entry[key]: entry for entry in [*base, *changes]}.values())


def _stream(container: dict[str, Any], name: str, task: str) -> LogStream:
    """Return the log stream that the job's log configuration names, else one in Batch's own group."""
    options = (container.get("logConfiguration") or {}).get("options") or {}
    prefix = options.get("awslogs-stream-prefix", name)
    return LogStream(options.get("awslogs-group", LOG_GROUP), f"{prefix}/default/{task}")


def _cluster_task_arn(job: Job) -> str:
    return f"arn:aws:ecs:{job.scope.region}:{job.scope.account}:task/batch"
