"""The smoke test against the real model server in a real container: what it says when all is well, and when not."""

import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from docker.errors import ImageNotFound

from model_dockerize import image
from model_dockerize.image.engine import connect
from model_dockerize.program import build_id, inspect, render_dockerfile, write_context
from model_dockerize.progress import Silent
from model_dockerize.settings import ImageSettings, ProgramSettings, SmokeSettings
from model_dockerize.smoke import Expectation, check
from tests.rig.docker_command import CA

from .conftest import ROOT

CHECKS = [
    "reachable",
    "health",
    "build-id",
    "swagger",
    "add-job",
    "status",
    "result",
    "delete",
    "repeat",
    "runner-mode",
]
SECRETS = {"ca-bundle": CA} if CA.exists() else {}


@dataclass(frozen=True)
class Model:
    """An image of a folder, and what it must answer."""

    engine: image.Engine
    ref: str
    expectation: Expectation


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """Build the example is-prime, with a build of its own."""
    home = {"MODEL_DOCKERIZE_HOME": str(tmp_path_factory.mktemp("home"))}
    engine, silent = image.probe({**os.environ, **home}), Silent()
    folder = Path(shutil.copytree(ROOT / "examples" / "is-prime", tmp_path_factory.mktemp("smoke") / "is prime"))
    (folder / "build.txt").write_text(secrets.token_hex(8))
    sources = image.find_sources()
    version = image.server_version(sources)
    found = inspect(
        ProgramSettings(folder),
        ImageSettings("mdimg-smoke", "1", cache="none"),
        SmokeSettings(),
        silent,
    )
    text = render_dockerfile(found, image.server_image(engine, version, engine.platform, sources, silent, SECRETS))
    identity = build_id(found, text, version)
    request = image.BuildRequest(
        tags=("mdimg-smoke:1",), build_args={"MODEL_BUILD_ID": identity}, secrets=SECRETS, build_id=identity
    )
    built = image.build(engine, partial(write_context, found, text), request, silent)
    assert built.build_id == identity
    assert found.sample
    sample = found.sample
    yield Model(engine, built.ref, Expectation(identity, sample.input, sample.expected, sample.input_type, found.name))
    with closing(connect(engine)) as client, suppress(ImageNotFound):
        client.images.remove(built.ref, force=True)


def gone(container: image.RunningContainer) -> str | None:
    code = container.exited()
    return None if code is None else f"the container ended with exit code {code}"


def test_a_good_model_passes_every_check(model: Model) -> None:
    with image.run(model.engine, model.ref, {}, "mdimg-smoke") as container:
        result = check(container.urls, model.expectation, 60.0, 60.0, Silent(), partial(gone, container))
        again = check(container.urls, model.expectation, 60.0, 60.0, Silent())
    assert [(done.name, done.passed) for done in result.checks] == [(name, True) for name in CHECKS], result
    assert again.passed
    assert result.url in container.urls


def test_another_build_is_not_taken_for_this_one(model: Model) -> None:
    with image.run(model.engine, model.ref, {}, "mdimg-smoke") as container:
        result = check(container.urls, replace(model.expectation, build_id="0" * 32), 60.0, 60.0, Silent())
    assert result.failures[0].startswith(f"build-id: another build answers: expected {'0' * 32}")
    assert [done.detail for done in result.checks[4:]][:1] == ["not run: build-id failed"]


def test_a_container_that_ends_at_once_is_not_waited_for(model: Model) -> None:
    with image.run(model.engine, "python:3.13-slim-trixie", {}, "mdimg-smoke") as container:
        started = time.monotonic()
        result = check(container.urls, model.expectation, 60.0, 60.0, Silent(), partial(gone, container))
    assert time.monotonic() - started < 50
    assert result.failures == ("reachable: the container ended with exit code 0",)


def test_a_container_killed_while_its_job_is_waited_for(model: Model) -> None:
    with image.run(model.engine, model.ref, {}, "mdimg-smoke") as container:
        assert check(container.urls, model.expectation, 60.0, 60.0, Silent()).passed

        class KillAfterTheJobIsThere(Silent):
            def info(self, text: str) -> None:
                if text.startswith("add-job: ok"):
                    with closing(connect(model.engine)) as client:
                        client.containers.get(container.id).kill()

        started = time.monotonic()
        result = check(
            container.urls, model.expectation, 60.0, 60.0, KillAfterTheJobIsThere(), partial(gone, container)
        )
    assert time.monotonic() - started < 50
    assert result.failures[0] == "status: the container ended with exit code 137"


def test_a_port_that_opens_but_says_nothing_in_http(model: Model) -> None:
    text = (
        "import socket\n"
        "server = socket.create_server(('', 80))\n"
        "while True:\n"
        "    client, _ = server.accept()\n"
        "    client.sendall(b'SSH-2.0-nonsense\\r\\n')\n"
        "    client.close()\n"
    )
    with closing(connect(model.engine)) as client:
        container = client.containers.run(
            "python:3.13-slim-trixie",
            ["python3", "-c", text],
            name=f"mdimg-mute-{secrets.token_hex(4)}",
            detach=True,
            ports={"80/tcp": ("127.0.0.1", 0)},
        )
        try:
            container.reload()
            port = container.attrs["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
            result = check([f"http://127.0.0.1:{port}"], model.expectation, 2.0, 2.0, Silent())
        finally:
            container.remove(force=True)
    assert len(result.failures) == 1
    assert result.failures[0].startswith("reachable: gave up after 2 s: GET http://127.0.0.1:")


def test_two_tests_at_once_do_not_disturb_each_other(model: Model) -> None:
    results = []
    with image.run(model.engine, model.ref, {}, "mdimg-smoke") as container:

        def one() -> None:
            results.append(check(container.urls, model.expectation, 60.0, 60.0, Silent()).passed)

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [True] * 4
