"""AWS is asked once for each step that ends what no stack holds, and each end is waited for."""

from collections.abc import Callable
from typing import Any

import pytest

from model_dockerize.aws.destroy import ends
from model_dockerize.aws.destroy.stacks import Held
from model_dockerize.aws.destroy.things import _end_stack
from model_dockerize.aws.ground.values import Stack
from model_dockerize.errors import AwsError, TimedOutError
from tests.rig.scripted import Call, Script, refused


def ended(
    end: Callable[..., None], *calls: Call, given: tuple[Any, ...] = (), forever: Call | None = None
) -> list[float]:
    """Run an end that makes these calls; return its pauses."""
    pauses: list[float] = []
    with Script(*calls, forever=forever) as script:
        end(script.aws, *given, pauses.append)
    return pauses


def service(status: str, *tags: dict[str, str]) -> Call:
    asked = {"cluster": "c", "services": ["iris"], "include": ["TAGS"]}
    shown = [{"status": status, **({"tags": list(tags)} if tags else {})}] if status else []
    return "ecs:describe_services", asked, {"services": shown}


class TestService:
    DELETE = "ecs:delete_service", {"cluster": "c", "service": "iris", "force": True}, {}

    def end(self, *calls: Call, forever: Call | None = None) -> list[float]:
        return ended(ends.end_service, *calls, given=("c", "iris"), forever=forever)

    @pytest.mark.parametrize("status", ["", "INACTIVE"])
    def test_what_is_gone_is_left(self, status: str) -> None:
        assert self.end(service(status)) == []

    def test_its_tasks_are_waited_for(self) -> None:
        calls = service("ACTIVE", {"key": "team", "value": "a"}), self.DELETE, service("DRAINING"), service("INACTIVE")
        assert self.end(*calls) == [1.0]

    def test_one_that_a_killed_run_deleted_is_only_waited_for(self) -> None:
        assert self.end(service("DRAINING"), service("DRAINING"), service("")) == [1.0]

    @pytest.mark.parametrize("is_there", [True, False])
    def test_its_scaling_ends_first(self, is_there: bool) -> None:
        asked = {
            "ServiceNamespace": "ecs",
            "ResourceIds": ["service/c/iris"],
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        target = {
            "ServiceNamespace": "ecs",
            "ResourceId": "service/c/iris",
            "ScalableDimension": asked["ScalableDimension"],
        }
        found = [{"MinCapacity": 1}] if is_there else []
        calls = [
            service("ACTIVE", {"key": "team", "value": "a"}, {"key": "model-dockerize:scaled", "value": "cpu"}),
            ("application-autoscaling:describe_scalable_targets", asked, {"ScalableTargets": found}),
            *([("application-autoscaling:deregister_scalable_target", target, {})] if is_there else []),
            self.DELETE,
            service("INACTIVE"),
        ]
        assert self.end(*calls) == []

    def test_an_end_that_does_not_come_is_told(self) -> None:
        with pytest.raises(TimedOutError) as caught:
            self.end(service("ACTIVE"), self.DELETE, forever=service("DRAINING"))
        assert str(caught.value) == "service iris is still being deleted."
        assert caught.value.remedy == "Run again in some minutes."


def described(ids: list[str], *statuses: str) -> Call:
    return "batch:describe_jobs", {"jobs": ids}, {"jobs": [{"status": status} for status in statuses]}


def test_jobs_are_asked_about_a_hundred_at_once_until_all_have_ended() -> None:
    ids = [f"j{number}" for number in range(101)]
    first, rest = ids[:100], ids[100:]
    why = "model-dockerize destroy"
    calls = [
        *(("batch:terminate_job", {"jobId": each, "reason": why}, {}) for each in ids),
        *(described(first, "SUCCEEDED", "RUNNING"),),
        *(described(first, "SUCCEEDED", "FAILED"), described(rest, "STARTING")),
        *(described(first, "SUCCEEDED", "FAILED"), described(rest, "FAILED")),
    ]
    assert ended(ends.end_jobs, *calls, given=(iter(ids),)) == [1.0, 1.3]


class TestTaskDefinition:
    def status(self, status: str) -> Call:
        return "ecs:describe_task_definition", {"taskDefinition": "arn:d"}, {"taskDefinition": {"status": status}}

    def taken_back(self, answer: Any = None) -> Call:
        return "ecs:deregister_task_definition", {"taskDefinition": "arn:d"}, answer or {}

    def deleted(self, *failures: dict[str, str]) -> Call:
        return "ecs:delete_task_definitions", {"taskDefinitions": ["arn:d"]}, {"failures": list(failures)}

    def end(self, *calls: Call) -> None:
        with Script(*calls) as script:
            ends.end_task_definition(script.aws, "arn:d")

    def test_one_in_use_is_taken_back_and_deleted(self) -> None:
        self.end(self.status("ACTIVE"), self.taken_back(), self.deleted())
        self.end(self.status("INACTIVE"), self.deleted())
        self.end(self.status("ACTIVE"), self.taken_back(refused("ClientException")), self.deleted())

    def test_a_failure_of_what_is_being_deleted_is_none(self) -> None:
        self.end(self.status("INACTIVE"), self.deleted({"reason": "r"}), self.status("DELETE_IN_PROGRESS"))

    @pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
    @pytest.mark.parametrize(
        ("failure", "told"),
        [
            ({"reason": "r", "detail": "d"}, "r: d"),
            ({"detail": "d"}, "AWS gives no reason: d"),
            ({"reason": "r"}, "r: "),
        ],
    )
    def test_what_stays_is_told_with_its_reason(self, status: str, failure: dict[str, str], told: str) -> None:
        with pytest.raises(AwsError) as caught:
            self.end(self.status("INACTIVE"), self.deleted(failure), self.status(status))
        error = caught.value
        assert (str(error), error.remedy, error.details) == ("task definition arn:d", "Run again.", (told,))


KINDS = [
    (ends.end_queue, "job queue", "job_queue", "jobQueue"),
    (ends.end_environment, "compute environment", "compute_environment", "computeEnvironment"),
]


@pytest.mark.parametrize(("end", "what", "operation", "key"), KINDS)
class TestBatch:
    def calls(self, operation: str, key: str, *steps: str) -> list[Call]:
        """Return a call for each step: `STATE STATUS` is a look, an empty text one that finds none, a word a change."""
        calls: list[Call] = []
        for step in steps:
            if step == "disable":
                calls.append((f"batch:update_{operation}", {key: "q", "state": "DISABLED"}, {}))
            elif step == "delete":
                calls.append((f"batch:delete_{operation}", {key: "q"}, {}))
            else:
                state, _, status = step.partition(" ")
                shown = [{"state": state, "status": status}] if step else []
                calls.append((f"batch:describe_{operation}s", {f"{key}s": ["q"]}, {f"{key}s": shown}))
        return calls

    @pytest.mark.parametrize(
        ("steps", "pauses"),
        [
            (
                *(["ENABLED VALID", "disable", "DISABLED UPDATING", "DISABLED VALID", "DISABLED VALID", "delete"],),
                [1.0, 1.0, 1.3],
            ),
            (["DISABLED VALID", "DISABLED VALID", "DISABLED VALID", "delete"], [1.0, 1.3]),
            (["DISABLED DELETING", "DISABLED DELETING", "DISABLED DELETING"], [1.0, 1.3]),
        ],
    )
    def test_it_is_disabled_then_deleted_and_each_is_waited_for(
        self, end: Any, what: str, operation: str, key: str, steps: list[str], pauses: list[float]
    ) -> None:
        steps = [*steps, "DISABLED DELETING", "DISABLED DELETING", ""]
        assert ended(end, *self.calls(operation, key, *steps), given=("q",)) == pauses, what

    def test_one_that_is_gone_is_only_looked_for(self, end: Any, what: str, operation: str, key: str) -> None:
        assert ended(end, *self.calls(operation, key, "", "", "", ""), given=("q",)) == [], what

    def test_one_that_stays_is_told(self, end: Any, what: str, operation: str, key: str) -> None:
        (look,) = self.calls(operation, key, "DISABLED UPDATING")
        with Script(forever=look) as script, pytest.raises(TimedOutError) as caught:
            end(script.aws, "q", lambda _: None)
        assert str(caught.value) == f"{what} q is still being deleted."


class TestData:
    POINTS = "efs:describe_access_points", {"FileSystemId": "fs-1"}
    TARGETS = "efs:describe_mount_targets", {"FileSystemId": "fs-1"}

    def left(self, number: int) -> Call:
        shown = {"FileSystems": [{"NumberOfMountTargets": number}]}
        return "efs:describe_file_systems", {"FileSystemId": "fs-1"}, shown

    def calls(self) -> list[Call]:
        targets = [{"MountTargetId": f"fsmt-{state}", "LifeCycleState": state} for state in ("deleting", "deleted")]
        open_ones = [{"MountTargetId": f"fsmt-{state}", "LifeCycleState": state} for state in ("available", "error")]
        points = [{"AccessPoints": [{"AccessPointId": "fsap-1"}]}, {"AccessPoints": [{"AccessPointId": "fsap-2"}]}]
        return [
            (*self.POINTS, points),
            *(("efs:delete_access_point", {"AccessPointId": f"fsap-{number}"}, {}) for number in (1, 2)),
            (*self.TARGETS, [{"MountTargets": targets}, {"MountTargets": open_ones}]),
            *(("efs:delete_mount_target", {"MountTargetId": f"fsmt-{each}"}, {}) for each in ("available", "error")),
        ]

    def test_what_stands_on_it_goes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pauses: list[float] = []
        monkeypatch.setattr("time.sleep", pauses.append)
        deleted = "efs:delete_file_system", {"FileSystemId": "fs-1"}, {}
        with Script(*self.calls(), self.left(2), self.left(1), self.left(0), deleted) as script:
            ends.end_data(script.aws, "fs-1")
        assert pauses == [1.0, 1.3]

    def test_mount_targets_that_stay_are_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)
        with Script(*self.calls(), forever=self.left(1)) as script, pytest.raises(AwsError) as caught:
            ends.end_data(script.aws, "fs-1")
        assert str(caught.value) == "The end of the mount targets of fs-1 is not ready after 302 s."


