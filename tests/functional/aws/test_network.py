"""Networks: what the shared stack is asked for; and one that is given, with or without its subnets."""

from dataclasses import replace
from typing import Any

import pytest

from model_dockerize.aws.ground import ensure_foundations, ensure_network
from model_dockerize.aws.model import Network
from model_dockerize.aws.network import subnets as rules
from model_dockerize.errors import AwsError, InputError
from tests.rig.iris import IRIS, settings

from .conftest import Account

SHARED = "model-dockerize"


def network(account: Account, **changes: Any) -> Network:
    return ensure_network(account.aws, settings(**changes), account.said)


def asked(account: Account) -> dict[str, str]:
    """Return the parameters that the last change named."""
    return dict(account.stacks.wanted[-1].parameters)


class TestZones:
    def test_one_public_subnet_is_the_default(self, account: Account) -> None:
        made = network(account)
        assert asked(account) == {"Network": "true", "ZoneA": "us-east-1a"}
        assert made.public_subnets == made.subnets

    def test_more_zones_add_only_what_is_missing(self, account: Account) -> None:
        one = network(account)
        three = network(account, zones=3)
        assert asked(account)["ZoneA"] == "us-east-1a"
        assert [s.zone for s in three.subnets] == ["us-east-1a", "us-east-1b", "us-east-1c"]
        assert three.subnets[0] == one.subnets[0]
        changes = len(account.stacks.wanted)
        assert network(account, zones=3) == three
        assert network(account) == replace(one, public_subnets=three.subnets)  # the others are left alone
        assert len(account.stacks.wanted) == changes

    def test_what_is_there_keeps_its_zone_whatever_the_region_has_by_now(self, account: Account) -> None:
        network(account, zones=2)
        zones = [{"ZoneName": f"us-east-1{letter}"} for letter in "cabd"]
        account.hooks.add(lambda parsed, model, **_: _zones(parsed, model, zones), "after-call")
        assert [s.zone[-1] for s in network(account, zones=4).subnets] == ["a", "b", "c", "d"]

    def test_more_zones_than_there_are(self, account: Account) -> None:
        zones = [{"ZoneName": name} for name in ("ap-southeast-1a", "ap-southeast-1b")]
        account.hooks.add(lambda parsed, model, **_: _zones(parsed, model, zones), "after-call")
        there = replace(account.aws, identity=replace(account.aws.identity, region="ap-southeast-1"))
        with pytest.raises(InputError, match="zones is 6, but Fargate runs in 2 zones of ap-southeast-1"):
            ensure_network(there, settings(zones=6), account.said)
        assert account.stacks.there == {}

    def test_zones_without_fargate_are_left_out(self) -> None:
        zones = [{"ZoneName": f"us-west-1{n}", "ZoneId": f"usw1-az{i}"} for i, n in ((3, "c"), (2, "b"), (1, "a"))]
        assert rules.zone_names("us-west-1", zones) == ["us-west-1a", "us-west-1c"]
        assert rules.zone_names("eu-west-1", zones) == ["us-west-1a", "us-west-1b", "us-west-1c"]

    def test_addresses_of_ones_own_count_when_the_network_is_made(self, account: Account) -> None:
        network(account, vpc_cidr="192.168.0.0/20")
        assert (asked(account)["VpcCidr"], asked(account)["SubnetBits"]) == ("192.168.0.0/20", "8")
        network(account)
        assert account.said.warnings == []
        network(account, vpc_cidr="10.1.0.0/16")
        assert "stays so" in account.said.warnings[0]
        assert len(account.stacks.wanted) == 1


def _zones(parsed: Any, model: Any, zones: list[Any]) -> None:
    if model.name == "DescribeAvailabilityZones":
        parsed["AvailabilityZones"] = zones


class TestPrivate:
    def test_tasks_without_public_addresses_get_subnets_of_their_own(self, account: Account) -> None:
        public = network(account, zones=2)
        private = network(account, zones=2, assign_public_ip=False)
        assert asked(account)["Private"] == "true"
        assert set(private.subnets).isdisjoint(private.public_subnets)
        assert private.public_subnets == public.subnets
        changes = len(account.stacks.wanted)
        assert network(account, zones=2) == public  # another model may need what is there
        assert len(account.stacks.wanted) == changes


