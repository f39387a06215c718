"""Calls of the old service hand all that they are given to our stages, and give back what these return."""

import base64
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batch_service import batch_util
from batch_service.batch_util import Batch
from docker_service import create_docker, ecr_push
from model_dockerize.errors import AwsAccessError, AwsError, InputError
from model_dockerize.image import BuildRequest, RegistryAuth
from model_dockerize.settings import JobConfig, JobQueueConfig
from tests.rig.existing_files import write


class Calls:
    """Stages that note what they are handed, and give what the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Any] = []
        self._monkeypatch = monkeypatch

    def fake(self, module: Any, name: str, result: Any = None) -> None:
        def called(*given: Any, **named: Any) -> Any:
            self.made.append((name, *given, *([named] if named else [])))
            return result(*given) if callable(result) else result

        self._monkeypatch.setattr(module, name, called)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


CLIENT: Any = SimpleNamespace(meta=SimpleNamespace(region_name="eu-central-1"))


def test_a_login_is_read_of_ecrs_answer() -> None:
    def client(place: str) -> Any:
        token = base64.b64encode(b"AWS:pass:word").decode()
        data = [{"authorizationToken": token, "proxyEndpoint": place}, {}]
        return SimpleNamespace(get_authorization_token=lambda: {"authorizationData": data})

    for place, registry in (
        ("https://123456789012.dkr.ecr.eu-central-1.amazonaws.com/", "123456789012.dkr.ecr.eu-central-1.amazonaws.com"),
        ("https://123456789012.dkr-ecr.eu-central-1.on.aws", "123456789012.dkr-ecr.eu-central-1.on.aws"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
    ):
        login = {"username": "AWS", "password": "pass:word", "registry": registry}
        assert ecr_push.connect_to_ecr(client(place), "123456789012") == login
    assert ecr_push.connect_to_ecr(client("https://123456789012.dkr.ecr.x"), 123456789012)["username"] == "AWS"  # type: ignore[arg-type]
    with pytest.raises(AwsAccessError) as raised:
        ecr_push.connect_to_ecr(client("https://123456789012.dkr.ecr.x"), "210987654321")
    assert (str(raised.value), raised.value.remedy) == (
        "The credentials belong to account 123456789012, not to 210987654321.",
        "Use credentials of the account that is meant, or correct aws_id. Nothing was changed.",
    )


def test_a_client_is_made_of_what_it_is_given(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    calls.fake(ecr_push.boto3, "client", "made")
    assert ecr_push.ecr_client("eu-central-1", "key", "secret") == "made"
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    assert calls.made == [("client", "ecr", {"region_name": "eu-central-1", **keys})]


@pytest.mark.parametrize(
    ("local", "named"), [("iris:1", "iris:1"), ("sha256:1", "sha256:1"), (SimpleNamespace(id="sha256:2"), "sha256:2")]
)
def test_an_image_is_named_for_a_registry(local: Any, named: str, calls: Calls) -> None:
    calls.fake(ecr_push.image, "name_image")
    engine: Any = object()
    for registry in ("r.example:5000", "https://r.example:5000/"):
        assert ecr_push.tag_image(engine, local, registry, "iris", "v1") == "r.example:5000/iris:v1"
    assert calls.made == [("name_image", engine, named, "r.example:5000/iris:v1")] * 2


@pytest.mark.parametrize(("retry", "attempts"), [({}, 2), ({"retry": 0}, 1), ({"retry": 3}, 4), ({"retry": -5}, 1)])
def test_an_image_is_pushed_with_an_attempt_more_for_each_retry(
    retry: dict[str, int], attempts: int, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "docker_service")
    engine: Any = object()

    def pushed(_client: Any, name: str, _logins: Any, progress: Any, _attempts: int) -> str:
        progress.info(f"pushing {name} with pass-word")
        return "sha256:1"

    calls.fake(ecr_push.image, "push_named", pushed)
    found = ecr_push.push_image(engine, "AWS", "pass-word", "https://r.example/", "r.example/iris:1", **retry)
    assert found == "sha256:1"
    ((_, client, name, logins, _, number),) = calls.made
    assert (client, name, number) == (engine, "r.example/iris:1", attempts)
    assert logins == [RegistryAuth("AWS", "pass-word", "r.example")] * attempts
    (line, *_) = caplog.records
    assert (line.name, "pass-word" in caplog.text) == ("docker_service", False)
    assert line.getMessage().startswith("push: pushing r.example/iris:1 with ")


def test_a_push_to_ecr_makes_the_repository_and_verifies(calls: Calls, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "docker_service")
    engine: Any = object()
    login = {"username": "AWS", "password": "word", "registry": "r.example"}
    calls.fake(ecr_push, "connect_to_ecr", login)
    calls.fake(ecr_push, "ensure_repository")
    calls.fake(ecr_push, "push_image", "sha256:1")
    calls.fake(ecr_push, "verify")
    calls.fake(ecr_push.image, "name_image")
    assert ecr_push.ecr_push(CLIENT, "123456789012", engine, "iris:1", "iris", "v1") == "r.example/iris:v1"
    account = calls.made[2][1]
    assert account.client("ecr") is CLIENT
    assert account.identity.region == "eu-central-1"
    assert [call[:1] if call[0] == "ensure_repository" else call for call in calls.made] == [
        ("connect_to_ecr", CLIENT, "123456789012"),
        ("name_image", engine, "iris:1", "r.example/iris:v1"),
        ("ensure_repository",),
        ("push_image", engine, "AWS", "word", "r.example", "r.example/iris:v1"),
        ("verify", account, "iris", "sha256:1", ("v1",)),
    ]
    assert calls.made[2][2] == "iris"
    assert {record.name for record in caplog.records} == {"docker_service"}
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["repository"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write(tmp_path)


def test_a_dockerfile_is_written_as_inputs_say_and_no_step_of_aws_counts(
    files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "docker_service")
    inputs = {"push-to-ecr": "true", "deploy-service": "true", "create-job-def": "true"}
    made = create_docker.create_dockerfile(files / "program", inputs=inputs, environment={})
    path = files / "program/Dockerfile"
    assert made == create_docker.Dockerfile(path, path.read_text(encoding="utf-8"), "python:3.6")
    assert "model_installer" not in made.text
    assert {record.name for record in caplog.records} == {"docker_service"}
    assert caplog.records[-1].getMessage().startswith("program: ")
    path.unlink()
    inputs = {"base-image": "python:3.13-slim-trixie", "requirements-file": "requirements.txt"}
    made = create_docker.create_dockerfile(files / "program", inputs=inputs, environment={})
    assert made.base_image == "python:3.13-slim-trixie"
    assert "-r ./requirements.txt\n" in made.text


def test_an_archive_gets_no_dockerfile(files: Path, calls: Calls) -> None:
    calls.fake(create_docker.make, "inspect", object())
    with pytest.raises(InputError) as raised:
        create_docker.create_dockerfile(files / "program", environment={})
    assert (str(raised.value), raised.value.remedy) == (
        "A Dockerfile is made of a folder, not of an archive.",
        "Leave from-archive out.",
    )


@pytest.mark.parametrize("is_ours", [True, False])
@pytest.mark.parametrize("version", [(), ("v2",)])
def test_an_image_is_built_by_whatever_dockerfile_there_is(
    is_ours: bool, version: tuple[str, ...], files: Path, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "docker_service")
    context, engine = SimpleNamespace(is_ours=is_ours), SimpleNamespace(platform="linux/arm64")
    calls.fake(create_docker.program, "read_context", context)
    for name, result in (
        ("probe", engine),
        ("find_sources", "sources"),
        ("server_version", "9"),
        ("server_image", None),
        ("build", "built"),
    ):
        calls.fake(create_docker.image, name, result)
    environment = {"DOCKER_HOST": "unix:///x"}
    built = create_docker.create_docker_image(files / "program/Dockerfile", "iris", *version, environment=environment)
    assert built == "built"
    (_, folder, progress), (_, asked), *server, (_, there, files_of, request, same) = calls.made
    assert (folder, asked, there) == (files / "program", environment, engine)
    assert same is progress
    assert isinstance(files_of, partial)
    assert (files_of.func, files_of.args) == (create_docker.program.write_folder, (context,))
    assert request == BuildRequest(tags=(f"iris:{version[0] if version else 'latest'}",))
    made = [
        ("find_sources",),
        ("server_version", "sources"),
        ("server_image", engine, "9", "linux/arm64", "sources", progress),
    ]
    assert server == (made if is_ours else [])
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["build"]


PLACE = {"compute_environment_name": "e", "subnets": ["subnet-2", "subnet-1"], "security_group_ids": ["sg-2", "sg-1"]}
MADE = SimpleNamespace(name="n", arn="a", revision=7, id="i")
NAMED: Callable[..., Batch] = partial(Batch, CLIENT)


@pytest.mark.parametrize(
    ("more", "wanted", "role"),
    [
        ({}, {}, ""),
        ({"max_vcpus": 16, "instance_role": "p", "service_role": "r"}, {"maxvCpus": 16, "instanceRole": "p"}, "r"),
    ],
)
def test_an_environment_is_asked_for_as_described(
    more: dict[str, Any], wanted: dict[str, Any], role: str, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "batch_service")
    calls.fake(batch_util, "converge_environment", MADE)
    batch = NAMED(comp_env_dict={**PLACE, **more})
    assert batch.create_compute_environment() == {"computeEnvironmentName": "n", "computeEnvironmentArn": "a"}
    ((_, account, name, asked, given_role, progress, how),) = calls.made
    places = {"type": "EC2", "subnets": ["subnet-1", "subnet-2"], "securityGroupIds": ["sg-1", "sg-2"]}
    assert (name, asked, given_role) == ("e", {**places, **wanted}, role)
    assert how == {
        "making": {
            "allocationStrategy": "BEST_FIT_PROGRESSIVE",
            "minvCpus": 0,
            "instanceTypes": ["optimal"],
            "instanceRole": "ecsInstanceRole",
        }
    }
    assert account.client("batch") is CLIENT
    assert type(progress).__name__ == "StageProgress"
    assert [(one.name, one.getMessage().partition(":")[0]) for one in caplog.records] == [
        ("batch_service", "environment")
    ]


QUEUE = {"job_queue_name": "q", "job_queue_priority": 7, "compute_environment_name": "e"}


@pytest.mark.parametrize(("given", "environment"), [((), "e"), (("f",), "f"), ((None,), "e"), (("",), "e")])
def test_a_queue_is_asked_for_as_described_or_given(given: Any, environment: str, calls: Calls) -> None:
    calls.fake(batch_util, "ensure_queue", MADE)
    assert NAMED(job_queue_dict=QUEUE).create_job_queue(*given) == {"jobQueueName": "n", "jobQueueArn": "a"}
    ((_, account, written, kind, _),) = calls.made
    assert (written, kind) == (JobQueueConfig("q", environment, 7), None)
    assert account.client("batch") is CLIENT


@pytest.mark.parametrize(
    ("retry", "failures", "tries"),
    [({}, 1, 2), ({}, 9, 2), ({"retry": 0}, 9, 1), ({"retry": 2}, 9, 3), ({"retry": -4}, 9, 1)],
)
def test_a_queue_that_batch_refuses_is_tried_again(
    retry: dict[str, int],
    failures: int,
    tries: int,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "batch_service")

    def ensure(*_: Any) -> Any:
        if len(calls.made) - calls.made.count(("sleep", 5.0)) <= failures:
            raise AwsError("Batch says no.")
        return MADE

    calls.fake(batch_util, "ensure_queue", ensure)
    calls.fake(batch_util.time, "sleep")
    batch = NAMED(job_queue_dict=QUEUE)
    if failures < tries:
        assert batch.create_job_queue(**retry) == {"jobQueueName": "n", "jobQueueArn": "a"}
    else:
        with pytest.raises(AwsError, match=r"^Batch says no\.$"):
            batch.create_job_queue(**retry)
    assert [call[0] for call in calls.made] == ["ensure_queue", *["sleep", "ensure_queue"] * (tries - 1)]
    assert [call for call in calls.made if call[0] == "sleep"] == [("sleep", 5.0)] * (tries - 1)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == ["queue: Batch says no. It is tried again."] * (tries - 1)


DEFINITION = {"job_definition_name": "d", "image": "i", "command": "a b", "job_definition_param": {"x": "y"}}


@pytest.mark.parametrize(
    ("said", "there", "container"),
    [
        ({}, None, {"resourceRequirements": {"VCPU": "1", "MEMORY": "2048"}}),
        ({"vcpus": 2, "memory": 512}, {}, {"resourceRequirements": {"VCPU": "2", "MEMORY": "512"}}),
        ({"memory": 512, "job_definition_environment_variables": {"A": "b"}},
         {"containerProperties": {
             "executionRoleArn": "e", "jobRoleArn": "", "secrets": [1], "environment": [2], "ulimits": [3],
             "resourceRequirements": [{"type": "GPU", "value": "1"}, {"type": "VCPU", "value": "4"}]}},
         {"executionRoleArn": "e", "secrets": [1], "environment": [{"name": "A", "value": "b"}],
          "resourceRequirements": {"VCPU": "4", "MEMORY": "512", "GPU": "1"}}),
        ({}, {"platformCapabilities": ["FARGATE"], "containerProperties": {
            "jobRoleArn": "j", "environment": [2], "resourceRequirements": [{"type": "VCPU", "value": "0.25"}]}},
         {"jobRoleArn": "j", "environment": [2], "resourceRequirements": {"VCPU": "1", "MEMORY": "2048"}}),
    ],
)  # fmt: skip
def test_a_definition_is_registered_as_described_and_keeps_what_nobody_describes(
    said: dict[str, Any], there: Any, container: dict[str, Any], calls: Calls
) -> None:
    calls.fake(batch_util, "latest_revision", there)
    calls.fake(batch_util, "register", MADE)
    made = NAMED(job_def_dict={**DEFINITION, **said}).create_job_definition()
    assert made == {"jobDefinitionName": "n", "jobDefinitionArn": "a", "revision": 7}
    (_, account, name), (_, same, asked, _, how) = calls.made
    assert account is same
    assert (name, how) == ("d", {"adopt": True})
    needs = [{"type": kind, "value": size} for kind, size in container.pop("resourceRequirements").items()]
    assert asked == {
        "jobDefinitionName": "d",
        "type": "container",
        "platformCapabilities": ["EC2"],
        "parameters": {"x": "y"},
        "containerProperties": {"image": "i", "command": ["a", "b"], "resourceRequirements": needs, **container},
        "tags": {"model-dockerize": "batch"},
    }


def test_a_definition_may_be_named_by_the_call(calls: Calls) -> None:
    calls.fake(batch_util, "latest_revision")
    calls.fake(batch_util, "register", MADE)
    NAMED(job_def_dict={"memory": 4}).create_job_definition("e", "j")
    asked = calls.made[1][2]
    assert (asked["jobDefinitionName"], asked["containerProperties"]["image"]) == ("e", "j")
    assert asked["containerProperties"]["command"] == []


@pytest.mark.parametrize(
    ("given", "job"), [((), ("j", "q", "d")), (("k", "e", "r"), ("k", "r", "e")), ((None, "", None), ("j", "q", "d"))]
)
def test_a_job_is_sent_as_described_or_given(given: Any, job: tuple[str, str, str], calls: Calls) -> None:
    calls.fake(batch_util, "submit_one", MADE)
    described = {"job_name": "j", "job_queue_name": "q", "job_definition_name": "d"}
    assert NAMED(job_dict=described).create_job(*given) == {"jobName": "n", "jobId": "i"}
    ((_, account, written, _),) = calls.made
    assert written == JobConfig(*job)
    assert account.client("batch") is CLIENT


@pytest.mark.parametrize(("given", "name"), [((), "d"), (("e",), "e"), (("",), "d")])
def test_the_latest_revision_is_a_number(given: Any, name: str, calls: Calls) -> None:
    calls.fake(batch_util, "latest_job_definition", MADE)
    batch = NAMED(job_def_dict={"job_definition_name": "d"})
    assert batch.latest_version_job_definition(*given) == 7
    ((_, _, asked),) = calls.made
    assert asked == name

    def none(*_: Any) -> None:
        raise InputError("There is none.")

    calls.fake(batch_util, "latest_job_definition", none)
    assert batch.latest_version_job_definition(*given) == 0


def test_without_a_region_no_client_is_made(calls: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls.fake(batch_util.boto3, "client", CLIENT)
    monkeypatch.setattr(batch_util.boto3, "Session", lambda: SimpleNamespace(region_name=None))
    with pytest.raises(InputError) as raised:
        Batch()
    assert (str(raised.value), raised.value.remedy) == (
        "No AWS region is given.",
        "Hand over a client, or set AWS_DEFAULT_REGION.",
    )
    (tmp_path / "b.yml").write_text("client: {region: us-east-1}\njob_def: {memory: x}\n", encoding="utf-8")
    monkeypatch.setattr(batch_util.boto3, "Session", lambda **_: SimpleNamespace(region_name="eu-west-1"))
    Batch(config_file=str(tmp_path / "b.yml"))
    Batch()
    assert calls.made == [("client", "batch", {"region_name": region}) for region in ("us-east-1", "eu-west-1")]
