"""Networks: ours in one zone or several, public or with a way out; and one that is given without its subnets."""

from typing import Any

import pytest

from model_dockerize import aws
from model_dockerize.aws import subnets as rules
from model_dockerize.aws.network_removal import in_order_of_removal
from model_dockerize.errors import AwsError, InputError

from .conftest import Account, settings

OURS: Any = [{"Name": f"tag:{aws.TAG}", "Values": ["network"]}]
PIECES = {
    "Vpcs": "describe_vpcs",
    "Subnets": "describe_subnets",
    "RouteTables": "describe_route_tables",
    "InternetGateways": "describe_internet_gateways",
    "NatGateways": "describe_nat_gateways",
    "Addresses": "describe_addresses",
    "VpcEndpoints": "describe_vpc_endpoints",
    "SecurityGroups": "describe_security_groups",
}


def network(account: Account, **changes: Any) -> aws.Network:
    return aws.ensure_network(account.aws, settings(**changes), account.said)


def pieces(account: Account) -> dict[str, list[Any]]:
    """What we made, by its name in EC2's answers; empty kinds left out."""
    found = {}
    for key, operation in PIECES.items():
        filters = {"Filter" if key == "NatGateways" else "Filters": OURS}
        found[key] = getattr(account.aws.ec2, operation)(**filters)[key]
    for key in ("NatGateways", "VpcEndpoints"):  # these are shown for a while after their end
        found[key] = [thing for thing in found[key] if thing["State"] != "deleted"]
    return {key: things for key, things in found.items() if things}


def counts(account: Account) -> dict[str, int]:
    return {key: len(things) for key, things in pieces(account).items()}


PUBLIC_ONE = {"Vpcs": 1, "Subnets": 1, "RouteTables": 1, "InternetGateways": 1, "SecurityGroups": 1}
PRIVATE_TWO = {
    **PUBLIC_ONE,
    **{"Subnets": 4, "RouteTables": 2, "NatGateways": 1, "Addresses": 1, "VpcEndpoints": 1},
}


class TestZones:
    def test_one_public_subnet_is_the_default(self, account: Account) -> None:
        made = network(account)
        assert counts(account) == PUBLIC_ONE
        assert made.public_subnets == made.subnets

    def test_more_zones_add_only_what_is_missing(self, account: Account) -> None:
        one = network(account)
        account.calls.clear()
        three = network(account, zones=3)
        assert sorted(set(account.changes())) == ["ec2:AssociateRouteTable", "ec2:CreateSubnet"]
        assert three.subnets[0] == one.subnets[0]
        assert len({s.zone for s in three.subnets}) == len({s.id for s in three.subnets}) == 3
        assert three.public_subnets == three.subnets
        blocks = sorted(s["CidrBlock"] for s in pieces(account)["Subnets"])
        assert blocks == ["10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20"]
        (table,) = pieces(account)["RouteTables"]
        assert {a["SubnetId"] for a in table["Associations"]} == set(three.subnet_ids)
        account.calls.clear()
        assert network(account, zones=3) == three
        assert network(account) == one  # fewer again: the others are left alone
        assert account.changes() == []

    def test_more_zones_than_there_are(self, account: Account) -> None:
        with pytest.raises(InputError, match="zones is 6, but Fargate runs in 2 zones of ap-southeast-1"):
            zones = [{"ZoneName": name} for name in ("ap-southeast-1a", "ap-southeast-1b")]
            elsewhere(account, "ap-southeast-1", zones)
        assert "ec2:CreateSubnet" not in account.calls

    def test_zones_without_fargate_are_left_out(self) -> None:
        zones = [{"ZoneName": f"us-west-1{n}", "ZoneId": f"usw1-az{i}"} for i, n in ((3, "c"), (2, "b"), (1, "a"))]
        assert rules.zone_names("us-west-1", zones) == ["us-west-1a", "us-west-1c"]
        assert rules.zone_names("eu-west-1", zones) == ["us-west-1a", "us-west-1b", "us-west-1c"]

    def test_addresses_of_ones_own(self, account: Account) -> None:
        network(account, vpc_cidr="192.168.0.0/20", zones=2, assign_public_ip=False)
        assert pieces(account)["Vpcs"][0]["CidrBlock"] == "192.168.0.0/20"
        blocks = sorted(s["CidrBlock"] for s in pieces(account)["Subnets"])
        assert blocks == ["192.168.0.0/24", "192.168.1.0/24", "192.168.8.0/24", "192.168.9.0/24"]
        network(account)
        assert account.said.warnings == []
        network(account, vpc_cidr="10.1.0.0/16")
        assert "stays so" in account.said.warnings[0]


