"""The driver of the ground's stacks against CloudFormation in the sandbox: their whole life, and what goes wrong."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_dockerize import sandbox
from model_dockerize.aws.client import Aws, connect
from model_dockerize.aws.ground import template
from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.names import volume_stack
from model_dockerize.aws.ground.stacks import delete_stack, describe_stack, ensure_stack, plan_stack
from model_dockerize.aws.ground.template import MODEL, VOLUME, Template, load
from model_dockerize.aws.ground.values import TAG, Stack, Wanted
from model_dockerize.errors import AwsError, InputError, ModelDockerizeError
from model_dockerize.progress import Silent
from model_dockerize.settings import AwsSettings
from tests.rig.homes import NewHome
from tests.rig.progress import Said

HEAD = 'Parameters: {Fingerprint: {Type: String}, Days: {Type: String, Default: "1"}}\nResources:\n'
END = "Outputs: {Fingerprint: {Value: !Ref Fingerprint}}\n"
LOG = "  Log: {{Type: AWS::Logs::LogGroup, Properties: {{LogGroupName: {name}, RetentionInDays: !Ref Days}}}}\n"
BROKEN = (
    "  Mount: {Type: AWS::EFS::MountTarget, DependsOn: Log, "
    "Properties: {FileSystemId: fs-00000000, SubnetId: subnet-00000000, SecurityGroups: []}}\n"
)
DATA = (
    "  Data: {{Type: AWS::EFS::FileSystem, DeletionPolicy: RetainExceptOnCreate, UpdateReplacePolicy: Retain, "
    "Properties: {{Encrypted: {encrypted}}}}}\n"
)


@dataclass(frozen=True)
class Account:
    """A connection to a sandbox, what it said, and its calls."""

    aws: Aws
    said: Said
    calls: list[str]

    @property
    def cfn(self) -> Any:
        return self.aws.client("cloudformation")

    def wanted(self, name: str, *resources: str, **parameters: str) -> Wanted:
        return Wanted(name, Template.of(HEAD + (LOG.format(name=name) + "".join(resources)) + END), parameters)

    def ensure(self, wanted: Wanted) -> Stack:
        return ensure_stack(self.aws, wanted, self.said, Pace(limit=30, first=0.05, longest=0.2))

    def plan(self, wanted: Wanted) -> list[str]:
        return [str(change) for change in plan_stack(self.aws, wanted, Pace(limit=30, first=0.05)) or ()]

    def delete(self, name: str) -> tuple[str, ...]:
        return delete_stack(self.aws, name, self.said, Pace(limit=30, first=0.05))

    def status(self, name: str) -> str:
        try:
            return str(self.cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        except ClientError:
            return "absent"

    def settle(self, name: str) -> str:
        while (status := self.status(name)).endswith("_IN_PROGRESS"):
            time.sleep(0.05)
        return status

    def retention(self, group: str) -> int:
        found = self.aws.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        return found[0]["retentionInDays"]


@pytest.fixture(scope="module")
def account(new_home: NewHome) -> Iterator[Account]:
    home = new_home("mdground")
    box = sandbox.start(home, Silent())
    said, calls = Said(), list[str]()
    connection = connect(AwsSettings("", ""), box.applied_to(os.environ), said)
    client = connection.client("cloudformation")
    client.meta.events.register("before-call", lambda model, **_: calls.append(model.name))
    yield Account(connection, said, calls)
    sandbox.stop(home, Silent())


def refused(call: Callable[[], object], kind: type[ModelDockerizeError] = AwsError) -> ModelDockerizeError:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.remedy
    return caught.value


SHARED = {"Network": "true", "ZoneA": "us-east-1a", "ZoneB": "us-east-1b", "Cluster": "model-dockerize"}


def check_public(account: Account, subnet: str) -> None:
    """Check that the subnet has an internet gateway, that names resolve, and that nothing else is paid for."""
    ec2 = account.aws.ec2
    (vpc,) = {each["VpcId"] for each in ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]}
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["RouteTables"]
    (out,) = [route["GatewayId"] for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
    (gateway,) = ec2.describe_internet_gateways(InternetGatewayIds=[out])["InternetGateways"]
    assert [each["VpcId"] for each in gateway["Attachments"]] == [vpc]
    for name, key in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        assert ec2.describe_vpc_attribute(VpcId=vpc, Attribute=name)[key]["Value"] is True
    assert ec2.describe_nat_gateways()["NatGateways"] == []
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    assert ec2.describe_vpc_endpoints(Filters=of_vpc)["VpcEndpoints"] == []


def test_the_life_of_both_stacks(account: Account) -> None:
    shared = Wanted("model-dockerize", load(template.SHARED), SHARED)
    account.calls.clear()
    planned = account.plan(shared)
    assert "+ Vpc (AWS::EC2::VPC)" in planned
    assert account.calls == ["DescribeStacks"]
    made = account.ensure(shared)
    there = account.cfn.list_stack_resources(StackName="model-dockerize")["StackResourceSummaries"]
    assert sorted(planned) == sorted(f"+ {each['LogicalResourceId']} ({each['ResourceType']})" for each in there)
    assert (made.action, made.is_protected) == ("make", True)
    account.calls.clear()
    assert account.ensure(shared).action == "leave"
    assert account.calls == ["DescribeStacks"]

    check_public(account, made.outputs["PublicA"])

    private = replace(shared, parameters={"ZoneC": "us-east-1c", "Private": "true", "Instances": "true"})
    out = account.ensure(private).outputs
    assert account.ensure(shared).action == "leave"  # what is not named stays as it is
    zones = [
        subnet["AvailabilityZone"]
        for subnet in account.aws.ec2.describe_subnets(
            SubnetIds=[out["PublicA"], out["PublicB"], out["PublicC"], out["PrivateC"]]
        )["Subnets"]
    ]
    assert sorted(zones) == ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1c"]
    assert len(account.aws.ec2.describe_nat_gateways()["NatGateways"]) == 1

    wish = {"Shared": "model-dockerize", "Model": "iris", "LogGroup": "/model-dockerize/iris", "Repository": "iris"}
    iris = Wanted("model-dockerize-iris", load(MODEL), wish)
    assert account.ensure(iris).action == "make"
    mounted = {"Volume": "data", "Shared": "model-dockerize", "SubnetA": out["PrivateA"], "SubnetB": out["PrivateB"]}
    data = Wanted(volume_stack("data"), load(VOLUME), mounted)
    volume = account.ensure(data).outputs
    more = replace(
        iris,
        parameters={
            **wish,
            "Secrets": "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf",
            "Volume": volume["FileSystem"],
            "VolumeStack": data.name,
            "VolumeGroup": volume["Group"],
            "LoadBalancer": "own",
            "BalancerSubnets": f"{out['PublicA']},{out['PublicB']}",
        },
    )
    found = account.ensure(more).outputs
    group = account.aws.ec2.describe_security_groups(GroupIds=[found["TaskGroup"]])["SecurityGroups"][0]
    assert [bool(rule["IpRanges"]) for rule in group["IpPermissions"]] == [False]  # only the load balancer asks now
    assert (
        refused(lambda: account.delete("model-dockerize"))
        .args[0]
        .startswith("Stack model-dockerize is in use by model-dockerize-iris, model-dockerize-volume-data")
    )
    assert account.status("model-dockerize") == "UPDATE_COMPLETE"
    (nfs,) = account.aws.ec2.describe_security_groups(GroupIds=[volume["Group"]])["SecurityGroups"][0]["IpPermissions"]
    assert [pair["GroupId"] for pair in nfs["UserIdGroupPairs"]] == [found["TaskGroup"]]
    assert "in use by model-dockerize-iris" in str(refused(lambda: account.delete(data.name)))
    assert account.delete("model-dockerize-iris") == ()
    assert account.delete(data.name) == (f"AWS::EFS::FileSystem {volume['FileSystem']}",)
    assert account.delete("model-dockerize") == ()
    assert account.delete("model-dockerize") == ()


def test_ecss_weights_survive_a_change_of_the_stack(account: Account) -> None:
    shared = Wanted("weights", load(template.SHARED), {**SHARED, "Cluster": ""})
    out = account.ensure(shared).outputs
    wish = {"Shared": "weights", "Model": "w", "LogGroup": "/w", "Repository": "ww", "LoadBalancer": "own"}
    wish |= {"BalancerSubnets": f"{out['PublicA']},{out['PublicB']}", "Port": "8080"}
    model = Wanted("weights-w", load(MODEL), wish)
    found, elb = account.ensure(model).outputs, account.aws.elbv2
    groups = [{"TargetGroupArn": found[name], "Weight": weight} for name, weight in (("Blue", 0), ("Green", 100))]
    elb.modify_rule(RuleArn=found["Rule"], Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}])
    account.ensure(replace(model, parameters={"Secrets": "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-b"}))
    action = elb.describe_rules(RuleArns=[found["Rule"]])["Rules"][0]["Actions"][0]
    assert [each["Weight"] for each in action["ForwardConfig"]["TargetGroups"]] == [0, 100]
    account.delete("weights-w")
    account.delete("weights")


def test_a_creation_that_fails_says_why_and_leaves_nothing(account: Account) -> None:
    error = refused(lambda: account.ensure(account.wanted("bad", BROKEN)))
    assert "Stack bad could not be made, and was removed again: Mount (AWS::EFS::MountTarget): " in str(error)
    assert "does not exist" in str(error)
    assert account.status("bad") == "absent"
    assert account.aws.logs.describe_log_groups(logGroupNamePrefix="bad")["logGroups"] == []


def test_what_a_failed_creation_left_is_removed_and_made_anew(account: Account) -> None:
    body = account.wanted("left", BROKEN).template.body
    parameters = [{"ParameterKey": "Fingerprint", "ParameterValue": "x"}]
    account.cfn.create_stack(StackName="left", TemplateBody=body, Parameters=parameters, Tags=[TAG])
    assert account.settle("left") == "ROLLBACK_COMPLETE"
    assert account.ensure(account.wanted("left")).action == "make"


def test_a_run_that_was_killed_before_it_executed_is_continued(account: Account) -> None:
    body = account.wanted("review").template.body
    parameters = [{"ParameterKey": "Fingerprint", "ParameterValue": "x"}]
    account.cfn.create_change_set(
        StackName="review", ChangeSetName="x", ChangeSetType="CREATE", TemplateBody=body, Parameters=parameters
    )
    assert account.status("review") == "REVIEW_IN_PROGRESS"
    assert account.ensure(account.wanted("review")).action == "make"


def test_a_run_that_was_killed_after_it_executed_is_waited_for(account: Account) -> None:
    def kill(**_: object) -> None:
        raise KeyboardInterrupt

    told = account.aws.client("cloudformation").meta.events
    told.register("after-call.cloudformation.ExecuteChangeSet", kill)
    with pytest.raises(KeyboardInterrupt):
        account.ensure(account.wanted("killed"))
    told.unregister("after-call.cloudformation.ExecuteChangeSet", kill)
    assert account.ensure(account.wanted("killed")).status == "CREATE_COMPLETE"
    stack = describe_stack(account.aws, "killed")
    assert stack
    assert stack.is_protected


def test_a_change_that_fails_is_put_back_and_can_be_made_again(account: Account) -> None:
    account.ensure(account.wanted("back"))
    error = refused(lambda: account.ensure(account.wanted("back", BROKEN, Days="7")))
    assert "could not be changed, and is as it was" in str(error)
    assert (account.status("back"), account.retention("back")) == ("UPDATE_ROLLBACK_COMPLETE", 1)
    assert account.ensure(account.wanted("back", Days="7")).action == "change"
    assert account.retention("back") == 7


def test_data_is_neither_made_anew_nor_lost_with_its_stack(account: Account) -> None:
    first = account.ensure(account.wanted("data", DATA.format(encrypted="true")))
    other = account.wanted("data", DATA.format(encrypted="false"))
    error = refused(lambda: account.ensure(other), InputError)
    assert error.details == ("~ Data (AWS::EFS::FileSystem), made anew: Encrypted",)
    assert account.plan(other) == ["~ Data (AWS::EFS::FileSystem), made anew: Encrypted"]
    assert account.ensure(account.wanted("data", DATA.format(encrypted="true"))).id == first.id
    (kept,) = account.delete("data")
    system = kept.split()[1]
    assert account.aws.efs.describe_file_systems(FileSystemId=system)["FileSystems"]
    before = len(account.aws.efs.describe_file_systems()["FileSystems"])
    refused(lambda: account.ensure(account.wanted("data2", DATA.format(encrypted="true"), BROKEN)))
    assert len(account.aws.efs.describe_file_systems()["FileSystems"]) == before


def test_a_plan_changes_nothing(account: Account) -> None:
    account.ensure(account.wanted("planned"))
    assert account.plan(account.wanted("planned")) == []
    body = account.wanted("planned").template.body
    given = [{"ParameterKey": key, "ParameterValue": "5"} for key in ("Fingerprint", "Days")]
    # What a killed plan leaves.
    account.cfn.create_change_set(StackName="planned", ChangeSetName="md-plan", TemplateBody=body, Parameters=given)
    assert account.plan(account.wanted("planned", Days="3")) == ["~ Log (AWS::Logs::LogGroup): RetentionInDays"]
    assert account.plan(account.wanted("new")) == ["+ Log (AWS::Logs::LogGroup)"]
    assert account.retention("planned") == 1
    every = account.cfn.list_stacks(StackStatusFilter=["REVIEW_IN_PROGRESS"])["StackSummaries"]
    assert every == []
    left = account.cfn.list_change_sets(StackName="planned")["Summaries"]
    assert [each for each in left if each["ExecutionStatus"] != "EXECUTE_COMPLETE"] == []


def test_tags_of_the_user_reach_the_stack_and_what_it_makes(account: Account) -> None:
    wanted = replace(account.wanted("tags"), tags={"team": "a"})
    assert account.ensure(wanted).action == "make"
    assert account.ensure(wanted).action == "leave"
    assert account.ensure(replace(wanted, tags={"team": "b"})).action == "change"
    arn = account.aws.logs.describe_log_groups(logGroupNamePrefix="tags")["logGroups"][0]["arn"].removesuffix(":*")
    tags = account.aws.logs.list_tags_for_resource(resourceArn=arn)["tags"]
    assert (tags["team"], tags[TAG["Key"]]) == ("b", TAG["Value"])


def test_a_stack_of_somebody_else_is_refused_and_not_touched(account: Account) -> None:
    body = account.wanted("theirs").template.body
    parameters = [{"ParameterKey": "Fingerprint", "ParameterValue": "x"}]
    account.cfn.create_stack(StackName="theirs", TemplateBody=body, Parameters=parameters)
    account.settle("theirs")
    for call in (
        lambda: account.ensure(account.wanted("theirs", Days="7")),
        lambda: account.plan(account.wanted("theirs", Days="7")),
        lambda: account.delete("theirs"),
    ):
        assert "did not make" in str(refused(call, InputError))
    assert (account.status("theirs"), account.retention("theirs")) == ("CREATE_COMPLETE", 1)


def test_what_is_deleted_half_is_protected_again_and_goes_once_it_is_free(account: Account) -> None:
    shared = Wanted("half", load(template.SHARED), {**SHARED, "Cluster": ""})
    out, efs = account.ensure(shared).outputs, account.aws.efs
    system = efs.create_file_system(CreationToken="half")["FileSystemId"]
    target = efs.create_mount_target(FileSystemId=system, SubnetId=out["PublicA"])["MountTargetId"]
    error = refused(lambda: account.delete("half"))
    assert "Stack half could not be removed whole" in str(error)
    assert "network interface" in error.remedy
    stack = describe_stack(account.aws, "half")
    assert stack
    assert (stack.status, stack.is_protected) == ("DELETE_FAILED", True)
    efs.delete_mount_target(MountTargetId=target)
    assert account.delete("half") == ()
    assert account.status("half") == "absent"


@pytest.mark.parametrize("wishes", [["3", "3", "3", "3"], ["5", "7", "14", "30"]])
def test_runs_at_once_end_one_after_another(account: Account, wishes: list[str]) -> None:
    name, came = f"race-{wishes[1]}", list[str]()

    def run(days: str) -> None:
        own = replace(account, aws=account.aws.apart())
        came.append(own.ensure(account.wanted(name, Days=days)).action)

    threads = [threading.Thread(target=run, args=(days,)) for days in wishes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(came) == 4
    assert came.count("make") == 1
    assert account.settle(name) in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    assert str(account.retention(name)) in wishes


def test_a_call_that_is_repeated_after_a_lost_answer_is_carried_out_once(account: Account) -> None:
    own = replace(account, aws=account.aws.apart())
    for name in ("create_change_set", "execute_change_set", "delete_stack"):
        send_twice(own.cfn, name)
    assert own.ensure(account.wanted("lost")).action == "make"
    assert own.ensure(account.wanted("lost", Days="3")).action == "change"
    assert own.delete("lost") == ()


def send_twice(client: Any, operation: str) -> None:
    plain = getattr(client, operation)

    def twice(**given: Any) -> Any:
        plain(**given)
        return plain(**given)

    setattr(client, operation, twice)


class KilledError(BaseException):
    """As a signal would end the process: nothing of ours catches it."""


@dataclass
class Killer:
    """Ends a run at its call number `at`, counted from 0."""

    at: int = 0
    count: int = 0
    operations: set[str] = field(default_factory=set)  # those at which it killed

    def __call__(self, model: Any, **_: Any) -> None:
        self.count += 1
        if self.count > self.at:
            self.operations.add(model.name)
            raise KilledError


@pytest.mark.parametrize("event", ["before-call", "after-call"])
def test_whenever_a_run_is_killed_the_next_one_ends_well(account: Account, event: str) -> None:
    killer, own = Killer(), replace(account, aws=account.aws.apart())
    own.cfn.meta.events.register(event, killer)
    for at in range(30):
        killer.at = at
        name = f"kill-{event[:2]}-{at}"
        runs: list[Callable[[Account], object]] = [
            lambda by, name=name: by.ensure(account.wanted(name)),  # type: ignore[misc]
            lambda by, name=name: by.ensure(account.wanted(name, Days="3")),  # type: ignore[misc]
            lambda by, name=name: by.delete(name),  # type: ignore[misc]
        ]
        killed = 0
        for run, good in zip(runs, ("1", "3", ""), strict=True):
            killer.count = 0
            try:
                run(own)
            except KilledError:
                killed += 1
                run(account)
            stack = describe_stack(account.aws, name)
            assert (stack.parameters["Days"] if stack else "") == good
            assert stack is None or stack.is_protected
        if not killed:
            break
    # It was killed everywhere that a run calls. How often a run looks, and so how many calls it makes, time decides.
    changing = {"CreateChangeSet", "UpdateTerminationProtection", "ExecuteChangeSet", "DeleteStack"}
    assert killer.operations >= {*changing, "DescribeStacks", "DescribeChangeSet"}
    assert killer.at < 29
