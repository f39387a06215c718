"""Makes and changes our job queues."""

import time
from dataclasses import dataclass, replace
from typing import Any

from model_dockerize.aws.batch.compute_environment import ensure_compute_environment, environment_of
from model_dockerize.aws.batch.settling import GOING, once_gone, unlike, until_valid, warn_if_idle
from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import BATCH, TAG
from model_dockerize.aws.client.retries import finds_what_was_lost
from model_dockerize.aws.client.waiting import Sleep
from model_dockerize.aws.existing.inputs import of_environment
from model_dockerize.aws.model import Action, Network
from model_dockerize.progress import Progress
from model_dockerize.settings import BatchSettings, as_found

#: Inputs of a queue.
_SAID = frozenset(("compute_environment", "queue_priority"))


@dataclass(frozen=True)
class JobQueue:
    """A queue, VALID or somebody else's."""

    arn: str
    name: str
    changed: bool  # made or changed by this call


def place_of_jobs(aws: Aws, settings: BatchSettings) -> BatchSettings:
    """Add the queue's environment, unless given."""
    if not settings.job_queue:
        return settings
    with translate(f"job queue {settings.job_queue}"):
        found = as_found(settings, _found(_queue(aws, settings.job_queue)))
        there = environment_of(aws, found.compute_environment)
    return as_found(found, of_environment(there)) if there else found


def others_queue(aws: Aws, queue: str, progress: Progress) -> JobQueue | None:
    """Return the queue, if another's."""
    with translate(f"job queue {queue}"):
        there = _queue(aws, queue)
    if there is None or there["status"] in GOING or TAG in there.get("tags", {}):
        return None
    warn_if_idle(f"job queue {queue}", there, progress)
    text = f"job queue {queue}: there, made by somebody else, so used as it is"
    aws.settled(progress, "leave", "job queue", queue, text=text)
    return JobQueue(there["jobQueueArn"], queue, changed=False)


def ensure_queue(
    aws: Aws,
    settings: BatchSettings,
    queue: str,
    network: Network,
    platform: str,
    progress: Progress,
    sleep: Sleep = time.sleep,
) -> JobQueue:
    """Make our queue and its environment VALID.

    Call `others_queue` first: others' queues need no network.
    """
    with translate(f"job queue {queue}"):
        settings = as_found(settings, _found(_queue(aws, queue)))
    environment = ensure_compute_environment(aws, settings, network, platform, progress, sleep)
    fed = feed(aws, queue, environment.arn, settings.queue_priority, progress, sleep, settings.given & _SAID)
    return replace(fed, changed=fed.changed or environment.changed)


@finds_what_was_lost
def feed(
    aws: Aws,
    queue: str,
    environment: str,
    priority: int,
    progress: Progress,
    sleep: Sleep = time.sleep,
    given: frozenset[str] = _SAID,
) -> JobQueue:
    """Make or change the queue, and wait until it is VALID.

    Args:
        environment: ARN.
        given: inputs that somebody said; the rest stays.
    """
    if theirs := others_queue(aws, queue, progress):
        return theirs
    order: Any = [{"order": 1, "computeEnvironment": environment}]
    what = f"job queue {queue}"
    with translate(what):
        there = once_gone(aws, what, lambda: _queue(aws, queue), progress, sleep)
        if there is None:
            aws.batch.create_job_queue(
                jobQueueName=queue,
                priority=priority,
                state="ENABLED",
                computeEnvironmentOrder=order,
                tags={TAG: BATCH, **aws.tags},
            )
        if there and "compute_environment" not in given:
            order = there["computeEnvironmentOrder"]
        if there and "queue_priority" not in given:
            priority = there["priority"]
        wanted: Any = {"computeEnvironmentOrder": order, "priority": priority, "state": "ENABLED"}
        differing = unlike(there, wanted) if there else []
        if differing:
            aws.batch.update_job_queue(jobQueue=queue, **wanted)
        if there is None or differing or there["status"] != "VALID":
            until_valid(aws, what, lambda: _queue(aws, queue), there["status"] if there else "", sleep)
        arn: str = (_queue(aws, queue) or {"jobQueueArn": queue})["jobQueueArn"]
    action: Action = "change" if differing else "leave" if there else "make"
    aws.settled(progress, action, "job queue", queue, *map(str, differing))
    return JobQueue(arn, queue, changed=there is None or bool(differing))


def _found(there: Any) -> dict[str, object]:
    if there is None or there["status"] in GOING:
        return {}
    found: dict[str, object] = {"queue_priority": there["priority"]}
    # A queue of SageMaker's jobs has none.
    first = min(there.get("computeEnvironmentOrder", []), key=lambda each: each["order"], default=None)
    if first:
        found["compute_environment"] = first["computeEnvironment"].rpartition("/")[2]
    return found


def _queue(aws: Aws, name: str) -> Any:
    return next(iter(aws.batch.describe_job_queues(jobQueues=[name])["jobQueues"]), None)
