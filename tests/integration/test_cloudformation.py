"""CloudFormation in the sandbox behaves as AWS's does where a deploy tool could be misled by it."""

import http.client
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from model_dockerize import sandbox
from model_dockerize.progress import Silent
from model_dockerize.sandbox import Sandbox
from tests.rig.homes import NewHome

VPC = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
#: Never comes to be: its file system is nobody's.
BROKEN = {
    "Type": "AWS::EFS::MountTarget",
    "DependsOn": "Log",
    "Properties": {"FileSystemId": "fs-00000000", "SubnetId": "subnet-00000000", "SecurityGroups": []},
}


def subnet(number: int, zone: str) -> dict[str, Any]:
    cidr = f"10.9.{number}.0/24"
    return {
        "Type": "AWS::EC2::Subnet",
        "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": cidr, "AvailabilityZone": zone},
    }


def log(name: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name, **properties}}


def group(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {"GroupDescription": "d", "VpcId": {"Ref": "Vpc"}, **properties},
    }


def role(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST, **properties}}


def template(resources: dict[str, Any], **sections: Any) -> str:
    return json.dumps({"Resources": resources, **sections})


def exported(value: str, name: str) -> dict[str, Any]:
    return {"E": {"Value": value, "Export": {"Name": name}}}


@dataclass(frozen=True)
class Account:
    """Clients of one sandbox, and what becomes of stacks in it."""

    session: boto3.Session
    endpoint: str

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.endpoint)  # type: ignore[call-overload]

    @property
    def cfn(self) -> Any:
        return self.client("cloudformation")

    def create(self, name: str, body: str, **more: Any) -> Any:
        made = self.cfn.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"], **more)
        return self.settled(made["StackId"])

    def update(self, name: str, body: str, **more: Any) -> Any:
        self.cfn.update_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"], **more)
        return self.settled(name)

    def delete(self, identity: str) -> Any:
        self.cfn.delete_stack(StackName=identity)
        return self.settled(identity)

    def change_set(self, name: str, body: str, kind: str = "UPDATE", **more: Any) -> Any:
        made = self.cfn.create_change_set(
            StackName=name, ChangeSetName=f"c{uuid.uuid4().hex}", ChangeSetType=kind, TemplateBody=body, **more
        )
        return self.cfn.describe_change_set(ChangeSetName=made["Id"])

    def settled(self, identity: str) -> Any:
        end = time.monotonic() + 30
        while True:
            shown = self.cfn.describe_stacks(StackName=identity)["Stacks"][0]
            if not shown["StackStatus"].endswith("_IN_PROGRESS"):
                return shown
            assert time.monotonic() < end, shown
            time.sleep(0.05)

    def reasons(self, identity: str) -> str:
        events = self.cfn.describe_stack_events(StackName=identity)["StackEvents"]
        return "\n".join(e.get("ResourceStatusReason", "") for e in events if e["ResourceStatus"].endswith("FAILED"))


def outputs(stack: Any) -> dict[str, str]:
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def changes(change_set: Any) -> list[tuple[str, str]]:
    every = [change["ResourceChange"] for change in change_set["Changes"]]
    return [(change["Action"], change["LogicalResourceId"]) for change in every]


