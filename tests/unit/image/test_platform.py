"""An image is for one platform, and one sentence says where this engine cannot make it."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from model_dockerize.errors import EngineError
from model_dockerize.image import Engine, ServerSources, check_platform, own_platform
from model_dockerize.image.platform import platforms_of

from .test_build_argv import ENGINE

CHECKOUT = ServerSources({"Dockerfile": Path("/checkout/Dockerfile")}, None)
#: As buildx 0.13 prints it; the star marks what the builder's owner added.
PRINTED = """\
Name:   default
Driver: docker

Nodes:
Name:             default
Platforms:        linux/amd64, linux/amd64/v2, linux/arm64*, linux/386
Labels:
 org.mobyproject.buildkit.worker.hostname: linux/s390x
"""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Make an engine whose docker command, a script, prints what `PRINTED` says; its arguments are kept."""
    cli = tmp_path / "docker"
    (tmp_path / "printed").write_text(PRINTED)
    cli.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat {tmp_path}/printed\n')
    cli.chmod(cli.stat().st_mode | stat.S_IXUSR)
    return replace(ENGINE, cli=cli, environment={"PATH": os.environ["PATH"]})


@pytest.mark.parametrize(
    ("machine", "platform"),
    [("x86_64", "linux/amd64"), ("AMD64", "linux/amd64"), ("aarch64", "linux/arm64"), ("arm64", "linux/arm64")],
)
def test_what_computers_call_themselves(machine: str, platform: str) -> None:
    assert own_platform(machine) == platform


def test_what_buildx_prints() -> None:
    assert platforms_of(PRINTED) == {"linux/amd64", "linux/amd64/v2", "linux/arm64", "linux/386"}
    assert platforms_of("") == frozenset()


def test_the_engines_own_platform_asks_nobody(engine: Engine, tmp_path: Path) -> None:
    check_platform(engine, "linux/amd64", asked=True, sources=ServerSources({}, None))
    assert not (tmp_path / "asked").exists()


def test_an_emulated_platform(engine: Engine, tmp_path: Path) -> None:
    check_platform(engine, "linux/arm64", asked=True, sources=CHECKOUT)
    assert (tmp_path / "asked").read_text() == "buildx inspect default\n"


def test_a_platform_that_nothing_here_runs(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "printed").write_text(PRINTED.replace(", linux/arm64*", ""))
    with pytest.raises(EngineError, match=r"is linux/amd64 and runs nothing that is built for linux/arm64") as caught:
        check_platform(engine, "linux/arm64", asked=True, sources=CHECKOUT)
    assert "a computer of that kind, or teach the engine" in caught.value.remedy
    on_github = replace(engine, environment={**engine.environment, "GITHUB_ACTIONS": "true"})
    with pytest.raises(EngineError) as caught:
        check_platform(on_github, "linux/arm64", asked=True, sources=CHECKOUT)
    assert "a runner of that kind (runs-on: ubuntu-24.04-arm)" in caught.value.remedy


def test_a_platform_without_a_server(engine: Engine) -> None:
    with pytest.raises(EngineError, match="no model server for linux/arm64 here"):
        check_platform(engine, "linux/arm64", asked=True, sources=ServerSources({}, Path("/bundle.tar.gz")))


def test_an_engine_on_another_computer_is_not_guessed_at(engine: Engine) -> None:
    with pytest.raises(EngineError, match=r"This computer is linux/arm64 and its Docker Engine linux/amd64") as caught:
        check_platform(engine, "linux/arm64", asked=False, sources=CHECKOUT)
    assert "platforms: linux/amd64" in caught.value.remedy
