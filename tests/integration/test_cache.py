"""The build cache between runs: written to the sandbox's registry, read by an engine that has forgotten it."""

import io
import os
import secrets
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import docker
import pytest

from model_dockerize import image, sandbox
from model_dockerize.aws import ecr
from model_dockerize.aws.client import Aws, connect
from model_dockerize.progress import Silent
from model_dockerize.settings import to_settings
from tests.integration.conftest import Cli

PREFIX = f"mdcache{os.getpid()}"


class Heard(Silent):
    """Keeps what a build says."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []

    def output(self, text: str) -> None:
        self.lines.append(text)

    def warning(self, text: str, file: Path | None = None, line: int | None = None) -> None:
        self.warnings.append(text)


@pytest.fixture(scope="module")
def account(cli: Cli) -> Aws:
    started = sandbox.start(cli.home, Silent())
    return connect(to_settings([]).aws, started.applied_to(cli.environment), Silent())


@pytest.fixture(scope="module")
def engine() -> image.Engine:
    return image.probe(os.environ)


@pytest.fixture
def name() -> Iterator[str]:
    made = f"{PREFIX}-{secrets.token_hex(3)}"
    yield made
    subprocess.run(["docker", "rmi", "--force", f"{made}:1"], capture_output=True, check=False)


def context(dockerfile: str) -> "io.BytesIO":
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(dockerfile)
        tar.addfile(member, io.BytesIO(dockerfile.encode()))
    return file


def built(engine: image.Engine, name: str, dockerfile: str, options: tuple[str, ...], heard: Heard) -> image.Image:
    def write(file: BinaryIO) -> None:
        file.write(context(dockerfile).getvalue())

    return image.build(engine, write, image.BuildRequest(tags=(f"{name}:1",), cache=options), heard)


def layers_of(made: image.Image) -> list[str]:
    with closing(docker.from_env()) as client:
        return list(client.images.get(made.id).attrs["RootFS"]["Layers"])


def forget(mark: str, name: str) -> None:
    """Remove all that a fresh runner does not have, of this test only: the engine's cache serves others, too."""
    subprocess.run(["docker", "rmi", "--force", f"{name}:1"], capture_output=True, check=True)
    with closing(docker.from_env()) as client:
        records = client.df()["BuildCache"] or []
    for record in (record["ID"] for record in records if mark in record["Description"]):
        prune = ["docker", "builder", "prune", "--all", "--force", "--filter", f"id={record}"]
        subprocess.run(prune, capture_output=True, check=True)


@pytest.mark.parametrize("kind", [pytest.param("registry", marks=pytest.mark.needs("containerd-store")), "inline"])
def test_a_fresh_engine_takes_the_steps_from_ecr(kind: str, account: Aws, engine: image.Engine, name: str) -> None:
    mark = secrets.token_hex(8)
    dockerfile = f"FROM python:3.13-slim-trixie\nRUN head -c 16 /dev/urandom > /random && echo {mark}\n"
    cache = image.choose_cache(kind, engine, True, {})
    assert cache == image.Cache(kind)
    repository = ecr.ensure_repository(account, name, Silent())
    login = ecr.login(account)
    auth = image.RegistryAuth(login.username, login.password, login.registry)
    options = image.cache_options(cache, repository.uri, name, {})
    first, second, uncached = Heard(), Heard(), Heard()
    with image.signed_in(engine, auth) as builder:
        original = built(builder, name, dockerfile, options, first)
        assert original.ran_steps == 1
        assert first.warnings == []  # that there is no cache yet is none
        if kind == "inline":
            image.push(engine, original.ref, f"{repository.uri}:{image.CACHE_TAG}", lambda: auth, Silent())
        layers = layers_of(original)
        forget(mark, name)
        # The control: without a cache the step runs anew, and makes something else.
        control = built(builder, name, dockerfile, (), uncached)
        assert control.ran_steps == 1
        assert layers_of(control) != layers
        forget(mark, name)
        again = built(builder, name, dockerfile, options, second)
        assert (again.cached_steps, again.ran_steps) == (1, 0), second.lines
        assert layers_of(again) == layers
        assert second.warnings == []
    assert login.password not in "\n".join(first.lines + second.lines)


@pytest.mark.needs("containerd-store")
def test_a_cache_that_cannot_be_written_is_said_and_ends_nothing(account: Aws, engine: image.Engine, name: str) -> None:
    login = ecr.login(account)
    auth = image.RegistryAuth(login.username, "not-the-password", login.registry)
    options = image.cache_options(image.Cache("registry"), f"{login.registry}/{name}", name, {})
    heard = Heard()
    with image.signed_in(engine, auth) as builder:
        made = built(builder, name, f"FROM python:3.13-slim-trixie\nRUN echo {secrets.token_hex(8)}\n", options, heard)
    assert made.ran_steps == 1
    assert any("exporting cache" in text for text in heard.warnings), heard.warnings


def test_a_classic_engine_writes_its_cache_into_the_image(engine: image.Engine) -> None:
    cache = image.choose_cache("registry", replace(engine, containerd_store=False), True, {})
    assert cache.kind == "inline"
    assert "classic store" in cache.passed_over[0]
