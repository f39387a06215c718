"""Explains unhealthy targets of a load balancer."""

from typing import Any

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.client.errors import translate
from model_dockerize.errors import AwsAccessError, AwsError
from model_dockerize.progress import Progress

_FIREWALL = "a security group of the tasks does not admit the load balancer on port 80"
#: Reason codes of DescribeTargetHealth. Those of targets that come and go as they should are left out.
_MEANING = {
    "Target.ResponseCodeMismatch": "it answers the health check with an error: see its log",
    "Target.Timeout": f"it does not answer the health check in time: it is too busy (raise cpu), or {_FIREWALL}",
    "Target.FailedHealthChecks": "the connection fails: its server is not up (see its log), or does not speak HTTP",
    "Target.NotInUse": "the task runs in a zone in which the load balancer has no subnet",
    "Target.InvalidState": "the task is gone",
    "Target.IpUnusable": "its address belongs to a load balancer",
    "Elb.InternalError": "the load balancer itself has a problem: run again later",
    "Target.HealthCheckDisabled": "somebody switched the health checks of the target group off",
}


#: While a task starts, its model has not answered the sample, and its server says so.
_STARTING = "it is not ready, as while it starts: else see its log"


class TargetWatch:
    """Watches targets: a load balancer sees trouble before ECS stops a task."""

    def __init__(self, aws: Aws, target_groups: tuple[str, ...], progress: Progress) -> None:
        self._aws = aws
        self._groups = target_groups
        self._progress = progress
        self.lines: tuple[str, ...] = ()

    def look(self) -> int:
        """Report each new line once; return the calls made."""
        try:
            for line in (line for group in self._groups for line in unwell(self._aws, group)):
                if line not in self.lines:
                    self.lines += (line,)
                    (self._progress.info if line.endswith(_STARTING) else self._progress.warning)(line)
        except (AwsError, AwsAccessError) as error:
            # The verdict does not hang on it.
            self._progress.warning(f"The load balancer cannot be asked about its targets: {error}")
            self._groups = ()
        return len(self._groups)


def unwell(aws: Aws, target_group: str) -> tuple[str, ...]:
    """Return a line for each unhealthy target."""
    with translate("health of the load balancer's targets"):
        found = aws.elbv2.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
    return tuple(_line(entry) for entry in found if entry["TargetHealth"].get("Reason") in _MEANING)


def _line(entry: Any) -> str:
    target, health = entry["Target"], entry["TargetHealth"]
    said = f", {health['Description'].rstrip('.')}" if health.get("Description") else ""
    reason = health["Reason"]
    starting = reason == "Target.ResponseCodeMismatch" and "[503]" in said
    meaning = _STARTING if starting else _MEANING[reason]
    return f"target {target['Id']}:{target.get('Port', 80)} is {health['State']}: {reason}{said}: {meaning}"
