"""Ends what no stack holds.

Each function resumes after a killed run or a lost answer.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from model_dockerize.aws.batch.settling import GOING
from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.waiting import Sleep, not_ready, wait_until
from model_dockerize.aws.ecs.autoscaling import end_scaling
from model_dockerize.aws.ecs.scalable_target import SCALED
from model_dockerize.aws.existing.service import describe_with_tags
from model_dockerize.errors import AwsError, TimedOutError

_GONE_SECONDS = 300.0
#: What Batch says of what it shows no longer.
_DELETED = {"state": "DISABLED", "status": "DELETED"}
_ASKED_AT_ONCE = 100  # what DescribeJobs takes
_WHY = "model-dockerize destroy"


def end_service(aws: Aws, cluster: str, name: str, sleep: Sleep = time.sleep) -> None:
    """Delete the service; wait for its tasks, which use its role."""
    there = _service(aws, cluster, name)
    if there is None:
        return
    if any(tag["key"] == SCALED for tag in there.get("tags", [])):
        end_scaling(aws, cluster, name)
    if there["status"] == "ACTIVE":
        aws.ecs.delete_service(cluster=cluster, service=name, force=True)
    _wait(f"service {name}", lambda: _service(aws, cluster, name) is None, sleep)


def end_jobs(aws: Aws, ids: Iterable[str], sleep: Sleep = time.sleep) -> None:
    """Terminate the jobs; wait for their end."""
    left = list(ids)
    for identity in left:
        aws.batch.terminate_job(jobId=identity, reason=_WHY)

    def are_over() -> bool:
        for start in range(0, len(left), _ASKED_AT_ONCE):
            jobs = aws.batch.describe_jobs(jobs=left[start : start + _ASKED_AT_ONCE])["jobs"]
            if any(job["status"] not in ("SUCCEEDED", "FAILED") for job in jobs):
                return False
        return True

    _wait("a job", are_over, sleep)


def end_task_definition(aws: Aws, arn: str) -> None:
    """Deregister and delete a revision."""
    if _status(aws, arn) == "ACTIVE":
        # Sent again after a lost answer it may be refused; what was not taken back cannot be deleted: that is told.
        with suppress(aws.ecs.exceptions.ClientException):
            aws.ecs.deregister_task_definition(taskDefinition=arn)
    failures = aws.ecs.delete_task_definitions(taskDefinitions=[arn])["failures"]
    if failures and _status(aws, arn) in ("ACTIVE", "INACTIVE"):
        reason = failures[0].get("reason") or "AWS gives no reason"
        raise AwsError(f"task definition {arn}", "Run again.", (f"{reason}: {failures[0].get('detail', '')}",))


def end_queue(aws: Aws, name: str, sleep: Sleep = time.sleep) -> None:
    _end_of_batch(
        f"job queue {name}",
        lambda: aws.batch.describe_job_queues(jobQueues=[name])["jobQueues"],
        lambda: aws.batch.update_job_queue(jobQueue=name, state="DISABLED"),
        lambda: aws.batch.delete_job_queue(jobQueue=name),
        sleep,
    )


def end_environment(aws: Aws, name: str, sleep: Sleep = time.sleep) -> None:
    _end_of_batch(
        f"compute environment {name}",
        lambda: aws.batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"],
        lambda: aws.batch.update_compute_environment(computeEnvironment=name, state="DISABLED"),
        lambda: aws.batch.delete_compute_environment(computeEnvironment=name),
        sleep,
    )


def end_data(aws: Aws, file_system: str) -> None:
    """Delete a file system with its data."""
    pages = aws.efs.get_paginator("describe_access_points").paginate(FileSystemId=file_system)
    for point in [each for page in pages for each in page["AccessPoints"]]:
        aws.efs.delete_access_point(AccessPointId=point["AccessPointId"])
    targets = aws.efs.get_paginator("describe_mount_targets").paginate(FileSystemId=file_system)
    for target in [each for page in targets for each in page["MountTargets"]]:
        if target["LifeCycleState"] not in ("deleting", "deleted"):
            aws.efs.delete_mount_target(MountTargetId=target["MountTargetId"])

    def left() -> int:
        shown = aws.efs.describe_file_systems(FileSystemId=file_system)["FileSystems"][0]
        return int(shown["NumberOfMountTargets"])

    what = f"The end of the mount targets of {file_system}"
    wait_until(left, lambda number: number == 0, _GONE_SECONDS, not_ready(what))
    aws.efs.delete_file_system(FileSystemId=file_system)


def _service(aws: Aws, cluster: str, name: str) -> Any:
    there = describe_with_tags(aws, cluster, name)
    return None if there is None or there["status"] == "INACTIVE" else there


def _status(aws: Aws, arn: str) -> str:
    return aws.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["status"]


def _end_of_batch(
    what: str,
    describe: Callable[[], Any],
    disable: Callable[[], object],
    delete: Callable[[], object],
    sleep: Sleep,
) -> None:
    def look() -> Any:
        return next(iter(describe()), _DELETED)

    if look()["state"] != "DISABLED":
        disable()
    _wait(what, lambda: look()["status"] != "UPDATING", sleep)
    if look()["status"] not in GOING:
        delete()
    _wait(what, lambda: look()["status"] == "DELETED", sleep)


def _wait(what: str, done: Callable[[], bool], sleep: Sleep) -> None:
    late = TimedOutError(f"{what} is still being deleted.", "Run again in some minutes.")
    wait_until(done, bool, _GONE_SECONDS, lambda *_: late, sleep)
