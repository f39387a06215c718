"""All that we made goes, in an order that AWS takes; all that others made or use stays and is named."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_dockerize.aws import destroy
from model_dockerize.aws.client import names
from model_dockerize.aws.client.retries import gone_is_well, once_free
from model_dockerize.aws.destroy import Destruction, plan_destruction
from model_dockerize.aws.destroy.ends import end_jobs
from model_dockerize.aws.destroy.stacks import Held, network_users
from model_dockerize.aws.destroy.uses import User, divide, named_in
from model_dockerize.aws.destroy.volume import volume_users
from model_dockerize.aws.function import ensure_function
from model_dockerize.aws.ground import Names
from model_dockerize.aws.ground.values import TAG as STACK_TAG
from model_dockerize.aws.iam.statement import Where
from model_dockerize.aws.model import Thing
from model_dockerize.aws.permissions import destroy_policy, stack_policy
from model_dockerize.errors import AwsError
from model_dockerize.settings import to_settings
from tests.rig.iris import IMAGE, NAMES

from .conftest import Account
from .test_plan import everything

LOG = """{"Resources": {"Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/model-dockerize/%s"}}},
"Parameters": {"Model": {"Type": "String"}, "Repository": {"Type": "String"}, "LogGroup": {"Type": "String"}}}"""


def thing(name: str, *ids: str, remove: Callable[[], object] = lambda: None) -> Thing:
    return Thing("thing", name, remove, frozenset((name, *ids)))


def user(name: str, *uses: str) -> User:
    return User(name, name, frozenset(uses))


class TestDivide:
    def test_what_nobody_uses_goes(self) -> None:
        things = (thing("service"), thing("role"))
        assert divide(things, [user("service", "role"), user("somebody", "else")]) == (things, ())

    def test_what_somebody_uses_stays_with_all_that_it_stands_on(self) -> None:
        definition, role, log = thing("definition"), thing("role"), thing("log")
        users = [user("definition", "role"), user("service theirs", "definition"), user("role", "log")]
        going, kept = divide((thing("mine"), definition, role, log), users)
        assert [str(each) for each in going] == ["thing mine"]
        assert [str(each) for each in kept] == [
            "thing definition: used by service theirs",
            "thing role: used by definition",
            "thing log: used by role",
        ]

    def test_many_users_are_counted_and_those_that_people_know_come_first(self) -> None:
        names = ("network interface eni-1", "job a", "stack s", "service c/s", "task c/t")
        _, (kept,) = divide((thing("vpc"),), [user(name, "vpc") for name in names])
        assert str(kept) == "thing vpc: used by service c/s, stack s, job a and 2 more"

    def test_every_text_counts_and_an_image_names_its_repository(self) -> None:
        shown = {"a": [{"unknown field": "fs-1"}], "image": f"{IMAGE}", "old": "host/group/name:tag", "n": 3}
        repository = IMAGE.partition("@")[0]
        assert {"fs-1", IMAGE, repository, "host/group/name"} <= named_in(shown)


class TestRemove:
    def test_of_what_could_not_go_nothing_that_it_needs_goes(self, account: Account) -> None:
        gone = list[str]()

        def fail() -> None:
            raise AwsError("it is held", "", ("by somebody",))

        things = (
            thing("function", remove=partial(gone.append, "function")),
            thing("service", remove=fail),
            thing("stack", remove=partial(gone.append, "stack")),
            thing("repository", remove=partial(gone.append, "repository")),
        )
        users = (user("function", "stack"), user("service", "stack"))
        with pytest.raises(AwsError, match="2 of 4 things") as caught:
            destroy.remove(Destruction((), things, (), "", users), account.said)
        assert gone == ["function", "repository"]
        assert caught.value.details == ("thing service: by somebody", "thing stack: used by service")


def plan(account: Account, names: Names = NAMES) -> Destruction:
    return plan_destruction(account.aws, names, account.said)


def kept_of(found: Destruction) -> dict[str, tuple[str, ...]]:
    return {str(kept.thing): kept.users for kept in found.kept}


def made_for_batch(account: Account, name: str, tags: dict[str, str] | None = None, alone: bool = False) -> None:
    """Make a job definition, and unless it is `alone` a queue and an environment, all called `name`."""
    batch, given = account.aws.batch, {"tags": tags or {"team": "theirs"}}
    container: Any = {"image": "i", "vcpus": 1, "memory": 512}
    batch.register_job_definition(jobDefinitionName=name, type="container", containerProperties=container, **given)
    if not alone:
        batch.create_compute_environment(computeEnvironmentName=name, type="UNMANAGED", state="ENABLED", **given)
        feeds: Any = [{"order": 1, "computeEnvironment": name}]
        batch.create_job_queue(jobQueueName=name, state="ENABLED", priority=1, computeEnvironmentOrder=feeds, **given)


def stack_of(account: Account, model: str, *tags: Any, name: str = "", **more: str) -> None:
    """Make a stack as those of models are, of CloudFormation's own."""
    given = {"Model": model, "Repository": "iris", "LogGroup": f"/model-dockerize/{model}"}
    account.aws.client("cloudformation").create_stack(
        StackName=name or f"model-dockerize-{model}",
        **more,
        TemplateBody=LOG % model,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Tags=list(tags),
    )


