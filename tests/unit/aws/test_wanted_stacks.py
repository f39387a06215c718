"""Stacks are wanted as inputs say, and things of others are taken if they suit, or refused."""

import importlib
import json
from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws.ground import foundations, given, model, planned, shared, volume
from model_dockerize.aws.ground.model import Balancer, Model, Place
from model_dockerize.aws.ground.permissions import boundary_policy, service_role_policy
from model_dockerize.aws.ground.shared import Needs
from model_dockerize.aws.ground.template import MODEL, SHARED, VOLUME, load
from model_dockerize.aws.ground.values import TAG, ResourceChange, Stack, Wanted
from model_dockerize.aws.iam import Where
from model_dockerize.aws.model import TO_COME, Container, Foundations, LoadBalancer, Network, Runtime, Subnet
from model_dockerize.aws.model import Volume as VolumeOf
from model_dockerize.aws.network import subnets
from model_dockerize.errors import AwsAccessError, AwsError, InputError
from model_dockerize.settings import ServiceSettings
from tests.rig.iris import settings
from tests.rig.scripted import Call, Script, refused

#: Its package has a function of that name.
bootstrap: Any = importlib.import_module("model_dockerize.aws.ground.bootstrap")
SHARED_STACK = Stack(
    *("model-dockerize", "arn:shared", "CREATE_COMPLETE"),
    {"Network": "true", "VpcCidr": "10.0.0.0/16", "ZoneA": "us-east-1a", "ZoneB": "us-east-1b"},
    {
        **{"Vpc": "vpc-1", "TaskRole": "arn:task", "JobGroup": "sg-jobs", "InstanceProfile": "arn:profile"},
        **{"PublicA": "subnet-1", "PublicB": "subnet-2", "PrivateA": "subnet-3", "PrivateB": "subnet-4"},
    },
    *((), (("team", "x"), (TAG["Key"], TAG["Value"]))),
    role="arn:role",
)
A, B = Subnet("subnet-1", "us-east-1a"), Subnet("subnet-2", "us-east-1b")
NETWORK = Network("vpc-1", (A,), (), (A, B))


