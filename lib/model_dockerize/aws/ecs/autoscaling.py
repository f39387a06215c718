"""Scales a service by CPU."""

from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.compare import differences
from model_dockerize.aws.client.errors import translate
from model_dockerize.aws.client.names import SERVICE, TAG
from model_dockerize.aws.ecs.scalable_target import SCALED, check_target, place_of, target_of, wanted_of
from model_dockerize.aws.model import Service
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings, as_found

#: Inputs that say something of a scaling that is there.
_SAID_ALONE = frozenset(("desired_count", "scale_on_cpu"))
_POLICY = "model-dockerize-cpu"


def ensure_scaling(aws: Aws, settings: ServiceSettings, service: Service, progress: Progress) -> None:
    """Scale the service; max-count 0 ends that."""
    name, place = service.name, place_of(service.cluster, service.name)
    if "max_count" not in settings.given and not (service.scaled and settings.given & _SAID_ALONE):
        return
    if "max_count" in settings.given and not settings.max_count:
        if service.scaled:
            with translate(f"scaling of service {name}"):
                end_scaling(aws, service.cluster, name)
                aws.ecs.untag_resource(resourceArn=service.arn, tagKeys=[SCALED])
            aws.settled(progress, "change", "scaling", name, text=f"scaling {name}: ended")
        return
    check_target(aws, settings, service.cluster, name, service.scaled)
    with translate(f"scaling of service {name}"):
        if not service.scaled:
            # First of all: a run that is killed in between leaves nothing that is not known.
            tags: Any = [{"key": SCALED, "value": "cpu"}]
            aws.ecs.tag_resource(resourceArn=service.arn, tags=tags)
        there, policy = target_of(aws, place), _policy(aws, place)
        settings = as_found(settings, _found(there, policy))
        wanted = wanted_of(settings, there)
        differing = differences(wanted, there)
        if differing:
            # Tags may be given to a new target only.
            own = {} if there else {"Tags": {TAG: SERVICE, **aws.tags}}
            aws.scaling.register_scalable_target(**place, **wanted, **own)
        if tracked := differences({"TargetValue": settings.scale_on_cpu}, policy):
            aws.scaling.put_scaling_policy(
                PolicyName=_POLICY,
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={
                    "TargetValue": float(settings.scale_on_cpu),
                    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                },
                **place,
            )
            differing += tracked
    if there is None:
        count = f"{wanted['MinCapacity']} to {settings.max_count} tasks"
        aws.settled(progress, "make", "scaling", name, text=f"scaling {name}: {count} at {settings.scale_on_cpu} % CPU")
    else:
        aws.settled(progress, "change" if differing else "leave", "scaling", name, *map(str, differing))


def end_scaling(aws: Aws, cluster: str, service: str) -> None:
    """End scaling, or it scales the next service so named."""
    place = place_of(cluster, service)
    if target_of(aws, place):
        aws.scaling.deregister_scalable_target(**place)


def _found(target: Any, policy: Any) -> dict[str, object]:
    found = {"max_count": target["MaxCapacity"]} if target else {}
    return found | ({"scale_on_cpu": int(policy["TargetValue"])} if policy else {})


def _policy(aws: Aws, place: Any) -> Any:
    found = aws.scaling.describe_scaling_policies(PolicyNames=[_POLICY], **place)["ScalingPolicies"]
    return found[0]["TargetTrackingScalingPolicyConfiguration"] if found else {}
