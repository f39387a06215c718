"""What a service runs, and whether that has proved itself."""

import pytest

from model_dockerize.aws.ecs.history import Running
from model_dockerize.aws.ecs.proving import NOTHING, PROVING
from model_dockerize.aws.model import Service

HERE = "arn:aws:ecs:us-east-1:123456789012:task-definition/iris:2"


@pytest.mark.parametrize(
    ("tags", "is_proved"),
    [({}, True), ({PROVING: "iris:1"}, False), ({PROVING: NOTHING}, False), ({PROVING: "iris:2"}, True)],
)
def test_what_ecs_went_back_to_by_itself_has_proved_itself(tags: dict[str, str], is_proved: bool) -> None:
    service = Service("arn", "iris", "c", False, "ecs-svc/1", HERE, None, proving=PROVING in tags)
    assert Running(service, "", None, "COMPLETED", 1, 1, tags).is_proved is is_proved
