"""Batch's operations on jobs."""

import uuid

from model_sandbox.batch.job import FINAL, Job
from model_sandbox.batch.job_definitions import JobDefinitions
from model_sandbox.batch.job_runner import JobRunner
from model_sandbox.batch.rules import refuse
from model_sandbox.batch.state import Record, State, named
from model_sandbox.upstream import Upstream

_ARRAY_SIZES = range(2, 10_001)


class Jobs:
    def __init__(self, state: State, upstream: Upstream, definitions: JobDefinitions, runner: JobRunner) -> None:
        self._state, self._upstream, self._definitions, self._runner = state, upstream, definitions, runner

    def submit_job(self, request: Record) -> Record:
        name = named(request, "jobName")
        definition = self._definitions.find(request.get("jobDefinition", ""))
        if definition is None:
            raise refuse(f"Job definition {request.get('jobDefinition')} not found or inactive")
        queue = self._state.one(self._state.queues, "job-queue", request.get("jobQueue", ""))
        if queue["state"] != "ENABLED":
            raise refuse(f"Job queue {queue['jobQueueName']} is disabled")
        size = int((request.get("arrayProperties") or {}).get("size", 0))
        if size and size not in _ARRAY_SIZES:
            raise refuse(f"Array size must be between {_ARRAY_SIZES.start} and {_ARRAY_SIZES.stop - 1}")
        scope, identity = self._upstream.scope(), str(uuid.uuid4())
        arn = self._state.arn("job", identity)
        with self._state.lock:
            predecessors = [
                self._state.jobs[d["jobId"]] for d in request.get("dependsOn", []) if d["jobId"] in self._state.jobs
            ]
            capacity = self._state.capacities[queue["computeEnvironmentOrder"][0]["computeEnvironment"]]
            job = Job.make(scope, identity, arn, name, queue, definition, request, capacity, predecessors)
            job.children = [job.child(index) for index in range(size)]
            self._state.jobs[identity] = job
            self._state.jobs.update({child.identity: child for child in job.children})
        self._runner.start(job)
        return {"jobId": identity, "jobName": name, "jobArn": arn}

    def describe_jobs(self, request: Record) -> Record:
        with self._state.lock:
            wanted = [self._state.jobs.get(reference.rsplit("/", 1)[-1]) for reference in request.get("jobs", [])]
        return {"jobs": [job.describe() for job in wanted if job]}

    def list_jobs(self, request: Record) -> Record:
        """List a queue's jobs (RUNNING by default), or an array's."""
        with self._state.lock:
            jobs = list(self._state.jobs.values())
        if parent := request.get("arrayJobId"):
            jobs = [j for j in jobs if j.identity.startswith(f"{parent}:")]
        else:
            queue = self._state.resolve("job-queue", request.get("jobQueue", ""))
            jobs = [j for j in jobs if j.record["jobQueue"] == queue and ":" not in j.identity]
        status = request.get("jobStatus", "" if request.get("arrayJobId") or request.get("filters") else "RUNNING")
        names = {v for f in request.get("filters", []) if f["name"] == "JOB_NAME" for v in f["values"]}
        shown = [j.summary() for j in jobs if status in ("", j.status) and (not names or _is_named(j, names))]
        return {"jobSummaryList": shown}

    def terminate_job(self, request: Record) -> Record:
        with self._state.lock:
            if job := self._state.jobs.get(request.get("jobId", "")):
                job.terminate(request.get("reason", "Terminated"))
        return {}

    def cancel_job(self, request: Record) -> Record:
        """Cancel a job that has not started."""
        with self._state.lock:
            job = self._state.jobs.get(request.get("jobId", ""))
            if job and job.status not in ("STARTING", "RUNNING", *FINAL):
                job.terminate(request.get("reason", "Canceled"))
        return {}


def _is_named(job: Job, names: set[str]) -> bool:
    # In any letter case; a final star stands for the rest.
    own = str(job.record["jobName"]).lower()
    return any(own.startswith(n[:-1].lower()) if n.endswith("*") else own == n.lower() for n in names)