def test_a_stack_goes_once_nothing_stands_in_it_and_what_it_keeps_is_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    deleted: list[str] = []

    def delete_stack(_: Any, name: str, __: Any) -> tuple[str, ...]:
        deleted.append(name)
        return ("AWS::EFS::FileSystem fs-1",)

    monkeypatch.setattr("model_dockerize.aws.destroy.things.delete_stack", delete_stack)
    held = Held(
        Stack("s", "arn:s", "CREATE_COMPLETE", {}, {}, (), ()),
        {"AWS::EC2::SecurityGroup": ("sg-1",), "AWS::EC2::NatGateway": ("nat-1",)},
        frozenset(("nat-1",)),
    )
    of_others = {"NetworkInterfaceId": "eni-1", "Description": "arn:aws:ecs:us-east-1:1:attachment/x"}
    of_its_gateway = {"NetworkInterfaceId": "eni-2", "Description": "Interface for NAT Gateway nat-1"}
    filters = {"Filters": [{"Name": "group-id", "Values": ["sg-1"]}]}
    looks = [[of_others, of_its_gateway], [of_its_gateway]]
    calls = [("ec2:describe_network_interfaces", filters, {"NetworkInterfaces": look}) for look in looks]
    with Script(*calls) as script:
        _end_stack(script.aws, held, script.said)
    assert (pauses, deleted) == ([1.0], ["s"])
    assert script.said.warnings == ["Stack s keeps AWS::EFS::FileSystem fs-1."]


def test_interfaces_that_stay_in_a_stack_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    held = Held(Stack("s", "arn:s", "CREATE_COMPLETE", {}, {}, (), ()), {"AWS::EC2::VPC": ("vpc-1",)}, frozenset())
    filters = {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]}
    look = "ec2:describe_network_interfaces", filters, {"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1"}]}
    with Script(forever=look) as script, pytest.raises(AwsError) as caught:
        _end_stack(script.aws, held, script.said)
    assert str(caught.value) == "The end of the interfaces in stack s is not ready after 602 s."
