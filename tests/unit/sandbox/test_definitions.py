"""Definitions of tasks and jobs as their containers get them, and where their output goes."""

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from model_sandbox import container_log, definitions
from model_sandbox.api import ApiError
from model_sandbox.container_log import Forwarder, LogStream, lines
from model_sandbox.container_spec import ContainerSpec, Health, container_config
from model_sandbox.definitions import DefinitionError, check_fargate_task, is_fargate_size

SECOND = 1_000_000_000


# ---- sizes

#: As "Task CPU and memory" in the developer guide of Fargate has them.
SIZES = {
    256: [512, 1024, 2048],
    512: [1024, 2048, 3072, 4096],
    1024: list(range(2048, 8193, 1024)),
    2048: list(range(4096, 16385, 1024)),
    4096: list(range(8192, 30721, 1024)),
    8192: list(range(16384, 61441, 4096)),
    16384: list(range(32768, 122881, 8192)),
    32768: [61440, 122880, 249856],
}


def test_fargate_has_these_sizes_and_no_other() -> None:
    offered = {*(memory for sizes in SIZES.values() for memory in sizes)}
    asked = sorted({size + more for size in offered for more in (-1024, -1, 0, 1, 1024)})
    assert {cpu: [size for size in asked if is_fargate_size(str(cpu), str(size))] for cpu in SIZES} == SIZES
    assert not any(is_fargate_size(cpu + more, 2048) for cpu in SIZES for more in (-1, 1))


@pytest.mark.parametrize(
    ("cpu", "memory", "is_known"),
    [
        ("1 vCPU", "3 GB", True),
        ("1vcpu", "3gb", True),
        (" .5 VCPU ", " 4GB ", True),
        ("0.25 vCPU", "0.5 GB", True),
        ("1 vCPU", "1 GB", False),
        ("one vCPU", "2 GB", False),
        ("1024", "much", False),
        (1024, 2048, True),
    ],
)
def test_sizes_may_have_units(cpu: object, memory: object, is_known: bool) -> None:
    assert is_fargate_size(cpu, memory) is is_known


FARGATE = {
    **{"requiresCompatibilities": ["EC2", "FARGATE"], "cpu": "256", "memory": "512", "networkMode": "awsvpc"},
    "executionRoleArn": "arn:role",
}
NO_ROLE = "Fargate requires task definition to have execution role ARN to support ECR images."


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"requiresCompatibilities": ["EC2"], "cpu": "1", "networkMode": None, "executionRoleArn": ""}, ""),
        ({"memory": "513"}, "No Fargate configuration exists for given values: 256 CPU, 513 memory."),
        ({"networkMode": "bridge"}, "Fargate only supports network mode 'awsvpc'."),
        ({"networkMode": None}, "Fargate only supports network mode 'awsvpc'."),
        ({"executionRoleArn": ""}, NO_ROLE),
    ],
)
def test_fargate_takes_tasks_that_follow_its_rules(changes: dict[str, Any], why: str) -> None:
    if not why:
        check_fargate_task({**FARGATE, **changes})
        check_fargate_task({})
        return
    with pytest.raises(ApiError) as refused:
        check_fargate_task({**FARGATE, **changes})
    assert (refused.value.code, str(refused.value)) == ("ClientException", why)


# ---- variables


