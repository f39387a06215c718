"""A plan is what a run does, and asks AWS nothing but questions."""

from typing import Any

import pytest

from model_dockerize import aws

from .conftest import IMAGE, Account, batch_settings, settings


def everything(connection: aws.Aws, said: Any, image: str = IMAGE, **changes: Any) -> None:
    """Every stage that makes something, in the order of a run."""
    wanted = settings(**changes)
    aws.ensure_repository(connection, "iris", said)
    ground = aws.ensure_foundations(connection, wanted, IRIS, said)
    container = aws.container_of(connection, wanted, image, "linux/amd64", ground)
    aws.ensure_job_definition(connection, batch_settings(), "iris", container, ("run",), {}, said)
    served = container.with_queue(wanted.queue_url).with_volume(ground.volume)
    definition = aws.ensure_task_definition(connection, "iris", served, said)
    service = aws.ensure_service(connection, wanted, "iris", definition, ground, said)
    aws.ensure_scaling(connection, wanted, service, said)


def rehearsed(account: Account, **changes: Any) -> tuple[aws.Rehearsal, list[str]]:
    """The plan, and the operations that left the process for it."""
    rehearsal = aws.rehearse(account.aws)
    sent: list[str] = []
    rehearsal.aws.listen("before-send", lambda event_name, **_: sent.append(event_name.rsplit(".", 1)[-1]))
    for event, function in {(e, f) for _, e, f in account.hooks.added if e == "after-call"}:
        rehearsal.aws.listen(event, function)  # what moto forgets
    everything(rehearsal.aws, account.said, **changes)
    return rehearsal, sent


def kinds(rehearsal: aws.Rehearsal, action: str) -> list[str]:
    return [change.kind for change in rehearsal.changes if change.action == action]


class TestPlan:
    def test_an_empty_account(self, account: Account) -> None:
        rehearsal, sent = rehearsed(account)
        assert sent
        assert [operation for operation in sent if not aws.is_read(operation)] == []
        assert kinds(rehearsal, "leave") == []
        assert {"repository", "network", "subnet", "security group", "role", "cluster", "log group"} <= set(
            kinds(rehearsal, "make")
        )
        assert account.aws.ec2.describe_vpcs(Filters=[{"Name": f"tag:{aws.TAG}", "Values": ["network"]}])["Vpcs"] == []
        assert account.aws.ecs.list_task_definitions()["taskDefinitionArns"] == []

    def test_the_run_does_what_the_plan_says(self, account: Account) -> None:
        rehearsal, _ = rehearsed(account)
        account.calls.clear()
        everything(account.aws, account.said)
        assert set(account.changes()) == set(rehearsal.calls)
        planned, done = rehearsal.changes, account.aws.changes
        assert [(c.action, c.kind, c.fields) for c in planned] == [(c.action, c.kind, c.fields) for c in done]

    def test_after_the_run_everything_is_left(self, account: Account) -> None:
        everything(account.aws, account.said)
        rehearsal, sent = rehearsed(account)
        assert rehearsal.calls == []
        assert {change.action for change in rehearsal.changes} == {"leave"}
        assert [operation for operation in sent if not aws.is_read(operation)] == []

    def test_a_volume_is_planned_and_mounted(self, account: Account) -> None:
        rehearsal, _ = rehearsed(account, volume="data", zones=2)
        account.calls.clear()
        everything(account.aws, account.said, volume="data", zones=2)
        assert set(account.changes()) == set(rehearsal.calls)
        assert [(c.action, c.kind) for c in rehearsal.changes] == [(c.action, c.kind) for c in account.aws.changes]
        again, _ = rehearsed(account, volume="data", zones=2)
        assert again.calls == []

    def test_fields_that_differ_are_named_and_no_value_is(self, account: Account) -> None:
        everything(account.aws, account.said)
        rehearsal, _ = rehearsed(account, memory=4096, desired_count=3, image=IMAGE.replace("ab" * 32, "cd" * 32))
        changed = {change.kind: change for change in rehearsal.changes if change.action == "change"}
        assert set(changed) == {"job definition", "task definition", "service"}
        assert changed["task definition"].fields == ("containerDefinitions.0.image", "memory")
        assert str(changed["service"]) == "~ service iris (taskDefinition, desiredCount)"
        assert "cdcd" not in "".join(map(str, rehearsal.changes))

    @pytest.mark.parametrize(
        ("operation", "read"),
        [("DescribeServices", True), ("BatchGetImage", True), ("CreateVpc", False), ("RegisterTaskDefinition", False)],
    )
    def test_what_is_not_known_to_be_a_read_is_a_change(self, operation: str, read: bool) -> None:
        assert aws.is_read(operation) is read