class TestCluster:
    def test_the_shared_one_is_the_stacks_and_its_role_is_made_before(self, account: Account) -> None:
        ensure_foundations(account.aws, settings(), IRIS, account.said)
        assert "iam:CreateServiceLinkedRole" in account.calls
        assert "ecs:CreateCluster" not in account.calls
        assert account.stacks.there[SHARED].parameters["Cluster"] == "model-dockerize"

    def test_one_of_that_name_that_is_there_is_used_as_it_is(self, account: Account) -> None:
        account.aws.ecs.create_cluster(clusterName="model-dockerize")
        for _ in range(2):
            assert ensure_foundations(account.aws, settings(), IRIS, account.said).cluster == "model-dockerize"
        assert account.stacks.there[SHARED].parameters["Cluster"] == ""

    def test_another_one_is_made_directly_with_the_tags(self, account: Account) -> None:
        tagged = replace(account.aws, tags={"team": "a"})
        ground = ensure_foundations(tagged, settings(cluster="other"), IRIS, account.said)
        assert ground.log_group == "/model-dockerize/other/iris"
        (cluster,) = account.aws.ecs.describe_clusters(clusters=["other"], include=["TAGS"])["clusters"]
        assert {"key": "team", "value": "a"} in cluster["tags"]
        assert account.stacks.there[SHARED].parameters["Cluster"] == ""
        account.calls.clear()
        ensure_foundations(tagged, settings(cluster="other"), IRIS, account.said)
        assert account.changes() == []

    def test_one_that_is_going_away_is_told(self, account: Account) -> None:
        account.hooks.add(_deprovisioning, "after-call")
        with pytest.raises(AwsError, match="Cluster other is DEPROVISIONING"):
            ensure_foundations(account.aws, settings(cluster="other"), IRIS, account.said)


def _deprovisioning(parsed: Any, model: Any, **_: Any) -> None:
    if model.name == "DescribeClusters":
        parsed["clusters"] = [{"status": "DEPROVISIONING"}]


class Given:
    """A VPC that somebody made: two public zones, two private ones behind a gateway, one without any way out."""

    def __init__(self, account: Account) -> None:
        ec2 = account.aws.ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        self.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.ec2, self.number = ec2, 0
        self.public = self.table(GatewayId=self.gateway)

    def table(self, **way: str) -> str:
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        if way:
            route: Any = {"DestinationCidrBlock": "0.0.0.0/0", **way}
            self.ec2.create_route(RouteTableId=table, **route)
        return table

    def subnet(self, zone: str, table: str = "") -> str:
        self.number += 1
        subnet = self.ec2.create_subnet(
            VpcId=self.vpc, CidrBlock=f"10.9.{self.number}.0/24", AvailabilityZone=f"us-east-1{zone}"
        )["Subnet"]["SubnetId"]
        if table:
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return subnet


