"""AWS, one module a service. Every `ensure_` reads, compares and changes only what differs, however often it runs."""

from model_dockerize.aws.batch.array_jobs import place, too_long
from model_dockerize.aws.batch.compute_environment import (
    ComputeEnvironment,
    ensure_compute_environment,
    existing_environment,
)
from model_dockerize.aws.batch.job_definition import (
    JobDefinition,
    as_defined,
    check_job_definition,
    ensure_job_definition,
    latest_job_definition,
)
from model_dockerize.aws.batch.job_queue import JobQueue, ensure_queue, feed, others_queue, place_of_jobs
from model_dockerize.aws.batch.jobs import Job, end_jobs, follow_jobs, log_of, send_jobs, underway
from model_dockerize.aws.batch.one_job import SubmittedJob, submit_one
from model_dockerize.aws.client.account import Aws, connect
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import TAG, legal_name, short_arn
from model_dockerize.aws.client.rehearsal import Rehearsal, is_read, rehearse
from model_dockerize.aws.destroy import Destruction, plan_destruction, remove
from model_dockerize.aws.ecr.registry import (
    PushedImage,
    RegistryLogin,
    Repository,
    build_of,
    build_tag,
    check_tag,
    ensure_repository,
    find_build,
    login,
    pinned,
    repository_of,
    tag_image,
    verify,
)
from model_dockerize.aws.ecr.rules import check_findings, ensure_rules
from model_dockerize.aws.ecs.autoscaling import ensure_scaling
from model_dockerize.aws.ecs.endpoint import Address, address_of
from model_dockerize.aws.ecs.history import Running, previous, running
from model_dockerize.aws.ecs.rollout.follow import (
    Verdict,
    follow,
    leave_or_put_back,
    rollback,
    settle_failed_first_deployment,
)
from model_dockerize.aws.ecs.run_task import MOST_OVERRIDES, Ended, run_once
from model_dockerize.aws.ecs.service import check_service, ensure_service, mark_proved
from model_dockerize.aws.ecs.service_log import follow_log, log_lines
from model_dockerize.aws.ecs.stopped_tasks import StoppedTask
from model_dockerize.aws.ecs.task_definition import ensure_task_definition
from model_dockerize.aws.function.function import Function, ensure_function
from model_dockerize.aws.ground.bootstrap import bootstrap
from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.foundations import (
    as_deployed,
    container_of,
    ensure_foundations,
    ensure_job_network,
    ensure_network,
    ensure_runtime,
)
from model_dockerize.aws.ground.model import Model
from model_dockerize.aws.ground.names import Names, log_group
from model_dockerize.aws.iam.statement import Where
from model_dockerize.aws.model import (
    TO_COME,
    Change,
    Container,
    Foundations,
    Identity,
    LoadBalancer,
    Network,
    Runtime,
    Service,
    Subnet,
    TaskDefinition,
    Volume,
)
from model_dockerize.aws.permissions.policy import permissions, stacks, trust
from model_dockerize.aws.permissions.removal import removal
from model_dockerize.aws.preflight.account import distrusting, lifetime, linked_roles, quotas, similar_region
from model_dockerize.aws.preflight.policy_simulation import Simulation, simulate

__all__ = [
    "MOST_OVERRIDES",
    "TAG",
    "TO_COME",
    "Address",
    "Aws",
    "Change",
    "ComputeEnvironment",
    "Container",
    "Destruction",
    "Ended",
    "Foundations",
    "Function",
    "Identity",
    "Job",
    "JobDefinition",
    "JobQueue",
    "LoadBalancer",
    "Model",
    "Names",
    "Network",
    "Pace",
    "PushedImage",
    "RegistryLogin",
    "Rehearsal",
    "Repository",
    "Running",
    "Runtime",
    "Service",
    "Simulation",
    "StoppedTask",
    "SubmittedJob",
    "Subnet",
    "TaskDefinition",
    "Verdict",
    "Volume",
    "Where",
    "address_of",
    "as_defined",
    "as_deployed",
    "bootstrap",
    "build_of",
    "build_tag",
    "check_findings",
    "check_job_definition",
    "check_service",
    "check_tag",
    "connect",
    "container_of",
    "distrusting",
    "end_jobs",
    "ensure_compute_environment",
    "ensure_foundations",
    "ensure_function",
    "ensure_job_definition",
    "ensure_job_network",
    "ensure_network",
    "ensure_queue",
    "ensure_repository",
    "ensure_rules",
    "ensure_runtime",
    "ensure_scaling",
    "ensure_service",
    "ensure_task_definition",
    "existing_environment",
    "feed",
    "find_build",
    "follow",
    "follow_jobs",
    "follow_log",
    "is_read",
    "latest_job_definition",
    "leave_or_put_back",
    "legal_name",
    "lifetime",
    "linked_roles",
    "log_group",
    "log_lines",
    "log_of",
    "login",
    "mark_proved",
    "others_queue",
    "permissions",
    "pinned",
    "place",
    "place_of_jobs",
    "plan_destruction",
    "previous",
    "quotas",
    "rehearse",
    "removal",
    "remove",
    "repository_of",
    "rollback",
    "run_once",
    "running",
    "send_jobs",
    "settle_failed_first_deployment",
    "short_arn",
    "similar_region",
    "simulate",
    "stacks",
    "submit_one",
    "tag_image",
    "too_long",
    "translate",
    "trust",
    "underway",
    "verify",
]
