"""The small pure parts of the sandbox's server: journal, credentials, addresses, definitions, log lines."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from model_sandbox import definitions, files, journal, network
from model_sandbox.api import ApiError
from model_sandbox.beneath import directory
from model_sandbox.container_log import lines
from model_sandbox.container_spec import ContainerSpec, container_config
from model_sandbox.engine import bounded
from model_sandbox.functions import FunctionError, Functions, _understood
from model_sandbox.network import Addresses, AwsVpc, Network
from model_sandbox.tokens import Grant, Refusal, Scope, Tokens

SCOPE = Scope("123456789012", "us-east-1")


def signed(service: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential=123456789012/20261122/us-east-1/{service}/aws4_request, SignedHeaders=host"


@pytest.mark.parametrize(
    ("service", "target", "path", "body", "expected"),
    [
        ("ecs", "AmazonEC2ContainerServiceV20141113.UpdateService", "/", b"", ("UpdateService", True)),
        ("ecs", "AmazonEC2ContainerServiceV20141113.DescribeServices", "/", b"", ("DescribeServices", False)),
        ("ecr", "AmazonEC2ContainerRegistry_V20150921.BatchGetImage", "/", b"", ("BatchGetImage", False)),
        (
            "ecr",
            "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
            "/",
            b"",
            ("GetAuthorizationToken", False),
        ),
        ("ecr", "AmazonEC2ContainerRegistry_V20150921.BatchDeleteImage", "/", b"", ("BatchDeleteImage", True)),
        ("ec2", "", "/", b"Action=CreateVpc&Version=2016-11-15", ("CreateVpc", True)),
        ("sts", "", "/", b"Version=1&Action=AssumeRoleWithWebIdentity", ("AssumeRoleWithWebIdentity", False)),
        ("batch", "", "/v1/describejobqueues", b"", ("describejobqueues", False)),
        ("batch", "", "/v1/registerjobdefinition", b"", ("registerjobdefinition", True)),
        ("s3", "", "/bucket/key", b"", ("POST /bucket/key", True)),
    ],
)
def test_journal_names_calls_of_every_protocol(
    service: str, target: str, path: str, body: bytes, expected: tuple[str, bool]
) -> None:
    headers = {"authorization": signed(service), **({"x-amz-target": target} if target else {})}
    assert journal.identify("POST", path, headers, body) == (service, *expected)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"__type": "not an error"}', "ok"),
        (400, b'{"__type": "com.amazonaws.ecs#ClientException", "message": "m"}', "ClientException"),
        (400, b'{"__type":"ClusterNotFoundException"}', "ClusterNotFoundException"),
        (400, b"<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code>", "InvalidVpcID.NotFound"),
        (503, b"", "503"),
    ],
)
def test_journal_names_outcomes(status: int, body: bytes, expected: str) -> None:
    assert journal.outcome(status, body) == expected


def test_a_token_is_good_for_its_scope_until_it_expires() -> None:
    now = [1000.0]
    tokens = Tokens(clock=lambda: now[0])
    token, expires = tokens.issue(SCOPE, lifetime=60)
    assert expires == 1060

    def basic(user: str, password: str) -> str:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    assert tokens.check(basic("AWS", token)) == Grant(SCOPE)
    assert tokens.check(basic("root", token)) is Refusal.UNKNOWN
    assert tokens.check(basic("AWS", "guess")) is Refusal.UNKNOWN
    for broken in ("", "Basic", "Basic !!!", "Bearer x", "Basic /w=="):
        assert tokens.check(broken) is Refusal.UNKNOWN
    now[0] = 1060
    assert tokens.check(basic("AWS", token)) is Refusal.EXPIRED
    assert tokens.issue(SCOPE)[1] == 1060 + 12 * 3600, "as AWS's are by default"


def test_addresses_are_loopback_differ_between_sandboxes_and_are_used_again_last() -> None:
    one, other = Addresses(40000), Addresses(40001)
    given = {one.take() for _ in range(254)}
    assert len(given) == 254
    assert all(address and address.startswith("127.") for address in given)
    assert one.take() is None
    assert other.take() not in given
    one.give_back("127.156.64.9")
    assert one.take() == "127.156.64.9"


def rule(**changes: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}], **changes}


@pytest.mark.parametrize(
    ("rules", "is_open"),
    [
        ([], False),
        ([rule()], True),
        ([rule(FromPort=8000, ToPort=9000)], False),
        ([rule(FromPort=1, ToPort=65535)], True),
        ([rule(IpProtocol="udp")], False),
        ([rule(IpProtocol="-1")], True),
        ([rule(IpRanges=[], UserIdGroupPairs=[{"GroupId": "sg-2"}])], False),
    ],
)
def test_a_port_is_open_if_a_group_admits_addresses(rules: list[dict[str, Any]], is_open: bool) -> None:
    group = {"GroupName": "g", "VpcId": "vpc-1", "IpPermissions": rules}
    assert upstream(groups={"sg-1": group}).is_open(AwsVpc(("subnet-1",), ("sg-1",), True), 80) is is_open


def test_without_groups_the_closed_default_group_counts() -> None:
    default = {"GroupName": "default", "VpcId": "vpc-1", "IpPermissions": []}
    assert not upstream(groups={"sg-0": default}).is_open(AwsVpc(("subnet-1",), (), True), 80)


def test_a_subnet_reaches_the_internet_by_its_own_table_or_the_main_one() -> None:
    out = {"VpcId": "vpc-1", "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}]}
    inside = {"VpcId": "vpc-1", "Routes": [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}]}
    own, main = [{"SubnetId": "subnet-1"}], [{"Main": True}]
    assert upstream(tables=[{**out, "Associations": own}]).reaches_internet("subnet-1")
    assert upstream(tables=[{**out, "Associations": main}]).reaches_internet("subnet-1")
    both = [{**out, "Associations": main}, {**inside, "Associations": own}]
    assert not upstream(tables=both).reaches_internet("subnet-1")
    assert not upstream(tables=[]).reaches_internet("subnet-1")


def upstream(groups: dict[str, Any] | None = None, tables: list[Any] | None = None) -> Network:
    ec2 = SimpleNamespace(
        _security_groups=groups or {},
        _subnets={"subnet-1": {"VpcId": "vpc-1"}},
        _route_tables=dict(enumerate(tables or [])),
        _ensure_defaults_initialized=lambda: None,
        _DEFAULT_VPC_ID="vpc-default",
    )
    return Network(SimpleNamespace(ec2=ec2), 40000)  # type: ignore[arg-type]


def test_network_configuration_is_read() -> None:
    assert network.AwsVpc.parse(None) is None
    found = AwsVpc.parse({"awsvpcConfiguration": {"subnets": ["a"], "assignPublicIp": "ENABLED"}})
    assert found == AwsVpc(("a",), (), True)


@pytest.mark.parametrize(
    ("cpu", "memory", "is_known"),
    [
        ("256", "512", True),
        ("256", "4096", False),
        (".25 vCPU", "1 GB", True),
        ("1024", "3072", True),
        ("300", "512", False),
        ("4096", "30720", True),
        (None, None, False),
    ],
)
def test_fargate_sizes(cpu: object, memory: object, is_known: bool) -> None:
    assert definitions.is_fargate_size(cpu, memory) is is_known


def test_secrets_come_from_both_stores_and_are_never_in_the_error() -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf"
    stores: Any = SimpleNamespace(
        secrets=SimpleNamespace(resolve_secret_string=lambda name: '{"k": "hidden"}' if name == arn else None),
        parameters=SimpleNamespace(resolve_parameter_value=lambda name, decrypt: "plain" if name == "/p" else None),
    )

    def secrets(reference: str) -> dict[str, str]:
        return definitions.secrets(stores, {"secrets": [{"name": "S", "valueFrom": reference}]})

    assert secrets(arn) == {"S": '{"k": "hidden"}'}
    assert secrets(f"{arn}:k::") == {"S": "hidden"}
    assert secrets("/p") == {"S": "plain"}
    for wrong in (f"{arn}:other::", "/none", "arn:aws:secretsmanager:us-east-1:1:secret:none"):
        with pytest.raises(definitions.DefinitionError, match="ResourceInitializationError") as caught:
            secrets(wrong)
        assert "hidden" not in str(caught.value)


def test_lines_are_whole_whatever_the_pieces() -> None:
    assert list(lines([b"one\r\ntw", b"o\n\nth", b"r\xc3", b"\xa9e"])) == ["one", "two", "", "thrée"]


def test_no_more_is_taken_of_a_container_than_there_is_room_for() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 7

    assert bounded(endless(), 20) == b"x" * 20
    assert bounded([b"a", b"", b"bc"], 20) == b"abc"


@pytest.mark.parametrize("answer", [b"{", b"[]", b"null", b"{}", b'"result"', b"\xff"])
def test_an_answer_that_a_function_made_up_is_refused(answer: bytes) -> None:
    assert _understood(b'{"result": null}') == {"result": None}
    with pytest.raises(FunctionError):
        _understood(answer)


def test_no_way_of_ministack_runs_a_functions_code_on_this_computer() -> None:
    ways = SimpleNamespace(Worker=SimpleNamespace(), ProvidedWorker=SimpleNamespace())
    lambdas = SimpleNamespace(_create_function=None, _get_function=None)
    upstream: Any = SimpleNamespace(functions=lambdas, function_workers=ways)
    nobody: Any = None
    Functions(upstream, nobody, nobody, lambda *_: None).install()
    for spawn in (lambdas._spawn_lambda_container, ways.Worker._spawn, ways.ProvidedWorker._spawn):  # type: ignore[attr-defined]
        with pytest.raises(RuntimeError, match="runs no code on this computer"):
            spawn()


def test_tasks_that_start_at_once_mount_the_same_new_file_system(tmp_path: Path) -> None:
    for number in range(20):
        root, start = tmp_path / str(number), Barrier(6)

        def mount(root: Path = root, start: Barrier = start) -> str:
            start.wait()
            return directory(root, "/models/iris")

        with ThreadPoolExecutor(6) as tasks:
            assert {each.result() for each in [tasks.submit(mount) for _ in range(6)]} == {"models/iris"}


def test_an_access_point_has_its_own_root_and_needs_encryption() -> None:
    def request(**configuration: object) -> dict[str, Any]:
        point = {"authorizationConfig": {"accessPointId": "fsap-1"}, **configuration}
        return {"volumes": [{"name": "v", "efsVolumeConfiguration": point}]}

    files.check_mount(request(transitEncryption="ENABLED", rootDirectory="/"))
    with pytest.raises(ApiError, match="Transit encryption must be enabled"):
        files.check_mount(request())
    with pytest.raises(ApiError, match="root directory must be /"):
        files.check_mount(request(transitEncryption="ENABLED", rootDirectory="/models"))


def test_a_container_may_take_the_memory_of_its_task_and_no_more() -> None:
    api = docker.APIClient(version="1.41")
    given = [container_config(api, ContainerSpec("i", "c", memory_mib=size), [], {}) for size in (512, None)]
    assert [config["HostConfig"].get("Memory") for config in given] == [512 * 1024 * 1024, None]


def test_what_cannot_be_mounted_is_told_as_ecs_begins_it(tmp_path: Path) -> None:
    upstream: Any = SimpleNamespace(efs=SimpleNamespace(_file_systems={}))
    systems = files.FileSystems(upstream, Network(upstream, 40000), tmp_path)
    with pytest.raises(files.MountError, match=r"^ResourceInitializationError: failed to invoke EFS utils commands"):
        systems.directory({"fileSystemId": "fs-1"}, None)
