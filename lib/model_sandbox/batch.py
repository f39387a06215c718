"""AWS Batch: compute environments, queues, job definitions and jobs. Replaces ministack's, whose jobs do not run."""

import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from model_sandbox import api, batch_rules
from model_sandbox.batch_jobs import Capacity, Job, JobRunner
from model_sandbox.batch_rules import refuse as _refuse
from model_sandbox.engine import Engine
from model_sandbox.network import Network
from model_sandbox.propagation import check_passed, is_assumable
from model_sandbox.sessions import Sessions
from model_sandbox.upstream import Upstream

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}")
_ARRAY_SIZES = range(2, 10_001)
_FINAL = ("SUCCEEDED", "FAILED")
_DELETING_SECONDS = 1.0  # for which the name of what goes is taken
Record = dict[str, Any]


class Batch:
    """State by ARN, so that accounts and regions stay apart. One lock; nothing waits for docker in it."""

    def __init__(self, upstream: Upstream, engine: Engine, network: Network, sessions: Sessions) -> None:
        self._upstream, self._network = upstream, network
        self._environments: dict[str, Record] = {}
        self._capacities: dict[str, Capacity] = {}
        self._queues: dict[str, Record] = {}
        self._definitions: dict[str, Record] = {}
        self._jobs: dict[str, Job] = {}
        self._gone_at: dict[str, float] = {}  # environments and queues that are DELETING
        self._lock = threading.RLock()
        self._runner = JobRunner(upstream, engine, sessions, self._why_waiting)

    def install(self) -> None:
        """Take Batch over from ministack."""
        operations: dict[str, Callable[[Record], Record]] = {
            "createcomputeenvironment": self.create_compute_environment,
            "updatecomputeenvironment": self.update_compute_environment,
            "deletecomputeenvironment": self.delete_compute_environment,
            "describecomputeenvironments": lambda r: self._describe(
                r, self._environments, "computeEnvironments", "compute-environment"
            ),
            "createjobqueue": self.create_job_queue,
            "updatejobqueue": self.update_job_queue,
            "deletejobqueue": self.delete_job_queue,
            "describejobqueues": lambda r: self._describe(r, self._queues, "jobQueues", "job-queue"),
            "registerjobdefinition": self.register_job_definition,
            "deregisterjobdefinition": self.deregister_job_definition,
            "describejobdefinitions": self.describe_job_definitions,
            "submitjob": self.submit_job,
            "describejobs": self.describe_jobs,
            "listjobs": self.list_jobs,
            "terminatejob": self.terminate_job,
            "canceljob": self.cancel_job,
        }
        api.serve(self._upstream.batch, operations, api.by_path)

    def tags_of(self, arn: str) -> dict[str, str]:
        """Return the tags of an environment, queue or definition, for policies."""
        with self._lock:
            found = self._environments.get(arn) or self._queues.get(arn) or self._definitions.get(arn) or {}
            return dict(found.get("tags", {}))

    # ---- compute environments

    def create_compute_environment(self, request: Record) -> Record:
        """Answer CreateComputeEnvironment: VALID at once, or INVALID by its role."""
        name = _named(request, "computeEnvironmentName")
        resources = request.get("computeResources") or {}
        batch_rules.check_new(resources)
        self._check_network(resources)
        arn = self._arn("compute-environment", name)
        with self._lock:
            self._forget_gone()
            if arn in self._environments:
                raise _refuse("Object already exists")
            self._environments[arn] = {
                "computeEnvironmentName": name,
                "computeEnvironmentArn": arn,
                "ecsClusterArn": f"{self._arn('cluster', name).replace(':batch:', ':ecs:')}_Batch_{uuid.uuid4()}",
                "type": request.get("type", "MANAGED"),
                "state": request.get("state", "ENABLED"),
                **self._verdict(request.get("serviceRole", "")),
                **({"computeResources": resources} if resources else {}),
                "serviceRole": request.get("serviceRole", ""),
                "tags": request.get("tags", {}),
                "containerOrchestrationType": "ECS",
                "uuid": str(uuid.uuid4()),
            }
            self._capacities[arn] = Capacity(float(resources.get("maxvCpus", 256)))
        return {"computeEnvironmentName": name, "computeEnvironmentArn": arn}

    def update_compute_environment(self, request: Record) -> Record:
        """Answer UpdateComputeEnvironment: only now is an INVALID one looked at again."""
        environment = self._one(self._environments, "compute-environment", request.get("computeEnvironment", ""))
        changes = request.get("computeResources") or {}
        batch_rules.check_change(environment, changes)
        self._check_network({**environment.get("computeResources", {}), **changes})
        with self._lock:
            if changes:
                environment["computeResources"] = {**environment["computeResources"], **changes}
            environment.update({key: request[key] for key in ("state", "serviceRole") if key in request})
            environment.update(self._verdict(environment["serviceRole"]))
            if "maxvCpus" in changes:
                self._capacities[environment["computeEnvironmentArn"]].resize(float(changes["maxvCpus"]))
        return {key: environment[key] for key in ("computeEnvironmentName", "computeEnvironmentArn")}

    def delete_compute_environment(self, request: Record) -> Record:
        """Answer DeleteComputeEnvironment: only a disabled one that no queue uses."""
        with self._lock:
            arn = self._resolve("compute-environment", request.get("computeEnvironment", ""))
            environment = self._environments.get(arn)
            if environment and environment["state"] != "DISABLED":
                raise _refuse("Cannot delete, resource is not disabled")
            orders = [order for queue in self._queues.values() for order in queue["computeEnvironmentOrder"]]
            if any(order["computeEnvironment"] == arn for order in orders):
                raise _refuse("Cannot delete, found existing JobQueue relationship")
            self._begin_end(environment, arn)
        return {}

    def _verdict(self, role: str) -> Record:
        """Tell whether Batch can act by an environment's service role; by its own, always."""
        found = self._upstream.iam._roles.get(role.rpartition("/")[2]) if role else None
        if role and not (found and is_assumable(found, "batch.amazonaws.com")):
            reason = f"User: batch.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: {role}"
            return {"status": "INVALID", "statusReason": f"CLIENT_ERROR - {reason}"}
        return {"status": "VALID", "statusReason": "ComputeEnvironment Healthy"}

    def _why_waiting(self, job: Job) -> str | None:
        """Say why a job does not start, as Batch does: empty where it says nothing; None: it may."""
        order = self._queues.get(job.record["jobQueue"], {}).get("computeEnvironmentOrder", [])
        places = [self._environments.get(entry["computeEnvironment"], {}) for entry in order]
        usable = [p for p in places if (p.get("state"), p.get("status")) == ("ENABLED", "VALID")]
        if not usable:
            return ""
        reasons = [batch_rules.why_waiting(place, job.record["container"]) for place in usable]
        if all(reasons):
            return reasons[0]
        return None if any(map(self._is_reached, usable)) else ""

    def _is_reached(self, environment: Record) -> bool:
        """Tell whether machines in it reach ECS. Instances have no address but what their subnet gives them."""
        resources = environment.get("computeResources", {})
        if batch_rules.is_fargate(resources):
            return True
        return any(self._network.instance_reaches_internet(subnet) for subnet in resources.get("subnets", []))

    def _begin_end(self, record: Record | None, arn: str) -> None:
        if record and arn not in self._gone_at:
            record["status"], self._gone_at[arn] = "DELETING", time.monotonic() + _DELETING_SECONDS

    def _forget_gone(self) -> None:
        for arn in [arn for arn, moment in self._gone_at.items() if moment <= time.monotonic()]:
            for store in (self._environments, self._queues, self._capacities, self._gone_at):
                store.pop(arn, None)

    def _check_network(self, resources: Record) -> None:
        subnets, groups = resources.get("subnets", []), resources.get("securityGroupIds", [])
        self._network.check(tuple(subnets), tuple(groups), "ClientException")

    # ---- queues

    def create_job_queue(self, request: Record) -> Record:
        """Answer CreateJobQueue: VALID at once."""
        name, arn = _named(request, "jobQueueName"), self._arn("job-queue", request.get("jobQueueName", ""))
        with self._lock:
            self._forget_gone()
            if arn in self._queues:
                raise _refuse("Object already exists")
            self._queues[arn] = {
                "jobQueueName": name,
                "jobQueueArn": arn,
                "state": request.get("state", "ENABLED"),
                "status": "VALID",
                "statusReason": "JobQueue Healthy",
                "priority": request.get("priority", 1),
                "computeEnvironmentOrder": self._order(request.get("computeEnvironmentOrder", [])),
                "tags": request.get("tags", {}),
            }
        return {"jobQueueName": name, "jobQueueArn": arn}

    def update_job_queue(self, request: Record) -> Record:
        """Answer UpdateJobQueue."""
        queue = self._one(self._queues, "job-queue", request.get("jobQueue", ""))
        with self._lock:
            queue.update({key: request[key] for key in ("state", "priority") if key in request})
            if "computeEnvironmentOrder" in request:
                queue["computeEnvironmentOrder"] = self._order(request["computeEnvironmentOrder"])
        return {key: queue[key] for key in ("jobQueueName", "jobQueueArn")}

    def delete_job_queue(self, request: Record) -> Record:
        """Answer DeleteJobQueue: only a disabled one; its jobs are terminated."""
        with self._lock:
            arn = self._resolve("job-queue", request.get("jobQueue", ""))
            queue = self._queues.get(arn)
            if queue and queue["state"] != "DISABLED":
                raise _refuse("Cannot delete, resource is not disabled")
            self._begin_end(queue, arn)
            for job in [j for j in self._jobs.values() if j.record["jobQueue"] == arn]:
                job.terminate("Job queue was deleted")
        return {}

    def _order(self, order: list[Record]) -> list[Record]:
        if not order:
            raise _refuse("computeEnvironmentOrder must not be empty")
        found = []
        for entry in order:
            environment = self._one(self._environments, "compute-environment", entry["computeEnvironment"])
            found.append({"order": entry["order"], "computeEnvironment": environment["computeEnvironmentArn"]})
        return sorted(found, key=lambda entry: int(entry["order"]))

    # ---- job definitions

    def register_job_definition(self, request: Record) -> Record:
        """Answer RegisterJobDefinition: a new revision, always."""
        name = _named(request, "jobDefinitionName")
        if request.get("type") != "container":
            raise _refuse("The sandbox runs job definitions of type container only")
        container = dict(request.get("containerProperties") or {})
        if not container.get("image"):
            raise _refuse("Error executing request, Exception : Container properties should have an image.")
        batch_rules.check_definition(request)
        check_passed(self._upstream, container.get("executionRoleArn"), container.get("jobRoleArn"))
        with self._lock:
            prefix = f"{self._arn('job-definition', name)}:"
            revision = 1 + sum(arn.startswith(prefix) for arn in self._definitions)
            kept = ("parameters", "retryStrategy", "timeout", "propagateTags", "schedulingPriority")
            self._definitions[f"{prefix}{revision}"] = {
                "jobDefinitionName": name,
                "jobDefinitionArn": f"{prefix}{revision}",
                "revision": revision,
                "status": "ACTIVE",
                "type": "container",
                "containerProperties": _with_defaults(container),
                "platformCapabilities": request.get("platformCapabilities", ["EC2"]),
                "containerOrchestrationType": "ECS",
                "parameters": {},
                "tags": request.get("tags", {}),
                **{key: request[key] for key in kept if key in request},
            }
        return {"jobDefinitionName": name, "jobDefinitionArn": f"{prefix}{revision}", "revision": revision}

    def deregister_job_definition(self, request: Record) -> Record:
        """Answer DeregisterJobDefinition."""
        if found := self._definition(request.get("jobDefinition", "")):
            found["status"] = "INACTIVE"
        return {}

    def describe_job_definitions(self, request: Record) -> Record:
        """Answer DescribeJobDefinitions, newest revision first."""
        wanted, name, status = request.get("jobDefinitions"), request.get("jobDefinitionName"), request.get("status")
        with self._lock:
            prefix = self._arn("job-definition", "")
            mine = [d for arn, d in self._definitions.items() if arn.startswith(prefix)]
        if wanted:
            mine = [d for d in mine if {d["jobDefinitionArn"], _short(d)} & set(wanted)]
        if name:
            mine = [d for d in mine if d["jobDefinitionName"] == name]
        if status:
            mine = [d for d in mine if d["status"] == status]
        return {"jobDefinitions": sorted(mine, key=lambda d: int(d["revision"]), reverse=True)}

    def _definition(self, reference: str) -> Record | None:
        """Return the definition named by ARN, name:revision, or name (then its newest active revision)."""
        tail = reference.rsplit("/", 1)[-1]
        with self._lock:
            mine = [d for a, d in self._definitions.items() if a.startswith(self._arn("job-definition", ""))]
        active = [d for d in mine if d["status"] == "ACTIVE" and tail in (_short(d), d["jobDefinitionName"])]
        return max(active, key=lambda d: int(d["revision"]), default=None)

    # ---- jobs

    def submit_job(self, request: Record) -> Record:
        """Answer SubmitJob: one job, or an array of them."""
        name = _named(request, "jobName")
        definition = self._definition(request.get("jobDefinition", ""))
        if definition is None:
            raise _refuse(f"Job definition {request.get('jobDefinition')} not found or inactive")
        queue = self._one(self._queues, "job-queue", request.get("jobQueue", ""))
        if queue["state"] != "ENABLED":
            raise _refuse(f"Job queue {queue['jobQueueName']} is disabled")
        size = int((request.get("arrayProperties") or {}).get("size", 0))
        if size and size not in _ARRAY_SIZES:
            raise _refuse(f"Array size must be between {_ARRAY_SIZES.start} and {_ARRAY_SIZES.stop - 1}")
        scope, identity = self._upstream.scope(), str(uuid.uuid4())
        arn = self._arn("job", identity)
        with self._lock:
            predecessors = [self._jobs[d["jobId"]] for d in request.get("dependsOn", []) if d["jobId"] in self._jobs]
            capacity = self._capacities[queue["computeEnvironmentOrder"][0]["computeEnvironment"]]
            job = Job.make(scope, identity, arn, name, queue, definition, request, capacity, predecessors)
            job.children = [job.child(index) for index in range(size)]
            self._jobs[identity] = job
            self._jobs.update({child.identity: child for child in job.children})
        self._runner.start(job)
        return {"jobId": identity, "jobName": name, "jobArn": arn}

    def describe_jobs(self, request: Record) -> Record:
        """Answer DescribeJobs."""
        with self._lock:
            wanted = [self._jobs.get(reference.rsplit("/", 1)[-1]) for reference in request.get("jobs", [])]
        return {"jobs": [job.describe() for job in wanted if job]}

    def list_jobs(self, request: Record) -> Record:
        """Answer ListJobs of a queue (RUNNING ones unless told otherwise) or of an array job."""
        with self._lock:
            jobs = list(self._jobs.values())
        if parent := request.get("arrayJobId"):
            jobs = [j for j in jobs if j.identity.startswith(f"{parent}:")]
        else:
            queue = self._resolve("job-queue", request.get("jobQueue", ""))
            jobs = [j for j in jobs if j.record["jobQueue"] == queue and ":" not in j.identity]
        status = request.get("jobStatus", "" if request.get("arrayJobId") or request.get("filters") else "RUNNING")
        names = {v for f in request.get("filters", []) if f["name"] == "JOB_NAME" for v in f["values"]}
        shown = [j.summary() for j in jobs if status in ("", j.status) and (not names or _is_named(j, names))]
        return {"jobSummaryList": shown}

    def terminate_job(self, request: Record) -> Record:
        """Answer TerminateJob: whatever it is doing."""
        with self._lock:
            if job := self._jobs.get(request.get("jobId", "")):
                job.terminate(request.get("reason", "Terminated"))
        return {}

    def cancel_job(self, request: Record) -> Record:
        """Answer CancelJob: only one that has not started."""
        with self._lock:
            job = self._jobs.get(request.get("jobId", ""))
            if job and job.status not in ("STARTING", "RUNNING", *_FINAL):
                job.terminate(request.get("reason", "Canceled"))
        return {}

    # ---- shared

    def _describe(self, request: Record, store: dict[str, Record], key: str, kind: str) -> Record:
        with self._lock:
            self._forget_gone()
            wanted = [self._resolve(kind, reference) for reference in request.get(key) or []]
            mine = [r for arn, r in store.items() if arn.startswith(self._arn(kind, ""))]
            return {key: [store[arn] for arn in wanted if arn in store] if wanted else mine}

    def _one(self, store: dict[str, Record], kind: str, reference: str) -> Record:
        with self._lock:
            self._forget_gone()
            if found := store.get(self._resolve(kind, reference)):
                return found
        raise _refuse(f"{reference or kind} does not exist")

    def _resolve(self, kind: str, reference: str) -> str:
        return reference if reference.startswith("arn:") else self._arn(kind, reference)

    def _arn(self, kind: str, name: str) -> str:
        scope = self._upstream.scope()
        return f"arn:aws:batch:{scope.region}:{scope.account}:{kind}/{name}"


def _is_named(job: Job, names: set[str]) -> bool:
    """Tell whether a filter names it, in any letter case; a final star stands for the rest."""
    own = str(job.record["jobName"]).lower()
    return any(own.startswith(n[:-1].lower()) if n.endswith("*") else own == n.lower() for n in names)


def _named(request: Record, key: str) -> str:
    name = str(request.get(key, ""))
    if not _NAME.fullmatch(name):
        raise _refuse(f"Error executing request, Exception : {key} should match valid pattern {_NAME.pattern}")
    return name


def _short(definition: Record) -> str:
    return f"{definition['jobDefinitionName']}:{definition['revision']}"


def _with_defaults(container: Record) -> Record:
    """Add what AWS shows even if it was not given."""
    empty: Record = {
        "command": [],
        "volumes": [],
        "environment": [],
        "mountPoints": [],
        "ulimits": [],
        "resourceRequirements": [],
        "secrets": [],
    }
    return {**empty, **container}
