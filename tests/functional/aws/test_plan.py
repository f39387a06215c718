"""A plan is what a run does, and asks AWS nothing but questions."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws.client import Aws, Rehearsal, is_read, rehearse
from model_dockerize.aws.model import Change, Foundations
from model_dockerize.pipeline.context import Named, Prepared, Run
from model_dockerize.pipeline.release import Release
from model_dockerize.pipeline.stages import STAGES
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from model_dockerize.smoke import Expectation
from tests.rig.deployer import Quiet
from tests.rig.iris import IMAGE, batch_settings, settings

from .conftest import Account


def everything(connection: Aws, said: Any, image: str = IMAGE, queue: str = "", **changes: Any) -> Foundations:
    """Ask every stage of a run, without any wait; the image is there."""
    asked = replace(to_settings([]), service=settings(**changes), batch=batch_settings(job_queue=queue))
    prepared = Prepared(Named("iris", "latest"), "no such build", "linux/amd64", Expectation(""))
    release = Release(Run(asked, {}, Recorder(Quiet())), prepared, connection, uri=image)
    for stage in STAGES:
        if stage.is_wanted(release):
            release = replace(stage.ask(release, said), uri=image)
    assert isinstance(release.runtime, Foundations)
    return release.runtime


def rehearsed(account: Account, **changes: Any) -> tuple[Rehearsal, list[str]]:
    """Return the plan, and the operations that left the process for it."""
    rehearsal = rehearse(account.aws)
    sent: list[str] = []
    rehearsal.aws.listen("before-send", lambda event_name, **_: sent.append(event_name.rsplit(".", 1)[-1]))
    for event, function in {(e, f) for _, e, f in account.hooks.added if e == "after-call"}:
        rehearsal.aws.listen(event, function)  # what moto forgets
    everything(rehearsal.aws, account.said, **changes)
    return rehearsal, sent


def kinds(rehearsal: Rehearsal, action: str) -> list[str]:
    return [change.kind for change in rehearsal.changes if change.action == action]


def called_directly(changes: list[Change]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(change.action, change.kind, change.fields) for change in changes if change.kind != "stack"]


class TestPlan:
    def test_an_empty_account(self, account: Account) -> None:
        rehearsal, sent = rehearsed(account)
        assert sent
        assert [operation for operation in sent if not is_read(operation)] == []
        assert kinds(rehearsal, "leave") == []
        said = set(map(str, rehearsal.changes))
        assert {
            "+ repository iris",
            "+ stack model-dockerize: Vpc (AWS::EC2::VPC)",
            "+ stack model-dockerize-iris: ExecutionRole (AWS::IAM::Role)",
            "+ service iris",
        } <= said
        assert account.stacks.there == {}
        assert account.aws.ecs.list_task_definitions()["taskDefinitionArns"] == []

    def test_a_cluster_to_come_hides_no_family_of_its_name(self, account: Account) -> None:
        assert "+ cluster iris" in set(map(str, rehearsed(account, cluster="iris")[0].changes))
        everything(account.aws, account.said)
        rehearsal, _ = rehearsed(account, cluster="iris")
        assert "task definition" not in kinds(rehearsal, "make")

    def test_jobs_of_an_empty_account_are_planned_in_the_network_to_come(self, account: Account) -> None:
        rehearsal, _ = rehearsed(account, queue="q")
        said = list(map(str, rehearsal.changes))
        assert {"+ compute environment model-dockerize", "+ job queue q"} <= set(said)
        # As in a run: jobs must not run a build that the service was put back from.
        assert said.index("+ service iris") < said.index("+ job definition iris")

    def test_the_run_does_what_the_plan_says(self, account: Account) -> None:
        rehearsal, _ = rehearsed(account)
        account.calls.clear()
        everything(account.aws, account.said)
        assert set(account.changes()) == set(rehearsal.calls)
        assert called_directly(rehearsal.aws.changes) == called_directly(account.aws.changes)
        # Of a stack the plan says what becomes of each resource, and the run says it as it goes.
        stacks = {change.name.partition(":")[0] for change in rehearsal.changes if change.kind == "stack"}
        assert stacks == set(account.stacks.there)

    def test_after_the_run_everything_is_left(self, account: Account) -> None:
        everything(account.aws, account.said)
        rehearsal, sent = rehearsed(account)
        assert rehearsal.calls == []
        assert {change.action for change in rehearsal.changes} == {"leave"}
        assert [operation for operation in sent if not is_read(operation)] == []

    def test_a_volume_is_planned_and_mounted(self, account: Account) -> None:
        rehearsal, _ = rehearsed(account, volume="data", zones=2)
        account.calls.clear()
        everything(account.aws, account.said, volume="data", zones=2)
        assert set(account.changes()) == set(rehearsal.calls)
        assert called_directly(rehearsal.changes) == called_directly(account.aws.changes)
        again, _ = rehearsed(account, volume="data", zones=2)
        assert again.calls == []

    def test_jobs_that_the_next_version_does_not_know_are_told_of_before_anything_is_done(
        self, account: Account
    ) -> None:
        balanced: dict[str, Any] = {"load_balancer": "true", "zones": 2}
        everything(account.aws, account.said, **balanced)
        assert "own disk" not in "".join(account.said.warnings)
        (arn,) = account.aws.ecs.list_services(cluster="model-dockerize")["serviceArns"]
        account.aws.ecs.untag_resource(resourceArn=arn, tagKeys=["model-dockerize:proving"])
        rehearsed(account, **balanced, image=IMAGE.replace("ab" * 32, "cd" * 32))
        (told,) = [line for line in account.said.warnings if "each version keeps its jobs on its own disk" in line]
        assert "With queue-url (PostgreSQL) no job is lost" in told

    def test_fields_that_differ_are_named_with_what_is_no_secret(self, account: Account) -> None:
        everything(account.aws, account.said)
        rehearsal, _ = rehearsed(account, memory=4096, desired_count=3, image=IMAGE.replace("ab" * 32, "cd" * 32))
        changed = {change.kind: change for change in rehearsal.changes if change.action == "change"}
        assert set(changed) == {"job definition", "task definition", "service"}
        assert changed["task definition"].fields == ("containerDefinitions.0.image", "memory 2048 -> 4096")
        assert str(changed["service"]) == "~ service iris (taskDefinition, desiredCount 1 -> 3)"
        assert "cdcd" not in "".join(map(str, rehearsal.changes))

    @pytest.mark.parametrize(
        ("operation", "read"),
        [("DescribeServices", True), ("BatchGetImage", True), ("CreateVpc", False), ("RegisterTaskDefinition", False)],
    )
    def test_what_is_not_known_to_be_a_read_is_a_change(self, operation: str, read: bool) -> None:
        assert is_read(operation) is read


def test_a_plan_waits_for_no_service_that_is_being_deleted(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    everything(account.aws, account.said)

    def drain(parsed: Any, model: Any, **_: Any) -> None:
        if model.name == "DescribeServices":
            parsed["services"] = [{**each, "status": "DRAINING"} for each in parsed["services"]]

    account.hooks.add(drain, "after-call")
    monkeypatch.setattr("model_dockerize.aws.ecs.service._DRAIN_SECONDS", 0.0)
    rehearsal, _ = rehearsed(account)
    assert "+ service iris" in map(str, rehearsal.changes)
