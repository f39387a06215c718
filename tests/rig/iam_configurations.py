"""Configurations of a run that together print every action of the policy, and what is done in each.

A step may begin with somebody else's doing: what is to be mended then, the run mends with actions of its own.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.rig.inputs import saying

from model_dockerize import pipeline
from model_dockerize.aws.function.role import function_role_name
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import Run, Work
from model_dockerize.settings import ServiceSettings

if TYPE_CHECKING:
    from tests.rig.permissions import Trial

Inputs = Mapping[str, str]
#: For a name that does not lead here: the model is then tested from inside of the network.
_CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:iam-AbCdEf"


def nothing(_: Trial) -> None:
    """Change nothing meanwhile."""


@dataclass(frozen=True)
class Step:
    """One command, as the role; `before` it, what the account's owner did by other means."""

    do: Callable[[Run], Outcome]
    before: Callable[[Trial], None] = nothing


@dataclass(frozen=True)
class Configuration:
    """Inputs, and the steps between the first `run` and `destroy`. `prepare` makes what they name and tells its ids."""

    inputs: Inputs
    steps: Mapping[str, Step] = field(default_factory=dict)
    prepare: Callable[[Trial], Inputs] = lambda _: {}


def _changed(run: Run) -> Outcome:
    """Run with something to change."""
    service = run.settings.service
    return _run_with(run, saying(service, cpu=service.cpu * 2, memory=service.memory * 2, run_number=2))


def _unscaled(run: Run) -> Outcome:
    """Run with scaling taken back."""
    return _run_with(run, saying(run.settings.service, max_count=0))


def _run_with(run: Run, service: ServiceSettings) -> Outcome:
    run.settings = replace(run.settings, service=service)
    return pipeline.run(run)


def destroyed(run: Run) -> Outcome:
    """Run `destroy`, agreed to."""
    return pipeline.destroy(run, agreed=lambda _: True, delete_data=True)


def _ignored(_: object) -> None:
    """Print nothing, in place of a step."""


# ---- what somebody else does


def _other_places(trial: Trial) -> None:
    """Switch off queue and compute environment."""
    batch = trial.owner("batch")
    batch.update_job_queue(jobQueue="q", state="DISABLED")
    batch.update_compute_environment(computeEnvironment=trial.settings.batch.compute_environment, state="DISABLED")