def test_an_interface_in_the_network_of_one_stack_goes_with_the_balancer_of_another(account: Account) -> None:
    ec2 = account.aws.ec2
    subnet = ec2.describe_subnets()["Subnets"][0]
    for said in ("ELB app/md/0123", "a door of somebody"):
        ec2.create_network_interface(SubnetId=subnet["SubnetId"], Description=said)
    stack: Any = None
    shared = Held(stack, {"AWS::EC2::VPC": (subnet["VpcId"],)}, frozenset((subnet["VpcId"],)))
    balancer = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/md/0123"
    users = list(network_users(account.aws, shared, {}, shared.ids | {balancer}))
    named = {user.name.partition("(")[2]: user.id for user in users if user.name.startswith("network interface")}
    assert named["ELB app/md/0123)"] == balancer
    assert named["a door of somebody)"].startswith("eni-")


def test_a_group_of_others_uses_the_network_that_it_is_in_and_no_other(account: Account) -> None:
    ec2 = account.aws.ec2
    ours, other = (ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"] for number in (8, 9))
    within, _ = (
        ec2.create_security_group(GroupName="theirs", Description="d", VpcId=vpc)["GroupId"] for vpc in (ours, other)
    )
    stack: Any = None
    users = network_users(account.aws, Held(stack, {"AWS::EC2::VPC": (ours,)}, frozenset((ours,))), {}, frozenset())
    assert [user.name for user in users] == [f"security group {within}"]


def test_jobs_are_waited_for_to_their_end() -> None:
    ended: list[str] = []
    looks = [["RUNNING", "FAILED"], ["SUCCEEDED", "STARTING"], ["SUCCEEDED", "FAILED"]]
    waits: list[float] = []
    batch = SimpleNamespace(
        terminate_job=lambda jobId, reason: ended.append(jobId),  # noqa: N803 - as AWS has it
        describe_jobs=lambda jobs: {"jobs": [{"status": status} for status in looks.pop(0)]},
    )
    aws: Any = SimpleNamespace(batch=batch)
    end_jobs(aws, ["a", "b"], waits.append)
    assert (ended, looks, len(waits)) == (["a", "b"], [], 2)


def test_what_uses_a_volume_is_named_with_its_place() -> None:
    pages = {
        "describe_access_points": {
            "AccessPoints": [
                {"AccessPointId": "fsap-1", "RootDirectory": {"Path": "/iris"}},
                {"AccessPointId": "fsap-2"},
            ]
        },
        "describe_mount_targets": {"MountTargets": [{"MountTargetId": "fsmt-1"}]},
    }
    paginator = lambda name: SimpleNamespace(paginate=lambda **_: [pages[name]])  # noqa: E731
    aws: Any = SimpleNamespace(efs=SimpleNamespace(get_paginator=paginator))
    volume: Any = SimpleNamespace(file_system="fs-1")
    assert [(str(each.name), each.uses) for each in volume_users(aws, volume)] == [
        ("access point fsap-1 (/iris)", {"fs-1"}),
        ("access point fsap-2 (/)", {"fs-1"}),
        ("mount target fsmt-1", {"fs-1"}),
    ]


class TestPlan:
    def test_what_is_called_directly_goes_and_the_second_time_nothing_is_there(self, account: Account) -> None:
        everything(account.aws, account.said)
        found = plan(account)
        assert list(map(str, found.things)) == [
            *("service iris", "task definition iris:1", "job definition iris:1", "repository iris, with its images"),
        ]
        assert found.running == ("service iris in cluster model-dockerize: 0 of 1 tasks run iris:1",)
        destroy.remove(found, account.said)
        account.calls.clear()
        again = plan(account)
        assert (again.things, again.kept, again.running) == ((), (), ())
        assert account.changes() == []
        everything(account.aws, account.said)  # and it can be made again

    def test_looking_changes_nothing(self, account: Account) -> None:
        everything(account.aws, account.said)
        account.calls.clear()
        plan(account)
        assert account.changes() == []

    def test_what_is_not_ours_stays(self, account: Account) -> None:
        connection = account.aws
        connection.ecr.create_repository(repositoryName="iris")
        connection.ecs.create_cluster(clusterName="model-dockerize")
        container: Any = {"name": "c", "image": "i", "memory": 64}
        connection.ecs.register_task_definition(family="iris", containerDefinitions=[container])
        connection.ecs.create_service(
            cluster="model-dockerize", serviceName="iris", taskDefinition="iris", desiredCount=0
        )
        stack_of(account, "iris")
        made_for_batch(account, "iris")
        found = plan(account)
        assert (found.things, found.kept) == ((), ())

    def test_builds_in_a_repository_of_others_stay_and_are_named(self, account: Account) -> None:
        ecr = account.aws.ecr
        ecr.create_repository(repositoryName="iris")
        for number, tags in enumerate((["theirs"], ["v1", f"build-{'1' * 32}"], [f"build-{'2' * 32}"])):
            kind = "application/vnd.oci.image.manifest.v1+json"
            config = {"digest": f"sha256:{str(number) * 64}", "size": 1}
            manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []})
            for tag in tags:
                ecr.put_image(repositoryName="iris", imageManifest=manifest, imageTag=tag)
        found = plan(account)
        assert (found.things, found.kept) == ((), ())
        assert sorted(found.images) == [f"iris:build-{'2' * 32}", "iris:v1"]
        ecr.tag_resource(
            resourceArn=ecr.describe_repositories()["repositories"][0]["repositoryArn"],
            tags=[{"Key": names.TAG, "Value": "registry"}],
        )
        assert plan(account).images == ()  # they go with the repository

    def test_who_may_not_look_into_a_repository_of_others_removes_the_rest(self, account: Account) -> None:
        everything(account.aws, account.said)
        account.aws.ecr.create_repository(repositoryName="theirs")

        def deny(model: Any, **_: Any) -> None:
            if model.name == "DescribeImages":
                refuse("AccessDeniedException", "User: x is not authorized to perform: ecr:DescribeImages")

        account.hooks.add(deny)
        found = plan(account, replace(NAMES, repository="theirs"))
        assert "service iris" in map(str, found.things)
        assert found.images == ()
        assert "Which images stay is not known: " in account.said.infos[-1]
        assert "ecr:DescribeImages is not allowed" in account.said.infos[-1]

    def test_of_batch_goes_what_bears_our_tag_and_of_definitions_this_models(self, account: Account) -> None:
        made_for_batch(account, "theirs")
        made_for_batch(account, "iris", {names.TAG: "batch"})
        made_for_batch(account, "rose", {names.TAG: "batch"}, alone=True)
        assert list(map(str, plan(account).things)) == [
            *("job definition iris:1", "job queue iris", "compute environment iris"),
        ]

    def test_a_service_of_another_cluster_keeps_what_it_runs_on(self, account: Account) -> None:
        everything(account.aws, account.said)
        account.aws.ecs.create_cluster(clusterName="company")
        account.aws.ecs.create_service(cluster="company", serviceName="theirs", taskDefinition="iris:1", desiredCount=0)
        found = plan(account)
        assert list(map(str, found.things)) == ["service iris", "job definition iris:1"]
        kept = kept_of(found)
        assert kept["task definition iris:1"] == ("service company/theirs",)
        assert kept["repository iris, with its images"][0] == "service company/theirs"

    def test_a_definition_of_others_keeps_the_repository_and_one_of_batch_does_not(self, account: Account) -> None:
        everything(account.aws, account.said)
        container: Any = {"name": "c", "image": IMAGE, "memory": 64}
        account.aws.ecs.register_task_definition(family="theirs", containerDefinitions=[container])
        assert kept_of(plan(account)) == {"repository iris, with its images": ("task definition theirs:1",)}

        def registered_by_batch(parsed: Any, model: Any, **_: Any) -> None:
            if model.name == "DescribeTaskDefinition" and parsed["taskDefinition"]["family"] == "theirs":
                role = "arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForBatch/aws-batch"
                parsed["taskDefinition"]["registeredBy"] = role

        account.hooks.add(registered_by_batch, "after-call")
        assert plan(account).kept == ()

    def test_another_models_stack_keeps_what_all_models_share(self, account: Account) -> None:
        everything(account.aws, account.said)
        stack_of(account, "rose", STACK_TAG)
        found = plan(account)
        assert kept_of(found) == {"repository iris, with its images": ("stack model-dockerize-rose",)}

    def test_the_stack_goes_after_the_service_and_before_the_definitions(self, account: Account) -> None:
        everything(account.aws, account.said)
        account.aws.logs.delete_log_group(logGroupName="/model-dockerize/iris")
        stack_of(account, "iris", STACK_TAG)
        assert [each.kind for each in plan(account).things] == [
            *("service", "stack", "task definition", "job definition", "repository"),
        ]

    def test_of_a_job_definition_without_a_folder_goes_what_is_called_as_it_and_no_service(
        self, account: Account
    ) -> None:
        account.aws.batch.register_job_definition(
            jobDefinitionName="iris",
            type="container",
            containerProperties={"image": IMAGE, "vcpus": 1, "memory": 512},
            tags={names.TAG: "batch"},
        )
        stack_of(account, "iris", STACK_TAG)
        jobs, stack = Names.of_jobs("iris", "model-dockerize"), "stack model-dockerize-iris"
        found = plan(account, jobs)
        assert (list(map(str, found.things)), found.kept) == ([stack, "job definition iris:1"], ())
        account.aws.logs.delete_log_group(logGroupName="/model-dockerize/iris")
        everything(account.aws, account.said)
        found = plan(account, jobs)
        assert {thing.kind for thing in found.things} == {"job definition"}
        assert kept_of(found)[stack][0] == "service model-dockerize/iris"

    @pytest.mark.parametrize("role", ["", "arn:aws:iam::123456789012:role/ModelDockerizeGround"])
    def test_the_shared_stack_goes_with_the_last_model_unless_an_administrator_made_it(
        self, account: Account, role: str
    ) -> None:
        stack_of(account, "", STACK_TAG, name="model-dockerize", **({"RoleARN": role} if role else {}))
        found = plan(account)
        kept = ["stack model-dockerize: used by bootstrap, which an administrator ran"]
        assert list(map(str, found.things)) == ([] if role else ["stack model-dockerize"])
        assert list(map(str, found.kept)) == (kept if role else [])

    def test_every_call_of_it_is_allowed(self, account: Account) -> None:
        account.with_function()
        account.hooks.listen_to("cloudformation", calls=account.calls)
        everything(account.aws, account.said, volume="data", max_count=3)
        names = Names(*["iris"] * 5, "model-dockerize", "on-upload", "data")
        ensure_function(account.aws, "on-upload", "q", "iris", account.said)
        account.calls.clear()
        destroy.remove(plan(account, names), account.said)
        where = Where("123456789012", "us-east-1")
        documents = (destroy_policy(names, where), stack_policy(to_settings([]), where, after_bootstrap=False))
        allowed = {a for document in documents for statement in document["Statement"] for a in statement["Action"]}
        called = {call.replace("elbv2:", "elasticloadbalancing:") for call in account.calls}
        assert {call.replace("efs:", "elasticfilesystem:") for call in called} - allowed == set()


