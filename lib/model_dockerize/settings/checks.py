"""Checks inputs against each other; a single one's form is its field's `rule`.

An unreadable value is None here, whatever its type, and is not told again.
"""

from collections.abc import Iterator

from model_dockerize.settings import variables
from model_dockerize.settings.access import OPEN_PATHS, key_variables
from model_dockerize.settings.batch import feeds_itself
from model_dockerize.settings.fargate import is_sold, memories, nearest
from model_dockerize.settings.model import INPUTS, Settings
from model_dockerize.settings.rollout import SHIFTING

#: Zones in which a load balancer must stand.
_ZONES = 2
_HIGHEST_AIM = 95  # percent; a task at 100 tells nothing of how many more are needed
_SMALLEST_STEP = 3  # percent; ECS's own bound
#: Rules of a security group that one template has room for.
_MOST_BLOCKS = 5

Problems = Iterator[tuple[str, str]]


def problems(settings: Settings, *, names_its_image: bool) -> Problems:
    """Yield inputs, and what is wrong with them together."""
    yield from _of_the_build(settings)
    yield from _of_the_registry(settings, names_its_image)
    yield from _of_the_jobs(settings)
    yield from _of_the_function(settings)
    yield from _of_the_size(settings)
    yield from variables.problems(settings.service.environment or (), settings.service.secrets or ())
    yield from _of_the_callers(settings)
    yield from _of_the_network(settings)
    yield from _of_the_volume(settings)
    yield from _of_the_load(settings)
    yield from _of_the_rollout(settings)


def _of_the_build(settings: Settings) -> Problems:
    if len(set(settings.program.platforms or ())) > 1:
        yield "platforms", "one run makes the image for one platform; run once for each"
    if settings.image.from_archive:
        for each in (each for each in INPUTS if each.builds and each.field in settings.service.given):
            if getattr(getattr(settings, each.group), each.field):
                yield each.name, f"{each.name} is of no effect on the finished image of from-archive"


def _of_the_registry(settings: Settings, names_its_image: bool) -> Problems:
    if settings.registry.push_to_ecr is not False:
        return
    if settings.batch.create_job_def and not names_its_image:
        yield "create-job-def", "create-job-def needs the image in ECR, but push-to-ecr is false"
    if settings.service.deploy_service:
        yield "deploy-service", "deploy-service needs the image in ECR, but push-to-ecr is false"


def _of_the_jobs(settings: Settings) -> Problems:
    batch = settings.batch
    if not str(batch.compute_type).startswith("FARGATE"):
        return
    if batch.gpus:
        yield "gpus", "Fargate has no GPUs; set compute-type to EC2 or SPOT"
    if batch.instance_types:
        yield "instance-types", "Fargate has no instance types; set compute-type to EC2 or SPOT"


def _of_the_function(settings: Settings) -> Problems:
    batch = settings.batch
    if batch.update_function:
        if not batch.job_queue:
            yield "update-function", "update-function has to know where its jobs go: name a job-queue"
        if batch.create_job_def is False:
            yield "update-function", "update-function has to know a job definition, but create-job-def is false"
    else:
        for name, text in (("function-source", batch.function_source), ("function-output", batch.function_output)):
            if text:
                yield name, f"{name} is about the function that update-function names, which is empty"
    if feeds_itself(batch.function_source or "", batch.function_output or ""):
        yield "function-output", "what a job writes there would start another job, without end (function-source)"


def _of_the_size(settings: Settings) -> Problems:
    cpu, memory, given = settings.service.cpu, settings.service.memory, settings.service.given
    if not cpu or not memory or memory in memories(cpu):
        return
    # Where one half is given, the other may be what is there already.
    if given & {"cpu", "memory"} == {"cpu"} and memories(cpu):
        return
    if given & {"cpu", "memory"} == {"memory"} and is_sold(memory):
        return
    fits = nearest(cpu, memory)
    yield (
        "cpu" if "cpu" in given else "memory",
        f"Fargate has no size of {cpu} CPU units with {memory} MiB. "
        f"The nearest that is large enough: cpu {fits[0]}, memory {fits[1]}.",
    )


