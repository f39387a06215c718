"""The AWS room against real containers: a registry, services that roll, crash and roll back. No account."""

import io
import os
import tarfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest

from model_dockerize import sandbox
from model_dockerize.aws import batch, ecr, ecs
from model_dockerize.aws.batch import JobDefinition
from model_dockerize.aws.client import Aws, connect
from model_dockerize.aws.ecr import PushedImage
from model_dockerize.aws.ecs import Verdict, endpoint
from model_dockerize.aws.ground import Model, container_of, ensure_foundations, ensure_runtime
from model_dockerize.aws.model import Foundations, Service, TaskDefinition
from model_dockerize.errors import TimedOutError
from model_dockerize.settings import to_settings
from tests.rig.homes import NewHome
from tests.rig.inputs import saying
from tests.rig.waiting import eventually

DOCKERFILE = """
FROM python:3.13-slim-trixie
ARG MODE
COPY model-server /opt/model-server/model-server
ENV MODE=$MODE PYTHONUNBUFFERED=1
ENTRYPOINT ["/opt/model-server/model-server"]
CMD ["serve"]
"""
SERVER = """#!/usr/local/bin/python3
import http.server, os, signal, sys, urllib.request
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
mode = os.environ["MODE"]
if sys.argv[1] == "health":
    if mode == "ill":
        sys.exit(0)  # the load balancer sees more than the container's own check
    urllib.request.urlopen("http://127.0.0.1:80/health", timeout=3)
    sys.exit(0)
if mode == "crash":
    print("reading the weights")
    raise ImportError("no module named 'weights'")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if mode == "ill" else 200)
        self.end_headers()
        self.wfile.write(mode.encode())
print("serving", mode)
http.server.HTTPServer(("0.0.0.0", 80), Handler).serve_forever()
"""


@dataclass
class Said:
    """A Progress that remembers what, and when."""

    lines: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    first_warning: float = 0.0

    def info(self, text: str) -> None:
        self.lines.append(text)

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        self.first_warning = self.first_warning or time.monotonic()
        self.lines.append(text)

    def output(self, text: str) -> None:
        self.outputs.append(text)

    def transfer(self, what: str, done: int, total: int) -> None: ...

    def secret(self, value: str) -> None: ...

    def all(self) -> str:
        return "\n".join(self.lines)


@dataclass
class World:
    """An account in the sandbox, and images in its registry."""

    said: Said
    calls: list[str]
    images: dict[str, PushedImage]
    aws: Aws

    def changes(self) -> list[str]:
        reads = ("Describe", "List", "Get", "BatchGet")
        return [c for c in self.calls if not c.startswith(reads)]

    def hear(self) -> Said:
        self.said.lines.clear()
        self.said.outputs.clear()
        self.said.first_warning = 0.0
        return self.said


SETTINGS = saying(to_settings([]).service, cluster="mdaws", cpu=256, memory=512, wait_timeout=120)


def context() -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in (("Dockerfile", DOCKERFILE), ("model-server", SERVER)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))
    packed.seek(0)
    return packed


@pytest.fixture(scope="module")
def world(new_home: NewHome) -> Iterator[World]:
    home, said = new_home("mdaws"), Said()
    box = sandbox.start(home, said)
    engine = docker.from_env()
    try:
        connection = connect(to_settings([]).aws, box.environment(), said)
        calls: list[str] = []
        connection._session.events.register("before-call", lambda model, **_: calls.append(model.name))
        repository = ecr.ensure_repository(connection, "mdaws/app", said)
        login = ecr.login(connection)
        images = {}
        for mode in ("one", "two", "crash", "ill"):
            engine.images.build(
                rm=True,
                fileobj=context(),
                custom_context=True,
                buildargs={"MODE": mode},
                tag=f"{repository.uri}:{mode}",
            )
            auth = {"username": login.username, "password": login.password}
            pushed: Any = engine.images.push(repository.uri, tag=mode, auth_config=auth, stream=True, decode=True)
            assert [line for line in pushed if "error" in line] == []
            tagged = connection.ecr.describe_images(repositoryName="mdaws/app", imageIds=[{"imageTag": mode}])
            digest = tagged["imageDetails"][0]["imageDigest"]
            ecr.tag_image(connection, "mdaws/app", digest, [ecr.build_tag(mode)])
            images[mode] = ecr.verify(connection, "mdaws/app", digest, [mode, ecr.build_tag(mode)])
        yield World(said, calls, images, connection)
    finally:
        sandbox.stop(home, Said())  # With it go its containers and the images of its registry.


def register(world: World, family: str, image: str, ground: Foundations) -> TaskDefinition:
    container = container_of(world.aws, SETTINGS, image, "linux/amd64", ground)
    return ecs.ensure_task_definition(world.aws, family, container, world.said)


