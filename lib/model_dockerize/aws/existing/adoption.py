"""Tells what a deployment would change of another's service. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from model_dockerize.aws.client.names import TAG, tagged
from model_dockerize.aws.client.shown import shown, told
from model_dockerize.aws.existing.inputs import of_definition, of_service
from model_dockerize.aws.existing.own_container import replaced_container
from model_dockerize.aws.model import Current
from model_dockerize.errors import InputError
from model_dockerize.settings import ServiceSettings

#: A service with this tag was made by somebody else, and is not ours to delete.
ADOPTED = f"{TAG}:adopted"
#: What of a container is the model's, whoever made the definition.
_REPLACED = ("entryPoint", "command", "healthCheck")
#: What is kept, by where it stands: of a service, of its definition, of the container.
_OF_SERVICE = (
    *("desiredCount", "networkConfiguration", "capacityProviderStrategy", "launchType", "platformVersion"),
    *("loadBalancers", "serviceRegistries", "placementConstraints", "placementStrategy", "deploymentConfiguration"),
    *("healthCheckGracePeriodSeconds", "enableExecuteCommand", "propagateTags", "enableECSManagedTags"),
    *("availabilityZoneRebalancing", "serviceConnectConfiguration", "volumeConfigurations"),
)
_OF_DEFINITION = (
    *("cpu", "memory", "taskRoleArn", "executionRoleArn", "volumes", "ephemeralStorage", "runtimePlatform"),
    *("proxyConfiguration", "pidMode", "ipcMode"),
)
_OF_CONTAINER = (
    *("environment", "secrets", "mountPoints", "dependsOn", "ulimits", "linuxParameters", "logConfiguration"),
    *("dockerLabels", "readonlyRootFilesystem", "user", "workingDirectory", "portMappings", "stopTimeout"),
)
#: AWS's names of what inputs say.
_INPUTS = {
    "desired_count": "desiredCount",
    "subnets": "networkConfiguration",
    "security_groups": "networkConfiguration",
    "assign_public_ip": "networkConfiguration",
    "cpu": "cpu",
    "memory": "memory",
    "task_role": "taskRoleArn",
    "execution_role": "executionRoleArn",
    "environment": "environment",
    "secrets": "secrets",
}


def check_ours(now: Current, settings: ServiceSettings) -> None:
    """Refuse another's service, unless it is adopted."""
    if now.is_ours or settings.adopt:
        return
    name, cluster = now.service["serviceName"], settings.cluster
    raise InputError(
        f"Service {name} in cluster {cluster} was made by somebody else, and a deployment would change it.",
        "Choose another name (service), or take this one over (adopt: true): then what is listed changes, and what no "
        "input says stays.",
        (*changed(now, settings), *kept(now, settings)),
    )


def is_adopted(tags: Iterable[Any]) -> bool:
    """Tell whether somebody else made what a run took over."""
    return any(tag["key"] == ADOPTED for tag in tags)


def is_taken_over(definition: Any) -> bool:
    """Tell whether somebody else made its family: the next revision keeps what this one has."""
    tags = definition["tags"]
    return not tagged(tags) or is_adopted(tags)


def runs_family(now: Current | None, family: str) -> bool:
    """Tell whether our service deploys this family; moved by somebody, another's stays another's."""
    if now is None or now.definition is None or now.definition["family"] != family:
        return False
    return is_adopted(now.service.get("tags", [])) or not now.is_ours or tagged(now.definition["tags"])


def check_family(latest: Any, family: str, adopt: bool) -> None:
    """Refuse another's task definition family, unless adopted."""
    if latest is None or adopt or tagged(latest["tags"]):
        return
    images = ", ".join(f"{each['name']} {each['image']}" for each in latest["containerDefinitions"])
    raise InputError(
        f"Task definition family {family} was made by somebody else: whoever runs it by its name would run the model.",
        "Choose another one (task-definition), or take it over (adopt: true): what no input says of it stays.",
        (f"{family}:{latest['revision']}: {images}",),
    )


def changed(now: Current, settings: ServiceSettings) -> Iterator[str]:
    """Yield lines such as `changes: desired-count 3 -> 1`."""
    found: dict[str, Any] = {**of_service(now.service, False), "desired_count": now.service["desiredCount"]}
    if now.definition:
        container = replaced_container(now.definition, now.service)
        yield f"changes: container {container.get('name')}, image {container.get('image')} -> the model's"
        lost = [name for name in _REPLACED if container.get(name)]
        if lost:
            yield f"changes: container {container['name']}, {', '.join(lost)}: of the former image, so left out"
        found |= of_definition(now.definition, now.service, now.is_ours)
    for name in sorted(settings.given & found.keys()):
        if getattr(settings, name) != found[name]:
            yield f"changes: {shown(name.replace('_', '-'), found[name], getattr(settings, name))}"


def kept(now: Current, settings: ServiceSettings) -> Iterator[str]:
    """Yield lines such as `stays: enableExecuteCommand true`."""
    said = frozenset(_INPUTS[name] for name in settings.given & _INPUTS.keys())
    definition = now.definition or {"containerDefinitions": []}
    own = replaced_container(definition, now.service) if now.definition else {}
    for found, names in ((now.service, _OF_SERVICE), (definition, _OF_DEFINITION), (own, _OF_CONTAINER)):
        yield from (f"stays: {told(name, found[name])}" for name in names if found.get(name) and name not in said)
    for each in definition["containerDefinitions"]:
        if each["name"] != own.get("name"):
            yield f"stays: container {each['name']}, image {each['image']}"
