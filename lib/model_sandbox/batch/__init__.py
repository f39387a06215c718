"""AWS Batch, in place of ministack's, whose jobs do not run."""

from model_sandbox import api
from model_sandbox.batch.environments import ComputeEnvironments
from model_sandbox.batch.job_definitions import JobDefinitions
from model_sandbox.batch.job_queues import JobQueues
from model_sandbox.batch.job_runner import JobRunner
from model_sandbox.batch.jobs import Jobs
from model_sandbox.batch.state import State
from model_sandbox.engine import Engine
from model_sandbox.network import Network
from model_sandbox.sessions import Sessions
from model_sandbox.upstream import Upstream


class Batch:
    def __init__(self, upstream: Upstream, engine: Engine, network: Network, sessions: Sessions) -> None:
        self._upstream, self._state = upstream, State(upstream)
        self._environments = ComputeEnvironments(self._state, upstream, network)
        self._queues = JobQueues(self._state)
        self._definitions = JobDefinitions(self._state, upstream)
        runner = JobRunner(upstream, engine, sessions, self._environments.why_waiting)
        self._jobs = Jobs(self._state, upstream, self._definitions, runner)

    def install(self) -> None:
        state = self._state
        operations: dict[str, api.Operation] = {
            "createcomputeenvironment": self._environments.create_compute_environment,
            "updatecomputeenvironment": self._environments.update_compute_environment,
            "deletecomputeenvironment": self._environments.delete_compute_environment,
            "describecomputeenvironments": lambda r: state.describe(
                r, state.environments, "computeEnvironments", "compute-environment"
            ),
            "createjobqueue": self._queues.create_job_queue,
            "updatejobqueue": self._queues.update_job_queue,
            "deletejobqueue": self._queues.delete_job_queue,
            "describejobqueues": lambda r: state.describe(r, state.queues, "jobQueues", "job-queue"),
            "registerjobdefinition": self._definitions.register_job_definition,
            "deregisterjobdefinition": self._definitions.deregister_job_definition,
            "describejobdefinitions": self._definitions.describe_job_definitions,
            "submitjob": self._jobs.submit_job,
            "describejobs": self._jobs.describe_jobs,
            "listjobs": self._jobs.list_jobs,
            "terminatejob": self._jobs.terminate_job,
            "canceljob": self._jobs.cancel_job,
        }
        api.serve(self._upstream.batch, operations, api.by_path)

    def tags_of(self, arn: str) -> dict[str, str]:
        state = self._state
        with state.lock:
            found = state.environments.get(arn) or state.queues.get(arn) or state.definitions.get(arn) or {}
            return dict(found.get("tags", {}))
