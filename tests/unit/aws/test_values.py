"""The pure parts: sizes, names, hints, addresses."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_dockerize.aws import ground
from model_dockerize.aws.batch.job_definition import job_definition
from model_dockerize.aws.client.names import legal_name
from model_dockerize.aws.ecs.endpoint import newest_interface
from model_dockerize.aws.ecs.stopped_tasks import hint
from model_dockerize.aws.model import Container, Runtime
from model_dockerize.errors import InputError
from model_dockerize.settings.fargate import check_size, memories, nearest
from tests.rig.iris import IMAGE, batch_settings, settings

RUNTIME = Runtime("arn:aws:iam::1:role/e", "arn:aws:iam::1:role/t", "/model-dockerize/iris", fresh_roles=False)


def container(platform: str = "linux/amd64", **changes: Any) -> Container:
    identity: Any = SimpleNamespace(identity=SimpleNamespace(region="us-east-1"))
    return ground.container_of(identity, settings(**changes), IMAGE, platform, RUNTIME)


def test_batch_size_in_vcpus() -> None:
    job = job_definition(batch_settings(), "i", container("linux/arm64", cpu=256, memory=512), ("run",), {})
    assert {"type": "VCPU", "value": "0.25"} in job["containerProperties"]["resourceRequirements"]
    assert job["containerProperties"]["runtimePlatform"]["cpuArchitecture"] == "ARM64"


@pytest.mark.parametrize("role", ["arn:aws:iam::1:role/reads-s3", ""])
def test_a_job_has_the_role_of_the_task_if_there_is_one(role: str) -> None:
    of_task = replace(container(), runtime=replace(RUNTIME, task_role_arn=role))
    properties = job_definition(batch_settings(), "i", of_task, ("run",), {})["containerProperties"]
    assert properties.get("jobRoleArn", "") == role


@pytest.mark.parametrize(
    ("cpu", "memory", "ok"),
    [
        (256, 512, True),
        (256, 1536, False),
        (256, 4096, False),
        (300, 512, False),
        (1024, 2048, True),
        (1024, 1024, False),
        (8192, 20480, True),
        (8192, 17408, False),
        (16384, 122880, True),
        (16384, 131072, False),
    ],
)
def test_fargate_sizes(cpu: int, memory: int, ok: bool) -> None:
    if ok:
        check_size(cpu, memory)
        return
    with pytest.raises(InputError, match=f"cpu {cpu} with memory {memory}") as caught:
        check_size(cpu, memory)
    best = nearest(cpu, memory)
    assert f"cpu: {best[0]}, memory: {best[1]}" in caught.value.remedy


@given(st.integers(1, 20000), st.integers(1, 200000))
def test_the_nearest_size_is_legal_and_large_enough_where_anything_is(cpu: int, memory: int) -> None:
    best = nearest(cpu, memory)
    assert best[1] in memories(best[0])
    assert best == (16384, 122880) or (best[0] >= cpu and best[1] >= memory)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *(("iris-classifier", "iris-classifier"), ("Iris Classifier/ä", "Iris-Classifier"), ("--", "model")),
        *(("a.b", "a-b"), ("a" * 256, "a" * 255)),
    ],
)
def test_legal_names(text: str, name: str) -> None:
    assert legal_name(text) == name


def test_platforms() -> None:
    assert container("linux/amd64").architecture == "X86_64"
    assert container("linux/arm64/v8").architecture == "ARM64"
    for platform in ("windows/amd64", "linux/s390x", ""):
        with pytest.raises(InputError):
            _ = container(platform).architecture


@pytest.mark.parametrize(
    ("reason", "code", "log", "words"),
    [
        ("OutOfMemoryError: Container killed due to memory usage", 137, (), "raise memory"),
        ("Essential container in task exited", 137, (), "out of memory"),
        ("Essential container in task exited", 1, ("exec /usr/bin/tini: exec format error",), "another processor"),
        (
            "CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not contain "
            "descriptor matching platform 'linux/amd64'",
            None,
            (),
            "platforms",
        ),
        ("CannotPullContainerError: manifest unknown", None, (), "could not be pulled"),
        ("ResourceInitializationError: unable to pull secrets", None, (), "before the container"),
        (
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "
            "mount.nfs4: Connection timed out",
            None,
            (),
            "could not be mounted",
        ),
        (
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
            "failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist",
            None,
            (),
            "aws logs create-log-group",
        ),
        ("ResourceInitializationError: unable to retrieve secret from asm: failed", None, (), "may not read it"),
        ("Task failed container health checks", 0, (), "did not become healthy"),
        ("Capacity is unavailable at this time", None, (), "no room"),
        ("ECS was unable to assume the role 'arn'", None, (), "does not trust ecs-tasks.amazonaws.com, or is so new"),
        ("Essential container in task exited", 127, (), "was not found"),
        ("Essential container in task exited", 1, ("Traceback",), ""),
        ("Essential container in task exited", 3, ("0Z not proved: in.csv: it is red", "0Z stopped"), "it is red"),
    ],
)
def test_hints(reason: str, code: int | None, log: tuple[str, ...], words: str) -> None:
    said = hint(reason, code, log)
    assert words in said
    assert bool(words) == bool(said)


def task(definition: str, eni: str, started: int, status: str = "RUNNING") -> dict[str, Any]:
    details = [{"name": "subnetId", "value": "subnet-1"}, {"name": "networkInterfaceId", "value": eni}]
    return {
        "taskDefinitionArn": definition,
        "lastStatus": status,
        "startedAt": f"2026-01-01T00:00:0{started}",
        "attachments": [{"type": "ElasticNetworkInterface", "details": details}],
    }


def test_the_address_is_of_the_newest_running_task_of_our_definition() -> None:
    tasks = [
        task("td:3", "eni-old", 9),
        task("td:4", "eni-first", 1),
        task("td:4", "eni-second", 2),
        task("td:4", "eni-third", 3, "PROVISIONING"),
    ]
    assert newest_interface(tasks, "td:4") == "eni-second"
    # One that has just started takes no jobs until it has proved itself.
    assert newest_interface([{**tasks[1], "healthStatus": "HEALTHY"}, *tasks[2:]], "td:4") == "eni-first"
    unsaid = {key: value for key, value in task("td:4", "eni-unsaid", 9).items() if key != "startedAt"}
    assert newest_interface([unsaid, *tasks], "td:4") == "eni-second"
    assert newest_interface(tasks[:1], "td:4") is None
    assert newest_interface([{**task("td:4", "e", 1), "attachments": []}], "td:4") is None
