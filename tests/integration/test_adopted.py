"""A private service that somebody else made, with a sidecar, is refused; adopted, it keeps what no input says."""

from pathlib import Path
from typing import Any

import boto3
import pytest

from model_dockerize import sandbox
from model_dockerize.progress import Silent
from tests.integration.conftest import Cli
from tests.rig.settled import role_for
from tests.rig.waiting import eventually

IMAGE = "python:3.13-slim-trixie"
CLUSTER, NAME = "theirs", "mdadopted"
PLACE = ("--cluster", CLUSTER, "--image-name", NAME, "--service", NAME, "--create-job-def", "false")
LOG = {"awslogs-group": "/ecs/theirs", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
#: Shown by DescribeServices; all but the revision stays.
OF_SERVICE = (
    *("desiredCount", "capacityProviderStrategy", "platformVersion", "networkConfiguration", "enableExecuteCommand"),
    *("deploymentConfiguration", "propagateTags", "enableECSManagedTags", "schedulingStrategy"),
)
OF_DEFINITION = ("cpu", "memory", "taskRoleArn", "executionRoleArn", "volumes", "ephemeralStorage", "networkMode")
OF_CONTAINER = (
    *("name", "portMappings", "secrets", "mountPoints", "dependsOn", "ulimits", "linuxParameters", "dockerLabels"),
    *("stopTimeout", "logConfiguration"),
)


class Theirs:
    """Somebody's VPC without a way in, and their service in it, made by AWS's API alone."""

    def __init__(self, home: Path) -> None:
        self.box = sandbox.start(home, Silent())
        self.ecs = self.client("ecs")
        subnet, group = self._network()
        self.ecs.create_cluster(clusterName=CLUSTER)
        self.client("logs").create_log_group(logGroupName=LOG["awslogs-group"])
        self.client("ssm").put_parameter(Name="/theirs/token", Value="x", Type="SecureString")
        self.ecs.create_service(
            cluster=CLUSTER,
            serviceName=NAME,
            taskDefinition=self._definition(),
            desiredCount=2,
            capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
            networkConfiguration={
                "awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group], "assignPublicIp": "DISABLED"}
            },
            deploymentConfiguration={
                "minimumHealthyPercent": 50,
                "maximumPercent": 150,
                "deploymentCircuitBreaker": {"enable": True, "rollback": False},
            },
            enableExecuteCommand=True,
            enableECSManagedTags=True,
            propagateTags="TASK_DEFINITION",
            tags=[{"key": "ManagedBy", "value": "terraform"}],
        )
        eventually(lambda: self.service()["runningCount"] == 2, tell=lambda: self.service()["events"][:5])

    def client(self, name: str) -> Any:
        return boto3.client(
            name,  # type: ignore[call-overload]
            endpoint_url=self.box.endpoint_url,
            region_name=self.box.region,
            aws_access_key_id=self.box.account_id,
            aws_secret_access_key=self.box.secret_key,
        )

    def _network(self) -> tuple[str, str]:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
        public, private = (
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.60.{n}.0/24", AvailabilityZone="us-east-1a")["Subnet"]
            for n in (1, 2)
        )
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = ec2.create_nat_gateway(SubnetId=public["SubnetId"], AllocationId=address)["NatGateway"]["NatGatewayId"]
        for subnet, way in ((public, {"GatewayId": gateway}), (private, {"NatGatewayId": nat})):
            table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
            ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **way)
            ec2.associate_route_table(RouteTableId=table, SubnetId=subnet["SubnetId"])
        group = ec2.create_security_group(VpcId=vpc, GroupName="theirs", Description="theirs")["GroupId"]
        inside = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.60.0.0/16"}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[inside])
        return str(private["SubnetId"]), str(group)

    def _definition(self) -> str:
        iam, lambdas = self.client("iam"), self.client("lambda")
        roles = [role_for(iam, lambdas, name, "ecs-tasks") for name in ("theirTask", "model-dockerize-theirs")]
        log = {"logDriver": "awslogs", "options": LOG}
        web = {
            "name": "web",
            "image": IMAGE,
            "essential": True,
            "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
            "entryPoint": ["python"],
            "command": ["-m", "http.server", "80"],
            "environment": [{"name": "FEATURE", "value": "very secret"}],
            "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/theirs/token"}],
            "mountPoints": [{"sourceVolume": "scratch", "containerPath": "/scratch"}],
            "dependsOn": [{"containerName": "agent", "condition": "START"}],
            "ulimits": [{"name": "nofile", "softLimit": 65536, "hardLimit": 65536}],
            "linuxParameters": {"initProcessEnabled": True},
            "dockerLabels": {"team": "risk"},
            "stopTimeout": 5,
            "logConfiguration": log,
        }
        agent = {
            "name": "agent",
            "image": IMAGE,
            "essential": False,
            "command": ["python", "-c", "import signal; signal.signal(15, lambda *_: exit(0)); signal.pause()"],
            "stopTimeout": 2,
            "logConfiguration": log,
        }
        made = self.ecs.register_task_definition(
            family=NAME,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="512",
            memory="1024",
            taskRoleArn=roles[0],
            executionRoleArn=roles[1],
            containerDefinitions=[web, agent],
            volumes=[{"name": "scratch"}],
            ephemeralStorage={"sizeInGiB": 50},
            tags=[{"key": "ManagedBy", "value": "terraform"}],
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def service(self) -> dict[str, Any]:
        return dict(self.ecs.describe_services(cluster=CLUSTER, services=[NAME], include=["TAGS"])["services"][0])

    def fields(self) -> dict[str, Any]:
        """Return all that has to stay, by its place."""
        service = self.service()
        definition = self.ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        web, agent = (
            next(each for each in definition["containerDefinitions"] if each["name"] == name)
            for name in ("web", "agent")
        )
        return {
            **{f"service.{name}": service.get(name) for name in OF_SERVICE},
            **{f"definition.{name}": definition.get(name) for name in OF_DEFINITION},
            **{f"web.{name}": web.get(name) for name in OF_CONTAINER},
            "web.environment.FEATURE": [each for each in web["environment"] if each["name"] == "FEATURE"],
            "agent": agent,
        }


@pytest.fixture(scope="module")
def theirs(cli: Cli) -> Theirs:
    return Theirs(cli.home)


def test_a_service_of_somebody_else_is_refused_then_adopted_with_all_that_no_input_says(
    cli: Cli, example: Any, theirs: Theirs
) -> None:
    folder, before, revision = example("is-prime"), theirs.fields(), theirs.service()["taskDefinition"]
    assert len(before) >= 20
    refused = cli.run(folder, *PLACE)
    assert (refused.code, "build" in refused.stages) == (2, False), refused.log
    assert f"Service {NAME} in cluster {CLUSTER} was made by somebody else" in refused.verdict + refused.log
    assert "very secret" not in refused.verdict + refused.log
    assert theirs.service()["taskDefinition"] == revision

    adopted = cli.run(folder, *PLACE, "--adopt", "true")
    assert (adopted.code, adopted.report["outcome"]) == (0, "deployed"), adopted.log
    after = theirs.fields()
    assert {name for name in before if after[name] != before[name]} == set()
    service = theirs.service()
    assert service["taskDefinition"] != revision
    assert {tag["key"] for tag in service["tags"]} >= {"ManagedBy", "model-dockerize", "model-dockerize:adopted"}