def test_an_override_wins_over_the_definition() -> None:
    own = {"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "E"}]}
    override = {"environment": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}
    assert definitions.environment(own, override) == {"A": "1", "B": "3", "E": "", "C": "4"}
    assert definitions.environment({}, {}) == {}


ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:key-AbCdEf"


class Stores:
    """The stand-ins of both stores of secrets. `asked`: what was looked for."""

    def __init__(self, *values: object) -> None:
        self.values = list(values)
        self.asked: list[tuple[Any, ...]] = []
        self.secrets = SimpleNamespace(resolve_secret_string=self._secret)
        self.parameters = SimpleNamespace(resolve_parameter_value=self._parameter)

    def _secret(self, name: str) -> object:
        self.asked.append(("secret", name))
        return self.values.pop(0)

    def _parameter(self, name: str, decrypt: bool) -> object:
        self.asked.append(("parameter", name, decrypt))
        return self.values.pop(0)

    def resolve(self, *references: str) -> dict[str, str]:
        entries = [{"name": f"S{number}", "valueFrom": each} for number, each in enumerate(references)]
        return definitions.secrets(self, {"secrets": entries})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reference", "value", "asked", "told"),
    [
        (ARN, '{"k": 1}', ("secret", ARN), '{"k": 1}'),
        (f"{ARN}:k::", '{"k": 1}', ("secret", ARN), "1"),
        (f"{ARN}:k:AWSCURRENT:v", '{"k": "x"}', ("secret", ARN), "x"),
        (f"{ARN}:::", "plain", ("secret", ARN), "plain"),
        ("/p", 5, ("parameter", "/p", True), "5"),
        ("arn:aws:ssm:us-east-1:1:parameter/p", "v", ("parameter", "arn:aws:ssm:us-east-1:1:parameter/p", True), "v"),
        ("/p", "", ("parameter", "/p", True), ""),
    ],
)
def test_a_secret_is_looked_for_in_its_store(reference: str, value: object, asked: Any, told: str) -> None:
    stores = Stores(value)
    assert (stores.resolve(reference), stores.asked) == ({"S0": told}, [asked])


def test_all_secrets_are_resolved_and_none_may_be_missing() -> None:
    assert Stores("1", "2").resolve("/a", ARN) == {"S0": "1", "S1": "2"}
    assert Stores().resolve() == {}
    assert definitions.secrets(Stores(), {}) == {}  # type: ignore[arg-type]
    begin = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed:"
    with pytest.raises(DefinitionError) as refused:
        Stores("1", None).resolve("/a", f"{ARN}:k::")
    assert str(refused.value) == f"{begin} unable to retrieve secret {ARN} for S1"
    for value in ('{"other": 1}', "no JSON", "[]", "1"):
        with pytest.raises(DefinitionError) as refused:
            Stores(value).resolve(f"{ARN}:k::")
        assert str(refused.value) == f"{begin} retrieved secret from {ARN}:k:: did not contain json key k"


def role(service: str, seconds: float = 3600) -> dict[str, Any]:
    made = datetime.now(UTC) - timedelta(seconds=seconds)
    return {"AssumeRolePolicyDocument": service, "CreateDate": made.isoformat()}


@pytest.mark.parametrize(
    ("arn", "is_fine"),
    [
        ("", True),
        ("arn:aws:iam::1:role/path/tasks", True),
        ("arn:aws:iam::1:role/none", False),
        ("arn:aws:iam::1:role/lambda", False),
        ("arn:aws:iam::1:role/new", False),
    ],
)
def test_a_role_of_a_task_is_one_that_tasks_can_assume_by_now(arn: str, is_fine: bool) -> None:
    tasks = "ecs-tasks.amazonaws.com"
    roles = {"tasks": role(tasks), "lambda": role("lambda.amazonaws.com"), "new": role(tasks, -3600), "": role(tasks)}
    upstream: Any = SimpleNamespace(iam=SimpleNamespace(_roles=roles))
    if is_fine:
        definitions.check_role(upstream, arn)
        return
    with pytest.raises(DefinitionError) as refused:
        definitions.check_role(upstream, arn)
    assert str(refused.value) == (
        f"ECS was unable to assume the role '{arn}' that was provided for this task. Please verify that the role being "
        "passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this "
        "role."
    )


# ---- health and logs


def test_health_checks_have_ecss_defaults() -> None:
    plain = {"command": ["CMD", "true"]}
    assert definitions.health({"healthCheck": plain}) == Health(("CMD", "true"), 30, 5, 3, 0)
    own = {**plain, "interval": 10, "timeout": 2, "retries": 4, "startPeriod": 60}
    assert definitions.health({"healthCheck": own}) == Health(("CMD", "true"), 10, 2, 4, 60)
    assert definitions.health({}) is None
    assert Health(("CMD",)) == Health(("CMD",), interval=30, timeout=5, retries=3, start_period=0)


