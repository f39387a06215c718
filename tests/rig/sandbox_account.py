"""An account of a sandbox, with a network and a role that is not new: where tests call AWS directly."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from tests.rig.settled import role_for
from tests.rig.waiting import eventually

from model_dockerize import sandbox
from model_dockerize.progress import Silent
from model_dockerize.sandbox import Sandbox

IMAGE = "python:3.13-slim-trixie"
FOREVER = ["python3", "-c", "import signal; signal.signal(15, lambda *_: exit(0)); signal.pause()"]


@dataclass
class Account:
    """An account of a sandbox, with a network and a role that is not new."""

    box: Sandbox
    vpc: str = ""
    subnet: str = ""
    group: str = ""
    role: str = ""

    def client(self, name: str, **options: Any) -> Any:
        return boto3.client(
            name,
            endpoint_url=self.box.endpoint_url,
            region_name=self.box.region,
            aws_access_key_id=self.box.account_id,
            aws_secret_access_key=self.box.secret_key,
            **options,
        )

    def subnet_in(self, zone: str, block: str) -> str:
        """Make a subnet with a way out, whose machines have addresses of their own."""
        ec2 = self.client("ec2")
        subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        ec2.associate_route_table(RouteTableId=self.table, SubnetId=subnet)
        return str(subnet)

    @property
    def table(self) -> str:
        tables = self.client("ec2").describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])
        return str(tables["RouteTables"][0]["RouteTableId"])

    def define(self, family: str, role: str = "", **changes: Any) -> str:
        own = {"name": "web", "image": IMAGE, "command": FOREVER, "stopTimeout": 2}
        container = {**own, **changes.pop("container", {})}
        return str(
            self.client("ecs").register_task_definition(
                family=family,
                requiresCompatibilities=["FARGATE"],
                networkMode="awsvpc",
                cpu="256",
                memory="512",
                executionRoleArn=role or self.role,
                containerDefinitions=[container],
                **changes,
            )["taskDefinition"]["taskDefinitionArn"]
        )

    def network(self, subnet: str = "") -> dict[str, Any]:
        place = {"subnets": [subnet or self.subnet], "securityGroups": [self.group], "assignPublicIp": "ENABLED"}
        return {"awsvpcConfiguration": place}

    def run(self, definition: str, subnet: str = "") -> str:
        arn = self.client("ecs").run_task(
            taskDefinition=definition, launchType="FARGATE", networkConfiguration=self.network(subnet)
        )["tasks"][0]["taskArn"]
        return str(arn)

    def task(self, arn: str) -> dict[str, Any]:
        return dict(self.client("ecs").describe_tasks(tasks=[arn])["tasks"][0])

    def reaches(self, arn: str, status: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            task = self.task(arn)
            return task if task["lastStatus"] == status else None

        return eventually(look, tell=lambda: self.task(arn))


@contextmanager
def sandbox_account(home: Path, iam: str = "off") -> Iterator[Account]:
    """Start a sandbox in `home`, and stop it at the end."""
    found = Account(sandbox.start(home, Silent(), iam))
    try:
        ec2 = found.client("ec2")
        found.vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=found.vpc)
        ec2.create_route(RouteTableId=found.table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        found.group = ec2.create_security_group(GroupName="g", Description="g", VpcId=found.vpc)["GroupId"]
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.authorize_security_group_ingress(GroupId=found.group, IpPermissions=[everything])
        found.subnet = found.subnet_in("us-east-1a", "10.8.0.0/24")
        found.client("ecs").create_cluster(clusterName="default")
        found.role = role_for(found.client("iam"), found.client("lambda"), "old", "ecs-tasks", "batch")
        yield found
    finally:
        sandbox.stop(home, Silent())
