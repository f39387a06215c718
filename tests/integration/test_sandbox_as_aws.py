"""The sandbox does what people do not expect of AWS: delays, rules, containers and places of its own.

docs/aws-facts.md names the source of each.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.rig.homes import NewHome
from tests.rig.sandbox_account import IMAGE, Account, sandbox_account
from tests.rig.settled import role_for, wait_for_role
from tests.rig.waiting import eventually


@pytest.fixture(scope="module")
def account(new_home: NewHome) -> Iterator[Account]:
    with sandbox_account(new_home("mdasaws")) as found:
        yield found


def said(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value)


def new_role(account: Account, name: str) -> str:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": [f"{service}.amazonaws.com" for service in ("ecs-tasks", "batch", "lambda")]},
        "Action": "sts:AssumeRole",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    return str(account.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])


class TestIam:
    def test_a_new_role_is_passed_on_and_then_assumed_only_after_some_moments(self, account: Account) -> None:
        role = new_role(account, "new")
        assert "is not authorized to perform: iam:PassRole" in said(lambda: account.define("new", role))

        def registered() -> str | None:
            try:
                return account.define("new", role)
            except ClientError:
                return None

        definition = eventually(registered)
        early = account.reaches(account.run(definition), "STOPPED")
        assert "ECS was unable to assume the role" in early["stoppedReason"]
        wait_for_role(account.client("lambda"), role)
        late = account.run(definition)
        account.reaches(late, "RUNNING")
        account.client("ecs").stop_task(task=late)

    def test_lambda_has_two_answers_to_it(self, account: Account) -> None:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as file:
            file.writestr("a.py", "def b(event, context): ...")
        request = {"Runtime": "python3.13", "Handler": "a.b", "Code": {"ZipFile": code.getvalue()}}
        create = account.client("lambda").create_function
        role = new_role(account, "for-lambda")
        told = said(lambda: create(FunctionName="f", Role=role, Environment={"Variables": {"A": "b"}}, **request))
        assert "ARN does not refer to a valid principal" in told
        assert "cannot be assumed by Lambda" in said(lambda: create(FunctionName="f", Role=role, **request))
        wait_for_role(account.client("lambda"), role)
        assert create(FunctionName="f", Role=role, **request)["FunctionName"] == "f"

    def test_a_role_goes_while_tasks_use_it_and_the_next_one_cannot_start(self, account: Account) -> None:
        role = role_for(account.client("iam"), account.client("lambda"), "used", "ecs-tasks")
        definition = account.define("used", role)
        running = account.run(definition)
        account.reaches(running, "RUNNING")
        account.client("iam").delete_role(RoleName="used")
        assert account.task(running)["lastStatus"] == "RUNNING"
        assert "unable to assume the role" in account.reaches(account.run(definition), "STOPPED")["stoppedReason"]
        account.client("ecs").stop_task(task=running)

    def test_policies_have_sizes_and_a_partition(self, account: Account) -> None:
        iam = account.client("iam")
        iam.create_user(UserName="u")

        def document(length: int, resource: str = "*") -> str:
            statement = {"Effect": "Allow", "Action": "ecs:ListClusters", "Resource": resource, "Sid": ""}
            empty = json.dumps({"Version": "2012-10-17", "Statement": statement}, separators=(",", ":"))
            return empty.replace('"Sid":""', f'"Sid":"{"x" * (length - len(empty))}"')

        for most, keep in (
            (6144, lambda text: iam.create_policy(PolicyName=f"p{len(text)}", PolicyDocument=text)),
            (10_240, lambda text: iam.put_role_policy(RoleName="old", PolicyName="p", PolicyDocument=text)),
            (2048, lambda text: iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=text)),
        ):
            keep(document(most))
            assert "LimitExceeded" in said(lambda keep=keep, most=most: keep(document(most + 1)))  # type: ignore[misc]
        # All of a role's count together.
        another = {"RoleName": "old", "PolicyName": "q", "PolicyDocument": document(200)}
        assert "LimitExceeded" in said(lambda: iam.put_role_policy(**another))
        iam.delete_role_policy(RoleName="old", PolicyName="p")
        elsewhere = document(300, "arn:aws-cn:ecs:cn-north-1:123456789012:cluster/c")
        told = said(lambda: iam.create_policy(PolicyName="cn", PolicyDocument=elsewhere))
        assert 'Partition "aws-cn" is not valid' in told


class TestEcs:
    def test_with_guardduty_a_task_has_a_container_more_and_its_network_something_that_stays(
        self, account: Account
    ) -> None:
        vpc, here = account.vpc, account.client("ec2")
        definition = account.define("watched")
        plain = account.run(definition)
        assert [c["name"] for c in account.reaches(plain, "RUNNING")["containers"]] == ["web"]
        on_fargate = {"Name": "ECS_FARGATE_AGENT_MANAGEMENT", "Status": "ENABLED"}
        guard = boto3.client(
            "guardduty",
            endpoint_url=account.box.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="210987654321",
            aws_secret_access_key=account.box.secret_key,
        )
        feature = {"Name": "RUNTIME_MONITORING", "Status": "ENABLED", "AdditionalConfiguration": [on_fargate]}
        made = guard.create_detector(Enable=True, Features=[feature])["DetectorId"]
        assert guard.list_detectors()["DetectorIds"] == [made]
        # Of that account alone.
        assert account.client("guardduty").list_detectors()["DetectorIds"] == []
        account.client("guardduty").create_detector(Enable=True, Features=[feature])
        try:
            watched = account.run(definition)
            first, own = account.reaches(watched, "RUNNING")["containers"]
            assert (first["name"].startswith("aws-guardduty-agent-"), own["name"]) == (True, "web")
            account.client("ecs").stop_task(task=watched)
            first, own = account.reaches(watched, "STOPPED")["containers"]
            assert (first["exitCode"], own["name"]) == (143, "web")
        finally:
            account.client("guardduty").create_detector(Enable=False)
        in_it = [{"Name": "vpc-id", "Values": [vpc]}]
        groups = [g["GroupName"] for g in here.describe_security_groups(Filters=in_it)["SecurityGroups"]]
        assert f"GuardDutyManagedSecurityGroup-{vpc}" in groups
        (endpoint,) = here.describe_vpc_endpoints(Filters=in_it)["VpcEndpoints"]
        assert endpoint["ServiceName"].endswith(".guardduty-data")
        held = [i["Description"] for i in here.describe_network_interfaces(Filters=in_it)["NetworkInterfaces"]]
        assert f"VPC Endpoint Interface {endpoint['VpcEndpointId']}" in held
        account.client("ecs").stop_task(task=plain)

    def test_the_name_of_a_file_system_resolves_only_after_a_while(self, account: Account) -> None:
        efs = account.client("efs")
        system = efs.create_file_system(CreationToken="slow")["FileSystemId"]
        volume = {"name": "v", "efsVolumeConfiguration": {"fileSystemId": system}}
        mounts = {"mountPoints": [{"sourceVolume": "v", "containerPath": "/data"}]}
        definition = account.define("mounting", container=mounts, volumes=[volume])
        efs.create_mount_target(FileSystemId=system, SubnetId=account.subnet, SecurityGroups=[account.group])
        breaker = {"enable": True, "rollback": False, "thresholdConfiguration": {"type": "COUNT", "value": 5}}
        ecs = account.client("ecs")
        ecs.create_service(
            serviceName="mounting",
            taskDefinition=definition,
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration=account.network(),
            deploymentConfiguration={"deploymentCircuitBreaker": breaker},
        )

        def rollout() -> Any:
            return ecs.describe_services(services=["mounting"])["services"][0]["deployments"][0]

        done = eventually(lambda: r if (r := rollout())["rolloutState"] != "IN_PROGRESS" else None)
        assert (done["rolloutState"], 0 < done["failedTasks"] < 5) == ("COMPLETED", True)
        died = ecs.list_tasks(serviceName="mounting", desiredStatus="STOPPED")["taskArns"]
        assert "Failed to resolve" in account.task(died[0])["stoppedReason"]
        ecs.delete_service(service="mounting", force=True)

    def test_fargate_does_not_run_in_a_local_zone(self, account: Account) -> None:
        there = account.subnet_in("us-east-1-bos-1a", "10.8.9.0/24")
        assert "Fargate does not run there" in said(lambda: account.run(account.define("local"), there))

    @pytest.mark.parametrize("controller", ["CODE_DEPLOY", "EXTERNAL"])
    def test_what_others_deploy_has_no_deployments_and_takes_none(self, account: Account, controller: str) -> None:
        ecs, name = account.client("ecs"), f"of-{controller.lower().replace('_', '-')}"
        definition = account.define("theirs")
        ecs.create_service(
            serviceName=name,
            taskDefinition=definition,
            desiredCount=0,
            launchType="FARGATE",
            deploymentController={"type": controller},
            networkConfiguration=account.network(),
        )
        (shown,) = ecs.describe_services(services=[name])["services"]
        assert (shown["deploymentController"], shown["deployments"]) == ({"type": controller}, [])
        assert [each["taskDefinition"] for each in shown["taskSets"]] == [definition]
        for change in ({"taskDefinition": definition}, {"forceNewDeployment": True}):
            told = said(lambda change=change: ecs.update_service(service=name, **change))  # type: ignore[misc]
            assert f"services with a {controller} deployment controller" in told
        ecs.update_service(service=name, desiredCount=0)
        ecs.delete_service(service=name, force=True)

    def test_a_daemon_has_no_desired_count_and_is_none_of_fargate(self, account: Account) -> None:
        ecs = account.client("ecs")
        request: Any = {
            "taskDefinition": account.define("daemon"),
            "schedulingStrategy": "DAEMON",
            "networkConfiguration": account.network(),
        }
        told = said(lambda: ecs.create_service(serviceName="d", launchType="FARGATE", **request))
        assert "not supported on Fargate" in told
        ecs.create_service(serviceName="d", launchType="EC2", **request)
        assert "does not support a desired count" in said(lambda: ecs.update_service(service="d", desiredCount=0))
        ecs.delete_service(service="d", force=True)

    def test_a_family_is_its_latest_active_revision(self, account: Account) -> None:
        ecs = account.client("ecs")
        first, second = account.define("again"), account.define("again", container={"command": ["true"]})
        ecs.deregister_task_definition(taskDefinition=second)
        ecs.delete_task_definitions(taskDefinitions=[second])
        assert ecs.describe_task_definition(taskDefinition="again")["taskDefinition"]["taskDefinitionArn"] == first
        ecs.deregister_task_definition(taskDefinition=first)
        assert "Unable to describe task definition" in said(
            lambda: ecs.describe_task_definition(taskDefinition="again")
        )
        third = account.define("again")
        account.client("ecs").stop_task(task=account.run("again"))
        assert third.endswith(":3")


class TestNetwork:
    def test_a_nat_gateway_goes_while_tasks_need_it_and_the_next_one_has_no_way_out(self, account: Account) -> None:
        ec2 = account.client("ec2")
        table = ec2.create_route_table(VpcId=account.vpc)["RouteTable"]["RouteTableId"]
        private = ec2.create_subnet(VpcId=account.vpc, CidrBlock="10.8.5.0/24", AvailabilityZone="us-east-1a")
        subnet = private["Subnet"]["SubnetId"]
        association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = ec2.create_nat_gateway(SubnetId=account.subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
        definition = account.define("private")
        running = account.run(definition, subnet)
        account.reaches(running, "RUNNING")
        ec2.delete_nat_gateway(NatGatewayId=nat)
        ec2.release_address(AllocationId=address)
        ended = account.reaches(account.run(definition, subnet), "STOPPED")
        assert "has no route out" in ended["stoppedReason"]
        ec2.disassociate_route_table(AssociationId=association)
        ec2.delete_route_table(RouteTableId=table)
        assert "DependencyViolation" in said(lambda: ec2.delete_subnet(SubnetId=subnet))
        account.client("ecs").stop_task(task=running)

    def test_who_asks_ec2_too_often_is_not_answered(self, account: Account) -> None:
        hasty = account.client("ec2", config=Config(retries={"total_max_attempts": 1}))
        with pytest.raises(ClientError, match="RequestLimitExceeded"):
            for _ in range(1000):
                hasty.describe_regions()
        # botocore waits and asks again.
        patient = account.client("ec2", config=Config(retries={"mode": "standard", "total_max_attempts": 8}))
        assert patient.describe_vpcs()["Vpcs"]


class TestBatch:
    def environment(self, account: Account, name: str, **changes: Any) -> dict[str, Any]:
        resources = {"type": "FARGATE", "maxvCpus": 2, "subnets": [account.subnet], "securityGroupIds": [account.group]}
        resources |= changes.pop("computeResources", {})
        account.client("batch").create_compute_environment(
            computeEnvironmentName=name, type="MANAGED", computeResources=resources, **changes
        )
        return self.shown(account, name)

    def shown(self, account: Account, name: str) -> Any:
        found = account.client("batch").describe_compute_environments(computeEnvironments=[name])
        return next(iter(found["computeEnvironments"]), None)

    def queue(self, account: Account, name: str) -> None:
        order = [{"order": 1, "computeEnvironment": name}]
        account.client("batch").create_job_queue(jobQueueName=name, priority=1, computeEnvironmentOrder=order)

    def submit(self, account: Account, name: str, **needs: str) -> Callable[[], Any]:
        batch = account.client("batch")
        amounts = [{"type": kind, "value": value} for kind, value in needs.items()]
        batch.register_job_definition(
            jobDefinitionName=name,
            type="container",
            containerProperties={"image": IMAGE, "command": ["true"], "resourceRequirements": amounts},
        )
        job = batch.submit_job(jobName=name, jobQueue=name, jobDefinition=name)["jobId"]
        return lambda: batch.describe_jobs(jobs=[job])["jobs"][0]

    def test_an_environment_whose_role_is_new_is_invalid_until_it_is_changed(self, account: Account) -> None:
        batch, role = account.client("batch"), new_role(account, "batch-service")
        made = self.environment(account, "by-role", serviceRole=role)
        assert made["status"] == "INVALID"
        assert f"sts:AssumeRole on resource: {role}" in made["statusReason"]
        wait_for_role(account.client("lambda"), role)
        assert self.shown(account, "by-role")["status"] == "INVALID"
        batch.update_compute_environment(computeEnvironment="by-role", state="ENABLED")
        assert self.shown(account, "by-role")["status"] == "VALID"

    def test_what_its_kind_does_not_allow_is_not_changed(self, account: Account) -> None:
        batch = account.client("batch")
        self.environment(account, "fixed")
        change = {"computeEnvironment": "fixed", "computeResources": {"type": "FARGATE_SPOT"}}
        assert "type cannot be updated" in said(lambda: batch.update_compute_environment(**change))
        batch.update_compute_environment(computeEnvironment="fixed", computeResources={"maxvCpus": 1})
        assert self.shown(account, "fixed")["computeResources"]["maxvCpus"] == 1

    def test_a_name_is_taken_while_what_has_it_is_deleting(self, account: Account) -> None:
        batch = account.client("batch")
        self.environment(account, "going", state="DISABLED")
        batch.delete_compute_environment(computeEnvironment="going")
        assert self.shown(account, "going")["status"] == "DELETING"
        assert "Object already exists" in said(lambda: self.environment(account, "going"))
        eventually(lambda: self.shown(account, "going") is None)
        assert self.environment(account, "going")["status"] == "VALID"

    def test_an_unmanaged_environment_has_no_resources(self, account: Account) -> None:
        account.client("batch").create_compute_environment(computeEnvironmentName="own", type="UNMANAGED")
        assert "computeResources" not in self.shown(account, "own")

    def test_why_a_job_waits_is_said_where_batch_knows(self, account: Account) -> None:
        ec2 = account.client("ec2")
        profile = account.client("iam").create_instance_profile(InstanceProfileName="i")["InstanceProfile"]["Arn"]
        addressed = account.subnet_in("us-east-1b", "10.8.7.0/24")
        on_instances = {
            **{"type": "EC2", "minvCpus": 0, "instanceTypes": ["optimal"], "instanceRole": profile},
            "subnets": [addressed],
        }
        self.environment(account, "machines", computeResources=on_instances)
        self.queue(account, "machines")
        for needs, reason in (
            ({"VCPU": "8", "MEMORY": "512"}, "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"),
            ({"VCPU": "1", "MEMORY": "512", "GPU": "1"}, "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"),
        ):
            look = self.submit(account, "machines", **needs)
            eventually(lambda look=look, reason=reason: look().get("statusReason", "").startswith(reason))  # type: ignore[misc]
            assert look()["status"] == "RUNNABLE"
        # Instances without an address of their own never register, and nobody says so.
        look = self.submit(account, "machines", VCPU="1", MEMORY="512")
        eventually(lambda: look()["status"] == "RUNNABLE")
        assert not look().get("statusReason")
        ec2.modify_subnet_attribute(SubnetId=addressed, MapPublicIpOnLaunch={"Value": True})
        eventually(lambda: look()["status"] == "SUCCEEDED", tell=look)

    def test_a_job_on_instances_has_whole_vcpus(self, account: Account) -> None:
        assert "whole vCPUs" in said(lambda: self.submit(account, "half", VCPU="0.5", MEMORY="512"))