class Wishes:
    """Stands for what makes stacks: it remembers which are wanted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: Any, there: Stack | None = None) -> None:
        self.wanted: list[Wanted] = []
        self.seen: list[Stack | None] = []

        def make(_: Any, wanted: Wanted, seen: Stack | None, *_more: Any) -> Stack:
            self.wanted.append(wanted)
            self.seen.append(seen)
            return seen or replace(SHARED_STACK, action="make")

        monkeypatch.setattr(room, "make_stack", make)
        if hasattr(room, "describe_stack"):
            monkeypatch.setattr(room, "describe_stack", lambda *_: there)


# ---- the stack of a model

PLAIN = {
    "Shared": "model-dockerize",
    "Model": "iris",
    "LogGroup": "/model-dockerize/iris",
    "Repository": "models/iris",
    "OwnExecutionRole": "true",
    "Secrets": "",
    "SecretParameters": "",
}
PLACED = {"Vpc": "", "Subnets": "subnet-1", "OwnTaskGroup": "true", "TaskGroups": ""}
IRIS = Model("iris", "models/iris", "/health")
SECRET = "arn:aws:secretsmanager:us-east-1:1:secret:a"
GROUPS = {f"BalancerGroup{letter}": "" for letter in "ABCDE"}


class TestModel:
    def wanted(
        self,
        monkeypatch: pytest.MonkeyPatch,
        given: ServiceSettings,
        place: Place | None = None,
        there: Stack | None = None,
        own: Stack = SHARED_STACK,
        execution: str = "",
        iris: Model = IRIS,
        **account: Any,
    ) -> Wanted:
        wishes = Wishes(monkeypatch, model)
        with Script() as script:
            aws = replace(script.aws, **account)
            model.ensure_model(aws, given, iris, execution, place, own, there, script.said)
        assert wishes.seen == [there]
        return wishes.wanted[0]

    def test_one_of_jobs_has_no_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.wanted(monkeypatch, settings(), tags={"team": "a"})
        assert found == Wanted(
            *("model-dockerize-iris", load(MODEL), {**PLAIN, "OwnTaskGroup": "false"}, {"team": "a"}, "arn:role")
        )
        there = replace(SHARED_STACK, tags=(("kept", "x"), (TAG["Key"], TAG["Value"])))
        found = self.wanted(monkeypatch, settings(cluster="c"), there=there)
        assert (found.name, found.tags) == ("model-dockerize-c-iris-" + found.name[-8:], {"kept": "x"})
        assert found.parameters == {**PLAIN, "Model": found.name[16:], "LogGroup": "/model-dockerize/c/iris"}
        assert self.wanted(monkeypatch, settings(), there=there, tags={"team": "a"}).tags == {"team": "a"}

    def test_a_role_that_is_given_reads_the_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.wanted(monkeypatch, settings(), execution="arn:e", permissions_boundary="arn:b")
        plain = {key: value for key, value in PLAIN.items() if not key.startswith("Secret")}
        expected = {**plain, "OwnExecutionRole": "false", "PermissionsBoundary": "arn:b", "OwnTaskGroup": "false"}
        assert found.parameters == expected
        bound = replace(SHARED_STACK, parameters={"PermissionsBoundary": "arn:shared"}, id=TO_COME)
        found = self.wanted(monkeypatch, settings(), own=bound)
        assert (found.parameters["PermissionsBoundary"], found.parameters["Shared"]) == ("arn:shared", "")

    def test_secrets_of_a_former_revision_stay_while_there_is_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        parameter = "arn:aws:ssm:us-east-1:1:parameter/b"
        given = settings(secrets=(("A", f"{SECRET}:key::"), ("B", parameter), ("C", "bare")))
        iris = replace(IRIS, job_secrets=(f"{SECRET}2",))
        found = self.wanted(monkeypatch, given, iris=iris).parameters
        assert (found["Secrets"], found["SecretParameters"]) == (f"{SECRET},{SECRET}2", parameter)
        for former, kept in ((f"{SECRET}0", True), (f"{SECRET}{'0' * (4000 - 2 * len(SECRET) - 1)}", True)):
            there = replace(SHARED_STACK, parameters={"Secrets": former})
            found = self.wanted(monkeypatch, given, there=there).parameters
            assert (former in found["Secrets"].split(",")) is kept
        there = replace(SHARED_STACK, parameters={"Secrets": f"{SECRET}{'0' * (4000 - 2 * len(SECRET))}"})
        assert self.wanted(monkeypatch, given, there=there).parameters["Secrets"] == SECRET

    @pytest.mark.parametrize(
        ("inputs", "place", "parameters"),
        [
            ({}, Place(NETWORK), PLACED),
            (
                {},
                Place(Network("vpc-9", (A, B), ("sg-1", "sg-2"))),
                {
                    "Vpc": "vpc-9",
                    "Subnets": "subnet-1,subnet-2",
                    "OwnTaskGroup": "false",
                    "TaskGroups": "sg-1,sg-2",
                },
            ),
            (
                {"allow_from": ("10.0.0.0/8", "11.0.0.0/8")},
                Place(NETWORK),
                {
                    **PLACED,
                    **{"AllowFromA": "10.0.0.0/8", "AllowFromB": "11.0.0.0/8"},
                    **{f"AllowFrom{letter}": "" for letter in "CDE"},
                },
            ),
            (
                {},
                Place(NETWORK, volume=replace(SHARED_STACK, name="v", outputs={"FileSystem": "fs-1", "Group": "sg-v"})),
                {**PLACED, "Volume": "fs-1", "VolumeGroup": "sg-v", "VolumeStack": "v"},
            ),
            (
                {},
                Place(
                    NETWORK,
                    volume=replace(SHARED_STACK, id=TO_COME, outputs={"FileSystem": "fs-1", "Group": "sg-v"}),
                ),
                {**PLACED, "Volume": "fs-1", "VolumeGroup": "sg-v", "VolumeStack": ""},
            ),
            (
                {},
                Place(NETWORK, file_system="fs-2"),
                {**PLACED, "Volume": "fs-2", "VolumeGroup": "", "VolumeStack": ""},
            ),
            (
                {"load_balancer": "true"},
                Place(NETWORK),
                {
                    **{**PLACED, "HealthPath": "/health", "Port": "80", "Certificate": "", "TestPort": "10080"},
                    **{"LoadBalancer": "own", "BalancerSubnets": "subnet-1,subnet-2", **GROUPS},
                },
            ),
            (
                {"load_balancer": "x", "rollout": "rolling", "certificate": "arn:c"},
                Place(NETWORK, Balancer("arn:x", ("sg-b",))),
                {
                    **{**PLACED, "HealthPath": "/health", "Port": "443", "Certificate": "arn:c"},
                    **{"LoadBalancer": "arn:x", **GROUPS, "BalancerGroupA": "sg-b"},
                },
            ),
        ],
    )
    def test_one_of_a_service_says_where_it_is(
        self, monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Any], place: Place, parameters: dict[str, str]
    ) -> None:
        found = self.wanted(monkeypatch, settings(**inputs), place)
        assert found.parameters == {**PLAIN, **parameters}

    def test_a_balancer_stands_in_two_zones(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(InputError) as caught:
            self.wanted(monkeypatch, settings(load_balancer="true"), Place(replace(NETWORK, public_subnets=(A,))))
        assert str(caught.value) == ("A load balancer needs public subnets in two availability zones; vpc-1 has 1.")
        assert caught.value.remedy == (
            "Set zones to 2 or more (own VPC), add public subnets to yours, or name a load balancer that is there "
            "(load-balancer)."
        )

    def as_it_is(self, given: ServiceSettings, **parameters: str) -> dict[str, Any]:
        found = model.as_it_is(given, replace(SHARED_STACK, parameters=parameters))
        return {name: value for name, value in vars(found).items() if value != vars(given)[name]}

    @pytest.mark.parametrize(
        ("inputs", "parameters", "kept"),
        [
            ({}, {}, {}),
            (
                {},
                {"Vpc": "vpc-9", "Subnets": "a,b"},
                {"vpc": "vpc-9", "subnets": ("a", "b"), "zones": 2},
            ),
            ({}, {"Vpc": "", "Subnets": "a,b"}, {"zones": 2}),
            ({}, {"Vpc": "vpc-9"}, {}),
            ({"zones": 1}, {"Subnets": "a,b"}, {}),
            ({"vpc": "vpc-1"}, {"Vpc": "vpc-9", "Subnets": "a,b"}, {"zones": 2}),
            ({"subnets": ("c",)}, {"Vpc": "vpc-9", "Subnets": "a,b"}, {"zones": 2}),
            ({}, {"Vpc": TO_COME, "Subnets": "a"}, {"zones": 1}),
            ({}, {"TaskGroups": "g,h"}, {"security_groups": ("g", "h")}),
            ({"security_groups": ("x",)}, {"TaskGroups": "g,h"}, {}),
            ({}, {"Volume": "fs-1"}, {"volume": "fs-1"}),
            ({"volume": "v"}, {"Volume": "fs-1"}, {}),
            ({}, {"LoadBalancer": "no", "Port": "81"}, {}),
            ({}, {"LoadBalancer": "own", "Port": "81"}, {"load_balancer": "true", "load_balancer_port": 81}),
            (
                {},
                {"LoadBalancer": "arn:x", "Port": "443", "Certificate": "arn:c"},
                {"load_balancer": "arn:x", "load_balancer_port": 443, "certificate": "arn:c"},
            ),
            ({"load_balancer": "y"}, {"LoadBalancer": "own", "Port": "81"}, {"load_balancer_port": 81}),
            (
                {"load_balancer_port": 82},
                {"LoadBalancer": "own", "Port": "81", "Certificate": "arn:c"},
                {"load_balancer": "true", "certificate": "arn:c"},
            ),
            (
                {"certificate": "arn:d"},
                {"LoadBalancer": "own", "Port": "81", "Certificate": "arn:c"},
                {"load_balancer": "true"},
            ),
            ({}, {"OwnTaskGroup": "true", "AllowFromA": "x", "AllowFromB": "y"}, {"allow_from": ("x", "y")}),
            ({}, {"OwnTaskGroup": "false", "AllowFromA": "x"}, {}),
            ({"allow_from": ("z",)}, {"OwnTaskGroup": "true", "AllowFromA": "x"}, {}),
        ],
    )
    def test_what_no_input_says_is_as_the_stack_has_it(
        self, inputs: dict[str, Any], parameters: dict[str, str], kept: dict[str, Any]
    ) -> None:
        assert self.as_it_is(settings(**inputs), **parameters) == kept

    def test_without_a_stack_inputs_are_all(self) -> None:
        assert model.as_it_is(settings(), None) == settings()
        assert not model.is_placed(None)
        assert not model.is_placed(replace(SHARED_STACK, parameters={"Subnets": ""}))
        assert model.is_placed(replace(SHARED_STACK, parameters={"Subnets": "a"}))


# ---- the shared stack


def zones(*names: str, answer: Any = None) -> Call:
    filters = [
        {"Name": "zone-type", "Values": ["availability-zone"]},
        {"Name": "state", "Values": ["available"]},
    ]
    found = {"AvailabilityZones": [{"ZoneName": name, "ZoneId": name[-2:]} for name in names]}
    return "ec2:describe_availability_zones", {"Filters": filters}, answer or found


def cluster(status: str, name: str = "model-dockerize") -> Call:
    shown = {"clusters": [{"status": status}] if status else []}
    return "ecs:describe_clusters", {"clusters": [name]}, shown


LINK = "iam:create_service_linked_role", {"AWSServiceName": "ecs.amazonaws.com"}
OURS = replace(SHARED_STACK, parameters={**SHARED_STACK.parameters, "Cluster": "model-dockerize"})


class TestShared:
    def wanted(
        self, monkeypatch: pytest.MonkeyPatch, needs: Needs, *calls: Call, there: Stack | None = None, **account: Any
    ) -> tuple[Wanted, list[str]]:
        wishes = Wishes(monkeypatch, shared, there)
        with Script(*calls) as script:
            aws = replace(script.aws, **account)
            shared.ensure_shared(aws, needs, script.said)
        return wishes.wanted[0], [*map(str, aws.changes), *script.said.infos, *script.said.warnings]

    @pytest.mark.parametrize(
        ("needs", "there", "calls", "parameters"),
        [
            (Needs(), None, [], {}),
            (Needs(cluster=True), None, [cluster(""), (*LINK, {})], {"Cluster": "model-dockerize"}),
            (Needs(cluster=True), SHARED_STACK, [cluster("INACTIVE"), (*LINK, {})], {"Cluster": "model-dockerize"}),
            (Needs(cluster=True), SHARED_STACK, [cluster("ACTIVE")], {}),
            (Needs(cluster=True), SHARED_STACK, [cluster("PROVISIONING")], {}),
            (Needs(cluster=True), OURS, [], {"Cluster": "model-dockerize"}),
            (Needs(instances=True), None, [], {"Instances": "true"}),
            (
                Needs(zones=2),
                None,
                [zones("us-east-1b", "us-east-1c", "us-east-1a")],
                {"Network": "true", "ZoneA": "us-east-1a", "ZoneB": "us-east-1b"},
            ),
            (
                Needs(zones=1, vpc_cidr="10.1.0.0/20", private=True),
                None,
                [zones("us-east-1a")],
                {
                    **{"Network": "true", "Private": "true", "ZoneA": "us-east-1a"},
                    **{"VpcCidr": "10.1.0.0/20", "SubnetBits": "8"},
                },
            ),
            (Needs(zones=2, vpc_cidr="10.0.0.0/16"), SHARED_STACK, [], {"Network": "true"}),
            (
                Needs(zones=3),
                SHARED_STACK,
                [zones("us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d")],
                {"Network": "true", "ZoneA": "us-east-1a", "ZoneB": "us-east-1b", "ZoneC": "us-east-1c"},
            ),
            (
                Needs(zones=1, vpc_cidr="10.1.0.0/16"),
                replace(SHARED_STACK, parameters={}),
                [zones("us-east-1a")],
                {"Network": "true", "ZoneA": "us-east-1a", "VpcCidr": "10.1.0.0/16", "SubnetBits": "12"},
            ),
        ],
    )
    def test_only_what_is_needed_is_asked_for(
        self,
        monkeypatch: pytest.MonkeyPatch,
        needs: Needs,
        there: Stack | None,
        calls: list[Call],
        parameters: dict[str, str],
    ) -> None:
        found, told = self.wanted(monkeypatch, needs, *calls, there=there)
        tags, role = ({}, "") if there is None else ({"team": "x"}, "arn:role")
        assert found == Wanted("model-dockerize", load(SHARED), parameters, tags, role)
        linked = ["+ role AWSServiceRoleForECS", "role AWSServiceRoleForECS: made"]
        assert told == (linked if any(call[0] == LINK[0] for call in calls) else [])

    def test_tags_a_boundary_and_a_role_are_those_of_now(self, monkeypatch: pytest.MonkeyPatch) -> None:
        account = {"tags": {"team": "b"}, "permissions_boundary": "arn:b"}
        found, _ = self.wanted(monkeypatch, Needs(role="arn:new"), there=SHARED_STACK, **account)
        assert (found.parameters, found.tags, found.role) == (
            {"PermissionsBoundary": "arn:b"},
            {"team": "b"},
            "arn:new",
        )

    def test_a_network_that_is_there_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _, told = self.wanted(monkeypatch, Needs(zones=1, vpc_cidr="10.9.0.0/16"), there=SHARED_STACK)
        assert told == ["The network is there with 10.0.0.0/16 and stays so: vpc-cidr counts when it is made."]

    def test_the_role_of_ecs_is_there_or_left_to_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for answer, told in (
            (refused("InvalidInputException"), []),
            (
                refused("AccessDenied", "no"),
                [
                    "role AWSServiceRoleForECS: left to ECS (An error occurred (AccessDenied) when calling the "
                    "Operation operation: no)"
                ],
            ),
        ):
            assert self.wanted(monkeypatch, Needs(cluster=True), cluster(""), (*LINK, answer))[1] == told

    def test_more_zones_than_there_are_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(InputError) as caught:
            self.wanted(monkeypatch, Needs(zones=3), zones("us-east-1a", "us-east-1b"))
        assert str(caught.value) == "zones is 3, but Fargate runs in 2 zones of us-east-1."
        assert (caught.value.remedy, caught.value.details) == ("Set zones to at most 2.", ("us-east-1a", "us-east-1b"))
        with pytest.raises(AwsError) as failed:
            self.wanted(monkeypatch, Needs(zones=3), zones(answer=refused("ServerException", "oh")))
        assert str(failed.value) == "availability zones: Operation failed: ServerException: oh"

    def test_a_cluster_that_goes_is_told(self) -> None:
        with Script(cluster("DEPROVISIONING", "c")) as script, pytest.raises(AwsError) as caught:
            shared.is_cluster(script.aws, "c")
        assert str(caught.value) == "Cluster c is DEPROVISIONING."
        assert caught.value.remedy == "Wait until it is gone, or name another cluster."

    @pytest.mark.parametrize("role", ["", "arn:role"])
    def test_what_only_an_administrator_may_is_said(self, monkeypatch: pytest.MonkeyPatch, role: str) -> None:
        def deny(*_: Any) -> Any:
            raise AwsAccessError("denied", "Allow it.")

        for there in (None, replace(SHARED_STACK, role=role)):
            Wishes(monkeypatch, shared, there)
            monkeypatch.setattr(shared, "make_stack", deny)
            with Script() as script, pytest.raises(AwsAccessError) as caught:
                shared.ensure_shared(script.aws, Needs(), script.said)
            by = "Let an administrator run model-dockerize bootstrap with the same inputs. " if there and role else ""
            assert caught.value.remedy == f"{by}Allow it."

    def test_its_network_is_that_of_the_first_zones(self) -> None:
        assert shared.network_of(SHARED_STACK, 1, private=False) == NETWORK
        private = (Subnet("subnet-3", "us-east-1a"), Subnet("subnet-4", "us-east-1b"))
        assert shared.network_of(SHARED_STACK, 2, private=True) == Network("vpc-1", private, (), (A, B))


# ---- the stack of a volume

OF_VOLUME = replace(
    SHARED_STACK,
    name="model-dockerize-volume-data",
    parameters={"SubnetA": "subnet-1", "TaskGroupA": "sg-1"},
    outputs={"x": "y"},
)
NO_GROUPS = {f"TaskGroup{letter}": "" for letter in "ABCDE"}
NO_SUBNETS = {f"Subnet{letter}": "" for letter in "ABCDEF"}


class TestVolume:
    def wanted(
        self,
        monkeypatch: pytest.MonkeyPatch,
        network: Network,
        *calls: Call,
        there: Stack | None = None,
        own: Stack = SHARED_STACK,
        **account: Any,
    ) -> Wanted:
        wishes = Wishes(monkeypatch, volume, there)
        with Script(*calls) as script:
            volume.ensure_volume(replace(script.aws, **account), "data", network, own, script.said)
        return wishes.wanted[0]

    def test_a_new_one_is_in_the_network_of_its_tasks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        same_zone = Subnet("subnet-9", "us-east-1a")
        network = replace(NETWORK, subnets=(A, same_zone, B), security_group_ids=("sg-1", "sg-2", "sg-1"))
        mounted = {**NO_SUBNETS, "SubnetA": "subnet-1", "SubnetB": "subnet-2"}
        admitted = {**NO_GROUPS, "TaskGroupA": "sg-1", "TaskGroupB": "sg-2"}
        parameters = {"Volume": "data", **mounted, **admitted, "Vpc": "", "Shared": "model-dockerize"}
        found = self.wanted(monkeypatch, network, tags={"team": "a"})
        assert found == Wanted("model-dockerize-volume-data", load(VOLUME), parameters, {"team": "a"}, "arn:role")
        for vpc, own, told in (
            ("vpc-9", SHARED_STACK, ("vpc-9", "model-dockerize")),
            (TO_COME, replace(SHARED_STACK, id=TO_COME, outputs={"Vpc": TO_COME}), (TO_COME, "")),
        ):
            parameters = dict(self.wanted(monkeypatch, replace(network, vpc_id=vpc), own=own).parameters)
            assert (parameters["Vpc"], parameters["Shared"]) == told

    def test_one_that_is_there_keeps_its_places_and_gets_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.wanted(monkeypatch, replace(NETWORK, security_group_ids=("sg-2",)), there=OF_VOLUME)
        admitted = {**NO_GROUPS, "TaskGroupA": "sg-1", "TaskGroupB": "sg-2"}
        assert found.parameters == {"Volume": "data", **NO_SUBNETS, "SubnetA": "subnet-1", **admitted}
        assert found.tags == {"team": "x"}
        shown = {"Subnets": [{"SubnetId": "subnet-1", "AvailabilityZone": "us-east-1a"}]}
        asked = "ec2:describe_subnets", {"SubnetIds": ["subnet-1"]}, shown
        other = Subnet("subnet-9", "us-east-1a")
        found = self.wanted(monkeypatch, replace(NETWORK, subnets=(other, B)), asked, there=OF_VOLUME, tags={"t": "b"})
        assert found.parameters == {
            **{"Volume": "data", **NO_SUBNETS, "SubnetA": "subnet-1", "SubnetB": "subnet-2"},
            **{**NO_GROUPS, "TaskGroupA": "sg-1"},
        }
        assert found.tags == {"t": "b"}

    def test_five_groups_are_all_that_it_admits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        five = tuple(f"sg-{number}" for number in range(5))
        found = self.wanted(monkeypatch, replace(NETWORK, security_group_ids=five))
        assert found.parameters["TaskGroupE"] == "sg-4"
        with pytest.raises(InputError) as caught:
            self.wanted(monkeypatch, replace(NETWORK, security_group_ids=(*five, "sg-5")))
        assert str(caught.value) == "Volume data would have to admit 6 security groups, and has room for 5."
        assert caught.value.remedy == (
            "Give the model's tasks one of those that it admits (security-groups), or leave security-groups out."
        )
        assert caught.value.details == (*five, "sg-5")

    @pytest.mark.parametrize(
        ("parameters", "outputs", "network", "is_in"),
        [
            ({}, {"x": "y"}, "vpc-9", "vpc-1"),
            ({"Vpc": "vpc-8"}, {"x": "y"}, "vpc-1", "vpc-8"),
            ({"Vpc": "vpc-8"}, {}, "vpc-1", ""),
            ({"Vpc": "vpc-8"}, {"x": "y"}, "vpc-8", ""),
        ],
    )
    def test_it_belongs_to_one_network(
        self, monkeypatch: pytest.MonkeyPatch, parameters: Any, outputs: Any, network: str, is_in: str
    ) -> None:
        there = replace(OF_VOLUME, parameters={"SubnetA": "subnet-1", **parameters}, outputs=outputs)
        if not is_in:
            assert self.wanted(monkeypatch, replace(NETWORK, vpc_id=network), there=there)
            return
        with pytest.raises(InputError) as caught:
            self.wanted(monkeypatch, replace(NETWORK, vpc_id=network), there=there)
        assert str(caught.value) == (
            f"Volume data is in {is_in}, the tasks run in {network}: a file system belongs to one VPC."
        )
        assert caught.value.remedy == "Name another volume, or run in that VPC (vpc, subnets)."


# ---- what is given


def shown_subnet(number: int, zone: str = "us-east-1a", **changes: Any) -> dict[str, Any]:
    plain = {
        "SubnetId": f"subnet-{number}",
        "AvailabilityZone": zone,
        "VpcId": "vpc-1",
        "CidrBlock": f"10.0.{number}.0/24",
    }
    return {**plain, **changes}


def table(*ids: str, gateway: str = "igw-1", main: bool = False, **route: Any) -> dict[str, Any]:
    associations: list[Any] = [{"SubnetId": each} for each in ids]
    routes = [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}]
    routes += [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway, **route}] if gateway or route else []
    return {"VpcId": "vpc-1", "Associations": associations + [{"Main": True}] * main, "Routes": routes}


WITHIN = {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]}


def network_calls(described: list[Any], tables: list[Any], named: list[Any] | None = None) -> list[Call]:
    asked = {"SubnetIds": [each["SubnetId"] for each in named]} if named else {}
    return [
        *([("ec2:describe_subnets", asked, {"Subnets": named})] if named else []),
        ("ec2:describe_subnets", WITHIN, {"Subnets": described}),
        ("ec2:describe_route_tables", WITHIN, {"RouteTables": tables}),
    ]


class TestGiven:
    def network(self, *calls: Call, **inputs: Any) -> tuple[Network, list[str]]:
        with Script(*calls) as script:
            return given.given_network(script.aws, settings(**inputs), script.said), script.said.warnings

    def test_of_a_vpc_one_subnet_a_zone_is_chosen_by_its_way_out(self) -> None:
        described = [
            shown_subnet(2),
            shown_subnet(1),
            shown_subnet(4, "us-east-1b"),
            shown_subnet(3, "us-east-1b", DefaultForAz=True),
            shown_subnet(5, "us-east-1c"),
        ]
        tables = [table(main=True), table("subnet-5", gateway="nat-1")]
        public = (Subnet("subnet-1", "us-east-1a"), Subnet("subnet-3", "us-east-1b"))
        calls = network_calls(described, tables)
        assert self.network(*calls, vpc="vpc-1") == (Network("vpc-1", public, (), public), [])
        private = (Subnet("subnet-5", "us-east-1c"),)
        found = self.network(*calls, vpc="vpc-1", assign_public_ip=False)
        assert found == (Network("vpc-1", private, (), public), [])

    def test_subnets_that_are_named_are_taken(self) -> None:
        named = [shown_subnet(2), shown_subnet(1)]
        groups = {"GroupIds": ["sg-1"]}
        calls = network_calls([*named, shown_subnet(3)], [table("subnet-3")], named)
        there = "ec2:describe_security_groups", groups, {"SecurityGroups": [{"GroupId": "sg-1", "VpcId": "vpc-1"}]}
        found, warned = self.network(*calls, there, subnets=("subnet-2", "subnet-1"), security_groups=("sg-1",))
        both = (Subnet("subnet-2", "us-east-1a"), Subnet("subnet-1", "us-east-1a"))
        assert found == Network("vpc-1", both, ("sg-1",), (Subnet("subnet-3", "us-east-1a"),))
        assert warned == []

    def test_tasks_without_a_way_out_are_warned_of(self) -> None:
        _, warned = self.network(*network_calls([shown_subnet(1)], []), vpc="vpc-1", assign_public_ip=False)
        assert warned == [
            "The subnets of vpc-1 have no way out: tasks reach ECR and CloudWatch Logs only by VPC endpoints there."
        ]

    @pytest.mark.parametrize(
        ("named", "vpc", "more"),
        [
            ([shown_subnet(1), shown_subnet(2, VpcId="vpc-2")], "", ""),
            ([shown_subnet(1, VpcId="vpc-2")], "vpc-1", ", vpc-1"),
        ],
    )
    def test_subnets_of_two_networks_are_refused(self, named: list[Any], vpc: str, more: str) -> None:
        with pytest.raises(InputError) as caught:
            self.network(network_calls([], [], named)[0], vpc=vpc, subnets=tuple(s["SubnetId"] for s in named))
        assert str(caught.value) == f"The subnets given are not all in one VPC{more}."
        assert caught.value.remedy == "Name subnets of one VPC."
        assert caught.value.details == tuple(f"{s['SubnetId']}: {s['VpcId']}" for s in named)

    def test_groups_of_another_network_are_refused(self) -> None:
        shown = [{"GroupId": "sg-1", "VpcId": "vpc-1"}, {"GroupId": "sg-2", "VpcId": "vpc-2"}]
        call = "ec2:describe_security_groups", {"GroupIds": ["sg-1", "sg-2"]}, {"SecurityGroups": shown}
        with Script(call) as script, pytest.raises(InputError) as caught:
            given.given_groups(script.aws, ("sg-1", "sg-2"), "vpc-1")
        assert str(caught.value) == "Not every security group given is in vpc-1, the VPC of the subnets."
        assert caught.value.remedy == "Name security groups of that VPC, or none to have one made."
        assert caught.value.details == ("sg-2: vpc-2",)
        with Script() as script:
            assert given.given_groups(script.aws, (), "vpc-1") == ()

    def test_a_vpc_lends_its_default_group(self) -> None:
        filters = [*WITHIN["Filters"], {"Name": "group-name", "Values": ["default"]}]
        call = "ec2:describe_security_groups", {"Filters": filters}
        with Script((*call, {"SecurityGroups": [{"GroupId": "sg-0"}]})) as script:
            assert given.default_group(script.aws, "vpc-1") == "sg-0"
        with Script((*call, {"SecurityGroups": []})) as script, pytest.raises(InputError) as caught:
            given.default_group(script.aws, "vpc-1")
        assert str(caught.value) == "vpc-1 has no default security group to be seen."
        assert caught.value.remedy == "Name one: security-groups."

    def balancer(self, *calls: Call, there: Stack | None = None, vpc: str = "vpc-1", **inputs: Any) -> Balancer:
        with Script(*calls) as script:
            return given.given_balancer(script.aws, settings(**inputs), vpc, there)

    def found(self, answer: Any = None, **changes: Any) -> Call:
        plain = {"LoadBalancerArn": "arn:x", "Type": "application", "VpcId": "vpc-1", "SecurityGroups": ["sg-b"]}
        return "elbv2:describe_load_balancers", {"Names": ["x"]}, answer or {"LoadBalancers": [{**plain, **changes}]}

    def ports(self, *numbers: int) -> Call:
        pages = [{"Listeners": [{"Port": number}]} for number in numbers]
        return "elbv2:describe_listeners", {"LoadBalancerArn": "arn:x"}, pages

    def test_a_balancer_is_taken_if_its_ports_are_free_or_ours(self) -> None:
        rolling = {"load_balancer": "x", "rollout": "rolling"}
        assert self.balancer(self.found(), self.ports(81, 10080), **rolling) == Balancer("arn:x", ("sg-b",))
        by_arn = "elbv2:describe_load_balancers", {"LoadBalancerArns": ["arn:x"]}, self.found()[2]
        assert self.balancer(by_arn, self.ports(), **{**rolling, "load_balancer": "arn:x"}).arn == "arn:x"
        ours = replace(SHARED_STACK, parameters={"LoadBalancer": "arn:x", "Port": "80", "TestPort": "10080"})
        assert self.balancer(self.found(), there=ours, load_balancer="x").arn == "arn:x"
        for parameters in ({"LoadBalancer": "arn:y", "Port": "80"}, {"LoadBalancer": "arn:x", "Port": "81"}):
            other = replace(SHARED_STACK, parameters=parameters)
            with pytest.raises(InputError) as caught:
                self.balancer(self.found(), self.ports(443, 80), there=other, **rolling)
            assert str(caught.value) == "Port 80 of load balancer x answers for something else."
            assert caught.value.remedy == (
                "Choose a port that is free (load-balancer-port; a new version is tested 10,000 above it), or let the "
                "model have a load balancer of its own (load-balancer: true)."
            )
        with pytest.raises(InputError, match="Port 10080 of"):
            self.balancer(self.found(), self.ports(10080), load_balancer="x")

    @pytest.mark.parametrize(
        "answer",
        [refused("LoadBalancerNotFoundException"), {"LoadBalancers": []}, {"LoadBalancers": [{"Type": "network"}]}],
    )
    def test_one_that_is_no_application_load_balancer_is_refused(self, answer: Any) -> None:
        with pytest.raises(InputError) as caught:
            self.balancer(self.found(answer), load_balancer="x")
        assert str(caught.value) == "There is no application load balancer x in us-east-1."
        assert caught.value.remedy == "Correct load-balancer, or set it to true to have one made."

    def test_one_of_another_network_is_refused(self) -> None:
        with pytest.raises(InputError) as caught:
            self.balancer(self.found(), vpc="vpc-2", load_balancer="x")
        assert str(caught.value) == "Load balancer x is in vpc-1, the tasks are in vpc-2."
        assert caught.value.remedy == "Name subnets of the load balancer's VPC (subnets)."

    def targets(self, *found: dict[str, Any]) -> list[Call]:
        pages = [{"MountTargets": [each]} for each in found]
        return [
            ("efs:describe_file_systems", {"FileSystemId": "fs-1"}, {}),
            ("efs:describe_mount_targets", {"FileSystemId": "fs-1"}, pages),
        ]

    def target(
        self, number: int, zone: str = "us-east-1a", state: str = "available", vpc: str = "vpc-1"
    ) -> dict[str, Any]:
        where = {"AvailabilityZoneName": zone, "VpcId": vpc, "LifeCycleState": state}
        return {"MountTargetId": f"fsmt-{number}", **where}

    def admitted(self, number: int, groups: list[str], *rules: Any) -> list[Call]:
        shown = [{"IpPermissions": [rule]} for rule in rules]
        asked = (
            "efs:describe_mount_target_security_groups",
            {"MountTargetId": f"fsmt-{number}"},
            {"SecurityGroups": groups},
        )
        described = "ec2:describe_security_groups", {"GroupIds": groups}, {"SecurityGroups": shown}
        return [asked, *([described] if groups else [])]

    def volume(self, *calls: Call, network: Network = NETWORK) -> list[str]:
        with Script(*calls) as script:
            given.check_file_system(script.aws, "fs-1", network, script.said)
        return script.said.warnings

    def test_a_file_system_admits_the_tasks_or_is_warned_of(self) -> None:
        anyone = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
        gone = self.target(3, "us-east-1a", "deleted"), self.target(4, vpc="vpc-9", state="deleting")
        calls = self.targets(self.target(1), self.target(2, "us-east-1b"), *gone)
        warning = (
            "No security group of fsmt-{} admits TCP 2049 from the tasks' {}: tasks will not start until one does."
        )
        both = [*self.admitted(1, ["sg-1"], anyone), *self.admitted(2, ["sg-1", "sg-2"], {"IpProtocol": "-1"}, anyone)]
        assert self.volume(*calls, *both) == []
        none = [*self.admitted(1, []), *self.admitted(2, ["sg-1"], {"IpProtocol": "-1"})]
        assert self.volume(*calls, *none) == [warning.format(number, "own group") for number in (1, 2)]
        named = replace(NETWORK, security_group_ids=("g", "h"))
        assert self.volume(*calls, *none, network=named)[0] == warning.format(1, "groups (g, h)")

    def test_one_that_tasks_could_not_mount_is_refused(self) -> None:
        away = self.target(1, vpc="vpc-9"), self.target(2), self.target(3, vpc="vpc-8")
        missing = "efs:describe_file_systems", {"FileSystemId": "fs-1"}, refused("FileSystemNotFound")
        wide = replace(NETWORK, subnets=(A, B, Subnet("subnet-3", "us-east-1c")))
        for calls, network, message, remedy, details in (
            (
                [missing],
                NETWORK,
                "There is no file system fs-1 here.",
                "Correct volume: an id, or a name to have one made.",
                (),
            ),
            (
                self.targets(*away),
                NETWORK,
                "Volume fs-1 is mounted in vpc-9, the tasks run in vpc-1: a file system belongs to one VPC.",
                "Name another volume, or run in that VPC (vpc, subnets).",
                ("fsmt-1: vpc-9", "fsmt-3: vpc-8"),
            ),
            (
                self.targets(self.target(1)),
                wide,
                "File system fs-1 has no mount target in us-east-1b, us-east-1c, where the tasks may run.",
                "Make a mount target there, or name subnets in zones that have one.",
                ("fsmt-1: us-east-1a",),
            ),
        ):
            with pytest.raises(InputError) as caught:
                self.volume(*calls, network=network)
            assert (str(caught.value), caught.value.remedy, caught.value.details) == (message, remedy, details)

    @pytest.mark.parametrize(
        ("rule", "admits"),
        [
            ({"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, "IpRanges": [1]}, True),
            ({"IpProtocol": "6", "FromPort": 2048, "ToPort": 2050, "IpRanges": [1]}, True),
            ({"IpProtocol": "tcp", "FromPort": 2050, "ToPort": 2050, "IpRanges": [1]}, False),
            ({"IpProtocol": "tcp", "FromPort": 2048, "ToPort": 2048, "IpRanges": [1]}, False),
            ({"IpProtocol": "udp", "FromPort": 2049, "ToPort": 2049, "IpRanges": [1]}, False),
            ({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "g"}]}, True),
            ({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "h"}, {}]}, False),
            ({"IpProtocol": "-1"}, False),
        ],
    )
    def test_a_rule_admits_by_address_group_protocol_and_port(self, rule: Any, admits: bool) -> None:
        assert given.admits_somebody(rule, 2049, ("g",)) is admits

    def test_a_role_is_looked_up_by_its_name(self) -> None:
        def role(answer: Any) -> Call:
            return "iam:get_role", {"RoleName": "r"}, answer

        def profile(answer: Any) -> Call:
            return "iam:get_instance_profile", {"InstanceProfileName": "p"}, answer

        gone = refused("NoSuchEntityException")
        with Script(role({"Role": {"Arn": "arn:r"}}), profile({"InstanceProfile": {"Arn": "arn:p"}})) as script:
            assert given.given_role(script.aws, "arn:x", "task-role") == "arn:x"
            assert given.given_role(script.aws, "r", "task-role") == "arn:r"
            assert given.given_profile(script.aws, "arn:x") == "arn:x"
            assert given.given_profile(script.aws, "p") == "arn:p"
        with Script(role(gone)) as script, pytest.raises(InputError) as caught:
            given.given_role(script.aws, "r", "task-role")
        assert str(caught.value) == "There is no role r (task-role)."
        assert caught.value.remedy == "Correct the name, or leave task-role out."
        with Script(profile(gone)) as script, pytest.raises(InputError) as caught:
            given.given_profile(script.aws, "p")
        assert str(caught.value) == "There is no instance profile p (instance-role)."
        assert caught.value.remedy == "Correct the name, or leave instance-role out: one of our own is made."
        for call, look, said in (
            (role, lambda aws: given.given_role(aws, "r", "task-role"), "task-role r"),
            (profile, lambda aws: given.given_profile(aws, "p"), "instance role p"),
        ):
            with Script(call(refused("ServerException", "oh"))) as script, pytest.raises(AwsError) as failed:
                look(script.aws)
            assert str(failed.value) == f"{said}: Operation failed: ServerException: oh"


class TestSubnets:
    @pytest.mark.parametrize(
        ("tables", "way"),
        [
            ([table("subnet-1")], "public"),
            ([table("subnet-1", gateway="nat-1")], "private"),
            ([table("subnet-1", gateway="", NatGatewayId="nat-1")], "private"),
            ([table("subnet-1", gateway="")], "isolated"),
            ([table("subnet-1", State="blackhole")], "isolated"),
            ([table("subnet-2")], "isolated"),
            ([table(main=True)], "public"),
            ([table(main=True), table("subnet-1", gateway="nat-1")], "private"),
            ([], "isolated"),
        ],
    )
    def test_a_way_out_is_that_of_its_own_table_else_of_the_main_one(self, tables: Any, way: str) -> None:
        assert subnets.ways_out([shown_subnet(1)], tables) == {"subnet-1": way}

    @pytest.mark.parametrize(
        ("region", "names"),
        [("us-east-1", ["a", "b", "c"]), ("us-west-1", ["b", "c"])],
    )
    def test_zones_are_those_with_fargate_in_order(self, region: str, names: list[str]) -> None:
        ids = {"a": "usw1-az2", "b": "usw1-az1", "c": "usw1-az3"}
        described = [{"ZoneName": name, "ZoneId": ids[name]} for name in "cba"]
        assert subnets.zone_names(region, described) == names

    def test_a_vpc_is_cut_into_sixteen(self) -> None:
        assert subnets.block("10.0.0.0/16", 1, private=False) == "10.0.16.0/20"
        assert subnets.block("10.0.0.0/16", 1, private=True) == "10.0.144.0/20"

    @pytest.mark.parametrize(
        ("changes", "why", "takes"),
        [
            ({}, "", True),
            ({"OutpostArn": "arn:o"}, "on an Outpost", False),
            ({"CidrBlock": ""}, "without addresses of IPv4", False),
            ({"AvailabilityZone": "us-west-2-lax-1a"}, "where Fargate does not run", False),
            ({"AvailabilityZone": "us-west-1a", "AvailabilityZoneId": "usw1-az2"}, "where Fargate does not run", True),
            ({"AvailabilityZone": "us-west-1a", "AvailabilityZoneId": "usw1-az1"}, "", True),
            ({"AvailabilityZone": "us-gov-west-1a"}, "", True),
        ],
    )
    def test_a_subnet_is_fit_or_not_for_a_reason(self, changes: dict[str, Any], why: str, takes: bool) -> None:
        assert subnets._unfit(shown_subnet(1, **changes)) == why
        assert subnets.takes_balancer(shown_subnet(1, **changes)) is takes

    @pytest.mark.parametrize(
        ("public", "message", "remedy"),
        [
            (
                True,
                "vpc vpc-1 has no subnet with a route to an internet gateway.",
                "Set assign-public-ip: false to run in its private subnets, or name the right ones in subnets.",
            ),
            (
                False,
                "vpc vpc-1 has public subnets only; tasks without public addresses get nowhere from there.",
                "Set assign-public-ip: true, or add subnets whose way out is a NAT gateway or endpoints.",
            ),
        ],
    )
    def test_what_cannot_be_chosen_is_told(self, public: bool, message: str, remedy: str) -> None:
        described = [shown_subnet(1), shown_subnet(2, CidrBlock=""), shown_subnet(3, OutpostArn="arn:o")]
        del described[1]["CidrBlock"]
        way = "isolated" if public else "public"
        ways = {each["SubnetId"]: way for each in described}
        with pytest.raises(InputError) as caught:
            subnets.suitable("vpc-1", described, ways, public)
        assert (str(caught.value), caught.value.remedy) == (message, remedy)
        assert caught.value.details == (
            f"subnet-1: 10.0.1.0/24 in us-east-1a, {way}",
            "subnet-2: IPv6 in us-east-1a, without addresses of IPv4",
            "subnet-3: 10.0.3.0/24 in us-east-1a, on an Outpost",
        )
        with pytest.raises(InputError) as caught:
            subnets.suitable("vpc-1", [], {}, public)
        assert str(caught.value) == "vpc vpc-1 has no subnets, or does not exist."
        assert caught.value.remedy == "Correct vpc, or leave it out to have a network made."


# ---- plans, and what an administrator makes


class TestPlanned:
    def test_each_change_of_a_plan_is_told_and_what_is_to_come_is_sendable(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        changes = (
            ResourceChange("Add", "A", "T"),
            ResourceChange("Modify", "B", "T", "True", ("X", "Y")),
            ResourceChange("Remove", "C", "T"),
            ResourceChange("Import", "D", "T"),
        )
        asked: list[Wanted] = []
        monkeypatch.setattr(planned, "plan_stack", lambda _, wanted, __: asked.append(wanted) or changes)
        parameters = dict.fromkeys(("VpcId", "VolumeGroup", "VolumeX", "SubnetA", "BalancerSubnets"), TO_COME)
        wanted = Wanted("s", load(MODEL), {**parameters, "Plain": "x", "Subnets": f"a,{TO_COME}"}, role="arn:r")
        with Script() as script:
            aws = replace(script.aws, only_asks=True)
            found = planned.make_stack(aws, wanted, None, script.said)
        assert asked[0].parameters == {
            **{"VpcId": "vpc-00000000", "VolumeGroup": "sg-00000000", "VolumeX": "fs-00000000", "Plain": "x"},
            **{"SubnetA": "subnet-00000000", "BalancerSubnets": "subnet-00000000", "Subnets": "subnet-00000000"},
        }
        assert list(map(str, aws.changes)) == [
            "+ stack s: A (T)",
            "~ stack s: B (T), made anew (X, Y)",
            "- stack s: C (T)",
            "~ stack s: D (T)",
        ]
        assert (found.action, found.role, found.parameters) == ("make", "arn:r", wanted.parameters)
        assert (found.outputs["Any"], found.outputs.get("Any", "x")) == (TO_COME, TO_COME)

    def test_one_that_suits_is_not_planned(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(planned, "plan_stack", None)
        template = load(MODEL)
        tags = ((TAG["Key"], TAG["Value"]),)
        there = Stack(
            "s", "arn:s", "CREATE_COMPLETE", {}, {"Fingerprint": template.fingerprint}, (), tags, role="arn:old"
        )
        with Script() as script:
            aws = replace(script.aws, only_asks=True)
            found = planned.make_stack(aws, Wanted("s", template), there, script.said)
        assert (found.action, found.role, list(map(str, aws.changes))) == ("leave", "arn:old", ["= stack s"])

    def test_without_a_plan_it_is_made(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[Any] = []
        monkeypatch.setattr(planned, "ensure_stack", lambda *given: asked.append(given) or SHARED_STACK)
        with Script() as script:
            wanted = Wanted("s", load(MODEL))
            assert planned.make_stack(script.aws, wanted, SHARED_STACK, script.said) == SHARED_STACK
        assert asked == [(script.aws, wanted, script.said, None, SHARED_STACK)]


class TestBootstrap:
    BOUND = "arn:aws:iam::123456789012:policy/ModelDockerizeBoundary"

    def needs(
        self, monkeypatch: pytest.MonkeyPatch, *calls: Call, bound: str = "", **inputs: Any
    ) -> tuple[Any, list[str]]:
        asked: list[Any] = []
        monkeypatch.setattr(
            bootstrap, "ensure_shared", lambda aws, needs, _: asked.append((aws.permissions_boundary, needs))
        )
        with Script(*calls) as script:
            aws = replace(script.aws, permissions_boundary=bound, tags={"team": "a"})
            role = bootstrap.bootstrap(aws, settings(**inputs), script.said, lambda _: None)
        assert role == "arn:role"
        return asked[0], list(map(str, aws.changes))

    WHERE = Where("123456789012", "us-east-1")
    TAGS = [TAG, {"Key": "team", "Value": "a"}]  # noqa: RUF012

    def role(self, bound: str, answer: Any = None, inline: Any = None) -> list[Call]:
        wanted = service_role_policy(self.WHERE, bound)
        name = {"RoleName": "ModelDockerizeGround"}
        policy = {**name, "PolicyName": "model-dockerize"}
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudformation.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        there = {"Role": {"Arn": "arn:role"}}
        made = {
            **{**name, "AssumeRolePolicyDocument": json.dumps(trust)},
            **{"Description": "By this CloudFormation makes the stacks of model-dockerize.", "Tags": self.TAGS},
        }
        put = "iam:put_role_policy", {**policy, "PolicyDocument": json.dumps(wanted)}, {}
        if answer is not None:
            return [("iam:get_role", name, answer), ("iam:create_role", made, there), put]
        held = wanted if inline is None else inline
        shown = held if isinstance(held, Exception) else {"PolicyDocument": held}
        return [
            ("iam:get_role", name, there),
            ("iam:get_role_policy", policy, shown),
            *([put] if held != wanted else []),
        ]

    def boundary(self, held: Any, versions: int = 1) -> list[Call]:
        wanted, arn = boundary_policy(self.WHERE), {"PolicyArn": self.BOUND}
        if isinstance(held, Exception):
            made = {"PolicyName": "ModelDockerizeBoundary", "PolicyDocument": json.dumps(wanted), "Tags": self.TAGS}
            return [("iam:get_policy", arn, held), ("iam:create_policy", made, {})]
        kept = [{"VersionId": f"v{n}", "IsDefaultVersion": n == versions} for n in range(versions, 0, -1)]
        look: list[Call] = [
            ("iam:get_policy", arn, {"Policy": {"DefaultVersionId": "v9"}}),
            ("iam:get_policy_version", {**arn, "VersionId": "v9"}, {"PolicyVersion": {"Document": held or wanted}}),
        ]
        if not held:
            return look
        return [
            *look,
            ("iam:list_policy_versions", arn, {"Versions": kept}),
            *([("iam:delete_policy_version", {**arn, "VersionId": "v1"}, {})] if versions == 5 else []),
            ("iam:create_policy_version", {**arn, "PolicyDocument": json.dumps(wanted), "SetAsDefault": True}, {}),
        ]

    def test_boundary_role_and_shared_stack_are_made(self, monkeypatch: pytest.MonkeyPatch) -> None:
        gone = refused("NoSuchEntityException")
        whole = Needs(cluster=True, instances=True, zones=2, private=False, vpc_cidr="10.9.0.0/16", role="arn:role")
        calls = [*self.boundary(gone), *self.role(self.BOUND, gone)]
        asked, told = self.needs(monkeypatch, *calls, vpc_cidr="10.9.0.0/16")
        assert asked == (self.BOUND, whole)
        assert told == ["+ policy ModelDockerizeBoundary", "+ role ModelDockerizeGround"]

    @pytest.mark.parametrize(("versions", "held"), [(1, None), (4, {"old": 1}), (5, {"old": 1})])
    def test_what_is_there_is_renewed(self, monkeypatch: pytest.MonkeyPatch, versions: int, held: Any) -> None:
        for inline, sign in ((None, "="), ({"old": 1}, "~"), (refused("NoSuchEntityException"), "~")):
            calls = [*self.boundary(held, versions), *self.role(self.BOUND, inline=inline)]
            (bound, _), told = self.needs(monkeypatch, *calls)
            assert bound == self.BOUND
            assert told == [
                f"{'~' if held else '='} policy ModelDockerizeBoundary",
                f"{sign} role ModelDockerizeGround",
            ]

    @pytest.mark.parametrize(
        ("inputs", "zones", "private"),
        [
            ({"assign_public_ip": False}, 2, True),
            ({"zones": 3}, 3, False),
            ({"vpc": "vpc-1", "assign_public_ip": False}, 0, False),
            ({"subnets": ("s",)}, 0, False),
        ],
    )
    def test_a_boundary_that_is_given_is_used_and_so_is_a_network(
        self, monkeypatch: pytest.MonkeyPatch, inputs: Any, zones: int, private: bool
    ) -> None:
        (bound, needs), _ = self.needs(monkeypatch, *self.role("arn:own"), bound="arn:own", **inputs)
        assert (bound, needs.zones, needs.private) == ("arn:own", zones, private)

    @pytest.mark.parametrize(
        ("is_new", "error", "tries"),
        [
            (True, AwsError("Role cannot be assumed", ""), 12),
            (True, AwsError("failed", "", ("cannot assume it",)), 12),
            (True, AwsError("failed", ""), 1),
            (False, AwsError("Role cannot be assumed", ""), 1),
        ],
    )
    def test_a_role_that_is_new_is_waited_for(
        self, monkeypatch: pytest.MonkeyPatch, is_new: bool, error: AwsError, tries: int
    ) -> None:
        pauses: list[float] = []

        def fail(*_: Any) -> None:
            raise error

        monkeypatch.setattr(bootstrap, "ensure_shared", fail)
        calls = self.role("arn:own", refused("NoSuchEntityException")) if is_new else self.role("arn:own")
        if is_new:
            calls[1][1]["Tags"] = [TAG]
        with Script(*calls) as script, pytest.raises(AwsError):
            aws = replace(script.aws, permissions_boundary="arn:own")
            bootstrap.bootstrap(aws, settings(), script.said, pauses.append)
        assert pauses == [5.0] * (tries - 1)


class TestFoundations:
    def test_a_container_is_what_its_settings_say(self) -> None:
        given = settings(cpu=512, memory=1024, environment=(("A", "1"),), secrets=(("S", "arn:s"),), adopt=True)
        runtime = Runtime("e", "t", "/log", False)
        ground = Foundations("e", "t", "/log", False, "vpc", (), (), "c", False, given)
        with Script() as script:
            for stands_on in (runtime, ground):
                found = foundations.container_of(script.aws, given, "image", "linux/arm64", stands_on)
                assert found == Container(
                    *(
                        "image",
                        "linux/arm64",
                        512,
                        1024,
                        (("A", "1"),),
                        (("S", "arn:s"),),
                        True,
                        "us-east-1",
                        stands_on,
                    ),
                    adopt=True,
                )

    @pytest.mark.parametrize(
        ("inputs", "asked", "network"),
        [
            ({}, Needs(zones=1), Network("vpc-1", (A,), ("sg-jobs",), (A, B))),
            ({"zones": 2}, Needs(zones=2), Network("vpc-1", (A, B), ("sg-jobs",), (A, B))),
            ({"load_balancer": "true", "zones": 1}, Needs(zones=2), Network("vpc-1", (A,), ("sg-jobs",), (A, B))),
            ({"load_balancer": "true"}, Needs(zones=2), Network("vpc-1", (A, B), ("sg-jobs",), (A, B))),
            (
                {"assign_public_ip": False},
                Needs(zones=1, private=True),
                Network("vpc-1", (Subnet("subnet-3", "us-east-1a"),), ("sg-jobs",), (A, B)),
            ),
        ],
    )
    def test_jobs_run_in_the_shared_network_with_its_group(
        self, monkeypatch: pytest.MonkeyPatch, inputs: Any, asked: Needs, network: Network
    ) -> None:
        needs: list[Needs] = []
        monkeypatch.setattr(foundations, "ensure_shared", lambda _, need, *__: needs.append(need) or SHARED_STACK)
        with Script() as script:
            assert foundations.ensure_job_network(script.aws, settings(**inputs), script.said) == network
            without = foundations.ensure_network(script.aws, settings(**inputs), script.said)
        assert without == replace(network, security_group_ids=())
        assert needs == [replace(asked, vpc_cidr=settings().vpc_cidr)] * 2

    def test_jobs_in_a_network_of_others_have_its_group_or_the_named_ones(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[Any] = []
        there = [NETWORK, replace(NETWORK, security_group_ids=("sg-1",)), NETWORK]
        monkeypatch.setattr(foundations, "given_network", lambda *_: there.pop(0))
        monkeypatch.setattr(foundations, "default_group", lambda _, vpc: f"default of {vpc}")
        monkeypatch.setattr(foundations, "ensure_shared", lambda _, needs, *__: asked.append(needs) or SHARED_STACK)
        with Script() as script:
            for inputs, groups in (({"vpc": "vpc-1"}, ("default of vpc-1",)), ({"subnets": ("s",)}, ("sg-1",))):
                found = foundations.ensure_job_network(script.aws, settings(**inputs), script.said)
                assert found == replace(NETWORK, security_group_ids=groups)
            assert asked == []
            assert foundations.ensure_network(script.aws, settings(vpc="vpc-1"), script.said) == NETWORK
        assert asked == [Needs()]

    def test_a_profile_is_the_named_or_the_shared_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        needs: list[Needs] = []
        monkeypatch.setattr(foundations, "ensure_shared", lambda _, need, *__: needs.append(need) or SHARED_STACK)
        with Script() as script:
            assert foundations.ensure_instance_profile(script.aws, "", script.said) == "arn:profile"
            assert foundations.ensure_instance_profile(script.aws, "arn:own", script.said) == "arn:own"
        assert needs == [Needs(instances=True)]

    def test_two_versions_do_not_share_a_queue_on_a_volume(self) -> None:
        given = settings(volume="data", rollout="canary", load_balancer="true")
        with pytest.raises(InputError) as caught:
            foundations._check_rollout(given)
        assert str(caught.value) == (
            "The service goes by canary, and two versions would write one queue on the volume data."
        )
        assert caught.value.remedy == (
            "Keep the queue in PostgreSQL (queue-url), or set rollout to rolling. The service is as it was."
        )
        foundations._check_rollout(replace(given, rollout="rolling"))
        foundations._check_rollout(replace(given, volume=""))

    def test_a_cluster_of_ones_own_is_made_in_no_stack(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)
        tags = [{"key": "model-dockerize", "value": "cluster"}, {"key": "team", "value": "a"}]
        create = "ecs:create_cluster", {"clusterName": "c", "tags": tags}
        unlinked = refused("InvalidParameterException", "Unable to assume the service linked role.")
        for calls, told in (
            ([cluster("ACTIVE", "c")], ["= cluster c"]),
            ([cluster("", "c"), (*create, {})], ["+ cluster c"]),
            (
                [cluster("", "c"), (*create, unlinked), (*LINK, {}), (*create, unlinked), (*create, {})],
                ["+ role AWSServiceRoleForECS", "+ cluster c"],
            ),
        ):
            with Script(*calls) as script:
                aws = replace(script.aws, tags={"team": "a"})
                foundations._ensure_cluster(aws, "c", script.said)
            assert list(map(str, aws.changes)) == told
        with Script(cluster("", "c"), (*create, refused("ServerException", "oh"))) as script:
            aws = replace(script.aws, tags={"team": "a"})
            with pytest.raises(AwsError) as caught:
                foundations._ensure_cluster(aws, "c", script.said)
        assert str(caught.value) == "cluster c: Operation failed: ServerException: oh"


class Ground:
    """Stands for the stacks below a model: what is there, what is asked for, and what comes of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, action: str = "make", there: Stack | None = None) -> None:
        self.asked: list[Any] = []
        outputs = {
            **{"ExecutionRole": "arn:execution", "LogGroup": "/iris", "TaskGroup": "sg-tasks"},
            **{"Blue": "blue", "Green": "green", "Rule": "rule", "TestRule": "test", "InfrastructureRole": "arn:infra"},
            **{"Volume": "fs-1", "AccessPoint": "fsap-1"},
        }
        made: Any = {"outputs": outputs, "action": action, "parameters": {}}
        self.stack = replace(SHARED_STACK, name="model", **made)

        def ensure(_: Any, given: Any, iris: Model, role: str, place: Any, *rest: Any) -> Stack:
            self.asked.append((iris, role, place, rest[:2]))
            return self.stack

        monkeypatch.setattr(foundations, "describe_stack", lambda _, name: self.asked.append(name) or there)
        monkeypatch.setattr(
            foundations, "ensure_shared", lambda _, needs, *__: self.asked.append(needs) or SHARED_STACK
        )
        monkeypatch.setattr(foundations, "ensure_model", ensure)
        monkeypatch.setattr(foundations, "current_service", lambda *_: None)
        monkeypatch.setattr(foundations, "current_family", lambda *_: None)


