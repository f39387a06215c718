"""The sandbox's load balancers answer as AWS does, without a socket."""

from types import SimpleNamespace
from typing import Any

from model_sandbox.cloudformation import load_balancing
from model_sandbox.load_balancer import LoadBalancers
from tests.unit.sandbox.test_cloudformation import Recorder


def test_a_refusal_of_the_service_is_the_answer() -> None:
    elb = SimpleNamespace(
        _parse_member_list=lambda *_: ["subnet-a", "subnet-b"], _p=lambda params, name: params[name], _lbs={}
    )
    upstream: Any = SimpleNamespace(elb=elb)
    network: Any = SimpleNamespace(
        subnet=lambda name: {"AvailabilityZone": name[-1]}, addresses=SimpleNamespace(take=lambda: "127.0.0.2")
    )
    refusal = (400, {"Content-Type": "text/xml"}, b"<Code>DuplicateLoadBalancerName</Code>")
    assert LoadBalancers(upstream, network)._create({"Name": "iris"}, lambda _: refusal) == refusal


def test_a_stack_changes_the_groups_of_its_load_balancer() -> None:
    client = Recorder()
    balancer = load_balancing.LoadBalancer(lambda _: client)
    balancer._settle("arn", {"SecurityGroups": ["a"]}, {"SecurityGroups": ["b"]})
    assert client.calls[0] == ("set_security_groups", {"LoadBalancerArn": "arn", "SecurityGroups": ["b"]})


def test_a_stack_changes_a_listener_in_its_place() -> None:
    client, asked = Recorder(), []

    def of(service: str) -> Recorder:
        asked.append(service)
        return client

    old = {"LoadBalancerArn": "l", "Port": "80", "DefaultActions": [{"Type": "forward", "TargetGroupArn": "a"}]}
    load_balancing.Listener(of)._settle("arn", old, old)
    assert client.calls == []
    load_balancing.Listener(of)._settle("arn", old, {**old, "Port": "8080"})
    ((operation, told),) = client.calls
    assert (operation, told["ListenerArn"], told["Port"], set(asked)) == ("modify_listener", "arn", 8080, {"elbv2"})
