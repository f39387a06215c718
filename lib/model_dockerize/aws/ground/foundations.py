"""Makes or takes what containers stand on."""

from dataclasses import replace

from botocore.exceptions import ClientError

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import CLUSTER, TAG
from model_dockerize.aws.client.retries import lacks_service_linked_role, once_linked
from model_dockerize.aws.existing.service import as_running, current_family, current_service, with_roles
from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.given import (
    check_file_system,
    default_group,
    given_balancer,
    given_groups,
    given_network,
    given_profile,
    given_role,
)
from model_dockerize.aws.ground.model import Model, Place, as_it_is, ensure_model, is_placed
from model_dockerize.aws.ground.names import SHARED, model_stack
from model_dockerize.aws.ground.shared import Needs, ensure_shared, is_cluster, link_ecs, network_of
from model_dockerize.aws.ground.stacks import describe_stack
from model_dockerize.aws.ground.values import Stack
from model_dockerize.aws.ground.volume import ensure_volume
from model_dockerize.aws.model import Container, Foundations, LoadBalancer, Network, Runtime, Volume
from model_dockerize.errors import InputError
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings
from model_dockerize.settings.fargate import check_size

_ZONES, _ZONES_OF_BALANCER = 1, 2


def ensure_runtime(
    aws: Aws,
    settings: ServiceSettings,
    model: Model,
    progress: Progress,
    pace: Pace | None = None,
    role_of_instance: bool = False,
) -> Runtime:
    """Return a model's roles and log group.

    Args:
        role_of_instance: without a named task role, jobs have their instance's rights.
    """
    there = describe_stack(aws, model_stack(settings.cluster, model.name))
    shared = ensure_shared(aws, Needs(), progress, pace)
    execution = _execution_role(aws, settings, progress)
    stack = ensure_model(aws, settings, model, execution, None, shared, there, progress, pace)
    task = "" if role_of_instance and not settings.task_role else _task_role(aws, settings, shared)
    return Runtime(execution or stack.outputs["ExecutionRole"], task, stack.outputs["LogGroup"], _is_fresh(stack))


def ensure_foundations(
    aws: Aws, settings: ServiceSettings, model: Model, progress: Progress, pace: Pace | None = None
) -> Foundations:
    """Return all that a model's service stands on."""
    there = describe_stack(aws, model_stack(settings.cluster, model.name))
    current = current_service(aws, settings.cluster, model.name)
    former = current or current_family(aws, settings.task_definition or model.name)
    settings = as_running(settings, former, is_placed(there))
    check_size(settings.cpu, settings.memory)
    known = as_it_is(settings, there)
    _check_rollout(known)
    network, shared = _network(aws, known, Needs(cluster=settings.cluster == SHARED), progress, pace)
    place = _place(aws, settings, network, shared, there, progress, pace)
    own = (shared.outputs["TaskRole"], there.outputs.get("ExecutionRole", "") if there else "")
    settings = with_roles(aws, settings, former, own)
    execution = _execution_role(aws, settings, progress)
    task = _task_role(aws, settings, shared)
    stack = ensure_model(aws, settings, model, execution, place, shared, there, progress, pace)
    if settings.cluster != SHARED:
        _ensure_cluster(aws, settings.cluster, progress)
    groups = network.security_group_ids or (stack.outputs["TaskGroup"],)
    now = as_it_is(settings, stack)
    return Foundations(
        execution_role_arn=execution or stack.outputs["ExecutionRole"],
        task_role_arn=task,
        log_group=stack.outputs["LogGroup"],
        fresh_roles=_is_fresh(stack) or _is_fresh(shared),
        vpc_id=network.vpc_id,
        subnet_ids=network.subnet_ids,
        security_group_ids=groups,
        cluster=settings.cluster,
        assign_public_ip=settings.assign_public_ip,
        settings=now,
        is_new=stack.action == "make",
        current=current,
        load_balancer=_balancer_of(stack) if now.balanced else None,
        volume=Volume(stack.outputs["Volume"], stack.outputs["AccessPoint"]) if now.volume else None,
    )


def ensure_network(aws: Aws, settings: ServiceSettings, progress: Progress, pace: Pace | None = None) -> Network:
    """Return the given or shared network."""
    return _network(aws, settings, Needs(), progress, pace)[0]


def ensure_job_network(aws: Aws, settings: ServiceSettings, progress: Progress) -> Network:
    """Return the jobs' network, with a security group."""
    if settings.vpc or settings.subnets:  # then jobs need nothing of ours
        network = given_network(aws, settings, progress)
        return replace(network, security_group_ids=network.security_group_ids or (default_group(aws, network.vpc_id),))
    network, shared = _network(aws, settings, Needs(), progress, None)
    return replace(network, security_group_ids=network.security_group_ids or (shared.outputs["JobGroup"],))