class TestGiven:
    def test_the_subnets_of_a_vpc_are_chosen_by_their_way_out(self, account: Account) -> None:
        given = Given(account)
        public = [given.subnet(zone, given.public) for zone in "ab"]
        second = given.subnet("b", given.public)
        address = account.aws.ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = account.aws.ec2.create_nat_gateway(SubnetId=public[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
        private = [given.subnet(zone, given.table(NatGatewayId=nat)) for zone in "bc"]
        given.subnet("a")  # isolated: the main table has no default route
        account.calls.clear()
        open_ = network(account, vpc=given.vpc)
        assert set(open_.subnet_ids) == {public[0], min(public[1], second)}
        assert open_.public_subnets == open_.subnets
        closed = network(account, vpc=given.vpc, assign_public_ip=False)
        assert set(closed.subnet_ids) == set(private)
        assert closed.public_subnets == open_.subnets
        assert account.changes() == []
        named = network(account, subnets=(private[0],), assign_public_ip=False)
        assert (named.subnet_ids, named.public_subnets) == ((private[0],), open_.subnets)

    def test_what_cannot_be_chosen_is_told_with_what_there_is(self, account: Account) -> None:
        given = Given(account)
        isolated = given.subnet("a")
        with pytest.raises(InputError, match="no subnet with a route to an internet gateway") as caught:
            network(account, vpc=given.vpc)
        assert caught.value.details == (f"{isolated}: 10.9.1.0/24 in us-east-1a, isolated",)
        assert network(account, vpc=given.vpc, assign_public_ip=False).subnet_ids == (isolated,)
        assert "only by VPC endpoints" in account.said.warnings[0]
        other = Given(account)
        with pytest.raises(InputError, match="has no subnets, or does not exist"):
            network(account, vpc=other.vpc)
        other.subnet("a", other.public)
        with pytest.raises(InputError, match="public subnets only"):
            network(account, vpc=other.vpc, assign_public_ip=False)


class TestPlaces:
    """Subnets as DescribeSubnets shows them, in which Fargate runs nothing."""

    @staticmethod
    def subnet(name: str, zone: str, **more: Any) -> dict[str, Any]:
        return {"SubnetId": name, "VpcId": "v", "AvailabilityZone": zone, "CidrBlock": "10.0.0.0/24", **more}

    @staticmethod
    def chosen(*subnets: dict[str, Any]) -> list[str]:
        return [s.id for s in rules.suitable("v", list(subnets), {s["SubnetId"]: "public" for s in subnets}, True)]

    @pytest.mark.parametrize(
        "place",
        [
            {"zone": "us-west-2-lax-1a", "AvailabilityZoneId": "usw2-lax1-az1"},
            {"zone": "us-east-1-wl1-bos-wlz-1"},
            {"zone": "us-west-2b", "CidrBlock": None, "Ipv6Native": True},
            {"zone": "us-west-2b", "OutpostArn": "arn:aws:outposts:us-west-2:1:outpost/op-1"},
            {"zone": "ap-northeast-1b", "AvailabilityZoneId": "apne1-az3"},
        ],
    )
    def test_they_are_left_out_and_named(self, place: dict[str, Any]) -> None:
        other = {key: value for key, value in self.subnet("other", **place).items() if value is not None}
        assert self.chosen(other, self.subnet("good", "us-west-2a")) == ["good"]
        with pytest.raises(InputError) as caught:
            self.chosen(other)
        assert caught.value.details[0].startswith("other: ")
        reasons = ("where Fargate does not run", "on an Outpost", "without addresses of IPv4")
        assert any(reason in caught.value.details[0] for reason in reasons)

    def test_where_fargate_runs_in_some_zones_their_ids_count(self) -> None:
        good = self.subnet("good", "ap-northeast-1a", AvailabilityZoneId="apne1-az4")
        assert self.chosen(good, self.subnet("bad", "ap-northeast-1b", AvailabilityZoneId="apne1-az3")) == ["good"]

    def test_a_load_balancer_stands_in_a_zone_of_the_region(self) -> None:
        assert rules.takes_balancer(self.subnet("s", "eusc-de-east-1a"))
        assert not rules.takes_balancer(self.subnet("s", "us-west-2-lax-1a"))
        assert not rules.takes_balancer({"SubnetId": "s", "AvailabilityZone": "us-west-2a", "Ipv6Native": True})


def test_a_default_route_that_leads_nowhere_is_none() -> None:
    def way(route: Any) -> str:
        table = {"VpcId": "vpc-1", "Associations": [{"Main": True}], "Routes": [route]}
        return rules.ways_out([{"SubnetId": "s", "VpcId": "vpc-1"}], [table])["s"]

    anywhere = {"DestinationCidrBlock": "0.0.0.0/0"}
    assert way({**anywhere, "GatewayId": "igw-1"}) == "public"
    assert way({**anywhere, "TransitGatewayId": "tgw-1"}) == "private"
    assert way({**anywhere, "NatGatewayId": "nat-1", "State": "blackhole"}) == "isolated"
    assert way({"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}) == "isolated"
