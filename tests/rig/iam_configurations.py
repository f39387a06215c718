"""What a run may be configured as, so that together they print every action of the policy; and what is done in each.

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

from model_dockerize import pipeline
from model_dockerize.aws.iam import EXECUTION_ROLE, TASK_ROLE, function_role_name, region_tag
from model_dockerize.report import Recorder, Report
from model_dockerize.settings import Settings

if TYPE_CHECKING:
    from tests.rig.permissions import Trial

Inputs = Mapping[str, str]
#: For a name that does not lead here: the model is then tested from inside of the network.
_CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:iam-AbCdEf"


def nothing(_: Trial) -> None:
    """Nobody did anything meanwhile."""


@dataclass(frozen=True)
class Step:
    """One command, as the role; `before` it, what the account's owner did by other means."""

    do: Callable[[Settings, dict[str, str], Recorder], Report]
    before: Callable[[Trial], None] = nothing


@dataclass(frozen=True)
class Configuration:
    """Inputs, and the steps between the first `run` and `destroy`. `prepare` makes what they name and tells its ids."""

    inputs: Inputs
    steps: Mapping[str, Step] = field(default_factory=dict)
    prepare: Callable[[Trial], Inputs] = lambda _: {}


def _changed(settings: Settings, environment: dict[str, str], recorder: Recorder) -> Report:
    """A run that has something to change."""
    service = settings.service
    changed = replace(service, cpu=service.cpu * 2, memory=service.memory * 2, run_number=2)
    return pipeline.run(replace(settings, service=changed), environment, recorder)


def _unscaled(settings: Settings, environment: dict[str, str], recorder: Recorder) -> Report:
    """A run that takes max-count back."""
    return pipeline.run(replace(settings, service=replace(settings.service, max_count=0)), environment, recorder)


def destroyed(settings: Settings, environment: dict[str, str], recorder: Recorder) -> Report:
    """`destroy`, agreed to."""
    return pipeline.destroy(settings, environment, recorder, agreed=lambda _: True)


def _ignored(_: object) -> None:
    """For what a step would print."""


# ---- what somebody else does


def _other_traffic(trial: Trial) -> None:
    """The load balancer checks in another way, answers something else, and stands elsewhere."""
    elbv2, ec2 = trial.owner("elbv2"), trial.owner("ec2")
    group = elbv2.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
    balancer = elbv2.describe_load_balancers()["LoadBalancers"][0]
    elbv2.modify_target_group(TargetGroupArn=group, HealthCheckPath="/")
    drain = {"Key": "deregistration_delay.timeout_seconds", "Value": "300"}
    elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=[drain])
    arn = balancer["LoadBalancerArn"]
    listener = elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"][0]["ListenerArn"]
    gone = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
    elbv2.modify_listener(ListenerArn=listener, DefaultActions=[gone])
    elbv2.set_subnets(LoadBalancerArn=arn, Subnets=[balancer["AvailabilityZones"][0]["SubnetId"]])
    default = {"Name": "group-name", "Values": ["default"]}
    own = {"Name": "vpc-id", "Values": [balancer["VpcId"]]}
    groups = ec2.describe_security_groups(Filters=[default, own])["SecurityGroups"]
    elbv2.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[groups[0]["GroupId"]])


def _other_routes(trial: Trial) -> None:
    """The private subnets have the wrong way out, and none to S3."""
    ec2 = trial.owner("ec2")
    ours = {"Name": "tag:model-dockerize", "Values": ["network"]}
    tables = ec2.describe_route_tables(Filters=[ours])["RouteTables"]
    private = next(t["RouteTableId"] for t in tables if "private" in str(t["Tags"]))
    gateway = ec2.describe_internet_gateways(Filters=[ours])["InternetGateways"][0]["InternetGatewayId"]
    ec2.replace_route(RouteTableId=private, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    endpoint = ec2.describe_vpc_endpoints(Filters=[ours])["VpcEndpoints"][0]["VpcEndpointId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, RemoveRouteTableIds=[private])


def _other_places(trial: Trial) -> None:
    """Queue and compute environment are switched off."""
    batch = trial.owner("batch")
    batch.update_job_queue(jobQueue="q", state="DISABLED")
    batch.update_compute_environment(computeEnvironment=trial.settings.batch.compute_environment, state="DISABLED")


def _other_function(trial: Trial) -> None:
    """The function has other code and variables, and another bucket invokes it."""
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


def _other_region(trial: Trial) -> None:
    """Models of another region use the roles too."""
    for role in (TASK_ROLE, EXECUTION_ROLE):
        mark = {"Key": region_tag("eu-west-1"), "Value": "yes"}
        trial.owner("iam").tag_role(RoleName=role, Tags=[mark])


# ---- what is there before


def _bucket(trial: Trial) -> Inputs:
    name = f"iam-{trial.account}"
    trial.owner("s3").create_bucket(Bucket=name)
    return {"function_source": f"{name}/in/"}


def _secret(trial: Trial) -> Inputs:
    made = trial.owner("secretsmanager").create_secret(Name="iam", SecretString="nobody reads this here")
    return {"secrets": f"KEY={made['ARN']}"}


def _others_network(trial: Trial) -> Inputs:
    """Two public subnets, a file system that is mounted in them, and a load balancer."""
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
            "submit": Step(partial(pipeline.submit, inputs=("/program/smoke/input.txt",), output="-")),
        },
    ),
    "EC2 compute environment": Configuration(
        {**_JOBS, "compute_type": "EC2", "service_role": "AWSBatchServiceRole"},
        {**_AGAIN, "run that mends": Step(pipeline.run, _other_places)},
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
        {**_AGAIN, "run that mends": Step(_changed, _other_routes)},
        _secret,
    ),
    "load balancer, autoscaling": Configuration(
        {**_ALONE, "load_balancer": "true", "max_count": "3", "certificate": _CERTIFICATE, "smoke_test": "true"},
        {**_AGAIN, "run that mends": Step(pipeline.run, _other_traffic), "run without max-count": Step(_unscaled)},
    ),
    "others' subnets, volume and load balancer": Configuration(
        {**_ALONE, "subnets": "subnet-0a subnet-0b", "volume": "fs-0123abcd", "load_balancer": "theirs"},
        _AGAIN,
        _others_network,
    ),
    "roles of two regions": Configuration(
        {"deploy_service": "false"}, {"destroy in one region": Step(destroyed, _other_region)}
    ),
}
_FALL_BACK = "without it the service as a whole is followed"
#: Actions that nothing fails without, and why they are in the policy all the same.
EXPLAINED = {
    "ecr:StartImageScan": "scans an image that was pushed before scanning was on; others are scanned when pushed",
    "batch:TerminateJob": "ends the jobs of a submit that is cancelled (on-cancel)",
    "ecs:StopTask": "ends the test from inside of the network where it takes too long",
    "elasticloadbalancing:DescribeTargetHealth": "tells why a load balancer finds a task ill; the rollout does without",
    "lambda:GetFunction": "looks for the function; without it the run prints what somebody else has to do",
    "lambda:UpdateFunctionConfiguration": "tells it its queue; without it the run prints what somebody else has to do",
    "ecr:GetDownloadUrlForLayer": "reads the build cache back (cache: registry or inline); a build does without",
    "ecs:DescribeServiceDeployments": f"names our own rollout; {_FALL_BACK}",
    "ecs:ListServiceDeployments": f"finds our own rollout; {_FALL_BACK}",
    "ecs:DescribeServiceRevisions": "tells rollback what was deployed whole; without it the revision before is taken",
    "iam:CreateServiceLinkedRole": "makes the roles of AWS's services themselves in an account that never used them",
}