class TestStandsOn:
    def test_jobs_stand_on_roles_and_a_log(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ground = Ground(monkeypatch)
        with Script() as script:
            found = foundations.ensure_runtime(script.aws, settings(), IRIS, script.said)
            bare = foundations.ensure_runtime(script.aws, settings(), IRIS, script.said, role_of_instance=True)
            given = settings(task_role="arn:own", execution_role="arn:e", secrets=(("S", SECRET),))
            named = foundations.ensure_runtime(script.aws, given, IRIS, script.said, role_of_instance=True)
        assert found == Runtime("arn:execution", "arn:task", "/iris", fresh_roles=True)
        assert bare == replace(found, task_role_arn="")
        assert named == Runtime("arn:e", "arn:own", "/iris", fresh_roles=True)
        assert script.said.infos == ["role arn:e is not ours: it must be allowed to read the secrets itself"]
        first = ["model-dockerize-iris", Needs(), (IRIS, "", None, (SHARED_STACK, None))]
        assert ground.asked[:3] == first
        assert ground.asked[-1] == (IRIS, "arn:e", None, (SHARED_STACK, None))

    @pytest.mark.parametrize("action", ["make", "change", "leave"])
    def test_a_service_stands_on_all_that_its_stack_has(self, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
        ground = Ground(monkeypatch, action)
        with Script() as script:
            found = foundations.ensure_foundations(script.aws, settings(), IRIS, script.said)
        assert found == Foundations(
            *("arn:execution", "arn:task", "/iris", action != "leave", "vpc-1", ("subnet-1",), ("sg-tasks",)),
            *("model-dockerize", True, settings()),
            is_new=action == "make",
        )
        needs = Needs(cluster=True, zones=1, vpc_cidr=settings().vpc_cidr)
        assert ground.asked == ["model-dockerize-iris", needs, (IRIS, "", Place(NETWORK), (SHARED_STACK, None))]

    def test_with_a_balancer_and_a_volume_it_has_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Ground(monkeypatch)
        volumes: list[Any] = []
        monkeypatch.setattr(foundations, "ensure_volume", lambda *given: volumes.append(given[1:4]) or OF_VOLUME)
        given = settings(load_balancer="true", volume="data", queue_url="postgresql://h/d")
        with Script() as script:
            found = foundations.ensure_foundations(script.aws, given, IRIS, script.said)
        assert found.load_balancer == LoadBalancer("blue", "green", "rule", "test", "arn:infra")
        assert found.volume == VolumeOf("fs-1", "fsap-1")
        both = replace(NETWORK, subnets=(A, B))
        assert volumes == [("data", both, SHARED_STACK)]

    def test_what_is_given_is_checked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ground = Ground(monkeypatch)
        checked: list[Any] = []
        monkeypatch.setattr(foundations, "check_file_system", lambda _, *given: checked.append(given[:2]))
        monkeypatch.setattr(
            foundations,
            "given_balancer",
            lambda _, given, vpc, there: checked.append((vpc, there)) or Balancer("arn:x", ()),
        )
        monkeypatch.setattr(foundations, "_ensure_cluster", lambda _, name, __: checked.append(name))
        given = settings(load_balancer="x", volume="fs-9", queue_url="postgresql://h/d", cluster="own")
        with Script() as script:
            found = foundations.ensure_foundations(script.aws, given, IRIS, script.said)
        assert checked == [("vpc-1", None), ("fs-9", NETWORK), "own"]
        assert found.cluster == "own"
        assert ground.asked[-1][2] == Place(NETWORK, Balancer("arn:x", ()), file_system="fs-9")
        assert ground.asked[1].cluster is False

    def test_a_size_that_fargate_does_not_have_is_refused_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ground = Ground(monkeypatch)
        with Script() as script, pytest.raises(InputError, match="cpu 256"):
            foundations.ensure_foundations(script.aws, settings(cpu=256, memory=9999), IRIS, script.said)
        assert ground.asked == ["model-dockerize-iris"]
