"""The tasks of one service as a load balancer sees them: checked every five seconds, left alone when they go."""

from typing import Any

from model_dockerize.aws.errors import translate
from model_dockerize.aws.lost import finds_what_was_lost
from model_dockerize.aws.session import Aws
from model_dockerize.progress import Progress

#: AWS's own would take half a minute to see a task that is well, and as long to see one that is not.
HEALTH_CHECK = {
    "HealthCheckProtocol": "HTTP",
    "HealthCheckPath": "/health",
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 4,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
    "Matcher": {"HttpCode": "200"},
}
#: AWS's own keeps a task that goes for five minutes. The longest answer of the server takes seconds: jobs run apart.
_DRAIN = {"deregistration_delay.timeout_seconds": "30"}


@finds_what_was_lost
def ensure_target_group(aws: Aws, name: str, vpc: str, tags: list[Any], progress: Progress) -> str:
    """ARN of the group `name` of addresses in `vpc`, with fast health checks."""
    with translate(f"target group {name}"):
        there = find_target_group(aws, name)
        if there is None:
            made = aws.elbv2.create_target_group(
                Name=name,
                Protocol="HTTP",
                Port=80,
                VpcId=vpc,
                TargetType="ip",
                Tags=tags,
                **HEALTH_CHECK,
            )["TargetGroups"][0]
            arn = str(made["TargetGroupArn"])
            _set_drain(aws, arn)
            aws.settled(progress, "make", "target group", name)
            return arn
        arn = str(there["TargetGroupArn"])
        differing = [key for key, value in HEALTH_CHECK.items() if there.get(key) != value]
        if differing:
            aws.elbv2.modify_target_group(TargetGroupArn=arn, **HEALTH_CHECK)
        shown = aws.elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        attributes = {a["Key"]: a["Value"] for a in shown}
        if any(attributes.get(key) != value for key, value in _DRAIN.items()):
            _set_drain(aws, arn)
            differing += list(_DRAIN)
    aws.settled(progress, "change" if differing else "leave", "target group", name, *differing)
    return arn


def find_target_group(aws: Aws, name: str) -> Any:
    """The group of that name as ELB describes it; None if there is none."""
    try:
        found = aws.elbv2.describe_target_groups(Names=[name])["TargetGroups"]
    except aws.elbv2.exceptions.TargetGroupNotFoundException:
        return None
    return found[0] if found else None


def _set_drain(aws: Aws, arn: str) -> None:
    attributes: Any = [{"Key": key, "Value": value} for key, value in _DRAIN.items()]
    aws.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)
