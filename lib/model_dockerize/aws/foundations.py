"""What has to be there before anything can run: roles and log for a container; network and cluster for a service."""

from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from model_dockerize.aws.errors import translate
from model_dockerize.aws.eventual import lacks_service_linked_role, once_linked
from model_dockerize.aws.iam import ensure_execution_role, ensure_task_role
from model_dockerize.aws.load_balancer import LoadBalancer, ensure_load_balancer
from model_dockerize.aws.logs import ensure_log_group
from model_dockerize.aws.names import CLUSTER, TAG
from model_dockerize.aws.network import ensure_network
from model_dockerize.aws.secrets import ensure_secrets_readable
from model_dockerize.aws.session import Aws
from model_dockerize.aws.volume import Volume, ensure_volume
from model_dockerize.errors import AwsError
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings


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
    load_balancer: LoadBalancer | None = None
    volume: Volume | None = None  # None: jobs end with their task


def ensure_runtime(aws: Aws, settings: ServiceSettings, name: str, progress: Progress) -> Runtime:
    """Roles and the log group of the model `name`. Enough for a Batch job definition."""
    execution = ensure_execution_role(aws, settings.execution_role, progress)
    task = ensure_task_role(aws, settings.task_role, progress)
    ensure_secrets_readable(aws, execution, name, settings.secret_arns, progress)
    group = ensure_log_group(aws, name, progress)
    return Runtime(execution.arn, task.arn, group, execution.fresh or task.fresh)


def ensure_instance_runtime(aws: Aws, settings: ServiceSettings, name: str, progress: Progress) -> Runtime:
    """What a Batch job on EC2 instances needs. Where no task role is named, it has the rights of its instance."""
    if settings.task_role:
        return ensure_runtime(aws, settings, name, progress)
    execution = ensure_execution_role(aws, settings.execution_role, progress)
    return Runtime(execution.arn, "", ensure_log_group(aws, name, progress), execution.fresh)


def ensure_foundations(aws: Aws, settings: ServiceSettings, name: str, progress: Progress) -> Foundations:
    """Everything a service of the model `name` stands on: `ensure_runtime`, network, volume, cluster.

    Raises:
        InputError: a role, subnet or security group was given that is not there or does not fit.
        AwsAccessError, AwsError: as AWS says.
    """
    network = ensure_network(aws, settings, progress)
    balancer = None
    if settings.balanced:
        balancer = ensure_load_balancer(aws, settings, settings.service or name, network, progress)
        network = replace(network, security_group_ids=balancer.task_group_ids)
    volume = ensure_volume(aws, settings.volume, name, network, progress) if settings.volume else None
    runtime = ensure_runtime(aws, settings, name, progress)
    _ensure_cluster(aws, settings.cluster, progress)
    return Foundations(
        execution_role_arn=runtime.execution_role_arn,
        task_role_arn=runtime.task_role_arn,
        log_group=runtime.log_group,
        fresh_roles=runtime.fresh_roles,
        vpc_id=network.vpc_id,
        subnet_ids=network.subnet_ids,
        security_group_ids=network.security_group_ids,
        cluster=settings.cluster,
        assign_public_ip=settings.assign_public_ip,
        load_balancer=balancer,
        volume=volume,
    )


def _ensure_cluster(aws: Aws, name: str, progress: Progress) -> None:
    with translate(f"cluster {name}"):
        found = aws.ecs.describe_clusters(clusters=[name])["clusters"]
        status = found[0]["status"] if found else "MISSING"
        if status in ("ACTIVE", "PROVISIONING"):
            aws.settled(progress, "leave", "cluster", name)
            return
        if status not in ("MISSING", "INACTIVE"):
            raise AwsError(f"Cluster {name} is {status}.", remedy="Wait until it is gone, or name another cluster.")
        make: dict[str, Any] = {"clusterName": name, "tags": [{"key": TAG, "value": CLUSTER}]}
        try:
            aws.ecs.create_cluster(**make)
        except ClientError as error:
            if not lacks_service_linked_role(error):
                raise
            _link(aws, progress)
            once_linked(lambda: aws.ecs.create_cluster(**make))
    aws.settled(progress, "make", "cluster", name)


def _link(aws: Aws, progress: Progress) -> None:
    """The first cluster of an account: CreateCluster makes ECS's role, but may not see it yet."""
    try:
        aws.iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
        aws.settled(progress, "make", "role", "AWSServiceRoleForECS")
    except aws.iam.exceptions.InvalidInputException:
        pass  # It is there already.
    except ClientError as error:
        progress.info(f"role AWSServiceRoleForECS: left to ECS ({error})")