def message_of(call: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


@pytest.fixture(scope="module")
def box(new_home: NewHome) -> Iterator[Sandbox]:
    home = new_home("mdcfn")
    yield sandbox.start(home, Silent())
    sandbox.stop(home, Silent())


@pytest.fixture(scope="module")
def account(box: Sandbox) -> Account:
    return Account(boto3.Session(box.account_id, box.secret_key, region_name=box.region), box.endpoint_url)


def test_what_is_in_use_stays_and_the_stack_says_so(account: Account) -> None:
    made = account.create(
        "held",
        template(
            {"Vpc": VPC, "A": subnet(1, "us-east-1a"), "Group": group()},
            Outputs={"Subnet": {"Value": {"Ref": "A"}}, "Group": {"Value": {"Fn::GetAtt": ["Group", "GroupId"]}}},
        ),
    )
    place, efs = outputs(made), account.client("efs")
    system = efs.create_file_system(CreationToken="somebody")["FileSystemId"]
    target = efs.create_mount_target(FileSystemId=system, SubnetId=place["Subnet"], SecurityGroups=[place["Group"]])[
        "MountTargetId"
    ]
    ended = account.delete(made["StackId"])
    assert ended["StackStatus"] == "DELETE_FAILED"
    assert "DependencyViolation" in account.reasons(made["StackId"])
    efs.delete_mount_target(MountTargetId=target)
    assert account.delete(made["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_what_has_a_name_that_is_taken_is_not_overwritten(account: Account) -> None:
    logs, iam = account.client("logs"), account.client("iam")
    logs.create_log_group(logGroupName="taken")
    logs.create_log_stream(logGroupName="taken", logStreamName="precious")
    iam.create_role(RoleName="taken", AssumeRolePolicyDocument=json.dumps(TRUST), Description="somebody's")
    made = account.create("taken-log", template({"Log": log("taken")}))
    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "already exists" in account.reasons(made["StackId"])
    assert (
        account.create("taken-role", template({"Role": role(RoleName="taken")}))["StackStatus"] == "ROLLBACK_COMPLETE"
    )
    assert [s["logStreamName"] for s in logs.describe_log_streams(logGroupName="taken")["logStreams"]] == ["precious"]
    assert iam.get_role(RoleName="taken")["Role"]["Description"] == "somebody's"


def test_namesakes_in_two_regions_make_roles_of_unlike_names(account: Account, box: Sandbox) -> None:
    other = Account(boto3.Session(box.account_id, box.secret_key, region_name="eu-west-1"), box.endpoint_url)
    body = template({"Role": role()}, Outputs={"Name": {"Value": {"Ref": "Role"}}})
    names = [outputs(each.create("namesake", body))["Name"] for each in (account, other)]
    assert len(set(names)) == 2
    assert all(name.startswith("namesake-Role-") for name in names)


def test_a_listener_of_a_stack_listens_and_its_rules_weights_count(account: Account) -> None:
    target_group = {
        "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
        "Properties": {"TargetType": "ip", "Protocol": "HTTP", "Port": 80, "VpcId": {"Ref": "Vpc"}},
    }
    refuse = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
    groups = [{"TargetGroupArn": {"Ref": "Blue"}, "Weight": 100}, {"TargetGroupArn": {"Ref": "Green"}, "Weight": 0}]
    resources = {
        "Vpc": VPC,
        "A": subnet(1, "us-east-1a"),
        "B": subnet(2, "us-east-1b"),
        "Balancer": {
            "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "Properties": {"Subnets": [{"Ref": "A"}, {"Ref": "B"}]},
        },
        "Blue": target_group,
        "Green": target_group,
        "Listener": {
            "Type": "AWS::ElasticLoadBalancingV2::Listener",
            "Properties": {
                "LoadBalancerArn": {"Ref": "Balancer"},
                "Port": 8080,
                "Protocol": "HTTP",
                "DefaultActions": [refuse],
            },
        },
        "Rule": {
            "Type": "AWS::ElasticLoadBalancingV2::ListenerRule",
            "Properties": {
                "ListenerArn": {"Ref": "Listener"},
                "Priority": 1,
                "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
                "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
            },
        },
    }
    found = {"Name": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}}}
    found |= {name: {"Value": {"Ref": name}} for name in ("Blue", "Rule")}
    made = account.create("balancer", template(resources, Outputs=found))
    assert made["StackStatus"] == "CREATE_COMPLETE", account.reasons(made["StackId"])
    came, elb = outputs(made), account.client("elbv2")
    connection = http.client.HTTPConnection(came["Name"], 8080, timeout=5)
    connection.request("GET", "/")
    assert connection.getresponse().status == 503
    action = elb.describe_rules(RuleArns=[came["Rule"]])["Rules"][0]["Actions"][0]
    assert [each["Weight"] for each in action["ForwardConfig"]["TargetGroups"]] == [100, 0]
    assert elb.describe_target_groups(TargetGroupArns=[came["Blue"]])["TargetGroups"][0]["LoadBalancerArns"]
    assert account.delete(made["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_what_a_service_refuses_fails_the_stack_and_its_reason_is_told(account: Account) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0", "Description": "the model's"}
    balancer = {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Subnets": [{"Ref": "A"}]}}
    for name, resources, reason in (
        ("apostrophe", {"Vpc": VPC, "Group": group(SecurityGroupIngress=[rule])}, "Invalid rule description"),
        ("one-zone", {"Vpc": VPC, "A": subnet(1, "us-east-1a"), "Balancer": balancer}, "At least two subnets"),
        ("days", {"Log": log("days", RetentionInDays=2)}, "2 is not a valid enum value"),
    ):
        made = account.create(name, template(resources))
        assert made["StackStatus"] == "ROLLBACK_COMPLETE"
        assert reason in account.reasons(made["StackId"])
        assert account.cfn.describe_stack_resources(StackName=name)["StackResources"] == []


def test_kinds_that_would_by_pass_the_sandbox_are_refused(account: Account) -> None:
    body = template({"Bucket": {"Type": "AWS::S3::Bucket"}})
    said = message_of(lambda: account.create("bucket", body))
    assert "Unrecognized resource types: [AWS::S3::Bucket]" in said


SWITCH = {
    "Parameters": {"On": {"Type": "String", "Default": "false"}},
    "Conditions": {"IsOn": {"Fn::Equals": [{"Ref": "On"}, "true"]}},
}


def test_change_sets_list_what_conditions_and_outputs_change(account: Account) -> None:
    resources = {"Log": log("switch"), "More": {**log("switch-more"), "Condition": "IsOn"}}
    body = template(resources, **SWITCH)
    assert changes(account.change_set("switch", body, "CREATE")) == [("Add", "Log")]
    account.cfn.delete_stack(StackName="switch")
    account.create("switch", body)
    on = account.change_set("switch", body, Parameters=[{"ParameterKey": "On", "ParameterValue": "true"}])
    assert (on["Status"], changes(on)) == ("CREATE_COMPLETE", [("Add", "More")])
    output = account.change_set("switch", template(resources, **SWITCH, Outputs={"X": {"Value": "1"}}))
    assert (output["Status"], changes(output)) == ("CREATE_COMPLETE", [])
    same = account.change_set("switch", body)
    assert (same["Status"], "didn't contain changes" in same["StatusReason"]) == ("FAILED", True)


def test_an_update_has_events_of_what_it_changes(account: Account) -> None:
    account.create("events", template({"Vpc": VPC, "Log": log("events"), "Kept": log("events-kept")}))
    account.update(
        "events",
        template({"Vpc": VPC, "Log": log("events", RetentionInDays=3), "Kept": log("events-kept"), "New": log("new")}),
        ClientRequestToken="t-2",
    )
    events = account.cfn.describe_stack_events(StackName="events")["StackEvents"]
    told = [(e["LogicalResourceId"], e["ResourceStatus"]) for e in events if e.get("ClientRequestToken") == "t-2"]
    assert sorted(each for each in told if each[0] != "events") == [
        ("Log", "UPDATE_COMPLETE"),
        ("Log", "UPDATE_IN_PROGRESS"),
        ("New", "CREATE_COMPLETE"),
        ("New", "CREATE_IN_PROGRESS"),
    ]


def test_a_change_that_makes_another_resource_says_so(account: Account) -> None:
    account.create("replaced", template({"Vpc": VPC, "Group": group()}))
    change_set = account.change_set("replaced", template({"Vpc": VPC, "Group": group(GroupDescription="other")}))
    assert change_set["Changes"][0]["ResourceChange"]["Replacement"] == "True"


def test_two_change_sets_of_a_stack_to_be_made_are_of_one_stack(account: Account) -> None:
    body = template({"Log": log("twice")})
    one, other = (account.change_set("twice", body, "CREATE") for _ in range(2))
    assert one["StackId"] == other["StackId"]
    account.cfn.execute_change_set(StackName="twice", ChangeSetName=other["ChangeSetId"])
    assert account.settled("twice")["StackStatus"] == "CREATE_COMPLETE"
    assert account.settled("twice")["StackId"] == one["StackId"]


def test_a_creation_that_failed_can_only_be_deleted(account: Account) -> None:
    body = template({"Log": log("failed"), "Mount": BROKEN})
    assert account.create("failed", body)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "does not exist" in account.reasons("failed")
    assert "AlreadyExistsException" in message_of(lambda: account.create("failed", body))
    assert "already exists" in message_of(lambda: account.change_set("failed", body, "CREATE"))
    assert "can not be updated" in message_of(lambda: account.change_set("failed", body))
    assert account.delete(account.settled("failed")["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_a_change_that_fails_leaves_what_was(account: Account) -> None:
    account.create("back", template({"Log": log("back", RetentionInDays=1)}))
    ended = account.update("back", template({"Log": log("back", RetentionInDays=3), "Mount": BROKEN}))
    assert ended["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    known = account.client("logs").describe_log_groups(logGroupNamePrefix="back")["logGroups"]
    assert [each["retentionInDays"] for each in known] == [1]


def test_exports_in_use_neither_change_nor_go(account: Account) -> None:
    account.create("owner", template({"Log": log("owner")}, Outputs=exported("one", "export")))
    user = template({"Log": log("user", Tags=[{"Key": "k", "Value": {"Fn::ImportValue": "export"}}])})
    assert account.create("user", user)["StackStatus"] == "CREATE_COMPLETE"
    for body in (
        template({"Log": log("owner")}, Outputs=exported("two", "export")),
        template({"Log": log("owner")}),
    ):
        assert account.update("owner", body)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        assert "as it is in use by user" in account.reasons("owner")
    assert "as it is in use by user" in message_of(lambda: account.delete("owner"))
    assert [e["Value"] for e in account.cfn.list_exports()["Exports"] if e["Name"] == "export"] == ["one"]
    assert account.cfn.list_imports(ExportName="export")["Imports"] == ["user"]
    again = account.create("again", template({"Log": log("again")}, Outputs=exported("x", "export")))
    assert "already exported by stack owner" in account.reasons(again["StackId"])
    nobodys = {"Key": "k", "Value": {"Fn::ImportValue": "nobodys"}}
    assert account.create("nobody", template({"Log": log("nobody", Tags=[nobodys])}))["StackStatus"] == (
        "ROLLBACK_COMPLETE"
    )


def test_protection_and_retention_hold(account: Account) -> None:
    kept = {**log("kept"), "DeletionPolicy": "Retain"}
    made = account.create("kept", template({"Log": kept}), EnableTerminationProtection=True)
    assert "TerminationProtection is enabled" in message_of(lambda: account.delete("kept"))
    account.cfn.update_termination_protection(StackName="kept", EnableTerminationProtection=False)
    assert account.delete(made["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert account.client("logs").describe_log_groups(logGroupNamePrefix="kept")["logGroups"]
    assert account.create("kept", template({"Log": kept}))["StackStatus"] == "ROLLBACK_COMPLETE"


def test_events_carry_the_token_of_the_operation_and_outlive_a_failed_creation(account: Account) -> None:
    made = account.cfn.create_change_set(
        StackName="token",
        ChangeSetName="c",
        ChangeSetType="CREATE",
        OnStackFailure="DELETE",
        TemplateBody=template({"Log": log("token"), "Mount": BROKEN}),
    )
    account.cfn.execute_change_set(StackName="token", ChangeSetName="c", ClientRequestToken="t-1")
    assert account.settled(made["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    events = account.cfn.describe_stack_events(StackName=made["StackId"])["StackEvents"]
    assert {event.get("ClientRequestToken") for event in events} == {"t-1", None}
    assert "does not exist" in account.reasons(made["StackId"])


def test_stack_tags_reach_what_the_stack_makes(account: Account) -> None:
    account.create("tagged", template({"Log": log("tagged")}), Tags=[{"Key": "team", "Value": "a"}])
    arn = account.client("logs").describe_log_groups(logGroupNamePrefix="tagged")["logGroups"][0]["arn"]
    tags = account.client("logs").list_tags_for_resource(resourceArn=arn.removesuffix(":*"))["tags"]
    assert (tags["team"], tags["aws:cloudformation:stack-name"]) == ("a", "tagged")


def test_a_role_that_cannot_be_assumed_is_refused(account: Account) -> None:
    nobody = "arn:aws:iam::123456789012:role/nobody"
    said = message_of(lambda: account.create("nobody-role", template({"Log": log("n")}), RoleARN=nobody))
    assert "invalid or cannot be assumed" in said


def test_a_second_mount_target_of_a_zone_is_refused(account: Account) -> None:
    def body(place: str) -> str:
        mount = {"FileSystemId": {"Ref": "Data"}, "SubnetId": {"Ref": place}, "SecurityGroups": []}
        return template(
            {
                "Vpc": VPC,
                "A": subnet(1, "us-east-1a"),
                "B": subnet(2, "us-east-1a"),
                "Data": {"Type": "AWS::EFS::FileSystem"},
                "Mount": {"Type": "AWS::EFS::MountTarget", "Properties": mount},
            }
        )

    assert account.create("mount", body("A"))["StackStatus"] == "CREATE_COMPLETE"
    assert account.update("mount", body("B"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "MountTargetConflict" in account.reasons("mount")


@pytest.fixture(scope="module")
def strict(new_home: NewHome) -> Iterator[Account]:
    """Return the account's owner, where policies count."""
    home = new_home("mdcfniam")
    box = sandbox.start(home, Silent(), "enforced")
    yield Account(boto3.Session(box.account_id, box.secret_key, region_name=box.region), box.endpoint_url)
    sandbox.stop(home, Silent())


def allowed(owner: Account, *actions: str, **more: Any) -> Account:
    """Make a user who may do that and nothing else."""
    iam, name = owner.client("iam"), f"u{uuid.uuid4().hex}"
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    return Account(session, owner.endpoint)


def test_a_stack_may_do_what_its_caller_may(strict: Account) -> None:
    nobody = allowed(strict, "sts:GetCallerIdentity")
    assert "not authorized to perform: cloudformation:CreateStack" in message_of(
        lambda: nobody.create("refused", template({"Log": log("refused")}))
    )
    caller = allowed(strict, "cloudformation:*")
    made = caller.create("caller", template({"Log": log("caller")}))
    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "not authorized to perform: logs:CreateLogGroup" in caller.reasons(made["StackId"])


def test_a_stack_with_a_role_may_do_what_that_may_whoever_calls(strict: Account) -> None:
    iam, trust = strict.client("iam"), json.loads(json.dumps(TRUST))
    trust["Statement"][0]["Principal"]["Service"] = "cloudformation.amazonaws.com"
    arn = iam.create_role(RoleName="builder", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="builder", PolicyName="p", PolicyDocument=document)
    caller = allowed(strict, "cloudformation:*")
    assert "iam:PassRole" in message_of(lambda: caller.create("built", template({"Log": log("b")}), RoleARN=arn))
    passing = allowed(strict, "cloudformation:*", "iam:PassRole")
    made = passing.create("built", template({"Log": log("built")}), RoleARN=arn)
    assert (made["StackStatus"], made["RoleARN"]) == ("CREATE_COMPLETE", arn)
    # From then on nobody has to pass it: CreateChangeSet's RoleARN in the API reference.
    ended = caller.update("built", template({"Log": log("built", RetentionInDays=3)}))
    assert ended["StackStatus"] == "UPDATE_COMPLETE", caller.reasons("built")


def test_the_conditions_of_a_policy_see_role_and_boundary(strict: Account) -> None:
    bound = "arn:aws:iam::123456789012:policy/bound"
    condition = {"StringEquals": {"iam:PermissionsBoundary": bound}}
    statement = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    strict.client("iam").create_policy(PolicyName="bound", PolicyDocument=document)
    caller = allowed(strict, "iam:*", Condition=condition)
    iam = caller.client("iam")
    assert "iam:CreateRole" in message_of(
        lambda: iam.create_role(RoleName="free", AssumeRolePolicyDocument=json.dumps(TRUST))
    )
    iam.create_role(RoleName="bound", AssumeRolePolicyDocument=json.dumps(TRUST), PermissionsBoundary=bound)
    iam.put_role_policy(RoleName="bound", PolicyName="p", PolicyDocument=document)
    only = {"StringEquals": {"cloudformation:RoleArn": "arn:aws:iam::123456789012:role/other"}}
    other = allowed(strict, "cloudformation:*", Condition=only)
    assert "cloudformation:CreateStack" in message_of(lambda: other.create("x", template({"Log": log("x")})))


def test_a_way_back_that_fails_is_continued_once_its_cause_is_gone(strict: Account) -> None:
    strict.create("stuck", template({"Log": log("stuck")}))
    # This caller can put a retention, but not take it away again.
    caller = allowed(strict, "cloudformation:*", "logs:PutRetentionPolicy", "logs:DescribeLogGroups")
    ended = caller.update("stuck", template({"Log": log("stuck", RetentionInDays=3), "Mount": BROKEN}))
    assert ended["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert "can not be updated" in message_of(lambda: caller.update("stuck", template({"Log": log("stuck")})))
    strict.cfn.continue_update_rollback(StackName="stuck")
    assert strict.settled("stuck")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
