"""Defines what containers stand on, as values: network, roles, log, volume, load balancer."""

from dataclasses import dataclass
from typing import Any

from model_dockerize.aws.own_container import replaced_container
from model_dockerize.aws.subnets import Subnet
from model_dockerize.settings import ServiceSettings


@dataclass(frozen=True)
class Network:
    """Subnets and security groups, all of one VPC."""

    vpc_id: str
    subnets: tuple[Subnet, ...]  # of the tasks
    security_group_ids: tuple[str, ...]  # those that were named; empty: each model has its own
    public_subnets: tuple[Subnet, ...] = ()  # one a zone, for what must be reached from outside (a load balancer)

    @property
    def subnet_ids(self) -> tuple[str, ...]:
        """Of the tasks."""
        return tuple(subnet.id for subnet in self.subnets)


@dataclass(frozen=True)
class LoadBalancer:
    """Where a service's tasks are registered."""

    target_group_arn: str


@dataclass(frozen=True)
class Volume:
    """What a task definition mounts."""

    file_system_id: str
    access_point_id: str


@dataclass(frozen=True)
class Current:
    """A service as it is, and what it runs."""

    service: Any  # as DescribeServices shows it, with its tags
    definition: Any  # as DescribeTaskDefinition shows it, with its tags; None: it is gone
    newer: Any  # what of that this botocore does not know, as `newer_fields.unknown` gives it
    is_ours: bool

    @property
    def container(self) -> str:
        """Name of the container in whose place the model runs; empty: there is none."""
        return replaced_container(self.definition, self.service).get("name", "") if self.definition else ""


@dataclass(frozen=True)
class Runtime:
    """What any container of a model needs, as a service or as a Batch job."""

    execution_role_arn: str
    task_role_arn: str  # empty: whatever runs the container lends it its own rights
    log_group: str
    fresh_roles: bool  # a role is so new that other services may not see it yet


@dataclass(frozen=True)
class Foundations(Runtime):
    """What a service needs besides."""

    vpc_id: str
    subnet_ids: tuple[str, ...]  # of the tasks
    security_group_ids: tuple[str, ...]
    cluster: str  # name
    assign_public_ip: bool
    settings: ServiceSettings  # with what no input said, as it is
    is_new: bool = False  # this run made the model's stack
    current: Current | None = None  # None: there is no service yet
    load_balancer: LoadBalancer | None = None
    volume: Volume | None = None  # None: jobs end with their task
