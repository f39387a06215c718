"""Made, found again, completed: every stage against a second opinion (moto), and what a second run calls."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_dockerize.aws import batch, ecr, ecs
from model_dockerize.aws.batch import JobDefinition
from model_dockerize.aws.ecs.service_request import differing, request, update
from model_dockerize.aws.ground import container_of, ensure_foundations
from model_dockerize.aws.model import Container, Foundations, Runtime, Service, TaskDefinition, Volume
from model_dockerize.errors import AwsAccessError, AwsError, InputError, PushError
from tests.rig.iris import DIGEST, IMAGE, IRIS, batch_settings, settings

from .conftest import Account

ENOUGH = {"type": "COUNT", "value": 2}


def of_wanted(percent: int) -> dict[str, Any]:
    """Return the threshold of a circuit breaker that ECS multiplies by the number of tasks."""
    return {"type": "UNBOUNDED_PERCENT", "value": percent}


def foundations(account: Account, **changes: Any) -> Foundations:
    return ensure_foundations(account.aws, settings(**changes), IRIS, account.said)


def everything(account: Account) -> tuple[Foundations, JobDefinition, TaskDefinition, Service]:
    ground = foundations(account)
    job = job_definition(account, ground)
    definition = task_definition(account, ground)
    service = ecs.ensure_service(account.aws, settings(), "iris", definition, ground, account.said)
    return ground, job, definition, service


def container(account: Account, ground: Runtime, image: str = IMAGE, **changes: Any) -> Container:
    return container_of(account.aws, settings(**changes), image, "linux/amd64", ground)


def task_definition(account: Account, ground: Foundations, image: str = IMAGE, **changes: Any) -> TaskDefinition:
    return ecs.ensure_task_definition(account.aws, "iris", container(account, ground, image, **changes), account.said)


def job_definition(account: Account, ground: Foundations, image: str = IMAGE) -> JobDefinition:
    return batch.ensure_job_definition(
        account.aws,
        batch_settings(),
        "iris",
        container(account, ground, image),
        ("run", "Ref::input", "Ref::output"),
        {},
        account.said,
    )


class TestDefinitions:
    def test_second_run_changes_nothing(self, account: Account) -> None:
        first = everything(account)
        account.calls.clear()
        second = everything(account)
        assert account.changes() == []
        assert [d.arn for d in second[1:]] == [d.arn for d in first[1:]]
        assert [d.changed for d in first[1:]] == [True, True, True]
        assert [d.changed for d in second[1:]] == [False, False, False]
        assert (first[1].existed, second[1].existed) == (False, True)

    def test_another_image_makes_a_revision_of_both(self, account: Account) -> None:
        ground, job, definition, _ = everything(account)
        other = IMAGE.replace("ab" * 32, "cd" * 32)
        new = task_definition(account, ground, other)
        assert (definition.revision, new.revision, new.changed) == (1, 2, True)
        assert new.short == "iris:2"
        again = job_definition(account, ground, other)
        assert (job.revision, again.revision, again.existed, again.changed) == (1, 2, True, True)
        assert "containerDefinitions.0.image" in account.said.infos[-2]

    def test_a_size_that_fargate_has_not_is_refused_before_any_call(self, account: Account) -> None:
        ground = foundations(account)
        account.calls.clear()
        with pytest.raises(InputError, match="cpu 1024 with memory 1000"):
            task_definition(account, ground, memory=1000)
        assert account.calls == []

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("ClientException", "Role is not valid"),
            ("AccessDeniedException", "User: x is not authorized to perform: iam:PassRole on resource: arn:r"),
            ("InvalidParameterValueException", "KMS Message: ARN does not refer to a valid principal: arn:r"),
        ],
    )
    def test_a_role_made_moments_ago_is_waited_for(
        self, account: Account, monkeypatch: pytest.MonkeyPatch, code: str, message: str
    ) -> None:
        monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
        ground = foundations(account)
        refusals = iter([1, 2])

        def refuse(model: Any, **_: Any) -> None:
            if model.name == "RegisterTaskDefinition" and next(refusals, None):
                raise ClientError({"Error": {"Code": code, "Message": message}}, model.name)

        account.hooks.add(refuse)
        assert task_definition(account, ground).revision == 1
        refusals = iter([1])
        old = Foundations(**{**ground.__dict__, "fresh_roles": False})
        with pytest.raises((AwsError, AwsAccessError)):
            task_definition(account, old, memory=4096)

    def test_a_role_that_may_not_be_passed_is_told_at_once_unless_it_is_new(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("model_dockerize.aws.client.retries._PASSED_SECONDS", 1.0)
        ground, tries = foundations(account), list[str]()
        old = Foundations(**{**ground.__dict__, "fresh_roles": False})

        def refuse(model: Any, **_: Any) -> None:
            if model.name == "RegisterTaskDefinition":
                tries.append(model.name)
                said = "User: x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r"
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": said}}, model.name)

        account.hooks.add(refuse)
        for found, least, most in ((old, 1, 1), (ground, 2, 4)):
            tries.clear()
            with pytest.raises(AwsAccessError, match="iam:PassRole on arn:aws:iam::1:role/r is not allowed"):
                task_definition(account, found)
            assert least <= len(tries) <= most


class TestService:
    @pytest.mark.parametrize(
        ("fresh", "volume", "threshold"),
        [(False, True, ENOUGH), (True, False, of_wanted(300)), (True, True, of_wanted(500))],
    )
    def test_what_is_new_may_let_some_tasks_die(
        self, account: Account, fresh: bool, volume: bool, threshold: dict[str, Any]
    ) -> None:
        ground, _, definition, _ = everything(account)
        made = replace(ground, fresh_roles=fresh, volume=Volume("fs-1", "fsap-1") if volume else None)
        # ECS multiplies a percentage by the latest number of tasks: all of them start at once and may die at once.
        asked = request(account.aws, settings(desired_count=4), definition, made)
        breaker = asked["deploymentConfiguration"]["deploymentCircuitBreaker"]
        assert breaker["thresholdConfiguration"] == threshold
        # That number alone is no reason for a rollout.
        there = {**asked, "deploymentConfiguration": {**asked["deploymentConfiguration"]}}
        later = request(account.aws, settings(), definition, replace(made, fresh_roles=False))
        assert differing(later, there) == []
        # With the next rollout it is as low as it is for all that has run, of a service that nobody else made.
        for is_ours, left in ((True, ENOUGH), (False, threshold)):
            next_one = update(account.aws, settings(), there, definition, replace(made, fresh_roles=False), is_ours)
            kept = next_one.get("deploymentConfiguration", there["deploymentConfiguration"])
            assert kept["deploymentCircuitBreaker"]["thresholdConfiguration"] == left

    def test_a_service_that_is_there_may_lose_some_tasks_where_its_role_is_new(self, account: Account) -> None:
        ground, _, definition, _ = everything(account)
        there = request(account.aws, settings(), definition, replace(ground, fresh_roles=False))
        for chosen, becomes in ((ENOUGH, of_wanted(300)), (of_wanted(40), None)):
            breaker = {"enable": True, "rollback": True, "thresholdConfiguration": chosen}
            there["deploymentConfiguration"] = {"deploymentCircuitBreaker": breaker}
            asked = update(account.aws, settings(), there, definition, replace(ground, fresh_roles=True), is_ours=True)
            found = asked.get("deploymentConfiguration", {}).get("deploymentCircuitBreaker", {})
            assert found.get("thresholdConfiguration") == becomes

    def test_a_breaker_that_somebody_turned_off_stays_off_while_its_number_falls(self, account: Account) -> None:
        ground, _, definition, _ = everything(account)
        asked = request(account.aws, settings(), definition, replace(ground, fresh_roles=True))
        off = {**asked["deploymentConfiguration"]["deploymentCircuitBreaker"], "enable": False, "rollback": False}
        there = {
            **asked,
            "deploymentConfiguration": {**asked["deploymentConfiguration"], "deploymentCircuitBreaker": off},
        }
        next_one = update(account.aws, settings(), there, definition, replace(ground, fresh_roles=False), is_ours=True)
        assert next_one["deploymentConfiguration"]["deploymentCircuitBreaker"] == {
            "enable": False,
            "rollback": False,
            "thresholdConfiguration": {"type": "COUNT", "value": 2},
        }
        assert differing(next_one, there) == []  # which is no reason to roll

    def test_as_asked(self, account: Account) -> None:
        ground, _, definition, service = everything(account)
        (there,) = account.aws.ecs.describe_services(cluster=ground.cluster, services=["iris"])["services"]
        assert there["taskDefinition"] == definition.arn
        assert there["launchType"] == "FARGATE"
        assert there["desiredCount"] == 1
        configuration = there["deploymentConfiguration"]
        assert (configuration["minimumHealthyPercent"], configuration["maximumPercent"]) == (100, 200)
        assert service.previous_task_definition_arn is None
        assert service.deployment_id == there["deployments"][0]["id"]

    def test_only_what_differs_is_said(self, account: Account) -> None:
        ground, _, definition, _ = everything(account)
        scaled = ecs.ensure_service(account.aws, settings(desired_count=2), "iris", definition, ground, account.said)
        assert scaled.changed
        assert account.said.infos[-1] == "service iris: changing desiredCount 1 -> 2"
        new = task_definition(account, ground, IMAGE.replace("ab" * 32, "cd" * 32))
        ecs.ensure_service(account.aws, settings(desired_count=2), "iris", new, ground, account.said)
        assert account.said.infos[-1] == "service iris: rolling iris:1 -> iris:2"

    def test_a_deleted_service_is_made_again(self, account: Account) -> None:
        ground, _, definition, _ = everything(account)
        account.aws.ecs.delete_service(cluster=ground.cluster, service="iris", force=True)
        made = ecs.ensure_service(account.aws, settings(), "iris", definition, ground, account.said)
        assert made.changed

    def test_nothing_stays_after_a_failed_first_deployment(self, account: Account) -> None:
        *_, service = everything(account)
        account.calls.clear()
        said = ecs.settle_failed_first_deployment(account.aws, service, account.said)
        assert "0 tasks" in said
        assert account.changes() == ["ecs:UpdateService"]
        account.calls.clear()
        assert ecs.rollback(account.aws, service, None, 5, account.said) is None
        assert account.changes() == []


class TestRegistry:
    def test_made_as_the_console_makes_it(self, account: Account) -> None:
        made = ecr.ensure_repository(account.aws, "models/iris", account.said)
        assert made.created
        assert made.uri.endswith("/models/iris")
        (there,) = account.aws.ecr.describe_repositories(repositoryNames=["models/iris"])["repositories"]
        assert there["imageTagMutability"] == "MUTABLE"
        assert there["imageScanningConfiguration"]["scanOnPush"] is False
        assert there["encryptionConfiguration"]["encryptionType"] == "AES256"
        account.calls.clear()
        assert not ecr.ensure_repository(account.aws, "models/iris", account.said).created
        assert account.changes() == []

    @pytest.mark.parametrize("name", ["", "a", "Iris", "a//b", "-a", "a b", "iris:1", "a" * 257])
    def test_names_that_ecr_does_not_take(self, account: Account, name: str) -> None:
        with pytest.raises(InputError, match="cannot be the name of an ECR repository"):
            ecr.ensure_repository(account.aws, name, account.said)
        assert account.calls == []

    def test_login_shows_no_password(self, account: Account) -> None:
        login = ecr.login(account.aws)
        assert login.username == "AWS"
        assert login.password in account.said.secrets
        assert login.password not in repr(login)
        assert "://" not in login.registry

    def push(self, account: Account, tag: str, content: str) -> str:
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": "sha256:" + hashlib.sha256(content.encode()).hexdigest(),
                    "size": len(content),
                },
                "layers": [],
            }
        )
        image = account.aws.ecr.put_image(repositoryName="iris", imageManifest=manifest, imageTag=tag)["image"]
        return image["imageId"]["imageDigest"]

    def test_one_push_many_tags_verified(self, account: Account) -> None:
        ecr.ensure_repository(account.aws, "iris", account.said)
        digest = self.push(account, "1.0", "a")
        assert ecr.find_build(account.aws, "iris", "0123") is None
        assert ecr.find_build(account.aws, "nowhere", "0123") is None
        assert ecr.tag_image(account.aws, "iris", digest, ["1.0", "build-0123"]) == ("build-0123",)
        account.calls.clear()
        assert ecr.tag_image(account.aws, "iris", digest, ["1.0", "build-0123"]) == ()
        assert account.changes() == []
        found = ecr.find_build(account.aws, "iris", "0123")
        assert found == ecr.verify(account.aws, "iris", digest, ["1.0", "build-0123"])
        assert found
        assert found.uri.endswith(f"/iris@{digest}")
        assert found.tags == ("1.0", "build-0123")

    def test_another_image_under_the_tag_is_seen(self, account: Account) -> None:
        ecr.ensure_repository(account.aws, "iris", account.said)
        digest = self.push(account, "1.0", "a")
        ecr.tag_image(account.aws, "iris", digest, ["keep"])
        other = self.push(account, "1.0", "b")
        with pytest.raises(PushError, match=r"under 1\.0") as caught:
            ecr.verify(account.aws, "iris", digest, ["1.0", "keep"])
        assert caught.value.details == (f"1.0: {other}",)
        with pytest.raises(PushError, match="although it was pushed"):
            ecr.verify(account.aws, "iris", DIGEST, [])
        with pytest.raises(PushError, match="does not hold"):
            ecr.tag_image(account.aws, "iris", DIGEST, ["x"])
