"""Finds which service deployment is that of a deployment."""

from typing import Any

from model_dockerize.aws.client.names import short_arn

#: Seconds within which a deployment and its service deployment are made.
_SAME_MOMENT = 2.0


def ours_of(deployments: list[Any], deployment_id: str, created_at: Any) -> str | None:
    """Return the ARN of the service deployment that DescribeServices calls `deployment_id`.

    The target revision has the deployment's number, but AWS promises that nowhere: else the time decides, which is the
    same for both because one call made both.
    """
    number = deployment_id.rsplit("/", 1)[-1]
    same = [d for d in deployments if short_arn(d.get("targetServiceRevisionArn", "")) == number]
    if not same and created_at:
        same = [d for d in deployments if abs((d["createdAt"] - created_at).total_seconds()) < _SAME_MOMENT]
    return str(same[0]["serviceDeploymentArn"]) if same else None