@pytest.mark.parametrize(
    ("options", "stream", "may_make"),
    [
        ({"awslogs-group": "/g"}, LogStream("/g", "t-1"), False),
        ({"awslogs-group": "/g", "awslogs-stream-prefix": "p"}, LogStream("/g", "p/web/t-1"), False),
        ({"awslogs-group": "/g", "awslogs-create-group": "true"}, LogStream("/g", "t-1"), True),
        ({"awslogs-group": "/g", "awslogs-create-group": True}, LogStream("/g", "t-1"), True),
        ({"awslogs-group": "/g", "awslogs-create-group": "false"}, LogStream("/g", "t-1"), False),
    ],
)
def test_awslogs_writes_a_stream_of_the_task(options: dict[str, Any], stream: LogStream, may_make: bool) -> None:
    container = {"name": "web", "logConfiguration": {"logDriver": "awslogs", "options": options}}
    assert definitions.log_stream(container, "t-1") == (stream, may_make)


@pytest.mark.parametrize(
    "configuration",
    [
        None,
        {},
        {"logDriver": "awslogs"},
        {"logDriver": "awslogs", "options": None},
        {"logDriver": "json-file", "options": {"awslogs-group": "/g"}},
    ],
)
def test_without_awslogs_nothing_is_written(configuration: Any) -> None:
    assert definitions.log_stream({"name": "web", "logConfiguration": configuration}, "t-1") is None


class Logs:
    """The stand-in of ministack's CloudWatch Logs."""

    def __init__(self, status: int = 200) -> None:
        self.calls: list[tuple[str, Any]] = []
        self._log_groups = {"/there": {}}
        answer = (status, {}, b'{"__type": "E", "message": "why"}')
        self._create_log_group = lambda request: self._note("group", request, answer)
        self._create_log_stream = lambda request: self._note("stream", request, answer)
        self._put_log_events = lambda request: self._note("put", request, answer)

    def _note(self, word: str, request: Any, answer: Any) -> Any:
        self.calls.append((word, request))
        return answer

    @property
    def lines(self) -> list[str]:
        assert {word for word, _ in self.calls} <= {"put"}
        return [event["message"] for _, request in self.calls for event in request["logEvents"]]


def upstream_of(logs: Logs) -> Any:
    return SimpleNamespace(logs=logs)


@pytest.mark.parametrize(
    ("group", "may_make", "made"), [("/there", True, []), ("/new", False, []), ("/new", True, ["group"])]
)
def test_a_group_is_made_where_that_is_wanted(group: str, may_make: bool, made: list[str]) -> None:
    logs = Logs()
    container_log.create(upstream_of(logs), LogStream(group, "s"), may_make)
    groups = [("group", {"logGroupName": group}) for _ in made]
    assert logs.calls == [*groups, ("stream", {"logGroupName": group, "logStreamName": "s"})]


@pytest.mark.parametrize(("group", "calls"), [("/new", 1), ("/there", 1)])
def test_what_cannot_be_made_is_told(group: str, calls: int) -> None:
    logs = Logs(400)
    with pytest.raises(ApiError, match=r"^why$"):
        container_log.create(upstream_of(logs), LogStream(group, "s"), make_group=True)
    assert len(logs.calls) == calls


def copied(monkeypatch: pytest.MonkeyPatch, read: Callable[[bool], Iterable[bytes]], patience: float = 60.0) -> Logs:
    logs = Logs()
    monkeypatch.setattr(container_log, "_DRAIN_SECONDS", patience)
    monkeypatch.setattr(container_log, "time", SimpleNamespace(time=lambda: 12.3456))
    Forwarder(upstream_of(logs), LogStream("/g", "s"), read).drain()
    return logs


def test_each_line_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def read(follow: bool) -> Iterable[bytes]:
        asked.append(follow)
        return [b"one\nt", b"wo\n"]

    logs = copied(monkeypatch, read)
    assert logs.calls == [
        (
            "put",
            {"logGroupName": "/g", "logStreamName": "s", "logEvents": [{"timestamp": 12345, "message": message}]},
        )
        for message in ("one", "two")
    ]
    assert asked == [True, False]


