"""What we made goes, in an order that AWS takes; what others made stays."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_dockerize import aws
from model_dockerize.aws.eventual import once_free
from model_dockerize.aws.gone import gone_is_well
from model_dockerize.errors import AwsError
from model_dockerize.settings import to_settings

from .conftest import Account, settings
from .test_plan import everything

NAMES = aws.Names("iris", "iris", "iris", "iris", "iris", "model-dockerize")


@pytest.mark.usefixtures("_without_waiting")
class TestDestroy:
    def test_everything_goes_and_the_second_time_nothing_is_there(self, account: Account) -> None:
        everything(account.aws, account.said)
        things = aws.find_ours(account.aws, NAMES)
        assert [thing.kind for thing in things] == [
            *("service", "task definition", "job definition", "log group", "repository", "cluster"),
            *("security group", "route table", "subnet", "internet gateway", "network", "role", "role"),
        ]
        aws.remove(things, account.said)
        account.calls.clear()
        assert aws.find_ours(account.aws, NAMES) == ()
        assert account.changes() == []
        ours: Any = [{"Name": "tag-key", "Values": [aws.TAG]}]
        assert account.aws.ec2.describe_vpcs(Filters=ours)["Vpcs"] == []
        assert account.aws.iam.list_roles()["Roles"] == []
        everything(account.aws, account.said)  # and it can be made again

    def test_looking_changes_nothing(self, account: Account) -> None:
        everything(account.aws, account.said)
        account.calls.clear()
        aws.find_ours(account.aws, NAMES)
        assert account.changes() == []

    def test_what_is_not_ours_stays(self, account: Account) -> None:
        connection = account.aws
        vpc = connection.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        connection.ecr.create_repository(repositoryName="iris")
        connection.iam.create_role(RoleName="ecsTaskExecutionRole", AssumeRolePolicyDocument=json.dumps({}))
        connection.ecs.create_cluster(clusterName="model-dockerize")
        connection.logs.create_log_group(logGroupName="/model-dockerize/iris")
        connection.ecs.register_task_definition(
            family="iris", containerDefinitions=[{"name": "c", "image": "i", "memory": 64}]
        )
        assert aws.find_ours(connection, NAMES) == ()
        aws.ensure_foundations(connection, settings_with_own_network(connection, vpc), "other", account.said)
        things = aws.find_ours(connection, aws.Names(*["other"] * 5, "model-dockerize"))
        aws.remove(things, account.said)
        assert connection.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
        assert connection.ecr.describe_repositories(repositoryNames=["iris"])["repositories"]
        assert connection.iam.get_role(RoleName="ecsTaskExecutionRole")
        assert connection.ecs.describe_clusters(clusters=["model-dockerize"])["clusters"][0]["status"] == "ACTIVE"
        assert connection.ecs.list_task_definitions()["taskDefinitionArns"]

    def test_what_models_share_goes_with_the_last(self, account: Account) -> None:
        everything(account.aws, account.said)
        aws.ensure_runtime(account.aws, settings(), "second", account.said)
        first = aws.find_ours(account.aws, NAMES)
        assert {thing.kind for thing in first}.isdisjoint({"cluster", "network", "role"})
        aws.remove(first, account.said)
        second = aws.find_ours(account.aws, aws.Names(*["second"] * 5, "model-dockerize"))
        assert {"cluster", "network", "role", "log group"} <= {thing.kind for thing in second}

    def test_roles_stay_as_long_as_another_region_uses_them(
        self, account: Account, environment: dict[str, str]
    ) -> None:
        elsewhere = aws.connect(to_settings([]).aws, {**environment, "AWS_REGION": "eu-west-1"}, account.said)
        everything(account.aws, account.said)
        roles = ["model-dockerize-task", "ecsTaskExecutionRole"]
        planned = aws.rehearse(elsewhere)
        aws.ensure_runtime(planned.aws, settings(), "iris", account.said)
        assert {f"~ role {role} (regions)" for role in roles} <= set(map(str, planned.changes))
        aws.ensure_runtime(elsewhere, settings(), "iris", account.said)
        first = aws.find_ours(account.aws, NAMES)
        assert [thing.name for thing in first if "role" in thing.kind] == [
            f"{role}, which stays for eu-west-1" for role in roles
        ]
        aws.remove(first, account.said)
        assert aws.find_ours(account.aws, NAMES) == ()
        assert {role["RoleName"] for role in account.aws.iam.list_roles()["Roles"]} == set(roles)
        aws.ensure_runtime(account.aws, settings(), "iris", account.said)  # here again
        aws.remove(aws.find_ours(elsewhere, NAMES), account.said)
        aws.remove(aws.find_ours(account.aws, NAMES), account.said)
        assert account.aws.iam.list_roles()["Roles"] == []

    def test_what_others_hold_on_to_is_told_and_the_rest_goes(self, account: Account) -> None:
        everything(account.aws, account.said)
        things = aws.find_ours(account.aws, NAMES)
        statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        account.aws.iam.put_role_policy(RoleName="model-dockerize-task", PolicyName="theirs", PolicyDocument=policy)
        with pytest.raises(AwsError, match="1 of 13 things") as caught:
            aws.remove(things, account.said)
        assert caught.value.details[0].startswith("role model-dockerize-task: ")
        assert [thing.name for thing in aws.find_ours(account.aws, NAMES)] == ["model-dockerize-task"]


class TestGone:
    """What AWS says of what is not there, by the botocore models: the removal ends well."""

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
    [("ClientException", "Cannot delete, resource is being modified"), ("OperationAbortedException", "")],
)
def test_what_another_call_still_works_on_is_waited_for(code: str, message: str) -> None:
    answers = iter([True, False])
    once_free(lambda: next(answers) and refuse(code, message), seconds=5)
    assert next(answers, None) is None


def refuse(code: str, message: str) -> None:
    raise ClientError({"Error": {"Code": code, "Message": message}}, "Delete")


def settings_with_own_network(connection: aws.Aws, vpc: str) -> Any:
    subnet = connection.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    return settings(subnets=(subnet,))
