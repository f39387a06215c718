"""Load balancers of the sandbox: their operations, their targets, and to whom a connection goes."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from model_sandbox import load_balancer
from model_sandbox.load_balancer import LoadBalancers
from model_sandbox.network import AwsVpc, Network
from model_sandbox.target import Check
from tests.rig.fake_ministack import OTHER, SCOPE, fake_upstream

GROUP: dict[str, Any] = {
    **{"HealthCheckPath": "/health", "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2},
    **{"HealthyThresholdCount": 3, "UnhealthyThresholdCount": 2, "Matcher": {"HttpCode": "200"}},
    "LoadBalancerArns": [],
}
CHECK = Check("/health", 5.0, 2.0, 3, 2, 200)
VPC = AwsVpc(("subnet-a",), ("sg-web",), False)
SUBNETS = {"Subnets.member.1": "subnet-a", "Subnets.member.2": "subnet-b"}
XML = {"Content-Type": "text/xml"}


class FakeTarget:
    """A fake of a target, whose state the test says."""

    def __init__(self, address: str, port: int, check: Check, admits: Callable[[], bool]) -> None:
        self.address, self.port, self.check, self.admits = address, port, check, admits
        self.state, self.has_left = "initial", False

    def leave(self) -> None:
        self.has_left = True

    def xml(self) -> str:
        return f"<{self.address} {self.state}>"


class FakeForwarder:
    """A fake of a listening socket."""

    def __init__(self, address: str, port: int, choose: Any, keeps: Any, requests: Any) -> None:
        self.address, self.port, self.choose, self.keeps, self.requests = (
            address,
            port or 40080,
            choose,
            keeps,
            requests,
        )
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


class Rig:
    """Load balancing on a fake of ministack, with target groups `a` and `b`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.targets: dict[str, FakeTarget] = {}
        self.forwarders: list[FakeForwarder] = []
        self.unbindable: set[int] = set()
        monkeypatch.setattr(load_balancer, "Target", self._target)
        monkeypatch.setattr(load_balancer, "Forwarder", self._forwarder)
        monkeypatch.setattr(load_balancer, "bindable", self._bindable)
        self.upstream = fake_upstream()
        self.elb: Any = self.upstream.elb
        self.network = Network(self.upstream, 40000)
        self.balancers = LoadBalancers(self.upstream, self.network)
        for name in ("a", "b"):
            self.elb._tgs[name] = dict(GROUP)
        for name in ("CreateRule", "DeleteRule", "ModifyListener", "ModifyRule", "DeleteTargetGroup"):
            self.elb._ACTION_MAP[name] = lambda params: (200, {}, str(params).encode())
        self.elb._ACTION_MAP |= {
            "CreateLoadBalancer": self._create,
            "DeleteLoadBalancer": self._delete,
            "CreateListener": self._listen,
            "DeleteListener": lambda params: (200, {}, str(self.elb._listeners.pop(params["ListenerArn"])).encode()),
        }
        self.balancers.install()

    def _target(self, *given: Any) -> FakeTarget:
        made = FakeTarget(*given)
        self.targets[made.address] = made
        return made

    def _forwarder(self, *given: Any) -> FakeForwarder:
        self.forwarders.append(FakeForwarder(*given))
        return self.forwarders[-1]

    def _bindable(self, address: str, port: int) -> int:
        assert address.startswith("127.156.64.")
        return 0 if port in self.unbindable else port

    def _create(self, params: dict[str, str]) -> Any:
        name = params["Name"]
        made = {"LoadBalancerName": name, "DNSName": f"{name}.elb", "SecurityGroups": ["sg-balancer"], "VpcId": "?"}
        self.elb._lbs[f"arn:{name}"] = made
        return 200, XML, f"<DNSName>{name}.elb</DNSName>".encode()

    def _delete(self, params: dict[str, str]) -> Any:
        self.elb._lbs.pop(params["LoadBalancerArn"], None)
        return 200, XML, b"deleted"

    def _listen(self, params: dict[str, Any]) -> Any:
        arn = f"{params['LoadBalancerArn']}:{params.get('Port', '80')}"
        self.elb._listeners[arn] = {
            **{"ListenerArn": arn, "LoadBalancerArn": params["LoadBalancerArn"], "Port": int(params.get("Port", "80"))},
            **{"Protocol": params.get("Protocol", "HTTP"), "DefaultActions": params["Actions"]},
        }
        return 200, XML, arn.encode()

    def ask(self, operation: str, **params: Any) -> Any:
        return self.elb._ACTION_MAP[operation](params)

    def furnish(self, *groups: str, weights: tuple[int, ...] = (1, 1)) -> str:
        """Make a load balancer with a listener that forwards to these groups; return the listener."""
        self.ask("CreateLoadBalancer", Name="lb", **SUBNETS)
        told = [{"TargetGroupArn": group, "Weight": w} for group, w in zip(groups, weights, strict=False)]
        actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": told}}]
        return str(self.ask("CreateListener", LoadBalancerArn="arn:lb", Actions=actions)[2].decode())


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_a_load_balancer_has_an_address_of_its_own(rig: Rig) -> None:
    answer = rig.ask("CreateLoadBalancer", Name="lb", **SUBNETS)
    assert answer == (200, XML, b"<DNSName>127.156.64.1</DNSName>")
    made = {"LoadBalancerName": "lb", "DNSName": "127.156.64.1", "SecurityGroups": ["sg-balancer"]}
    assert rig.elb._lbs == {"arn:lb": {**made, "VpcId": "vpc-default"}}
    rig.ask("CreateLoadBalancer", Name="other", **SUBNETS)
    assert rig.elb._lbs["arn:other"]["DNSName"] == "127.156.64.2"
    assert rig.ask("DeleteLoadBalancer", LoadBalancerArn="arn:lb") == (200, XML, b"deleted")
    assert [rig.network.addresses.take() for _ in range(253)][-1] == "127.156.64.1"
    assert rig.ask("DeleteLoadBalancer", LoadBalancerArn="none") == (200, XML, b"deleted")
    assert rig.network.addresses.take() is None


