"""The address of a listener, on AWS and in the sandbox."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws.ecs import endpoint
from model_dockerize.aws.ecs.run_task import Ended
from model_dockerize.pipeline import deployed
from model_dockerize.pipeline.context import Run
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from model_dockerize.settings.sources import from_flags
from model_dockerize.smoke import Expectation
from tests.rig.deployer import Quiet
from tests.rig.progress import Said
from tests.rig.reports import so_far

AWS = "model-1.eu-central-1.elb.amazonaws.com"


def account(name: str, protocol: str, port: int, *actions: dict[str, Any]) -> Any:
    """Make an account with one load balancer of this DNS name, one listener and one rule of these actions."""
    pages = {
        "describe_listeners": [{"Listeners": [{"ListenerArn": "l", "Protocol": protocol, "Port": port}]}],
        "describe_rules": [{"Rules": [{"RuleArn": "r", "Actions": actions}]}],
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


@pytest.mark.parametrize(
    ("inputs", "access", "lasts"),
    [
        ({}, "anyone on the internet", "changes with the next deployment; load-balancer: true keeps one"),
        ({"load-balancer": "true", "allow-from": "10.0.0.0/8"}, "10.0.0.0/8", ""),
        ({"smoke-url": "http://m.example.com"}, "anyone on the internet", ""),
    ],
)
def test_an_address_is_told_with_who_reaches_it_and_whether_it_lasts(
    monkeypatch: pytest.MonkeyPatch, inputs: dict[str, str], access: str, lasts: str
) -> None:
    monkeypatch.setattr(endpoint, "address_of", lambda *_: endpoint.Address("http://203.0.113.7", "", 1))
    run = Run(to_settings([from_flags(inputs)]), {}, Recorder(Quiet()))
    nothing: Any = None
    with run.recorder.stage("deploy") as stage:
        deployed.address(run, nothing, nothing, stage)
    report = so_far(run)
    assert (report.url, report.access) == (inputs.get("smoke-url", "http://203.0.113.7"), access)
    assert report.lasts.partition(" (about")[0] == lasts


@pytest.mark.parametrize(
    ("action", "is_found"),
    [
        ({"TargetGroupArn": "group"}, True),
        ({"ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "group", "Weight": 100}]}}, True),
        (
            {"ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "o"}, {"TargetGroupArn": "group", "Weight": 0}]}},
            True,
        ),
        ({"ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "o", "Weight": 100}]}}, False),
        ({"FixedResponseConfig": {"StatusCode": "404"}}, False),
    ],
)
def test_a_listener_is_found_by_any_rule_that_names_the_group(action: dict[str, Any], is_found: bool) -> None:
    found = endpoint._balancer(account(AWS, "HTTP", 80, action), "group", "")
    assert (found is not None) is is_found


@pytest.mark.parametrize("has_sample", [True, False])
def test_inside_of_the_network_a_job_that_is_not_tried_is_told_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_sample: bool
) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_text("a")
    ended = Ended(0, "", ())
    monkeypatch.setattr(deployed, "run_once", lambda *_: ended)
    run = Run(to_settings([]), {}, Recorder(Quiet()))
    nobody: Any = None
    told = []
    for key in ("", "a license"):
        expectation = Expectation("b1", sample if has_sample else None, license_key=key)
        said: Any = Said()
        prepared: Any = SimpleNamespace(expectation=expectation)
        deployed._inside(run, prepared, nobody, nobody, endpoint.Address("http://10.0.0.7", "", 1), said)
        told.append([warning.split(":")[0].split(".")[0] for warning in said.warnings])
    untried = "There is no sample input for the model, so no job is tried"
    assert told == ([[], ["No job is tried inside of the network"]] if has_sample else [[untried], [untried]])
