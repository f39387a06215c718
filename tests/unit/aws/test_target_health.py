"""Test how unhealthy targets of a load balancer are told."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from model_dockerize.aws.client.account import Aws
from model_dockerize.aws.ecs.rollout.target_health import TargetWatch
from model_dockerize.progress import Silent


class Told(Silent):
    """Keeps what is told, with its kind."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def info(self, text: str) -> None:
        self.lines.append(("info", text))

    def warning(self, text: str, *_: Any, **__: Any) -> None:
        self.lines.append(("warning", text))


@pytest.mark.parametrize(
    ("reason", "code", "kind", "meaning"),
    [
        ("Target.ResponseCodeMismatch", 503, "info", "it is not ready, as while it starts: else see its log"),
        ("Target.ResponseCodeMismatch", 500, "warning", "it answers the health check with an error: see its log"),
        ("Elb.InternalError", 503, "warning", "the load balancer itself has a problem: run again later"),
    ],
)
def test_a_target_that_is_not_ready_is_told_once_and_is_no_warning(
    reason: str, code: int, kind: str, meaning: str
) -> None:
    said = f"Health checks failed with these codes: [{code}]"
    health = {"State": "unhealthy", "Reason": reason, "Description": said}
    found = {"TargetHealthDescriptions": [{"Target": {"Id": "10.0.0.7", "Port": 80}, "TargetHealth": health}]}
    aws = SimpleNamespace(elbv2=SimpleNamespace(describe_target_health=lambda **_: found))
    told = Told()
    watch = TargetWatch(cast(Aws, aws), ("group",), told)
    assert (watch.look(), watch.look()) == (1, 1)
    assert told.lines == [(kind, f"target 10.0.0.7:80 is unhealthy: {reason}, {said}: {meaning}")]