def test_where_no_address_is_left_the_name_is_ministacks(rig: Rig) -> None:
    while rig.network.addresses.take():
        pass
    assert rig.ask("CreateLoadBalancer", Name="lb", **SUBNETS) == (200, XML, b"<DNSName>lb.elb</DNSName>")


@pytest.mark.parametrize(
    ("subnets", "told"),
    [
        (["subnet-a", "none"], "SubnetNotFound: The subnets ['subnet-a', 'none'] do not all exist"),
        (
            ["subnet-a", "subnet-a"],
            "ValidationError: At least two subnets in two different Availability Zones must be specified",
        ),
        ([], "ValidationError: At least two subnets in two different Availability Zones must be specified"),
    ],
)
def test_a_load_balancer_stands_in_two_zones(rig: Rig, subnets: list[str], told: str) -> None:
    params = {f"Subnets.member.{number}": name for number, name in enumerate(subnets, 1)}
    assert rig.ask("CreateLoadBalancer", Name="lb", **params) == (400, XML, told.encode())
    assert rig.elb._lbs == {}


def test_a_listener_listens_at_the_address_and_its_groups_know_the_load_balancer(rig: Rig) -> None:
    listener = rig.furnish("a")
    (forwarder,) = rig.forwarders
    assert (listener, forwarder.address, forwarder.port) == ("arn:lb:80", "127.156.64.1", 80)
    assert rig.elb._tgs["a"]["LoadBalancerArns"] == ["arn:lb"]
    assert rig.elb._lbs["arn:lb"]["DNSName"] == "127.156.64.1"
    assert (rig.balancers.is_used("a"), rig.balancers.is_used("b")) == (True, False)
    forwarder.requests.begin("10.0.0.1")
    assert (rig.balancers.is_asked("10.0.0.1"), rig.balancers.is_asked("10.0.0.2")) == (True, False)
    second = rig.ask("CreateListener", LoadBalancerArn="arn:lb", Actions=[])
    told = "DuplicateListener: A listener already exists on this port for arn:lb"
    assert second == (400, XML, told.encode())
    assert rig.ask("CreateListener", LoadBalancerArn="arn:lb", Port="81", Actions=[])[2] == b"arn:lb:81"
    rig.ask("CreateLoadBalancer", Name="other", **SUBNETS)
    assert rig.ask("CreateListener", LoadBalancerArn="arn:other", Actions=[])[2] == b"arn:other:80"
    assert [each.port for each in rig.forwarders] == [80, 81, 80]
    rig.ask("DeleteListener", ListenerArn=listener)
    assert [each.is_closed for each in rig.forwarders] == [True, False, False]
    assert rig.elb._tgs["a"]["LoadBalancerArns"] == []


