"""The address of a listener, on AWS and in the sandbox."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws.ecs import endpoint

AWS = "model-1.eu-central-1.elb.amazonaws.com"


def account(name: str, protocol: str, port: int) -> Any:
    """An account with one load balancer of this DNS name, one listener and one rule."""
    pages = {
        "describe_listeners": [{"Listeners": [{"ListenerArn": "l", "Protocol": protocol, "Port": port}]}],
        "describe_rules": [{"Rules": [{"RuleArn": "r", "Actions": []}]}],
    }
    balancer = {"DNSName": name, "Scheme": "internal", "CreatedTime": datetime.now(UTC)}
    elbv2 = SimpleNamespace(
        describe_target_groups=lambda **_: {"TargetGroups": [{"LoadBalancerArns": ["b"]}]},
        describe_load_balancers=lambda **_: {"LoadBalancers": [balancer]},
        get_paginator=lambda operation: SimpleNamespace(paginate=lambda **_: pages[operation]),
    )
    return SimpleNamespace(elbv2=elbv2)


@pytest.mark.parametrize(
    ("name", "protocol", "port", "url"),
    [
        (AWS, "HTTP", 80, f"http://{AWS}"),
        (AWS, "HTTPS", 443, f"https://{AWS}"),
        (AWS, "HTTP", 10080, f"http://{AWS}:10080"),
        ("127.8.0.1", "HTTP", 80, "http://127.8.0.1"),
        ("127.8.0.1:36569", "HTTP", 80, "http://127.8.0.1:36569"),
        ("127.8.0.1:36569", "HTTP", 10080, "http://127.8.0.1:10080"),
    ],
    ids=["aws", "aws-tls", "aws-test", "sandbox-of-root", "sandbox-of-a-user", "its-test-port"],
)
def test_a_listener_answers_at(name: str, protocol: str, port: int, url: str) -> None:
    found = endpoint._balancer(account(name, protocol, port), "group", "r")
    assert found is not None
    assert found[0] == url
