"""The address of a listener, on AWS and in the sandbox."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize.aws.ecs import endpoint
from model_dockerize.aws.ecs.endpoint import Address
from model_dockerize.aws.ecs.run_task import Ended
from model_dockerize.aws.model import Service
from model_dockerize.errors import AwsError
from model_dockerize.pipeline import deployed
from model_dockerize.pipeline.context import Run
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from model_dockerize.settings.sources import from_flags
from model_dockerize.smoke import Expectation
from tests.rig.deployer import Quiet
from tests.rig.progress import Said
from tests.rig.reports import so_far
from tests.rig.scripted import Call, Script, refused

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


DEFINITION = "arn:aws:ecs:us-east-1:123456789012:task-definition/iris:2"
IRIS = Service("arn:iris", "iris", "c", True, "ecs-svc/1", DEFINITION, None)
GROUP, BALANCER, LISTENER, RULE, TEST_RULE = "arn:group", "arn:balancer", "arn:listener", "arn:rule", "arn:test-rule"


def listed(*pages: list[str]) -> Call:
    asked = {"cluster": "c", "serviceName": "iris", "desiredStatus": "RUNNING"}
    return "ecs:list_tasks", asked, [{"taskArns": page} for page in pages]


def running(*arns: str, of: str = DEFINITION) -> Call:
    detail = [{"name": "subnetId", "value": "subnet-1"}, {"name": "networkInterfaceId", "value": "eni-1"}]
    task = {"taskDefinitionArn": of, "lastStatus": "RUNNING", "attachments": [{"details": detail}]}
    return "ecs:describe_tasks", {"cluster": "c", "tasks": list(arns)}, {"tasks": [task]}


def interface(answer: Any = None, **public: str) -> Call:
    shown = {"PrivateIpAddress": "10.0.0.7", **({"Association": {"PublicIp": public["at"]}} if public else {})}
    return (
        "ec2:describe_network_interfaces",
        {"NetworkInterfaceIds": ["eni-1"]},
        answer or {"NetworkInterfaces": [shown]},
    )


def found_at(service: Service, *calls: Call, of_test: bool = False) -> tuple[Address, list[str]]:
    with Script(*calls) as script:
        which: Any = {"of_test": True} if of_test else {}
        address = endpoint.address_of(script.aws, service, script.said, **which)
    return address, script.said.infos


def test_a_task_with_a_public_address_answers_there() -> None:
    calls = listed(["t1"]), running("t1"), interface(at="203.0.113.7")
    url = "http://203.0.113.7"
    assert found_at(IRIS, *calls) == (Address(url, url, 30.0, "http://10.0.0.7"), [])


def test_a_task_without_one_answers_inside_of_its_network() -> None:
    url = "http://10.0.0.7"
    assert found_at(IRIS, listed(["t1"]), running("t1"), interface()) == (
        Address(url, url, 3.0, url),
        ["service iris has no public IP: 10.0.0.7 answers inside its network only"],
    )


def test_tasks_are_described_a_hundred_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    arns = [f"t{number}" for number in range(101)]
    unseen = interface(refused("InvalidNetworkInterfaceID.NotFound"))
    calls = listed(arns[:60], arns[60:]), running(*arns[:100], of="other"), running("t100"), unseen, interface()
    assert found_at(IRIS, *calls)[0].inside == "http://10.0.0.7"


def test_a_service_whose_task_gets_no_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    with Script(listed([]), listed(["t1"]), running("t1", of="other")) as script, pytest.raises(AwsError) as caught:
        endpoint.address_of(script.aws, IRIS, script.said, seconds=1)
    assert str(caught.value) == "No running task of service iris got an address within 1 s."
    assert caught.value.remedy == "Run again; if it stays, look at the service's events in the ECS console."
    assert pauses == [1.0]
    with Script((*listed()[:2], refused("ServerException", "oh"))) as script, pytest.raises(AwsError) as caught:
        endpoint.address_of(script.aws, IRIS, script.said)
    assert str(caught.value) == "address of service iris: Operation failed: ServerException: oh"


def balanced(
    *, created: datetime | None = None, protocol: str = "HTTP", port: int = 80, scheme: str = "internet-facing"
) -> list[Call]:
    """Return the calls that find a load balancer with one listener."""
    shown = {
        "DNSName": AWS,
        "Scheme": scheme,
        "CreatedTime": created or datetime.now(UTC),
        "SecurityGroups": ["sg-1", "sg-2"],
    }
    listener = {"ListenerArn": LISTENER, "Protocol": protocol, "Port": port}
    return [
        (
            "elbv2:describe_target_groups",
            {"TargetGroupArns": [GROUP]},
            {"TargetGroups": [{"LoadBalancerArns": [BALANCER]}]},
        ),
        ("elbv2:describe_load_balancers", {"LoadBalancerArns": [BALANCER]}, {"LoadBalancers": [shown]}),
        ("elbv2:describe_listeners", {"LoadBalancerArn": BALANCER}, [{"Listeners": [listener]}]),
    ]


def rules(*arns: str, group: str = GROUP) -> Call:
    shown = [{"RuleArn": arn, "Actions": [{"TargetGroupArn": group}]} for arn in arns]
    return "elbv2:describe_rules", {"ListenerArn": LISTENER}, [{"Rules": [each]} for each in shown]


TASK = [listed(["t1"]), running("t1"), interface(at="203.0.113.7")]
BALANCED = Service(
    "arn:iris", "iris", "c", True, "d", DEFINITION, None, target_groups=(GROUP,), rule_arns=(RULE, TEST_RULE)
)


@pytest.mark.parametrize(
    ("minutes", "scheme", "patience"),
    [(14, "internet-facing", 120.0), (16, "internet-facing", 3.0), (14, "internal", 3.0)],
)
def test_a_load_balancer_answers_for_its_tasks_and_a_new_name_takes_time(
    minutes: int, scheme: str, patience: float
) -> None:
    calls = balanced(created=datetime.now(UTC) - timedelta(minutes=minutes), scheme=scheme)
    address = Address(f"http://{AWS}", f"http://{AWS}", patience, "http://10.0.0.7", ("sg-1", "sg-2"))
    assert found_at(BALANCED, *TASK, *calls, rules("arn:other", RULE)) == (address, [])


def test_a_name_with_a_certificate_is_not_tried_from_outside() -> None:
    calls = balanced(protocol="HTTPS", port=443)
    address = Address(f"https://{AWS}", "", 120.0, "http://10.0.0.7", ("sg-1", "sg-2"))
    assert found_at(BALANCED, *TASK, *calls, rules(RULE))[0] == address


def test_the_test_port_is_that_of_the_last_rule() -> None:
    calls = balanced(port=10080)
    assert found_at(BALANCED, *TASK, *calls, rules(TEST_RULE), of_test=True)[0].url == f"http://{AWS}:10080"
    unshifted = Service("arn:iris", "iris", "c", True, "d", DEFINITION, None, target_groups=(GROUP,))
    # By no rule of ours, its age says nothing of when the listener came.
    found = found_at(unshifted, *TASK, *balanced(created=datetime.fromtimestamp(0, UTC)), rules("arn:any"))[0]
    assert (found.url, found.patience) == (f"http://{AWS}", 120.0)


def test_where_no_listener_forwards_to_it_the_task_answers_itself() -> None:
    assert found_at(BALANCED, *TASK, *balanced(), rules(TEST_RULE))[0].url == "http://203.0.113.7"
