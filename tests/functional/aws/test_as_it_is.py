"""A default is for making, never for changing: what an input once said stays in a run that does not say it."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws import batch, ecs, ground
from model_dockerize.aws.batch import JobDefinition, JobQueue
from model_dockerize.aws.existing.inputs import of_definition, of_service
from model_dockerize.settings import INPUTS, as_found
from tests.rig.iris import IMAGE, IRIS, batch_settings, settings

from .conftest import Account

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s-AbCdEf"
CANARY = {"load_balancer": "true", "rollout": "canary", "queue_url": SECRET, "volume": "data"}
#: By each input of a service something other than its default, and what it needs beside it.
SERVICE: dict[str, dict[str, Any]] = {
    "task_definition": {"task_definition": "other"},
    "cpu": {"cpu": 2048, "memory": 4096},
    "memory": {"memory": 4096},
    "desired_count": {"desired_count": 2},
    "task_role": {"task_role": "arn:aws:iam::123456789012:role/mine"},
    "execution_role": {"execution_role": "arn:aws:iam::123456789012:role/mine"},
    "environment": {"environment": (("A", "1"),)},
    "secrets": {"secrets": (("S", SECRET),)},
    "queue_url": {"queue_url": SECRET, "volume": "data"},
    "vpc": {"vpc": "given"},
    "subnets": {"subnets": ("given",)},
    "zones": {"zones": 2},
    "security_groups": {"security_groups": ("given",)},
    "allow_from": {"allow_from": ("10.0.0.0/8",)},
    "api_key": {"api_key": (SECRET, f"ANNA={SECRET}")},
    "open_paths": {"open_paths": ("/health",)},
    "allowed_hosts": {"allowed_hosts": ("models.example.com",)},
    "job_list": {"job_list": False},
    "retention_days": {"retention_days": 7},
    "self_proof": {"self_proof": False},
    "server_processes": {"server_processes": 2},
    "assign_public_ip": {"assign_public_ip": False},
    "volume": {"volume": "data"},
    "load_balancer": {"load_balancer": "true"},
    "load_balancer_port": {"load_balancer": "true", "load_balancer_port": 8080},
    "certificate": {"load_balancer": "true", "certificate": "arn:aws:acm:us-east-1:123456789012:certificate/c"},
    "max_count": {"max_count": 4},
    "scale_on_cpu": {"max_count": 4, "scale_on_cpu": 40},
    "rollout": {"load_balancer": "true", "rollout": "rolling"},
    "bake_minutes": {"load_balancer": "true", "bake_minutes": 30},
    "step_percent": {**CANARY, "step_percent": 25},
    "step_minutes": {**CANARY, "step_minutes": 2},
    "alarms": {"alarms": ("errors", "latency")},
}
#: The same of what AWS Batch has.
BATCH: dict[str, dict[str, Any]] = {
    "compute_environment": {"compute_environment": "own"},
    "compute_type": {"compute_type": "SPOT"},
    "max_vcpus": {"max_vcpus": 16},
    "instance_types": {"compute_type": "EC2", "instance_types": ("c7i", "g5.xlarge")},
    "instance_role": {"compute_type": "EC2", "instance_role": "arn:aws:iam::123456789012:instance-profile/mine"},
    "service_role": {"service_role": "arn:aws:iam::123456789012:role/mine"},
    "queue_priority": {"queue_priority": 9},
    "gpus": {"compute_type": "EC2", "instance_types": ("g5.xlarge",), "gpus": 1},
}
#: Inputs that name a thing, say how a run goes, or are of the moment in which something is made.
OTHERS = {
    *(
        "create_job_def",
        "batch_config_file",
        "job_definition_name",
        "job_queue",
        "deploy_service",
        "cluster",
        "service",
    ),
    *("adopt", "vpc_cidr", "wait", "wait_timeout", "skip_bake", "on_cancel", "commit", "run_number", "workflow"),
    *("update_function", "function_source", "function_output"),  # left as they are: test_function.py
}


def test_every_input_of_service_and_jobs_is_here() -> None:
    declared = {option.field for option in INPUTS if option.group in ("service", "batch")}
    assert declared == SERVICE.keys() | BATCH.keys() | OTHERS


def deployed(account: Account, **inputs: Any) -> None:
    """Make a service with these inputs, by every stage of a run."""
    asked = settings(**inputs)
    made = ground.ensure_foundations(account.aws, asked, IRIS, account.said)
    wanted = made.settings
    container = ground.container_of(account.aws, wanted, IMAGE, "linux/amd64", made)
    container = container.with_queue(wanted.queue_url).with_volume(made.volume).with_access(wanted)
    definition = ecs.ensure_task_definition(account.aws, wanted.task_definition or "iris", container, account.said)
    service = ecs.ensure_service(account.aws, wanted, "iris", definition, made, account.said)
    ecs.ensure_scaling(account.aws, wanted, service, account.said)
    ecs.mark_proved(account.aws, service)


def jobs(account: Account, service: dict[str, Any], **inputs: Any) -> tuple[JobDefinition, JobQueue]:
    """Make jobs with these inputs, by every stage of a run."""
    wanted = batch_settings(**{"job_queue": "q", **inputs})
    asked = settings(**service)
    wanted, asked = batch.as_defined(account.aws, "iris", batch.place_of_jobs(account.aws, wanted), asked)
    runtime = ground.ensure_runtime(account.aws, asked, IRIS, account.said)
    container = ground.container_of(account.aws, asked, IMAGE, "linux/amd64", batch.with_roles(runtime, asked))
    definition = batch.ensure_job_definition(account.aws, wanted, "iris", container, ("run",), {}, account.said)
    network = ground.ensure_job_network(account.aws, asked, account.said)
    asked_queue = batch_settings(**{"job_queue": "q", **inputs})
    queue = batch.ensure_queue(account.aws, asked_queue, "q", network, "linux/amd64", account.said, lambda _: None)
    return definition, queue


def given(account: Account, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs, with a network that is there in place of `given`."""
    ec2 = account.aws.ec2
    made = dict(inputs)
    account.aws.iam.create_role(RoleName="mine", AssumeRolePolicyDocument="{}")
    account.aws.iam.create_instance_profile(InstanceProfileName="mine")
    if {"vpc", "subnets"} & inputs.keys():
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        made |= {"vpc": vpc} if "vpc" in inputs else {"subnets": (subnet,)}
    if "security_groups" in inputs:
        deployed(account)  # the network of our own
        (vpc,) = [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"] if not each["IsDefault"]]
        made["security_groups"] = (ec2.create_security_group(VpcId=vpc, GroupName="g", Description="g")["GroupId"],)
    return made


@pytest.mark.parametrize("name", ["model-dockerize-payroll", "mine"])
def test_a_role_of_somebody_else_stays_whatever_its_name(account: Account, name: str) -> None:
    role = account.aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    deployed(account, task_role=name, execution_role=name)
    jobs(account, {"task_role": name, "execution_role": name})
    account.calls.clear()
    deployed(account)
    jobs(account, {})
    assert account.changes() == []
    definition = account.aws.ecs.describe_task_definition(taskDefinition="iris")["taskDefinition"]
    assert (definition["taskRoleArn"], definition["executionRoleArn"]) == (role, role)


def test_a_role_of_another_stack_of_ours_is_not_taken_over(account: Account) -> None:
    tags: Any = [{"Key": "model-dockerize", "Value": "role"}]
    name = "model-dockerize-staging-iris-ExecutionRole-1A2B"
    other = account.aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}", Tags=tags)["Role"]["Arn"]
    jobs(account, {"execution_role": other})
    definition, _ = jobs(account, {})
    (there,) = account.aws.batch.describe_job_definitions(jobDefinitions=[definition.arn])["jobDefinitions"]
    assert there["containerProperties"]["executionRoleArn"].endswith(":role/model-dockerize-iris-ExecutionRole")


