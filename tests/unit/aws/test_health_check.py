"""The health check of a task waits for the model's own proof."""

from model_dockerize.aws.ecs.service_request import _GRACE
from model_dockerize.aws.ecs.task_definition import _health_check
from model_dockerize.aws.model import HEALTH


def test_a_proof_has_eight_minutes_within_what_ecs_takes() -> None:
    check = _health_check(HEALTH)["healthCheck"]
    assert check["command"] == ["CMD", "/opt/model-server/model-server", "health", "--ready"]
    assert 5 <= check["interval"] <= 300
    assert 55 < check["timeout"] <= 60  # the command waits up to 55 s
    assert 1 <= check["retries"] <= 10
    assert 0 <= check["startPeriod"] <= 300
    assert check["startPeriod"] + check["retries"] * (check["interval"] + check["timeout"]) >= 480
    assert check["startPeriod"] < _GRACE
    assert _health_check(()) == {}  # nobody knows what to ask in an image of others
