"""ECS and EC2 are asked field by field: with no input at all, and with everything chosen."""

from typing import Any

from model_dockerize.aws import ecs
from model_dockerize.aws.ground import Model, container_of, ensure_foundations
from model_dockerize.aws.ground.template import SHARED, load
from tests.rig import templates
from tests.rig.iris import IMAGE, settings

from .conftest import Account
from .test_network import Given


def asked(account: Account, name: str = "iris", family: str = "iris", **changes: Any) -> dict[str, Any]:
    """Make a service; return every request that makes something, by its operation."""
    requests: dict[str, Any] = {}
    account.hooks.add(lambda params, model, **_: requests.update({model.name: dict(params)}), "provide-client-params")
    wanted = settings(**changes)
    made = ensure_foundations(account.aws, wanted, Model(name, name), account.said)
    container = container_of(account.aws, wanted, IMAGE, "linux/amd64", made)
    definition = ecs.ensure_task_definition(account.aws, family, container, account.said)
    ecs.ensure_service(account.aws, wanted, name, definition, made, account.said)
    requests["made"] = {"ground": made, "definition": definition}
    return requests


class TestWithoutAnyInput:
    def test_the_task_definition(self, account: Account) -> None:
        task = asked(account)["RegisterTaskDefinition"]

        assert (task["family"], task["cpu"], task["memory"]) == ("iris", "1024", "2048")
        assert task["requiresCompatibilities"] == ["FARGATE"]
        assert task["networkMode"] == "awsvpc"
        assert task["runtimePlatform"] == {"operatingSystemFamily": "LINUX", "cpuArchitecture": "X86_64"}
        assert task["executionRoleArn"].endswith(":role/model-dockerize-iris-ExecutionRole")
        assert task["taskRoleArn"].endswith(":role/model-dockerize-TaskRole")
        (container,) = task["containerDefinitions"]
        assert container["image"] == IMAGE
        assert container["portMappings"] == [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]
        log = container["logConfiguration"]
        assert (log["logDriver"], log["options"]["awslogs-group"]) == ("awslogs", "/model-dockerize/iris")

    def test_the_cluster_has_no_instances(self, account: Account) -> None:
        asked(account)
        cluster = templates.resources(load(SHARED).body)["EcsCluster"]["Properties"]

        assert account.stacks.there["model-dockerize"].parameters["Cluster"] == "model-dockerize"
        assert "CapacityProviders" not in cluster  # only these could bring instances

    def test_the_service(self, account: Account) -> None:
        requests = asked(account)
        service, made = requests["CreateService"], requests["made"]["ground"]

        assert (service["cluster"], service["serviceName"]) == ("model-dockerize", "iris")
        assert (service["launchType"], service["desiredCount"]) == ("FARGATE", 1)
        assert service["taskDefinition"] == requests["made"]["definition"].arn
        assert service["taskDefinition"].endswith(":task-definition/iris:1")
        assert service["networkConfiguration"]["awsvpcConfiguration"] == {
            "subnets": list(made.subnet_ids),
            "securityGroups": list(made.security_group_ids),
            "assignPublicIp": "ENABLED",
        }
        assert "deploymentController" not in service  # ECS's own: rolling update
        rolling = service["deploymentConfiguration"]
        assert (rolling["minimumHealthyPercent"], rolling["maximumPercent"]) == (100, 200)
        assert "loadBalancers" not in service

    def test_the_network_is_one_public_subnet(self, account: Account) -> None:
        made = asked(account)["made"]["ground"]
        (subnet,) = account.aws.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [made.vpc_id]}])["Subnets"]
        shared, iris = (account.stacks.there[name] for name in ("model-dockerize", "model-dockerize-iris"))

        assert made.subnet_ids == (subnet["SubnetId"],) == (shared.outputs["PublicA"],)
        assert shared.parameters["Private"] == "false"
        assert (iris.filled("AllowFrom"), iris.outputs["TaskGroup"]) == (("0.0.0.0/0",), made.security_group_ids[0])

    def test_who_may_connect_stays_so_until_somebody_says_otherwise(self, account: Account) -> None:
        asked(account, allow_from=("10.0.0.0/8", "192.0.2.0/24"))
        kept = asked(account)["made"]["ground"].settings.allow_from
        assert kept == ("10.0.0.0/8", "192.0.2.0/24")
        asked(account, allow_from=("0.0.0.0/0",))
        assert account.stacks.there["model-dockerize-iris"].filled("AllowFrom") == ("0.0.0.0/0",)

    def test_nor_are_vpc_subnets_and_groups_taken_back(self, account: Account) -> None:
        given = Given(account)
        subnet = given.subnet("a", given.public)
        group = account.aws.ec2.create_security_group(GroupName="g", Description="g", VpcId=given.vpc)["GroupId"]
        asked(account, subnets=(subnet,), security_groups=(group,))
        made = asked(account)["made"]["ground"]
        assert (made.vpc_id, made.subnet_ids, made.security_group_ids) == (given.vpc, (subnet,), (group,))


class TestChosen:
    def test_names_sizes_roles_and_counts(self, account: Account) -> None:
        role = f"arn:aws:iam::{account.aws.identity.account}:role/my-task"
        requests = asked(
            account,
            name="my-service",
            family="my-task-definition",
            cluster="my-cluster",
            cpu=512,
            memory=4096,
            desired_count=3,
            task_role=role,
            execution_role=role,
        )
        task, service = requests["RegisterTaskDefinition"], requests["CreateService"]

        assert (task["family"], task["cpu"], task["memory"]) == ("my-task-definition", "512", "4096")
        assert (task["taskRoleArn"], task["executionRoleArn"]) == (role, role)
        assert requests["CreateCluster"]["clusterName"] == "my-cluster"
        assert (service["cluster"], service["serviceName"]) == ("my-cluster", "my-service")
        assert service["desiredCount"] == 3

    def test_a_network_of_ones_own_without_public_addresses(self, account: Account) -> None:
        ec2 = account.aws.ec2
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24")["Subnet"]["SubnetId"] for number in (1, 2)
        ]
        group = ec2.create_security_group(GroupName="mine", Description="mine", VpcId=vpc)["GroupId"]
        account.calls.clear()
        requests = asked(account, vpc=vpc, subnets=tuple(subnets), security_groups=(group,), assign_public_ip=False)

        assert requests["CreateService"]["networkConfiguration"]["awsvpcConfiguration"] == {
            "subnets": sorted(subnets),
            "securityGroups": [group],
            "assignPublicIp": "DISABLED",
        }
        assert [call for call in account.changes() if call.startswith("ec2:")] == []
