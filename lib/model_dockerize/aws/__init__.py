"""AWS, one module a service. Every `ensure_` reads, compares and changes only what differs, however often it runs."""

from model_dockerize.aws.address import Address, address_of
from model_dockerize.aws.batch import JobDefinition, ensure_job_definition, latest_job_definition
from model_dockerize.aws.bootstrap import bootstrap
from model_dockerize.aws.change import Change
from model_dockerize.aws.compute import ComputeEnvironment, ensure_compute_environment, existing_environment
from model_dockerize.aws.container import Container, container_of
from model_dockerize.aws.destroy import Destruction, Names, plan_destruction, remove
from model_dockerize.aws.diagnosis import StoppedTask
from model_dockerize.aws.ecr import (
    PushedImage,
    RegistryLogin,
    Repository,
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
from model_dockerize.aws.errors import translate
from model_dockerize.aws.examine import distrusting, lifetime, linked_roles, quotas, similar_region
from model_dockerize.aws.foundations import (
    as_deployed,
    ensure_foundations,
    ensure_job_network,
    ensure_network,
    ensure_runtime,
)
from model_dockerize.aws.function import Function, ensure_function
from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.model import Model
from model_dockerize.aws.ground.names import log_group
from model_dockerize.aws.job_list import place, too_long
from model_dockerize.aws.job_queue import JobQueue, ensure_queue, feed, others_queue
from model_dockerize.aws.jobs import Job, end_jobs, follow_jobs, log_of, send_jobs, underway
from model_dockerize.aws.names import TAG, legal_name
from model_dockerize.aws.one_job import SubmittedJob, submit_one
from model_dockerize.aws.one_off import MOST_OVERRIDES, Ended, run_once
from model_dockerize.aws.policy import of_function, permissions, stacks, trust, unbound
from model_dockerize.aws.policy_removal import removal
from model_dockerize.aws.registry_rules import check_findings, ensure_rules
from model_dockerize.aws.rehearsal import TO_COME, Rehearsal, is_read, rehearse
from model_dockerize.aws.rollout import (
    Verdict,
    follow,
    leave_or_put_back,
    rollback,
    settle_failed_first_deployment,
)
from model_dockerize.aws.running import Running, build_of, previous, running
from model_dockerize.aws.runtime import Foundations, LoadBalancer, Network, Runtime, Volume
from model_dockerize.aws.scaling import ensure_scaling
from model_dockerize.aws.service import Service, check_service, ensure_service, mark_proved, short_arn
from model_dockerize.aws.service_log import follow_log, log_lines
from model_dockerize.aws.session import Aws, Identity, connect
from model_dockerize.aws.simulate import Simulation, simulate
from model_dockerize.aws.statement import Where
from model_dockerize.aws.subnets import Subnet
from model_dockerize.aws.taskdef import TaskDefinition, ensure_task_definition

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
    "as_deployed",
    "bootstrap",
    "build_of",
    "build_tag",
    "check_findings",
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
    "of_function",
    "others_queue",
    "permissions",
    "pinned",
    "place",
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
    "unbound",
    "underway",
    "verify",
]
