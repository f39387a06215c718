"""A Batch job as a record, and its vCPUs."""

import copy
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from model_sandbox.tokens import Scope

FINAL = ("SUCCEEDED", "FAILED")


def milliseconds() -> int:
    return int(time.time() * 1000)


class Capacity:
    def __init__(self, vcpus: float) -> None:
        self._total, self._used = vcpus, 0.0
        self._lock = threading.Lock()

    def resize(self, vcpus: float) -> None:
        with self._lock:
            self._total = vcpus

    def take(self, vcpus: float) -> bool:
        with self._lock:
            if self._used + vcpus > self._total:
                return False
            self._used += vcpus
            return True

    def give_back(self, vcpus: float) -> None:
        with self._lock:
            self._used -= vcpus


@dataclass
class Job:
    """A job or array; `record` is what DescribeJobs shows."""

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
        """Make a job; SubmitJob's `request` overrides `definition`."""
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
            if job.status not in FINAL and not job.terminated.is_set():
                job.record["statusReason"] = reason
                job.terminated.set()

    def finish(self, status: str, reason: str) -> None:
        if self.terminated.is_set():
            status, reason = "FAILED", self.record["statusReason"]
        self.record |= {"statusReason": reason, "stoppedAt": milliseconds(), "isTerminated": self.terminated.is_set()}
        self.record["status"] = status
        self.finished.set()

    def describe(self) -> dict[str, Any]:
        if not self.children:
            return self.record
        counts = Counter(child.status for child in self.children)
        return {**self.record, "arrayProperties": {"size": len(self.children), "statusSummary": dict(counts)}}

    def summary(self) -> dict[str, Any]:
        keys = ("jobId", "jobArn", "jobName", "jobDefinition", "createdAt", "status", "statusReason", "startedAt")
        shown = {key: self.record[key] for key in (*keys, "stoppedAt", "arrayProperties") if key in self.record}
        if "exitCode" in self.record["container"]:
            shown["container"] = {"exitCode": self.record["container"]["exitCode"]}
        return shown | ({"arrayProperties": {"size": len(self.children)}} if self.children else {})


def _merged(key: str, base: list[dict[str, str]], changes: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({entry[key]: entry for entry in [*base, *changes]}.values())