def test_whatever_is_deleted_bears_our_tag_where_aws_knows_one() -> None:
    document = destroy_policy(Names(*["iris"] * 5, "model-dockerize"), Where("123456789012", "us-east-1"))
    assert document["Version"] == "2012-10-17"  # without it, AWS reads it by older rules
    free = {
        action
        for statement in document["Statement"]
        if "Condition" not in statement
        for action in statement["Action"]
        if not action.split(":")[1].startswith(("Describe", "List"))
    }
    assert free == {
        "application-autoscaling:DeregisterScalableTarget",
        "batch:TerminateJob",
        "cloudwatch:DeleteAlarms",
        "ec2:DeleteNetworkInterface",
        "ecs:DeregisterTaskDefinition",
        # Of the one bucket that bears our name, account and region; the code looks at its tag.
        *("s3:GetBucketTagging", "s3:DeleteObject", "s3:DeleteBucket"),
    }


class TestGone:
    """AWS says in many ways, by the botocore models, that a thing is not there: the removal ends well."""

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            *((code, "") for code in ("NoSuchEntity", "InvalidRouteTableID.NotFound", "Gateway.NotAttached")),
            *((code, "") for code in ("NatGatewayNotFound", "FileSystemNotFound", "LoadBalancerNotFound")),
            *((f"{what}NotFoundException", "") for what in ("Resource", "Repository", "Service", "Cluster", "Object")),
            ("ClientException", "arn:aws:batch:us-east-1:123456789012:job-queue/jobs does not exist"),
            ("ClientException", "Unable to describe task definition."),
        ],
    )
    def test_it_is_asked_once_more(self, code: str, message: str) -> None:
        tries = []
        gone_is_well(lambda: tries.append(1) or refuse(code, message))
        assert len(tries) == 2

    def test_what_comes_after_a_lost_answer_is_still_done(self) -> None:
        left = ["first", "second", "third"]

        def remove() -> None:
            while left:
                refuse("InvalidAssociationID.NotFound", left.pop(0))  # done, and its answer lost

        gone_is_well(remove)
        assert not left

    @pytest.mark.parametrize("code", ["AccessDenied", "DeleteConflict", "ClientException", "NotFoundation"])
    def test_every_other_refusal_stays_one(self, code: str) -> None:
        with pytest.raises(ClientError):
            gone_is_well(lambda: refuse(code, "Cannot delete, found existing JobQueue relationship"))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ClientException", "Cannot delete, resource is being modified"),
        ("ClientException", "Cannot delete, found existing JobQueue relationship"),
        *((code, "") for code in ("ClusterContainsTasksException", "DependencyViolation", "FileSystemInUse")),
        *((code, "") for code in ("InvalidGroup.InUse", "InvalidIPAddress.InUse", "ResourceInUse")),
        *((code, "") for code in ("ResourceInUseException", "ConcurrentModification", "ConcurrentUpdateException")),
        *((code, "") for code in ("OperationAbortedException", "ResourceConflictException")),
    ],
)
def test_what_another_call_still_works_on_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    answers = iter([True, False])
    once_free(lambda: next(answers) and refuse(code, message), seconds=5)
    assert next(answers, None) is None


def refuse(code: str, message: str) -> None:
    raise ClientError({"Error": {"Code": code, "Message": message}}, "Delete")
