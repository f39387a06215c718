"""Finds a deployment's service deployment."""

from typing import Any

from model_dockerize.aws.client.names import short_arn

#: Seconds within which a deployment and its service deployment are made.
_SAME_MOMENT = 2.0


def ours_of(deployments: list[Any], deployment_id: str, created_at: Any) -> str | None:
    """Return the ARN of `deployment_id`'s service deployment.

    AWS does not promise that the numbers agree: else the time decides, as one call made both.
    """
    number = deployment_id.rsplit("/", 1)[-1]
    same = [d for d in deployments if short_arn(d.get("targetServiceRevisionArn", "")) == number]
    if not same and created_at:
        same = [d for d in deployments if abs((d["createdAt"] - created_at).total_seconds()) < _SAME_MOMENT]
    return str(same[0]["serviceDeploymentArn"]) if same else None
