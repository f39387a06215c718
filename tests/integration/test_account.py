"""The account in the sandbox: planned, made, used by Batch jobs as real containers, and taken back."""

import io
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest

from model_dockerize import sandbox
from model_dockerize.aws import batch, destroy, ecr, ecs
from model_dockerize.aws.batch import JobDefinition
from model_dockerize.aws.batch.jobs import follow_jobs, log_of, send_jobs
from model_dockerize.aws.client import Aws, Rehearsal, connect, is_read, rehearse
from model_dockerize.aws.destroy import plan_destruction
from model_dockerize.aws.ground import Model, Names, container_of, ensure_foundations, ensure_job_network
from model_dockerize.aws.ground.names import log_group
from model_dockerize.settings import AwsSettings, to_settings
from rig.small_base import SMALL_BASE, make_small_base
from tests.rig.homes import NewHome
from tests.rig.inputs import saying

from .conftest import Cli

#: With everything that a network can hold, so that it is taken back in an order that works.
PLACE: dict[str, Any] = {"zones": 2, "assign_public_ip": False, "volume": "mdacct"}
SERVICE = saying(to_settings([]).service, cluster="mdacct", cpu=256, memory=512, **PLACE)
BATCH = to_settings([]).batch
NAMES = Names("mdacct", "mdacct", "mdacct", "mdacct", "mdacct", "mdacct", volume="mdacct")
DOCKERFILE = f"""
FROM {SMALL_BASE}
ENTRYPOINT ["sh", "-c", "echo got $@; ! echo $2 | grep -q bad", "job"]
"""


@dataclass
class Said:
    lines: list[str] = field(default_factory=list)

    def info(self, text: str) -> None:
        self.lines.append(text)

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        self.lines.append(text)

    def output(self, text: str) -> None:
        self.lines.append(text)

    def transfer(self, what: str, done: int, total: int) -> None: ...

    def secret(self, value: str) -> None: ...


@dataclass
class World:
    aws: Aws
    said: Said
    uri: str = ""

    def everything(self, connection: Aws) -> JobDefinition:
        """Make all that a run makes, without the image."""
        uri = self.uri or f"mdacct@sha256:{'0' * 64}"
        ecr.ensure_repository(connection, "mdacct", self.said)
        ground = ensure_foundations(connection, SERVICE, Model("mdacct", "mdacct"), self.said)
        command = ("run", "Ref::input", "Ref::output")
        container = container_of(connection, SERVICE, uri, "linux/amd64", ground)
        job = batch.ensure_job_definition(connection, BATCH, "mdacct", container, command, {}, self.said)
        network = ensure_job_network(connection, SERVICE, self.said)
        batch.ensure_queue(connection, BATCH, "mdacct", network, "linux/amd64", self.said)
        served = container.with_volume(ground.volume)
        definition = ecs.ensure_task_definition(connection, "mdacct", served, self.said)
        ecs.ensure_service(connection, saying(SERVICE, desired_count=0), "mdacct", definition, ground, self.said)
        return job

    def planned(self) -> tuple[Rehearsal, list[str]]:
        """Return the plan of it, and the operations that reached AWS."""
        rehearsal, sent = rehearse(self.aws), list[str]()
        rehearsal.aws.listen("before-send", lambda event_name, **_: sent.append(event_name.rsplit(".", 1)[-1]))
        self.everything(rehearsal.aws)
        return rehearsal, sent


@pytest.fixture(scope="module")
def world(new_home: NewHome) -> Iterator[World]:
    make_small_base()
    home, said = new_home("mdacct"), Said()
    box = sandbox.start(home, said)
    try:
        yield World(connect(AwsSettings("", ""), box.environment(), said), said)
    finally:
        sandbox.stop(home, Said())  # With it go its containers and the images of its registry.


def pushed(world: World) -> str:
    """Push the image of the jobs to the sandbox's registry; return its address by digest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(DOCKERFILE)
        tar.addfile(entry, io.BytesIO(DOCKERFILE.encode()))
    packed.seek(0)
    engine, repository = docker.from_env(), ecr.ensure_repository(world.aws, "mdacct", world.said)
    login = ecr.login(world.aws)
    engine.images.build(fileobj=packed, custom_context=True, tag=f"{repository.uri}:one", rm=True)
    auth = {"username": login.username, "password": login.password}
    said = engine.images.push(repository.uri, tag="one", auth_config=auth, stream=True, decode=True)
    assert [line for line in said if "error" in line] == []
    (detail,) = world.aws.ecr.describe_images(repositoryName="mdacct", imageIds=[{"imageTag": "one"}])["imageDetails"]
    return f"{repository.uri}@{detail['imageDigest']}"


def test_planned_made_used_and_taken_back(world: World) -> None:
    foreign = world.aws.ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    first, sent = world.planned()
    assert {change.action for change in first.changes} == {"make"}
    assert [operation for operation in sent if not is_read(operation)] == []
    assert world.aws.client("cloudformation").describe_stacks()["Stacks"] == []

    world.uri = pushed(world)
    definition = world.everything(world.aws)
    again, _ = world.planned()
    assert again.calls == []
    assert {change.action for change in again.changes} == {"leave"}

    time.sleep(4)  # as on AWS, a role that is new cannot be assumed for some seconds
    jobs = tuple(
        job
        for path in ("/data/good.csv", "/data/bad.csv")
        for job in send_jobs(world.aws, "mdacct", definition.arn, "mdacct", [path], "-", world.said)
    )
    ended = {job.inputs[0]: job for job in follow_jobs(world.aws, "mdacct", jobs, world.said)}
    good, bad = ended["/data/good.csv"], ended["/data/bad.csv"]
    assert (good.status, good.exit_code) == ("SUCCEEDED", 0)
    assert (bad.status, bad.exit_code) == ("FAILED", 1)
    log = log_of(world.aws, log_group("mdacct", "mdacct"), good)
    assert log == ("got run /data/good.csv -",)

    destroy.remove(plan_destruction(world.aws, NAMES, world.said, delete_data=True), world.said)
    assert plan_destruction(world.aws, NAMES, world.said, delete_data=True).things == ()
    assert world.aws.client("cloudformation").describe_stacks()["Stacks"] == []
    assert world.aws.ec2.describe_vpcs(VpcIds=[foreign])["Vpcs"]


def test_the_command_plans_without_writing_anything(cli: Cli, example: Any) -> None:
    folder = example("is-prime")
    before = sorted(folder.rglob("*"))
    done = cli("plan", folder, "--sandbox", "--image-name", "mdacct-planned")
    assert done.returncode == 0, done.stderr
    assert "+ image mdacct-planned:latest (build, smoke test, push)" in done.stdout
    assert "+ service mdacct-planned" in done.stdout
    assert sorted(folder.rglob("*")) == before