def _of_the_callers(settings: Settings) -> Problems:
    access, smoke = settings.service, settings.smoke
    names = [name for name, _ in key_variables(access.api_key or ())]
    if len(set(names)) < len(names):
        yield "api-key", "several keys need a name each, NAME=ARN; one may have none, and sees all jobs"
    if names and smoke.smoke_url and smoke.of_service and not smoke.smoke_api_key:
        yield "api-key", "smoke-url is asked from here, which takes a key: smoke-api-key"
    paths = access.open_paths or ()
    if paths != ("none",) and (wrong := [path for path in paths if path not in OPEN_PATHS]):
        yield "open-paths", f"{', '.join(wrong)}: it may name {', '.join(OPEN_PATHS)}, or be none"
    elif "/ready" not in paths and names and access.load_balancer != "false":
        yield "open-paths", "a load balancer asks for /ready without an API key: name it"
    if "allow_from" in access.given and access.allow_from is not None:
        yield from _of_the_blocks(settings)


def _of_the_blocks(settings: Settings) -> Problems:
    access = settings.service
    if not access.allow_from:
        yield "allow-from", "name one block at least"
    if len(set(access.allow_from)) < len(access.allow_from):
        yield "allow-from", "a block stands there twice"
    if len(access.allow_from) > _MOST_BLOCKS:
        yield "allow-from", f"there is room for {_MOST_BLOCKS} blocks"
    if access.load_balancer not in ("true", "false"):
        yield "allow-from", "who reaches a load balancer that is there is a matter of its own security groups"
    elif access.security_groups and access.load_balancer == "false":
        yield "allow-from", "security-groups is given: who is admitted is a matter of theirs"


def _of_the_network(settings: Settings) -> Problems:
    network = settings.service
    for name in ("zones", "vpc-cidr"):
        if name.replace("-", "_") in network.given and (network.vpc or network.subnets):
            yield name, f"{name} is for a network of our own, but vpc or subnets is given"


def _of_the_volume(settings: Settings) -> Problems:
    service = settings.service
    if not service.volume:
        if service.queue_url:
            yield "queue-url", "tasks that share a queue share its files too: name a volume"
        return
    if (service.desired_count or 0) > 1 and not service.queue_url:
        yield (
            "desired-count",
            "without queue-url the job queue lies on the volume, which takes one task: set desired-count to 1, "
            "or keep the queue in PostgreSQL (queue-url)",
        )
    if (service.server_processes or 0) > 1 and not service.queue_url:
        yield (
            "server-processes",
            "without queue-url the job queue lies on the volume, which takes one process: set server-processes to 1, "
            "or keep the queue in PostgreSQL (queue-url)",
        )
    if "MODEL_SERVER_USER" in dict(service.environment or ()):
        yield "environment", "on a volume the server runs as its default user: leave MODEL_SERVER_USER out"


def _of_the_load(settings: Settings) -> Problems:
    service = settings.service
    for name, value in (("certificate", service.certificate), ("load-balancer-port", service.load_balancer_port)):
        if value and service.load_balancer == "false":
            yield name, f"{name} needs a load-balancer"
    if service.load_balancer_port == 443 and not service.certificate:
        yield "load-balancer-port", "port 443 needs a certificate"
    is_ours = not (service.vpc or service.subnets)
    if service.load_balancer == "true" and is_ours and (service.zones or _ZONES) < _ZONES:
        yield "load-balancer", "a load balancer needs two zones or more: set zones to 2"
    most, least = service.max_count, service.desired_count
    if most and not 0 < (1 if least is None else least) < most:
        yield "max-count", f"max-count {most} must be more than desired-count, and that 1 or more"
    if most and service.volume and not service.queue_url:
        yield "max-count", "several tasks share their jobs by a database: set queue-url"
    if most and (service.scale_on_cpu or 0) > _HIGHEST_AIM:
        yield "scale-on-cpu", f"{service.scale_on_cpu} % leaves nothing to see: {_HIGHEST_AIM} at most"


def _of_the_rollout(settings: Settings) -> Problems:
    service, way = settings.service, settings.service.rollout
    if way in SHIFTING:
        if not service.balanced:
            yield "rollout", f"{way} needs a load-balancer, which sends the traffic to the one version or the other"
        if not service.wait:
            yield "wait", f"nobody would test the new version and let it have the traffic: {way} needs wait"
        if service.is_alone:
            yield "rollout", f"two versions would write one queue on the volume: {way} needs queue-url there"
        elif way != "blue-green" and not service.queue_url:
            yield "queue-url", f"with {way} both versions answer for minutes, and share their jobs by a database"
    if way == "linear" and (service.step_percent or 0) < _SMALLEST_STEP:
        yield "step-percent", f"ECS takes steps of {_SMALLEST_STEP} % or more"
    for name in ("step-percent", "step-minutes"):
        if name.replace("-", "_") in service.given and way in ("rolling", "blue-green"):
            yield name, f"{name} is for canary and linear: {way} has no steps"
