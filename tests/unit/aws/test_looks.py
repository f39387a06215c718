"""A region is read whole before anything is removed, and everything in it is known with its users."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws import logs
from model_dockerize.aws.destroy import running, stacks, users, volume
from model_dockerize.aws.destroy.stacks import Held
from model_dockerize.aws.destroy.users import Job, Region
from model_dockerize.aws.destroy.uses import Kept, User
from model_dockerize.aws.destroy.volume import Volume
from model_dockerize.aws.ground.names import Names
from model_dockerize.aws.ground.values import TAG, Stack
from model_dockerize.aws.model import Thing
from model_dockerize.aws.network import queries
from model_dockerize.errors import AwsError, InputError
from tests.rig.scripted import Call, Script, refused

OURS = [{"Key": "model-dockerize", "Value": "x"}]
STACK = Stack("s", "arn:s", "CREATE_COMPLETE", {}, {}, (), ())
VPC, GROUP = "AWS::EC2::VPC", "AWS::EC2::SecurityGroup"


def uses(*ids: str) -> frozenset[str]:
    return frozenset(ids)


# ---- one query


class TestFound:
    def test_all_pages_are_asked_for(self) -> None:
        calls = [
            ("ec2:describe_x", {"Filters": ["f"]}, {"Things": [1], "NextToken": "t1"}),
            ("ec2:describe_x", {"Filters": ["f"], "NextToken": "t1"}, {"Things": [2, 3], "NextToken": "t2"}),
            ("ec2:describe_x", {"Filters": ["f"], "NextToken": "t2"}, {"Things": [], "NextToken": ""}),
        ]
        with Script(*calls) as script:
            assert queries.found(script.client("ec2").describe_x, "Things", Filters=["f"]) == [1, 2, 3]

    def test_what_is_named_wrongly_is_an_input_to_correct(self) -> None:
        answer = refused("InvalidSubnetID.NotFound", "The subnet ID 'x' does not exist")
        with Script(("ec2:describe_x", {}, answer)) as script, pytest.raises(InputError) as caught:
            queries.found(script.client("ec2").describe_x, "Things")
        assert str(caught.value) == "The subnet ID 'x' does not exist"
        assert caught.value.remedy == "Correct vpc, subnets or security-groups, or leave them out."

    def test_any_other_refusal_stays_one(self) -> None:
        answer = refused("UnauthorizedOperation")
        with Script(("ec2:describe_x", {}, answer)) as script, pytest.raises(type(answer)):
            queries.found(script.client("ec2").describe_x, "Things")

    def test_a_name_is_a_tag(self) -> None:
        assert queries.within("vpc-1") == {"Name": "vpc-id", "Values": ["vpc-1"]}
        tags = [{"Key": "team", "Value": "a"}, {"Key": "Name", "Value": "iris"}]
        assert (queries.name_of({"Tags": tags}), queries.name_of({"Tags": tags[:1]}), queries.name_of({})) == (
            *("iris", "", ""),
        )


class TestLogs:
    def test_a_log_group_is_one_of_exactly_that_name(self) -> None:
        pages = [{"logGroups": [{"logGroupName": "/iris-2"}]}, {"logGroups": [{"logGroupName": "/iris"}]}]
        for shown, is_there in ((pages, True), (pages[:1], False), ([], False)):
            with Script(("logs:describe_log_groups", {"logGroupNamePrefix": "/iris"}, shown)) as script:
                assert logs.is_log_group(script.aws, "/iris") is is_there

    def lines(self, answer: Any) -> tuple[str, ...]:
        asked = {"logGroupName": "/iris", "logStreamName": "x", "limit": 2, "startFromHead": False}
        with Script(("logs:get_log_events", asked, answer)) as script:
            return logs.last_lines(script.aws, "/iris", "x", 2)

    def test_the_last_lines_are_without_their_ends(self) -> None:
        events = [{"message": "one"}, {"message": " two\n"}, {}]
        assert self.lines({"events": events}) == (" two", "")
        assert self.lines(refused("ResourceNotFoundException")) == ()
        with pytest.raises(AwsError) as caught:
            self.lines(refused("ServerException", "oh"))
        assert str(caught.value) == "read log /iris: Operation failed: ServerException: oh"


# ---- stacks


def test_only_stacks_with_our_tag_are_ours() -> None:
    shown = [
        {"StackName": name, "StackId": f"arn:{name}", "StackStatus": "CREATE_COMPLETE", "Tags": tags}
        for name, tags in (("a", [TAG]), ("b", OURS), ("c", [TAG]))
    ]
    pages = [{"Stacks": shown[:2]}, {"Stacks": shown[2:]}]
    with Script(("cloudformation:describe_stacks", {}, pages)) as script:
        assert [stack.name for stack in stacks.our_stacks(script.aws)] == ["a", "c"]


def test_a_stack_is_named_by_its_name_its_things_and_their_arns() -> None:
    shown = [
        ("AWS::IAM::Role", "r1", "CREATE_COMPLETE"),
        ("AWS::IAM::Role", "r2", "UPDATE_COMPLETE"),
        ("AWS::IAM::InstanceProfile", "p", "CREATE_COMPLETE"),
        ("AWS::ECS::Cluster", "c", "CREATE_COMPLETE"),
        (GROUP, "sg-1", "CREATE_COMPLETE"),
        (GROUP, "sg-2", "DELETE_COMPLETE"),
        (VPC, "", "CREATE_IN_PROGRESS"),
    ]
    summaries = [{"ResourceType": k, "PhysicalResourceId": i, "ResourceStatus": s} for k, i, s in shown]
    summaries.append({"ResourceType": VPC, "ResourceStatus": "CREATE_FAILED"})
    pages = [{"StackResourceSummaries": summaries[:3]}, {"StackResourceSummaries": summaries[3:]}]
    with Script(("cloudformation:list_stack_resources", {"StackName": "arn:s"}, pages)) as script:
        held = stacks.look_into(script.aws, STACK)
    assert held == Held(
        STACK,
        {
            "AWS::IAM::Role": ("r1", "r2"),
            "AWS::IAM::InstanceProfile": ("p",),
            "AWS::ECS::Cluster": ("c",),
            GROUP: ("sg-1",),
        },
        uses(
            *("stack:s", "r1", "r2", "p", "c", "sg-1"),
            *(f"arn:aws:iam::123456789012:{each}" for each in ("role/r1", "role/r2", "instance-profile/p")),
            "arn:aws:ecs:us-east-1:123456789012:cluster/c",
        ),
    )
    assert (held.of(GROUP), held.of("AWS::EC2::Subnet")) == (("sg-1",), ())


def imports(export: str, answer: Any) -> Call:
    return "cloudformation:list_imports", {"ExportName": export}, answer


def test_a_models_stack_uses_what_it_names_and_importers_use_the_stack() -> None:
    model = replace(STACK, parameters={"Model": "iris", "LogGroup": "/md/c/iris", "Repository": "iris", "Vpc": "vpc-1"})
    bare = replace(STACK, name="b", parameters={"Model": "rose"})
    shared = replace(STACK, name="shared", exports=("e1", "e2"), parameters={"Model": ""})
    held = [Held(each, {}, frozenset()) for each in (model, shared)]
    calls = [
        imports("e1", [{"Imports": ["s"]}, {"Imports": ["theirs"]}]),
        imports("e2", refused("ValidationError", "Export 'e2' is not imported by any stack.")),
    ]
    with Script(*calls) as script:
        found = list(stacks.stack_users(script.aws, [shared, model, bare], held))
    assert found == [
        User(
            "stack s",
            "stack:s",
            uses("every model", "logs:/md/c", "repository:iris", "iris", "/md/c/iris", "/md/c/iris", "vpc-1"),
        ),
        User("stack b", "stack:b", uses("every model", "logs:", "repository:", "rose")),
        User("stack s", "stack:s", uses("stack:shared")),
        User("stack theirs", "stack:theirs", uses("stack:shared")),
    ]
    with Script(imports("e1", refused("Throttling", "slow"))) as script, pytest.raises(Exception, match="slow"):
        list(stacks.stack_users(script.aws, [], held))


def interfaces(name: str, *values: str, shown: list[Any]) -> Call:
    filters = {"Filters": [{"Name": name, "Values": list(values)}]}
    return "ec2:describe_network_interfaces", filters, {"NetworkInterfaces": shown}


def interface(number: int, text: str | None = None) -> dict[str, Any]:
    described = {} if text is None else {"Description": text}
    place = {"VpcId": "vpc-1", "SubnetId": "subnet-1", "Groups": [{"GroupId": "sg-1"}, {"GroupId": "sg-9"}]}
    return {"NetworkInterfaceId": f"eni-{number}", **place, **described}


def groups(name: str, *values: str, shown: list[Any]) -> Call:
    return (
        "ec2:describe_security_groups",
        {"Filters": [{"Name": name, "Values": list(values)}]},
        {"SecurityGroups": shown},
    )


BALANCER = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/md/0123"
NETWORK = Held(STACK, {VPC: ("vpc-1",), GROUP: ("sg-1", "sg-2")}, uses("nat-1", BALANCER, "fs-1"))
IN = uses("vpc-1", "subnet-1", "sg-1", "sg-9")


def test_a_network_is_used_by_what_is_in_it_and_by_whoever_names_its_groups() -> None:
    eni = [
        interface(1),
        interface(2, "arn:aws:ecs:us-east-1:1:attachment/ending"),
        interface(3, "Interface for NAT Gateway nat-1"),
        interface(4, "ELB app/md/0123"),
        interface(5, "EFS mount target for fs-1 (fsmt-1)"),
        interface(6, "EFS mount target for fs-2 (fs-1x)"),
        interface(7, "a door"),
    ]
    rule = [{"UserIdGroupPairs": [{"GroupId": "sg-1"}]}]
    theirs = {"GroupId": "sg-7", "GroupName": "theirs", "IpPermissions": rule}
    calls = [
        interfaces("vpc-id", "vpc-1", shown=eni[:5]),
        interfaces("group-id", "sg-1", "sg-2", shown=eni[4:]),
        groups("ip-permission.group-id", "sg-1", "sg-2", shown=[theirs, {"GroupId": "sg-8", "Tags": OURS}]),
        groups("egress.ip-permission.group-id", "sg-1", "sg-2", shown=[]),
        groups(
            "vpc-id",
            "vpc-1",
            shown=[
                {"GroupId": "sg-0", "GroupName": "default"},
                {"GroupId": "sg-7", "GroupName": "theirs"},
                {"GroupId": "sg-1", "GroupName": "ours", "Tags": OURS},
            ],
        ),
        (
            "ec2:describe_subnets",
            {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]},
            {"Subnets": [{"SubnetId": "s"}]},
        ),
    ]
    owner = User("service c/iris", "arn:iris", frozenset())
    with Script(*calls) as script:
        found = list(stacks.network_users(script.aws, NETWORK, {"eni-1": owner}, NETWORK.ids))
    assert found == [
        User("service c/iris", "arn:iris", IN),
        User("network interface eni-3 (Interface for NAT Gateway nat-1)", "nat-1", IN),
        User("network interface eni-4 (ELB app/md/0123)", BALANCER, IN),
        User("network interface eni-5 (EFS mount target for fs-1 (fsmt-1))", "fs-1", IN),
        User("network interface eni-6 (EFS mount target for fs-2 (fs-1x))", "eni-6", IN),
        User("network interface eni-7 (a door)", "eni-7", IN),
        User("security group sg-7", "sg-7", uses("sg-7", "theirs", "sg-1")),
        User("security group sg-7", "sg-7", uses("vpc-1")),
        User("subnet s", "s", uses("vpc-1")),
    ]


def test_an_interface_without_words_is_named_by_its_id_alone() -> None:
    alone = Held(STACK, {GROUP: ("sg-1",)}, frozenset())
    calls = [
        interfaces("group-id", "sg-1", shown=[interface(1)]),
        groups("ip-permission.group-id", "sg-1", shown=[]),
        groups("egress.ip-permission.group-id", "sg-1", shown=[]),
    ]
    with Script(*calls) as script:
        assert list(stacks.network_users(script.aws, alone, {}, frozenset())) == [
            User("network interface eni-1", "eni-1", IN)
        ]
    with Script() as script:
        assert list(stacks.network_users(script.aws, Held(STACK, {}, frozenset()), {}, frozenset())) == []


def test_a_balancer_is_used_by_listeners_and_rules_that_no_stack_made() -> None:
    kinds = {
        "AWS::ElasticLoadBalancingV2::LoadBalancer": ("b1", "b2"),
        "AWS::ElasticLoadBalancingV2::Listener": ("l1", "l2"),
    }
    calls = [
        ("elbv2:describe_listeners", {"LoadBalancerArn": "b1"}, refused("LoadBalancerNotFoundException")),
        (
            "elbv2:describe_listeners",
            {"LoadBalancerArn": "b2"},
            [{"Listeners": [{"ListenerArn": "l1", "Port": 80}]}, {"Listeners": [{"ListenerArn": "l3", "Port": 81}]}],
        ),
        ("elbv2:describe_rules", {"ListenerArn": "l1"}, refused("ListenerNotFoundException")),
        (
            "elbv2:describe_rules",
            {"ListenerArn": "l2"},
            {"Rules": [{"RuleArn": "r0", "IsDefault": True}, {"RuleArn": "r1", "IsDefault": False}]},
        ),
    ]
    with Script(*calls) as script:
        assert list(stacks.balancer_users(script.aws, Held(STACK, kinds, frozenset()))) == [
            User("listener 80 (l1)", "l1", uses("b2")),
            User("listener 81 (l3)", "l3", uses("b2")),
            User("rule r1", "r1", uses("l2")),
        ]


# ---- volumes


def system(number: int, name: str = "data", state: str = "available", tags: list[Any] | None = None) -> dict[str, Any]:
    mark = [TAG] if tags is None else tags
    return {
        "FileSystemId": f"fs-{number}",
        "LifeCycleState": state,
        "SizeInBytes": {"Value": 2048},
        "Tags": [{"Key": "Name", "Value": name}, *mark],
    }


def systems(*shown: dict[str, Any]) -> Call:
    return "efs:describe_file_systems", {}, [{"FileSystems": [each]} for each in shown]


def holding(stack: Stack, *ids: str) -> Call:
    shown = [
        {"ResourceType": "AWS::EFS::FileSystem", "PhysicalResourceId": each, "ResourceStatus": "CREATE_COMPLETE"}
        for each in ids
    ]
    return "cloudformation:list_stack_resources", {"StackName": stack.id}, [{"StackResourceSummaries": shown}]


NAMES = Names(*["iris"] * 5, "model-dockerize", "", "data")
OF_VOLUME = replace(STACK, name="model-dockerize-volume-data", id="arn:v")
OF_MODEL = replace(STACK, name="model-dockerize-iris", parameters={"VolumeStack": "other"})
OTHER = replace(STACK, name="other", id="arn:o")


class TestVolume:
    def find(self, names: Names, there: list[Stack], *calls: Call) -> Volume | None:
        with Script(*calls) as script:
            return volume.volume_of(script.aws, names, there)

    def test_it_is_that_of_the_stack_that_the_model_names_else_of_its_name(self) -> None:
        both = [OF_VOLUME, OF_MODEL, OTHER]
        found = self.find(NAMES, both, holding(OTHER, "fs-2"), systems(system(1), system(2)))
        assert found == Volume(
            "data", "fs-2", 2048, Held(OTHER, {"AWS::EFS::FileSystem": ("fs-2",)}, uses("stack:other", "fs-2"))
        )
        found = self.find(NAMES, [OF_VOLUME], holding(OF_VOLUME, "fs-1"), systems(system(1), system(2)))
        assert found is not None
        assert (found.file_system, found.held is not None) == ("fs-1", True)
        assert self.find(replace(NAMES, volume=""), [OF_VOLUME]) is None

    @pytest.mark.parametrize("state", ["deleting", "deleted"])
    def test_one_that_goes_is_gone(self, state: str) -> None:
        assert self.find(NAMES, [OF_VOLUME], holding(OF_VOLUME, "fs-1"), systems(system(1, state=state))) is None

    def test_what_a_killed_removal_left_is_found_by_name_and_tag(self) -> None:
        shown = [system(1, "other"), system(2, tags=OURS), system(3, tags=[]), system(4)]
        found = self.find(NAMES, [], systems(*shown))
        assert found == Volume("data", "fs-4", 2048, None)
        assert found.ids == {"fs-4"}
        assert self.find(NAMES, [], systems(*shown[:3])) is None

    def test_it_goes_with_its_stack_and_its_data(self, monkeypatch: pytest.MonkeyPatch) -> None:
        done: list[Any] = []
        monkeypatch.setattr(volume, "delete_stack", lambda *given: done.append(given[1:]))
        monkeypatch.setattr(volume.ends, "end_data", lambda *given: done.append(given[1:]))
        held = Held(OF_VOLUME, {}, uses("stack:v"))
        with Script() as script:
            for each in (held, None):
                thing = Volume("data", "fs-1", 3 * 1024**3, each).thing(script.aws, script.said)
                thing.remove()
                assert thing == Thing("volume", "data (fs-1), 3.0 GiB, with its data", thing.remove, thing.ids)
                assert thing.ids == (uses("stack:v", "fs-1") if each else uses("fs-1"))
            assert done == [("model-dockerize-volume-data", script.said), ("fs-1",), ("fs-1",)]

    @pytest.mark.parametrize(
        ("size", "told"),
        [
            *((0, "0 bytes"), (9, "9 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (10 * 1024 - 1, "10.0 KiB")),
            *((10 * 1024, "10 KiB"), (5 * 1024**2, "5.0 MiB"), (1024**3, "1.0 GiB"), (1024**4, "1.0 TiB")),
            (5000 * 1024**4, "5000 TiB"),
        ],
    )
    def test_its_size_is_told_in_the_largest_unit(self, size: int, told: str) -> None:
        assert str(Volume("data", "fs-1", size, None)) == f"volume data (fs-1), {told}"

    def test_what_stands_on_it_uses_it(self) -> None:
        asked = {"FileSystemId": "fs-1"}
        points = [
            {"AccessPoints": [{"AccessPointId": "fsap-1", "RootDirectory": {"Path": "/iris"}}]},
            {"AccessPoints": [{"AccessPointId": "fsap-2", "RootDirectory": {}}, {"AccessPointId": "fsap-3"}]},
        ]
        targets = [{"MountTargets": []}, {"MountTargets": [{"MountTargetId": "fsmt-1"}]}]
        calls = [("efs:describe_access_points", asked, points), ("efs:describe_mount_targets", asked, targets)]
        with Script(*calls) as script:
            assert list(volume.volume_users(script.aws, Volume("data", "fs-1", 0, None))) == [
                User("access point fsap-1 (/iris)", "fsap-1", uses("fs-1")),
                User("access point fsap-2 (/)", "fsap-2", uses("fs-1")),
                User("access point fsap-3 (/)", "fsap-3", uses("fs-1")),
                User("mount target fsmt-1", "fsmt-1", uses("fs-1")),
            ]


# ---- what runs


def arn(kind: str, name: str) -> str:
    return f"arn:aws:ecs:us-east-1:1:{kind}/{name}"


CLUSTER, BATCHS = arn("cluster", "c"), arn("cluster", "AWSBatch-e")
SERVICE = {
    "serviceArn": arn("service", "c/iris"),
    "serviceName": "iris",
    "clusterArn": CLUSTER,
    "taskDefinition": arn("task-definition", "iris:2"),
    "status": "ACTIVE",
}


def task(name: str, group: str, cluster: str = CLUSTER, definition: str = "iris:2") -> dict[str, Any]:
    details = [{"name": "subnetId", "value": "subnet-1"}, {"name": "networkInterfaceId", "value": f"eni-{name}"}]
    return {
        "taskArn": arn("task", f"c/{name}"),
        "clusterArn": cluster,
        "taskDefinitionArn": arn("task-definition", definition),
        "attachments": [{"details": details}, {}],
        **({"group": group} if group else {}),
    }


IRIS = {"taskDefinitionArn": arn("task-definition", "iris:2"), "family": "iris", "image": "i"}
ENVIRONMENT = {
    "computeEnvironmentName": "e",
    "computeEnvironmentArn": "arn:e",
    "ecsClusterArn": BATCHS,
    "status": "VALID",
}
QUEUE = {"jobQueueName": "q", "jobQueueArn": "arn:q", "status": "VALID"}
JOBS = {"jobDefinitionArn": "arn:aws:batch:us-east-1:1:job-definition/iris:1", "image": "i"}
REGION = Region(
    services=(SERVICE,),
    tasks=(
        task("one", "service:iris"),
        task("two", "service:rose"),
        task("three", "service:iris", arn("cluster", "d"), "gone:1"),
        task("four", "family:x", BATCHS),
        {**task("five", ""), "attachments": []},
    ),
    definitions=(IRIS,),
    job_definitions=(JOBS,),
    queues=(QUEUE,),
    environments=(ENVIRONMENT,),
    jobs=(Job("j1", "job-1", "RUNNING", "q", "arn:d:1"),),
)
DEFINED = uses(
    arn("task-definition", "iris:2"), "arn:aws:ecs:us-east-1:1:task-definition/iris", "iris", "i", "family:iris"
)


def of_task(name: str, *more: str, cluster: str = CLUSTER) -> frozenset[str]:
    own = uses(arn("task", f"c/{name}"), cluster, "subnetId", "subnet-1", "networkInterfaceId", f"eni-{name}", *more)
    return own | DEFINED


def named(found: frozenset[str], *ids: str) -> bool:
    return uses(*ids) <= found


def test_everything_in_a_region_uses_what_it_names_and_what_its_definition_names() -> None:
    found = list(REGION.users())
    assert [(user.name, user.id) for user in found] == [
        ("service c/iris", SERVICE["serviceArn"]),
        ("service c/iris", SERVICE["serviceArn"]),
        ("task c/two", arn("task", "c/two")),
        ("task c/three", arn("task", "c/three")),
        ("compute environment e", "arn:e"),
        ("task c/five", arn("task", "c/five")),
        ("task definition iris:2", IRIS["taskDefinitionArn"]),
        ("job definition iris:1", JOBS["jobDefinitionArn"]),
        ("job queue q", "arn:q"),
        ("compute environment e", "arn:e"),
        ("job job-1", "j1"),
    ]
    for user in (*found[:3], found[4], found[5]):
        assert user.uses >= DEFINED
    assert named(found[0].uses, "iris", CLUSTER)
    assert named(found[1].uses, arn("task", "c/one"), "eni-one")
    assert named(found[3].uses, arn("task-definition", "gone:1"), "subnet-1")
    assert "i" not in found[3].uses
    assert found[6].uses == DEFINED - {"family:iris"}
    assert found[7].uses == users.named_in(JOBS)
    assert (found[8].uses, found[9].uses) == (users.named_in(QUEUE), users.named_in(ENVIRONMENT))
    assert found[10].uses == uses("arn:d:1", "queue:q")


def test_an_interface_belongs_to_whose_task_has_it() -> None:
    owners = REGION.interface_owners()
    assert {name: owner.id for name, owner in owners.items()} == {
        "eni-one": SERVICE["serviceArn"],
        "eni-two": arn("task", "c/two"),
        "eni-three": arn("task", "c/three"),
        "eni-four": "arn:e",
    }
    assert {owner.uses for owner in owners.values()} == {frozenset()}


@pytest.mark.parametrize(
    ("text", "in_cluster", "last"),
    [(arn("service", "c/iris"), "c/iris", "iris"), (arn("service", "iris"), "iris", "iris")],
)
def test_an_arn_ends_in_a_name(text: str, in_cluster: str, last: str) -> None:
    assert (users.in_cluster(text), users.last(text)) == (in_cluster, last)


def test_a_region_is_read_whole_in_as_few_calls_as_aws_takes() -> None:
    services = [f"s{number}" for number in range(11)]
    tasks = [f"t{number}" for number in range(101)]
    rolled = {**SERVICE, "deployments": [{"taskDefinition": "arn:d/old:1"}, {"taskDefinition": "arn:d/gone:1"}]}
    inactive = {**SERVICE, "status": "INACTIVE"}
    going = {**QUEUE, "jobQueueName": "old", "status": "DELETING"}

    def described(name: str, answer: Any) -> Call:
        shown = answer if isinstance(answer, Exception) else {"taskDefinition": answer}
        return "ecs:describe_task_definition", {"taskDefinition": name}, shown

    gone = refused("ClientException", "Unable to describe task definition.")
    old, of_batch = (
        {"taskDefinitionArn": "arn:d/old:1"},
        {"taskDefinitionArn": "arn:d/b:1", "registeredBy": "x/aws-batch"},
    )
    calls: list[Call] = [
        ("ecs:list_clusters", {}, [{"clusterArns": ["c1"]}, {"clusterArns": ["c2"]}]),
        ("ecs:list_services", {"cluster": "c1"}, [{"serviceArns": services}]),
        (
            "ecs:describe_services",
            {"cluster": "c1", "services": services[:10], "include": ["TAGS"]},
            {"services": [rolled]},
        ),
        (
            "ecs:describe_services",
            {"cluster": "c1", "services": services[10:], "include": ["TAGS"]},
            {"services": [inactive]},
        ),
        ("ecs:list_tasks", {"cluster": "c1"}, [{"taskArns": tasks}]),
        (
            "ecs:describe_tasks",
            {"cluster": "c1", "tasks": tasks[:100]},
            {"tasks": [{"taskDefinitionArn": "arn:d/t:1"}]},
        ),
        ("ecs:describe_tasks", {"cluster": "c1", "tasks": tasks[100:]}, {"tasks": []}),
        ("ecs:list_services", {"cluster": "c2"}, [{"serviceArns": []}]),
        ("ecs:list_tasks", {"cluster": "c2"}, [{"taskArns": []}]),
        ("batch:describe_job_queues", {}, [{"jobQueues": [going, QUEUE]}]),
        ("ecs:list_task_definition_families", {"status": "ACTIVE"}, [{"families": ["iris", "b", "no"]}]),
        described("iris", IRIS),
        described("b", of_batch),
        described("no", gone),
        described("arn:d/gone:1", gone),
        described("arn:d/old:1", old),
        described("arn:d/t:1", {"taskDefinitionArn": "arn:d/t:1"}),
        ("batch:describe_job_definitions", {"status": "ACTIVE"}, [{"jobDefinitions": [JOBS]}]),
        ("batch:describe_compute_environments", {}, [{"computeEnvironments": [ENVIRONMENT]}]),
        *(
            (
                "batch:list_jobs",
                {"jobQueue": "q", "jobStatus": status},
                [{"jobSummaryList": [{"jobId": status, "jobName": "n", **({"jobDefinition": "d"} if more else {})}]}],
            )
            for more, status in enumerate(("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"))
        ),
    ]
    with Script(*calls) as script:
        found = users.look_at_region(script.aws)
    assert found == Region(
        services=(rolled,),
        tasks=({"taskDefinitionArn": "arn:d/t:1"},),
        definitions=(IRIS, old, {"taskDefinitionArn": "arn:d/t:1"}),
        job_definitions=(JOBS,),
        queues=(going, QUEUE),
        environments=(ENVIRONMENT,),
        jobs=(
            Job("SUBMITTED", "n", "SUBMITTED", "q", ""),
            *(Job(s, "n", s, "q", "d") for s in ("PENDING", "RUNNABLE", "STARTING", "RUNNING")),
        ),
    )


def test_a_definition_that_may_not_be_seen_is_an_error() -> None:
    denied = refused("AccessDeniedException")
    with (
        Script(("ecs:describe_task_definition", {"taskDefinition": "d"}, denied)) as script,
        pytest.raises(type(denied)),
    ):
        users._described(script.aws, "d")


COUNTED = {**SERVICE, "runningCount": 1, "desiredCount": 2}


class TestRunning:
    def told(
        self, parameters: dict[str, str], outputs: dict[str, str], *calls: Call, jobs: Any = ()
    ) -> tuple[str, ...]:
        stack = replace(STACK, parameters=parameters, outputs=outputs)
        there: Any = SimpleNamespace(
            service=COUNTED,
            model=Held(stack, {}, frozenset()),
            region=replace(REGION, jobs=jobs),
            names=NAMES,
        )
        going = Thing("service", "iris", lambda: None, uses(SERVICE["serviceArn"], "j1", "j2", "j3", "j4"))
        with Script(*calls) as script:
            return running.running_now(script.aws, there, [going])

    @pytest.mark.parametrize(
        ("parameters", "url"),
        [
            ({}, "http://a.example:80"),
            ({"Port": "8080"}, "http://a.example:8080"),
            ({"Port": "443", "Certificate": "arn:c"}, "https://a.example:443"),
        ],
    )
    def test_a_service_is_told_with_its_tasks_and_its_address(self, parameters: dict[str, str], url: str) -> None:
        line = f"service iris in cluster model-dockerize: 1 of 2 tasks run iris:2, answers at {url}"
        assert self.told(parameters, {"Address": "a.example"}) == (line,)

    def test_without_a_balancer_its_tasks_answer(self) -> None:
        shown = {"NetworkInterfaces": [{"Association": {}, "PrivateIpAddress": "10.0.0.2"}, {}]}
        asked = {"Filters": [{"Name": "network-interface-id", "Values": ["eni-one"]}]}
        line = "service iris in cluster model-dockerize: 1 of 2 tasks run iris:2, answers at http://10.0.0.2, http://"
        assert self.told({}, {}, ("ec2:describe_network_interfaces", asked, shown)) == (line,)

    def test_jobs_are_counted_by_queue_and_status(self) -> None:
        jobs = tuple(
            Job(f"j{number}", "n", status, queue, "d")
            for number, (status, queue) in enumerate(
                [("RUNNING", "q9"), ("RUNNING", "q2"), ("PENDING", "q1"), ("RUNNING", "q2"), ("PENDING", "q2")]
            )
        )
        assert self.told({}, {"Address": "a"}, jobs=jobs)[1:] == (
            "jobs in queue q1: 1 PENDING",
            "jobs in queue q2: 2 RUNNING, 1 PENDING",
        )

    def test_what_stays_is_not_told(self) -> None:
        there: Any = SimpleNamespace(service=COUNTED, region=REGION, names=NAMES, model=None)
        with Script() as script:
            assert running.running_now(script.aws, there, []) == ()
            assert running.running_now(script.aws, SimpleNamespace(**{**vars(there), "service": None}), []) == ()


@pytest.mark.parametrize(("count", "more"), [(3, ""), (4, " and 1 more"), (5, " and 2 more")])
def test_three_users_are_told_by_name(count: int, more: str) -> None:
    thing = Thing("vpc", "v", lambda: None)
    assert str(Kept(thing, tuple("abcde"[:count]))) == f"vpc v: used by a, b, c{more}"