def deploy(world: World, image: str, name: str = "mdaws-app", timeout: float = 90) -> tuple[Service, Verdict]:
    ground = ensure_foundations(world.aws, SETTINGS, Model(name, "mdaws/app"), world.said)
    definition = register(world, name, image, ground)
    service = ecs.ensure_service(world.aws, SETTINGS, name, definition, ground, world.said)
    verdict = ecs.follow(world.aws, service, timeout, world.said)
    if verdict.outcome == "deployed":
        ecs.mark_proved(world.aws, service)  # as the stage does once the smoke test was passed
    return service, verdict


def answer(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return str(opener.open(f"{url}/health", timeout=5).read().decode())


def test_one_deploy_after_the_other(world: World) -> None:
    first, verdict = deploy(world, world.images["one"].uri)
    assert verdict.outcome == "deployed"
    assert verdict.running_task_definition_arn == first.task_definition_arn
    assert "steady state" in world.said.all()
    assert answer(endpoint.address_of(world.aws, first, world.said).url) == "one"

    # The same again: nothing is changed, nothing is minted.
    world.calls.clear()
    again, verdict = deploy(world, world.images["one"].uri)
    assert (world.changes(), again.changed, verdict.outcome) == ([], False, "deployed")
    assert verdict.seconds < 3 * max(1.0, os.getloadavg()[0])

    # Another image: rolled, and the new one answers.
    rolled, verdict = deploy(world, world.images["two"].uri)
    assert (rolled.changed, verdict.outcome) == (True, "deployed")
    assert rolled.previous_task_definition_arn == first.task_definition_arn
    assert answer(endpoint.address_of(world.aws, rolled, world.said).url) == "two"

    # One that crashes: its reason and its log are said at the first stopped task; the one before serves on.
    said = world.hear()
    crashed, verdict = deploy(world, world.images["crash"].uri)
    assert verdict.outcome == "rolled-back"
    assert verdict.running_task_definition_arn == rolled.task_definition_arn
    assert verdict.stopped_tasks[0].exit_code == 1
    assert "exit code 1" in said.all()
    assert "ImportError: no module named 'weights'" in said.outputs
    assert "ImportError: no module named 'weights'" in verdict.details()
    assert crashed.previous_task_definition_arn == rolled.task_definition_arn
    assert answer(endpoint.address_of(world.aws, rolled, world.said).url) == "two"

    # What a failed smoke test asks for: back to an earlier one.
    back = ecs.rollback(world.aws, rolled, first.task_definition_arn, 90, world.said)
    assert back
    assert back.outcome == "deployed"
    assert back.running_task_definition_arn == first.task_definition_arn


def test_a_first_deployment_that_crashes_leaves_nothing_running(world: World) -> None:
    said = world.hear()
    service, verdict = deploy(world, world.images["crash"].uri, "mdaws-first")
    assert (verdict.outcome, verdict.running_task_definition_arn) == ("failed", None)
    assert "ImportError: no module named 'weights'" in said.outputs, said.lines
    assert "0 tasks" in ecs.settle_failed_first_deployment(world.aws, service, said)
    there = world.aws.ecs.describe_services(cluster="mdaws", services=["mdaws-first"])["services"][0]
    assert (there["desiredCount"], there["runningCount"]) == (0, 0)

    # Corrected, the same service comes up.
    fixed, verdict = deploy(world, world.images["one"].uri, "mdaws-first")
    assert (fixed.changed, verdict.outcome) == (True, "deployed")
    assert answer(endpoint.address_of(world.aws, fixed, said).url) == "one"


def test_an_image_that_is_not_there(world: World) -> None:
    said = world.hear()
    missing = world.images["one"].uri.split("@")[0] + "@sha256:" + "0" * 64
    service, verdict = deploy(world, missing, "mdaws-missing")
    assert verdict.outcome == "failed"
    # The first may still meet a role that is too new.
    assert {task.exit_code for task in verdict.stopped_tasks} == {None}
    assert "CannotPull" in verdict.stopped_tasks[-1].reason
    assert "could not be pulled" in said.all()
    ecs.settle_failed_first_deployment(world.aws, service, said)


def test_time_is_up_is_neither_green_nor_failed(world: World) -> None:
    ground = ensure_foundations(world.aws, SETTINGS, Model("mdaws-slow", "mdaws/app"), world.said)
    uri = world.images["two"].uri
    definition = register(world, "mdaws-slow", uri, ground)
    service = ecs.ensure_service(world.aws, SETTINGS, "mdaws-slow", definition, ground, world.said)
    with pytest.raises(TimedOutError, match="neither deployed nor failed"):
        ecs.follow(world.aws, service, 0, world.said)
    # Killed or timed out: the next run follows the same deployment to its end.
    again = ecs.ensure_service(world.aws, SETTINGS, "mdaws-slow", definition, ground, world.said)
    assert (again.changed, again.deployment_id) == (False, service.deployment_id)
    assert ecs.follow(world.aws, again, 60, world.said).outcome == "deployed", world.said.lines


def test_a_newer_deployment_is_told_as_such(world: World) -> None:
    deploy(world, world.images["one"].uri, "mdaws-race")
    ground = ensure_foundations(world.aws, SETTINGS, Model("mdaws-race", "mdaws/app"), world.said)
    two, three = (
        register(world, "mdaws-race", uri, ground) for uri in (world.images["two"].uri, world.images["crash"].uri)
    )
    ours = ecs.ensure_service(world.aws, SETTINGS, "mdaws-race", two, ground, world.said)
    theirs = ecs.ensure_service(world.aws, SETTINGS, "mdaws-race", three, ground, world.said)
    assert ours.deployment_id != theirs.deployment_id
    assert ecs.follow(world.aws, ours, 30, world.said).outcome == "superseded"


def test_the_job_definition_gets_a_revision_only_for_a_change(world: World) -> None:
    runtime = ensure_runtime(world.aws, SETTINGS, Model("mdaws-app", "mdaws/app"), world.said)

    def job(image: str) -> JobDefinition:
        command = ("run", "Ref::input", "Ref::output")
        container = container_of(world.aws, SETTINGS, image, "linux/amd64", runtime)
        return batch.ensure_job_definition(
            world.aws, to_settings([]).batch, "mdaws-job", container, command, {}, world.said
        )

    first, second, third = (job(world.images[i].uri) for i in ("one", "one", "two"))
    assert [(d.revision, d.existed, d.changed) for d in (first, second, third)] == [
        (1, False, True),
        (1, True, False),
        (2, True, True),
    ]


def test_the_registry_finds_builds_again(world: World) -> None:
    assert ecr.find_build(world.aws, "mdaws/app", "one") == world.images["one"]
    assert ecr.find_build(world.aws, "mdaws/app", "never") is None
    assert ecr.find_build(world.aws, "mdaws/nowhere", "one") is None


class TestLoadBalancer:
    """A real proxy before real tasks. The tests build on one another."""

    BALANCED = saying(SETTINGS, load_balancer="true", zones=2, max_count=3)

    def roll(self, world: World, image: str, settings: Any, timeout: float = 90) -> tuple[Service, Verdict]:
        ground = ensure_foundations(world.aws, settings, Model("mdaws-lb", "mdaws/app"), world.said)
        settings = ground.settings  # what no input says is as the service has it
        container = container_of(world.aws, settings, image, "linux/amd64", ground)
        definition = ecs.ensure_task_definition(world.aws, "mdaws-lb", container, world.said)
        service = ecs.ensure_service(world.aws, settings, "mdaws-lb", definition, ground, world.said)
        verdict = ecs.follow(world.aws, service, timeout, world.said)
        ecs.mark_proved(world.aws, service)
        ecs.ensure_scaling(world.aws, settings, service, world.said)
        return service, verdict

    def test_it_is_put_before_a_service_that_runs_and_a_second_run_changes_nothing(self, world: World) -> None:
        uri = world.images["one"].uri
        self.roll(world, uri, saying(SETTINGS, zones=2))
        service, verdict = self.roll(world, uri, self.BALANCED)
        assert verdict.outcome == "deployed", world.said.all()
        assert answer(endpoint.address_of(world.aws, service, world.said).url) == "one"
        world.calls.clear()
        _, verdict = self.roll(world, uri, self.BALANCED)
        assert (verdict.outcome, world.changes()) == ("deployed", [])

    def test_all_its_tasks_answer_and_a_rollout_is_not_seen_by_whoever_asks(self, world: World) -> None:
        two = saying(self.BALANCED, desired_count=2)
        service, _ = self.roll(world, world.images["one"].uri, two)
        url, seen, stop = endpoint.address_of(world.aws, service, world.said).url, list[str](), threading.Event()

        def ask() -> None:
            while not stop.wait(0.1):
                seen.append(answer(url))

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            service, verdict = self.roll(world, world.images["two"].uri, two)
            answered = len(seen)
            eventually(lambda: len(seen) >= answered + 5)
        finally:
            stop.set()
            asking.join()
        assert verdict.outcome == "deployed"
        assert (seen[0], seen[-1], set(seen)) == ("one", "two", {"one", "two"})
        (target,) = world.aws.scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 3)

    def test_a_target_that_is_not_well_is_told_with_its_reason(self, world: World) -> None:
        said = world.hear()
        with pytest.raises(TimedOutError) as caught:
            self.roll(world, world.images["ill"].uri, self.BALANCED, timeout=20)
        assert "Target.ResponseCodeMismatch" in said.all()
        assert any("codes: [500]: it answers the health check with an error" in line for line in caught.value.details)