def elsewhere(account: Account, region: str, zones: list[Any]) -> None:
    """As if it were another region with these zones."""
    from dataclasses import replace

    def answer(parsed: Any, model: Any, **_: Any) -> None:
        if model.name == "DescribeAvailabilityZones":
            parsed["AvailabilityZones"] = zones

    account.hooks.add(answer, "after-call")
    there = replace(account.aws, identity=replace(account.aws.identity, region=region))
    aws.ensure_network(there, settings(zones=6), account.said)


class TestPrivate:
    def test_tasks_without_public_addresses_get_a_way_out(self, account: Account) -> None:
        made = network(account, zones=2, assign_public_ip=False)
        assert counts(account) == PRIVATE_TWO
        assert set(made.subnets).isdisjoint(made.public_subnets)
        assert [s.zone for s in made.subnets] == [s.zone for s in made.public_subnets]
        found = pieces(account)
        (nat,), (endpoint,) = found["NatGateways"], found["VpcEndpoints"]
        assert nat["SubnetId"] in {s.id for s in made.public_subnets}
        by_subnet = {a["SubnetId"]: t for t in found["RouteTables"] for a in t["Associations"]}
        tables = {by_subnet[subnet]["RouteTableId"] for subnet in made.subnet_ids}
        assert tables == set(endpoint["RouteTableIds"])
        ways = rules.ways_out(found["Subnets"], found["RouteTables"])
        assert {ways[s] for s in made.subnet_ids} == {"private"}
        assert {ways[s.id] for s in made.public_subnets} == {"public"}
        assert endpoint["ServiceName"] == "com.amazonaws.us-east-1.s3"
        assert endpoint["VpcEndpointType"] == "Gateway"
        account.calls.clear()
        assert network(account, zones=2, assign_public_ip=False) == made
        assert account.changes() == []

    def test_a_public_network_becomes_private_and_keeps_what_it_has(self, account: Account) -> None:
        before = network(account)
        after = network(account, zones=2, assign_public_ip=False)
        assert counts(account) == PRIVATE_TWO
        assert before.subnets[0] == after.public_subnets[0]
        account.calls.clear()
        assert network(account) == before
        assert account.changes() == []

    @pytest.mark.parametrize(
        ("event", "nth", "operation"),
        [
            *(
                ("before-call", 1, operation)
                for operation in ("AllocateAddress", "CreateNatGateway", "CreateVpcEndpoint")
            ),
            # Once for the public half, once for the private one; AWS did it, and nobody heard of it.
            *(("after-call", nth, operation) for operation in ("CreateRouteTable", "CreateRoute") for nth in (1, 2)),
            *(("after-call", 3, operation) for operation in ("CreateSubnet", "AssociateRouteTable")),
            *(
                ("after-call", 1, operation)
                for operation in ("AllocateAddress", "CreateNatGateway", "CreateVpcEndpoint")
            ),
        ],
    )
    def test_what_a_killed_run_left_is_completed_not_doubled(
        self, account: Account, event: str, nth: int, operation: str
    ) -> None:
        class KilledError(Exception):
            pass

        seen = []

        def kill(model: Any, **_: Any) -> None:
            seen.extend([1] if model.name == operation else [])
            if model.name == operation and len(seen) == nth:
                raise KilledError

        account.hooks.add(kill, event)
        with pytest.raises(KilledError):
            network(account, zones=2, assign_public_ip=False)
        made = network(account, zones=2, assign_public_ip=False)
        assert counts(account) == PRIVATE_TWO
        account.calls.clear()
        assert network(account, zones=2, assign_public_ip=False) == made
        assert account.changes() == []

    def test_a_nat_gateway_is_waited_for(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        waits: list[float] = []
        monkeypatch.setattr("model_dockerize.aws.eventual.time.sleep", waits.append)
        become(account, *["pending"] * 4, "available")
        network(account, assign_public_ip=False)
        assert len(waits) == 4
        assert any("waiting until it works" in line for line in account.said.infos)

    def test_a_nat_gateway_that_failed_is_told_and_another_one_made(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("model_dockerize.aws.eventual.time.sleep", lambda _: None)
        become(account, "pending", "failed")
        with pytest.raises(AwsError, match="is failed: AWS gives no reason"):
            network(account, assign_public_ip=False)
        account.hooks.remove()
        first = pieces(account)["NatGateways"][0]["NatGatewayId"]
        account.aws.ec2.delete_nat_gateway(NatGatewayId=first)
        network(account, assign_public_ip=False)
        assert counts(account)["NatGateways"] == 1

    def test_the_plan_of_it(self, account: Account) -> None:
        rehearsal = aws.rehearse(account.aws)
        aws.ensure_network(rehearsal.aws, settings(zones=2, assign_public_ip=False), account.said)
        planned = [(c.action, c.kind) for c in rehearsal.changes]
        assert pieces(account) == {}
        account.calls.clear()
        network(account, zones=2, assign_public_ip=False)
        assert planned == [(c.action, c.kind) for c in account.aws.changes]
        assert set(rehearsal.calls) == set(account.changes())

    def test_destroy_leaves_nothing_of_it(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("model_dockerize.aws.destroy.once_free", lambda call: call())
        network(account, zones=2, assign_public_ip=False)
        things = aws.find_ours(account.aws, aws.Names(*["iris"] * 5, "model-dockerize"))
        kinds = [thing.kind for thing in things]
        assert kinds == [
            *("security group", "NAT gateway", "address", "S3 endpoint", "route table", "route table"),
            *["subnet"] * 4,
            *("internet gateway", "network"),
        ]
        aws.remove(things, account.said)
        assert pieces(account) == {}
        assert aws.find_ours(account.aws, aws.Names(*["iris"] * 5, "model-dockerize")) == ()


def test_a_group_that_all_models_share_admits_everybody_and_is_not_said_to_do_else(account: Account) -> None:
    with pytest.raises(InputError, match=r"allow-from is 10\.0\.0\.0/8, and .* admits everybody"):
        network(account, allow_from=("10.0.0.0/8",))
    assert network(account, allow_from=("10.0.0.0/8", "0.0.0.0/0")).security_group_ids


def become(account: Account, *states: str) -> None:
    """The NAT gateway goes through these states, one a look; moto's are there at once."""
    left = list(states)

    def answer(parsed: Any, model: Any, **_: Any) -> None:
        if model.name == "CreateNatGateway":
            parsed["NatGateway"]["State"] = left.pop(0)
        elif model.name == "DescribeNatGateways" and parsed["NatGateways"]:
            parsed["NatGateways"][0]["State"] = left.pop(0) if len(left) > 1 else left[0]

    account.hooks.add(answer, "after-call")


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
        assert {c for c in account.changes() if "SecurityGroup" not in c} == set()
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


def test_a_default_route_that_leads_nowhere_is_none() -> None:
    def way(route: Any) -> str:
        table = {"VpcId": "vpc-1", "Associations": [{"Main": True}], "Routes": [route]}
        return rules.ways_out([{"SubnetId": "s", "VpcId": "vpc-1"}], [table])["s"]

    anywhere = {"DestinationCidrBlock": "0.0.0.0/0"}
    assert way({**anywhere, "GatewayId": "igw-1"}) == "public"
    assert way({**anywhere, "TransitGatewayId": "tgw-1"}) == "private"
    assert way({**anywhere, "NatGatewayId": "nat-1", "State": "blackhole"}) == "isolated"
    assert way({"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}) == "isolated"


def test_a_group_that_another_ones_rule_names_goes_after_it() -> None:
    def group(identity: str, *named: str) -> Any:
        pairs = [{"GroupId": name} for name in named]
        return {"GroupId": identity, "IpPermissions": [{"UserIdGroupPairs": pairs}]}

    groups = [group("balancer"), group("tasks", "balancer", "tasks"), group("volume", "tasks")]
    assert [g["GroupId"] for g in in_order_of_removal(groups)] == ["volume", "tasks", "balancer"]
    circle = [group("a", "b"), group("b", "a")]
    assert in_order_of_removal(circle) == circle
