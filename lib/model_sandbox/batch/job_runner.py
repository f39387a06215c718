"""Takes a Batch job to its end in a real container."""

import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from model_sandbox import container_log, definitions
from model_sandbox.api import ApiError
from model_sandbox.batch.job import Job, milliseconds
from model_sandbox.bridge import OF_JOBS
from model_sandbox.container_log import Forwarder, LogStream
from model_sandbox.container_spec import ContainerSpec
from model_sandbox.definitions import DefinitionError
from model_sandbox.engine import Engine, PullError, StartError
from model_sandbox.sessions import Sessions
from model_sandbox.upstream import Upstream

LOG_GROUP = "/aws/batch/job"
_LOOK_SECONDS = 0.2
_REFERENCE = re.compile(r"Ref::([A-Za-z0-9_.-]+)")
_STOP_SECONDS = 30


class JobRunner:
    def __init__(
        self, upstream: Upstream, engine: Engine, sessions: Sessions, why_waiting: Callable[[Job], str | None]
    ) -> None:
        # `why_waiting` says why a job does not start, in Batch's words; None: it may, given room.
        self._upstream, self._engine, self._sessions = upstream, engine, sessions
        self._why_waiting = why_waiting

    def start(self, job: Job) -> None:
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
        # The exit code is None where it never started.
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
    # A parameter that is not given stays as it is.
    return _REFERENCE.sub(lambda match: str(parameters.get(match[1], match[0])), word)


def _stream(container: dict[str, Any], name: str, task: str) -> LogStream:
    # Without a log configuration, it is in Batch's own group.
    options = (container.get("logConfiguration") or {}).get("options") or {}
    prefix = options.get("awslogs-stream-prefix", name)
    return LogStream(options.get("awslogs-group", LOG_GROUP), f"{prefix}/default/{task}")


def _cluster_task_arn(job: Job) -> str:
    return f"arn:aws:ecs:{job.scope.region}:{job.scope.account}:task/batch"