@pytest.mark.parametrize("name", SERVICE)
def test_a_service_stays_as_an_input_made_it(account: Account, name: str) -> None:
    deployed(account, **given(account, SERVICE[name]))
    account.calls.clear()
    account.stacks.wanted.clear()
    deployed(account)
    assert (account.changes(), account.stacks.wanted) == ([], [])


@pytest.mark.parametrize("name", [*BATCH, "cpu", "memory", "environment", "secrets", "task_role", "execution_role"])
def test_jobs_stay_as_an_input_made_them(account: Account, name: str) -> None:
    given(account, {})
    jobs(account, SERVICE.get(name, {}), **BATCH.get(name, {}))
    account.calls.clear()
    account.stacks.wanted.clear()
    definition, queue = jobs(account, {})
    assert (definition.changed, queue.changed, account.changes(), account.stacks.wanted) == (False, False, [], [])


def test_a_private_model_of_ours_does_not_become_public(account: Account) -> None:
    deployed(account, assign_public_ip=False, api_key=(SECRET,))
    deployed(account, memory=4096)
    (there,) = account.aws.ecs.describe_services(cluster="model-dockerize", services=["iris"])["services"]
    assert there["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
    definition = account.aws.ecs.describe_task_definition(taskDefinition=there["taskDefinition"])["taskDefinition"]
    assert definition["memory"] == "4096"
    assert [each["name"] for each in definition["containerDefinitions"][0]["secrets"]] == ["MODEL_API_KEY"]


def test_what_somebody_set_by_hand_stays_too(account: Account) -> None:
    deployed(account)
    account.aws.ecs.update_service(
        cluster="model-dockerize",
        service="iris",
        enableExecuteCommand=True,
        deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 150},
    )
    account.calls.clear()
    deployed(account)
    assert account.changes() == []


def test_what_somebody_wrote_by_hand_is_read_without_trust() -> None:
    told = {"MODEL_RETENTION_DAYS": "for ever", "MODEL_OPEN_PATHS": ""}
    container = {"name": "iris", "environment": [{"name": name, "value": value} for name, value in told.items()]}
    found = of_definition({"family": "iris", "containerDefinitions": [container], "cpu": ".5 vCPU"}, {}, is_ours=True)
    assert not {"retention_days", "cpu"} & found.keys()
    assert found["open_paths"] == ()
    assert of_service({"deploymentController": {"type": "EXTERNAL"}}, is_placed=False) == {}


def test_an_input_that_is_given_wins_over_what_is_there() -> None:
    found = {"cpu": 512, "memory": 1024}
    assert (as_found(settings(cpu=256), found).cpu, as_found(settings(cpu=256), found).memory) == (256, 1024)
    assert as_found(replace(settings(), given=frozenset()), {}).cpu == 1024
