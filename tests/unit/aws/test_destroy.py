"""What we made goes, in an order that AWS takes; what others made stays."""

import json
from typing import Any

import pytest

from model_dockerize import aws
from model_dockerize.errors import AwsError

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


def settings_with_own_network(connection: aws.Aws, vpc: str) -> Any:
    subnet = connection.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    return settings(subnets=(subnet,))
