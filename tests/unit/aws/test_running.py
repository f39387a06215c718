"""A service runs one revision, and tells whether that has proved itself."""

from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws.destroy.running import _addresses
from model_dockerize.aws.ecs.history import Running
from model_dockerize.aws.ecs.proving import NOTHING, PROVING, SAMPLED, mark_proved
from model_dockerize.aws.model import Service

HERE = "arn:aws:ecs:us-east-1:123456789012:task-definition/iris:2"


@pytest.mark.parametrize(
    ("tags", "is_proved"),
    [({}, True), ({PROVING: "iris:1"}, False), ({PROVING: NOTHING}, False), ({PROVING: "iris:2"}, True)],
)
def test_what_ecs_went_back_to_by_itself_has_proved_itself(tags: dict[str, str], is_proved: bool) -> None:
    service = Service("arn", "iris", "c", False, "ecs-svc/1", HERE, None, proving=PROVING in tags)
    assert Running(service, "", None, "COMPLETED", 1, 1, tags).is_proved is is_proved


@pytest.mark.parametrize(
    ("tags", "is_sampled"),
    [
        ({}, False),
        ({SAMPLED: "iris:1"}, False),
        ({SAMPLED: "iris:1 iris:2"}, True),
        ({SAMPLED: "iris:2", PROVING: "iris:1"}, False),
    ],
)
def test_what_only_answers_is_told_from_what_its_sample_proved(tags: dict[str, str], is_sampled: bool) -> None:
    sampled = tuple(tags.get(SAMPLED, "").split())
    service = Service("arn", "iris", "c", False, "ecs-svc/1", HERE, None, proving=PROVING in tags, sampled=sampled)
    assert Running(service, "", None, "COMPLETED", 1, 1, tags).is_sampled is is_sampled


@pytest.mark.parametrize(
    ("by_sample", "before", "tagged"),
    [
        (True, (), ["iris:2"]),
        (True, ("iris:1",), ["iris:1 iris:2"]),
        (True, ("iris:2",), []),
        (False, (), []),
    ],
)
def test_a_sample_that_was_answered_is_kept_in_a_tag(by_sample: bool, before: tuple[str, ...], tagged: Any) -> None:
    done: list[str] = []
    client = SimpleNamespace(
        tag_resource=lambda **asked: done.append(asked["tags"][0]["value"]),
        untag_resource=lambda **asked: done.append(f"-{asked['tagKeys'][0]}"),
    )
    aws: Any = SimpleNamespace(ecs=client)
    service = Service("arn", "iris", "c", True, "ecs-svc/1", HERE, None, proving=True, sampled=before)
    mark_proved(aws, service, by_sample)
    assert done.pop() == f"-{PROVING}", "first its proof, then that it is proved"
    assert done == tagged


def test_a_tag_keeps_the_last_revisions_that_it_has_room_for() -> None:
    done: list[str] = []
    client = SimpleNamespace(
        tag_resource=lambda **asked: done.append(asked["tags"][0]["value"]), untag_resource=lambda **_: None
    )
    aws: Any = SimpleNamespace(ecs=client)
    many = tuple(f"iris:{number}" for number in range(100, 140))
    mark_proved(aws, Service("arn", "iris", "c", True, "d", HERE, None, proving=True, sampled=many), by_sample=True)
    assert len(done[0]) <= 256
    assert done[0].endswith(" iris:139 iris:2")


def test_what_is_to_be_destroyed_says_where_its_tasks_answer() -> None:
    asked: list[Any] = []
    shown = [
        {"Association": {"PublicIp": "192.0.2.1"}, "PrivateIpAddress": "10.0.0.1"},
        {"PrivateIpAddress": "10.0.0.2"},
    ]

    class Ec2:
        def describe_network_interfaces(self, **given: Any) -> Any:
            asked.append(given["Filters"])
            return {"NetworkInterfaces": shown}

    aws: Any = SimpleNamespace(ec2=Ec2())
    owners = {"eni-2": "arn:mine", "eni-1": "arn:mine", "eni-3": "arn:other"}
    region = SimpleNamespace(interface_owners=lambda: {key: SimpleNamespace(id=of) for key, of in owners.items()})
    there: Any = SimpleNamespace(model=None, region=region)
    assert list(_addresses(aws, there, {"serviceArn": "arn:mine"})) == ["http://192.0.2.1", "http://10.0.0.2"]
    assert list(_addresses(aws, there, {"serviceArn": "arn:nobody"})) == []
    assert asked == [[{"Name": "network-interface-id", "Values": ["eni-1", "eni-2"]}]]