def test_what_ends_with_a_load_balancer(rig: Rig) -> None:
    rig.furnish("a")
    rig.ask("CreateLoadBalancer", Name="other", **SUBNETS)
    rig.ask("CreateListener", LoadBalancerArn="arn:other", Actions=[{"Type": "forward", "TargetGroupArn": "a"}])
    assert rig.elb._tgs["a"]["LoadBalancerArns"] == ["arn:lb", "arn:other"]
    rig.ask("DeleteLoadBalancer", LoadBalancerArn="arn:lb")
    assert [each.is_closed for each in rig.forwarders] == [True, False]
    assert list(rig.elb._listeners) == ["arn:other:80"]
    assert rig.elb._tgs["a"]["LoadBalancerArns"] == ["arn:other"]


def test_where_a_port_cannot_be_had_the_name_says_which_it_is(rig: Rig) -> None:
    rig.unbindable = {80}
    rig.furnish("a")
    assert (rig.forwarders[0].port, rig.elb._lbs["arn:lb"]["DNSName"]) == (40080, "127.156.64.1:40080")
    rig.ask("CreateListener", LoadBalancerArn="arn:lb", Port="81", Actions=[])
    assert rig.forwarders[1].address == "127.156.64.1"
    rig.ask("DeleteLoadBalancer", LoadBalancerArn="arn:lb")
    assert [rig.network.addresses.take() for _ in range(254)][-1] == "127.156.64.1"


@pytest.mark.parametrize(("protocol", "kind"), [("HTTPS", "forward"), ("HTTP", "redirect")])
def test_what_the_sandbox_does_not_play_has_no_socket(rig: Rig, protocol: str, kind: str) -> None:
    rig.ask("CreateLoadBalancer", Name="lb", **SUBNETS)
    rig.ask("CreateListener", LoadBalancerArn="arn:lb", Protocol=protocol, Actions=[{"Type": kind}])
    assert rig.forwarders == []


# ---- targets


def test_targets_come_and_go_with_tasks(rig: Rig) -> None:
    rig.balancers.register("a", {"10.0.0.1": (VPC, 80), "10.0.0.2": (VPC, 8080)})
    one, two = rig.targets.values()
    assert [(each.port, each.check) for each in (one, two)] == [(80, CHECK), (8080, CHECK)]
    rig.balancers.register("a", {"10.0.0.2": (VPC, 8080), "10.0.0.3": (VPC, 80)})
    assert (one.has_left, two.has_left, rig.targets["10.0.0.2"] is two) == (True, False, True)
    known: Any = rig.balancers.target("a", "10.0.0.2")
    assert known is two
    assert rig.balancers.target("a", "10.0.0.1") is rig.balancers.target("b", "10.0.0.2") is None
    rig.balancers.register("none", {"10.0.0.9": (VPC, 80)})
    assert "10.0.0.9" not in rig.targets
    assert rig.ask("DescribeTargetHealth", TargetGroupArn="a") == (
        *(200, XML),
        b"DescribeTargetHealth: <TargetHealthDescriptions><10.0.0.2 initial><10.0.0.3 initial>"
        b"</TargetHealthDescriptions>",
    )
    empty = b"DescribeTargetHealth: <TargetHealthDescriptions></TargetHealthDescriptions>"
    assert rig.ask("DescribeTargetHealth", TargetGroupArn="b") == (200, XML, empty)
    gone = (400, XML, b"TargetGroupNotFound: Target group 'none' not found")
    assert rig.ask("DescribeTargetHealth", TargetGroupArn="none") == gone


def test_a_group_goes_with_its_targets_when_nobody_forwards_to_it(rig: Rig) -> None:
    rig.furnish("a")
    rig.balancers.register("a", {"10.0.0.1": (VPC, 80)})
    rig.balancers.register("b", {"10.0.0.2": (VPC, 80)})
    used = (400, XML, b"ResourceInUse: Target group 'a' is currently in use by a listener or a rule")
    assert rig.ask("DeleteTargetGroup", TargetGroupArn="a") == used
    assert rig.ask("DeleteTargetGroup", TargetGroupArn="b")[0] == 200
    assert [rig.targets[f"10.0.0.{number}"].has_left for number in (1, 2)] == [False, True]
    assert rig.balancers.target("b", "10.0.0.2") is None