def ensure_instance_profile(aws: Aws, wanted: str, progress: Progress) -> str:
    """Return the ARN of the named or shared instance profile."""
    if wanted:
        return given_profile(aws, wanted)
    return ensure_shared(aws, Needs(instances=True), progress).outputs["InstanceProfile"]


def as_deployed(aws: Aws, settings: ServiceSettings, name: str) -> ServiceSettings:
    """Complete the settings from service and stack."""
    there = describe_stack(aws, model_stack(settings.cluster, name))
    return as_it_is(as_running(settings, current_service(aws, settings.cluster, name), is_placed(there)), there)


def container_of(aws: Aws, settings: ServiceSettings, image_uri: str, platform: str, runtime: Runtime) -> Container:
    return Container(
        image_uri=image_uri,
        platform=platform,
        cpu=settings.cpu,
        memory=settings.memory,
        environment=settings.environment,
        secrets=settings.secrets,
        public_address=settings.assign_public_ip,
        region=aws.identity.region,
        runtime=runtime,
        current=runtime.current if isinstance(runtime, Foundations) else None,
        adopt=settings.adopt,
    )


def _network(
    aws: Aws, settings: ServiceSettings, needs: Needs, progress: Progress, pace: Pace | None
) -> tuple[Network, Stack]:
    if settings.vpc or settings.subnets:
        network = given_network(aws, settings, progress)
        return network, ensure_shared(aws, needs, progress, pace)
    zones = settings.zones or (_ZONES_OF_BALANCER if settings.load_balancer == "true" else _ZONES)
    public = max(zones, _ZONES_OF_BALANCER) if settings.load_balancer == "true" else zones
    private = not settings.assign_public_ip
    wanted = replace(needs, zones=public, private=private, vpc_cidr=settings.vpc_cidr)
    shared = ensure_shared(aws, wanted, progress, pace)
    network = network_of(shared, zones, private)
    groups = given_groups(aws, settings.security_groups, network.vpc_id)
    return replace(network, security_group_ids=groups), shared


def _check_rollout(settings: ServiceSettings) -> None:
    if settings.shifts and settings.is_alone:
        raise InputError(
            f"The service goes by {settings.strategy}, and two versions would write one queue on the volume "
            f"{settings.volume}.",
            "Keep the queue in PostgreSQL (queue-url), or set rollout to rolling. The service is as it was.",
        )


def _place(
    aws: Aws,
    settings: ServiceSettings,
    network: Network,
    shared: Stack,
    there: Stack | None,
    progress: Progress,
    pace: Pace | None,
) -> Place:
    balancer = None
    if settings.load_balancer not in ("true", "false"):
        balancer = given_balancer(aws, settings, network.vpc_id, there)
    if settings.volume.startswith("fs-"):
        check_file_system(aws, settings.volume, network, progress)
        return Place(network, balancer, file_system=settings.volume)
    if settings.volume:
        return Place(network, balancer, ensure_volume(aws, settings.volume, network, shared, progress, pace))
    return Place(network, balancer)


def _execution_role(aws: Aws, settings: ServiceSettings, progress: Progress) -> str:
    if not settings.execution_role:
        return ""
    if settings.secret_arns:
        progress.info(f"role {settings.execution_role} is not ours: it must be allowed to read the secrets itself")
    return given_role(aws, settings.execution_role, "execution-role")


def _task_role(aws: Aws, settings: ServiceSettings, shared: Stack) -> str:
    return given_role(aws, settings.task_role, "task-role") if settings.task_role else shared.outputs["TaskRole"]


def _balancer_of(stack: Stack) -> LoadBalancer:
    names = ("Blue", "Green", "Rule", "TestRule", "InfrastructureRole")
    return LoadBalancer(*(stack.outputs.get(name, "") for name in names))


def _is_fresh(stack: Stack) -> bool:
    return stack.action != "leave"


def _ensure_cluster(aws: Aws, name: str, progress: Progress) -> None:
    """Make the cluster in no stack: others may share it."""
    if is_cluster(aws, name):
        aws.settled(progress, "leave", "cluster", name)
        return
    own = {TAG: CLUSTER, **aws.tags}

    def make() -> object:
        return aws.ecs.create_cluster(clusterName=name, tags=[{"key": k, "value": v} for k, v in own.items()])

    with translate(f"cluster {name}"):
        try:
            make()
        except ClientError as error:
            if not lacks_service_linked_role(error):
                raise
            link_ecs(aws, progress)
            once_linked(make)
    aws.settled(progress, "make", "cluster", name)