def test_what_a_followed_stream_left_out_is_read_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = {True: [b"one\n", b"two\n"], False: [b"o", b"ne\ntw", b"o\nthree\n", b"fo", b"ur"]}
    assert copied(monkeypatch, pieces.__getitem__).lines == ["one", "two", "three", "four"]


def test_a_stream_that_does_not_end_is_not_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    may_end, is_read, readers = threading.Event(), threading.Event(), list[threading.Thread]()

    def read(follow: bool) -> Iterable[bytes]:
        assert follow
        readers.append(threading.current_thread())
        is_read.set()
        may_end.wait(60)
        return []

    assert copied(monkeypatch, read, patience=0.0).lines == []
    assert is_read.wait(60)
    may_end.set()
    assert [reader.daemon for reader in readers] == [True], "nor does it keep the process"


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ([], []),
        ([b"a"], ["a"]),
        ([b"a\n"], ["a"]),
        ([b"a\r\n\nb\r"], ["a", "", "b\r"]),
        ([b"\xff\n\xff"], ["\ufffd", "\ufffd"]),
    ],
)
def test_lines_end_where_they_end(pieces: list[bytes], told: list[str]) -> None:
    assert list(lines(pieces)) == told


# ---- containers


def config_of(spec: ContainerSpec, **more: Any) -> dict[str, Any]:
    """Return what differs from a container that is told nothing."""
    api = docker.APIClient(version="1.41")
    try:
        return container_config(api, spec, **{"mounts": [], "labels": {}, **more})
    finally:
        api.close()


def test_a_container_that_is_told_nothing_is_as_its_image_says() -> None:
    config = config_of(ContainerSpec("i", "n"))
    host = {name: value for name, value in config.pop("HostConfig").items() if value}
    told = {name: value for name, value in config.items() if value}
    assert told == {"Image": "i", "Healthcheck": {"Test": ["NONE"]}}
    assert host == {"NetworkMode": "default"}


def test_a_container_gets_all_that_its_definition_says() -> None:
    spec = ContainerSpec(
        *("i", "n"),
        command=("serve", "now"),
        entry_point=("run",),
        environment={"A": "1"},
        ports=(("127.0.0.1", 8080), ("127.0.0.2", 9000)),
        health=Health(("CMD", "true"), interval=0.5, timeout=1.5, retries=2, start_period=2.5),
        memory_mib=64,
        binds=("/a:/b:ro",),
        user="1000",
        working_directory="/w",
        read_only=True,
        confined=True,
    )
    mount = docker.types.Mount("/m", "/s", type="bind")
    config = config_of(spec, mounts=[mount], labels={"l": "1"})
    host = {name: value for name, value in config.pop("HostConfig").items() if value}
    told = {name: value for name, value in config.items() if value}
    assert told == {
        **{"Image": "i", "Cmd": ["serve", "now"], "Entrypoint": ["run"], "Env": ["A=1"], "Labels": {"l": "1"}},
        **{"User": "1000", "WorkingDir": "/w", "ExposedPorts": {"8080/tcp": {}, "9000/tcp": {}}},
        "Healthcheck": {
            **{"Test": ["CMD", "true"], "Interval": SECOND // 2, "Timeout": 3 * SECOND // 2, "Retries": 2},
            **{"StartPeriod": 5 * SECOND // 2, "StartInterval": SECOND},
        },
    }
    assert host == {
        **{"Binds": ["/a:/b:ro"], "Mounts": [mount], "ReadonlyRootfs": True, "Memory": 64 * 1024 * 1024},
        **{"NetworkMode": "default", "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "PidsLimit": 1024},
        "PortBindings": {
            "8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
            "9000/tcp": [{"HostIp": "127.0.0.2", "HostPort": "9000"}],
        },
    }


def test_a_container_that_joins_another_has_its_network_and_no_ports() -> None:
    config = config_of(ContainerSpec("i", "n", ports=(("127.0.0.1", 80),), join="other"))
    assert (config["HostConfig"]["NetworkMode"], config["HostConfig"]["PortBindings"]) == ("container:other", {})
    assert config.get("ExposedPorts") in (None, {})