def _other_function(trial: Trial) -> None:
    """Change the function's code and variables, and let another bucket invoke it."""
    functions, name = trial.owner("lambda"), trial.settings.batch.update_function
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("lambda_function.py", "def lambda_handler(event, context): pass\n")
    functions.update_function_code(FunctionName=name, ZipFile=packed.getvalue())
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {"JOB_QUEUE_NAME": "other"}})
    functions.remove_permission(FunctionName=name, StatementId="model-dockerize-s3")
    functions.add_permission(
        FunctionName=name,
        StatementId="model-dockerize-s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::another-bucket",
    )
    role = function_role_name(name, trial.box.region)
    trial.owner("iam").put_role_policy(
        RoleName=role,
        PolicyName="model-dockerize",
        PolicyDocument=json.dumps({"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}),
    )


# ---- what is there before


def _bucket(trial: Trial) -> Inputs:
    name = f"iam-{trial.account}"
    trial.owner("s3").create_bucket(Bucket=name)
    return {"function_source": f"{name}/in/"}


def _batch_role(trial: Trial) -> Inputs:
    trust = {"Effect": "Allow", "Principal": {"Service": "batch.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    trial.owner("iam").create_role(RoleName="AWSBatchServiceRole", AssumeRolePolicyDocument=document)
    return {}


def _task_roles(trial: Trial) -> Inputs:
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    for name in ("starts", "runs"):
        trial.owner("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
    return {}


def _secret(trial: Trial) -> Inputs:
    made = trial.owner("secretsmanager").create_secret(Name="iam", SecretString="nobody reads this here")
    return {"secrets": f"KEY={made['ARN']}"}


def _others_network(trial: Trial) -> Inputs:
    """Make two public subnets, a file system that is mounted in them, and a load balancer."""
    ec2: Any = trial.owner("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    open_ = ec2.create_security_group(GroupName="open", Description="open", VpcId=vpc)["GroupId"]
    rule = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=open_, IpPermissions=[rule])
    efs = trial.owner("efs")
    system = efs.create_file_system(CreationToken="theirs")["FileSystemId"]
    subnets = []
    for number, zone in enumerate(("a", "b")):
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")
        subnets.append(made["Subnet"]["SubnetId"])
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[-1])
        efs.create_mount_target(FileSystemId=system, SubnetId=subnets[-1], SecurityGroups=[open_])
    trial.owner("elbv2").create_load_balancer(Name="theirs", Subnets=subnets, SecurityGroups=[open_])
    return {"subnets": " ".join(subnets), "volume": system}


_ALONE = {"create_job_def": "false"}
_JOBS = {"job_queue": "q", "deploy_service": "false"}
_AGAIN = {"run again": Step(pipeline.run)}
#: An action is swept in the first of them whose steps need it.
CONFIGURATIONS: dict[str, Configuration] = {
    "push only": Configuration({**_ALONE, "deploy_service": "false"}),
    "everything": Configuration(
        {"job_queue": "q", "scan": "true", "immutable_tags": "true", "scan_gate": "HIGH", "version": "1"},
        {
            **_AGAIN,
            "plan": Step(pipeline.plan),
            "run with a change": Step(_changed),
            "status": Step(pipeline.status),
            "logs": Step(partial(pipeline.logs, lines=5, follow=False, show=_ignored)),
            "rollback": Step(partial(pipeline.rollback, to="")),
            "list": Step(pipeline.list_models),
            "submit": Step(partial(pipeline.submit, asked=Work((), ("/program/smoke/input.txt",), "-"))),
        },
    ),
    "EC2 compute environment": Configuration(
        {**_JOBS, "compute_type": "EC2", "service_role": "AWSBatchServiceRole", "cpu": "1024", "memory": "2048"},
        {**_AGAIN, "run that mends": Step(pipeline.run, _other_places)},
        _batch_role,
    ),
    "S3-triggered function": Configuration(
        {**_JOBS, "update_function": "on-upload", "function_source": "bucket/in/"},
        {**_AGAIN, "run that mends": Step(pipeline.run, _other_function)},
        _bucket,
    ),
    "private subnets, volume, secrets": Configuration(
        {
            **_ALONE,
            "assign_public_ip": "false",
            "volume": "data",
            "secrets": f"API_KEY={_SECRET}",
            "smoke_test": "true",
        },
        {**_AGAIN, "run with a change": Step(_changed)},
        _secret,
    ),
    "load balancer": Configuration(
        {**_ALONE, "load_balancer": "true", "certificate": _CERTIFICATE, "smoke_test": "true"}, _AGAIN
    ),
    "autoscaling": Configuration({**_ALONE, "max_count": "3"}, {**_AGAIN, "run without max-count": Step(_unscaled)}),
    "others' subnets, volume and load balancer": Configuration(
        {**_ALONE, "subnets": "subnet-0a subnet-0b", "volume": "fs-0123abcd", "load_balancer": "theirs"},
        _AGAIN,
        _others_network,
    ),
    "cluster and roles by name": Configuration(
        {**_ALONE, "cluster": "own", "execution_role": "starts", "task_role": "runs"},
        _AGAIN,
        _task_roles,
    ),
}
_FALL_BACK = "without it the service as a whole is followed"
_ENHANCED = "shows what enhanced scanning found, which is Amazon Inspector's"
#: Actions that nothing fails without, and why they are in the policy all the same.
EXPLAINED = {
    "ecr:StartImageScan": "scans an image that was pushed before scanning was on; others are scanned when pushed",
    "inspector2:ListCoverage": f"{_ENHANCED}; with basic scanning nobody asks for it",
    "inspector2:ListFindings": f"{_ENHANCED}; with basic scanning nobody asks for it",
    "batch:TerminateJob": "ends the jobs of a submit that is cancelled (on-cancel)",
    "ecs:StopTask": "ends the test from inside of the network where it takes too long",
    "elasticloadbalancing:DescribeRules": "finds where a load balancer answers; the policy for stacks may hold it too",
    "elasticloadbalancing:DescribeTargetHealth": "tells why a load balancer finds a task ill; the rollout does without",
    "s3:ListBucket": "lists what is in the bucket of jobs' files before it is removed, where submit made one",
    "s3:DeleteBucket": "removes the bucket of jobs' files with the last model, where submit made one",
    "s3:DeleteObject": "empties the bucket of jobs' files before it is removed, where submit made one",
    "lambda:GetFunction": "looks for the function; without it the run prints what somebody else has to do",
    "lambda:ListTags": "tells whose the function is; without it a run leaves its code as it is, and destroy refuses",
    "lambda:UpdateFunctionConfiguration": "tells it its queue; without it the run prints what somebody else has to do",
    "ecr:GetDownloadUrlForLayer": "reads the build cache back (cache: registry or inline); a build does without",
    "ecs:StopServiceDeployment": "takes back at once what bakes, or never comes as far as its test; ECS does later",
    "ecs:DescribeServiceDeployments": f"names our own rollout; {_FALL_BACK}",
    "ecs:ListServiceDeployments": f"finds our own rollout; {_FALL_BACK}",
    "ecs:DescribeServiceRevisions": "tells rollback what was deployed whole; without it the revision before is taken",
    "iam:CreateServiceLinkedRole": "makes the roles of AWS's services themselves in an account that never used them",
}
