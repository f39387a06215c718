"""Batch's operations on job queues."""

from model_sandbox.batch.rules import refuse
from model_sandbox.batch.state import Record, State, named


class JobQueues:
    def __init__(self, state: State) -> None:
        self._state = state

    def create_job_queue(self, request: Record) -> Record:
        name, arn = named(request, "jobQueueName"), self._state.arn("job-queue", request.get("jobQueueName", ""))
        with self._state.lock:
            self._state.forget_gone()
            if arn in self._state.queues:
                raise refuse("Object already exists")
            self._state.queues[arn] = {
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
        queue = self._state.one(self._state.queues, "job-queue", request.get("jobQueue", ""))
        with self._state.lock:
            queue.update({key: request[key] for key in ("state", "priority") if key in request})
            if "computeEnvironmentOrder" in request:
                queue["computeEnvironmentOrder"] = self._order(request["computeEnvironmentOrder"])
        return {key: queue[key] for key in ("jobQueueName", "jobQueueArn")}

    def delete_job_queue(self, request: Record) -> Record:
        """Delete a disabled queue; terminate its jobs."""
        with self._state.lock:
            arn = self._state.resolve("job-queue", request.get("jobQueue", ""))
            queue = self._state.queues.get(arn)
            if queue and queue["state"] != "DISABLED":
                raise refuse("Cannot delete, resource is not disabled")
            self._state.begin_end(queue, arn)
            for job in [j for j in self._state.jobs.values() if j.record["jobQueue"] == arn]:
                job.terminate("Job queue was deleted")
        return {}

    def _order(self, order: list[Record]) -> list[Record]:
        if not order:
            raise refuse("computeEnvironmentOrder must not be empty")
        found = []
        for entry in order:
            environment = self._state.one(self._state.environments, "compute-environment", entry["computeEnvironment"])
            found.append({"order": entry["order"], "computeEnvironment": environment["computeEnvironmentArn"]})
        return sorted(found, key=lambda entry: int(entry["order"]))