def test_a_target_is_reached_where_its_groups_admit_the_load_balancer(rig: Rig) -> None:
    rig.furnish("a")
    ec2 = rig.upstream.ec2
    ec2._security_groups["sg-task"] = {"VpcId": "vpc-default", "GroupName": "task", "IpPermissions": []}
    closed = AwsVpc(("subnet-a",), ("sg-task",), False)
    with rig.upstream.within(OTHER):
        rig.balancers.register("a", {"10.0.0.1": (VPC, 80), "10.0.0.2": (closed, 80), "10.0.0.3": (VPC, 81)})
    seen: list[Any] = []
    plain = rig.network.is_open

    def is_open(network: AwsVpc, port: int) -> bool:
        seen.append(rig.upstream.scope())
        return plain(network, port)

    vars(rig.network)["is_open"] = is_open
    assert [rig.targets[f"10.0.0.{number}"].admits() for number in (1, 2, 3)] == [True, False, False]
    assert (set(seen), rig.upstream.scope()) == ({OTHER}, SCOPE)
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": "sg-balancer"}]}
    ec2._security_groups["sg-task"]["IpPermissions"] = [rule]
    assert rig.targets["10.0.0.2"].admits()
    rig.elb._lbs["arn:lb"]["SecurityGroups"] = ["sg-other"]
    assert not rig.targets["10.0.0.2"].admits()
    rig.elb._lbs.clear()
    assert not rig.targets["10.0.0.2"].admits()


# ---- connections


def state(rig: Rig, **states: str) -> None:
    for address, name in states.items():
        rig.targets[f"10.0.0.{address[1:]}"].state = name


def test_connections_go_to_healthy_targets_in_turn(rig: Rig) -> None:
    rig.furnish("a")
    (forwarder,) = rig.forwarders
    assert forwarder.choose() is None
    rig.balancers.register("a", {f"10.0.0.{number}": (VPC, 80 + number) for number in (1, 2, 3)})
    assert forwarder.choose() is None
    state(rig, _1="healthy", _3="healthy")
    chosen = [forwarder.choose() for _ in range(4)]
    assert chosen == [("10.0.0.1", 81), ("10.0.0.3", 83)] * 2


def test_connections_are_shared_by_the_weights_of_groups(rig: Rig) -> None:
    rig.furnish("a", "b", weights=(3, 1))
    (forwarder,) = rig.forwarders
    rig.balancers.register("a", {"10.0.0.1": (VPC, 80)})
    rig.balancers.register("b", {"10.0.0.2": (VPC, 80)})
    state(rig, _1="healthy", _2="healthy")
    chosen = [forwarder.choose()[0][-1] for _ in range(8)]
    assert sorted(chosen) == [*"111111", *"22"]


def test_a_connection_stays_with_a_target_that_still_serves(rig: Rig) -> None:
    listener = rig.furnish("a", "b", weights=(1, 0))
    (forwarder,) = rig.forwarders
    rig.balancers.register("a", {"10.0.0.1": (VPC, 80)})
    rig.balancers.register("b", {"10.0.0.2": (VPC, 80)})
    assert [forwarder.keeps(each) for each in (("10.0.0.1", 80), ("10.0.0.1", 81), ("10.0.0.2", 80))] == [
        *(True, False),
        False,
    ]
    rig.elb._listeners[listener]["DefaultActions"] = []
    assert not forwarder.keeps(("10.0.0.1", 80))
    assert forwarder.choose() is None


def test_a_listener_looks_in_the_account_that_made_it(rig: Rig) -> None:
    with rig.upstream.within(OTHER):
        rig.furnish("a")
    seen: list[Any] = []
    rules: Any = SimpleNamespace(forwards=lambda _: seen.append(rig.upstream.scope()) or [])
    rig.balancers._rules = rules
    (forwarder,) = rig.forwarders
    assert (forwarder.choose(), forwarder.keeps(("10.0.0.1", 80))) == (None, False)
    assert (seen, rig.upstream.scope()) == ([OTHER, OTHER], SCOPE)


def test_ecs_reads_and_writes_the_weights_of_rules(rig: Rig) -> None:
    rig.elb._rules["r"] = {"ListenerArn": "l", "Priority": "1", "Actions": []}
    rig.balancers.write_weights("r", {"a": 100, "b": 0})
    assert (rig.balancers.weights("r"), rig.balancers.weights("none")) == ({"a": 100, "b": 0}, None)
