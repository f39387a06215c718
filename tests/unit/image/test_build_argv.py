"""The command line of a build: what each field of a request becomes, for each buildx and each store."""

from dataclasses import replace
from pathlib import Path

import pytest

from model_dockerize.image import BuildRequest, Engine, build_argv

ENGINE = Engine(
    version="26.1.5",
    api_version="1.45",
    platform="linux/amd64",
    buildx_version="0.13.1",
    containerd_store=True,
    cli=Path("/usr/bin/docker"),
    host="unix:///var/run/docker.sock",
    context="default",
    environment={"AWS_SECRET_ACCESS_KEY": "hidden-value"},
)
REQUEST = BuildRequest(tags=("iris:1.0",))
FIXED = ["/usr/bin/docker", "buildx", "build", "--builder", "default", "--load"]


def test_smallest_request() -> None:
    assert build_argv(REQUEST, ENGINE) == [
        *FIXED,
        "--progress=rawjson",
        "--provenance=false",
        "--tag",
        "iris:1.0",
        "-",
    ]


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"tags": ("a:1", "b:2")}, ["--tag", "a:1", "--tag", "b:2"]),
        ({"build_args": {"A": "x y", "B": ""}}, ["--build-arg", "A=x y", "--build-arg", "B="]),
        ({"labels": {"io.x": "1"}}, ["--label", "io.x=1"]),
        ({"platform": "linux/arm64"}, ["--platform", "linux/arm64"]),
        ({"target": "model-server"}, ["--target", "model-server"]),
        ({"secrets": {"ca": Path("/a b/c.pem")}}, ["--secret", "type=file,id=ca,src=/a b/c.pem"]),
        ({"secrets": {"ca": Path('/a,"b.pem')}}, ["--secret", 'type=file,id=ca,"src=/a,""b.pem"']),
    ],
)
def test_each_field(change: dict[str, object], argument: list[str]) -> None:
    argv = build_argv(replace(REQUEST, **change), ENGINE)  # type: ignore[arg-type]
    joined = "\0".join(argv)
    assert "\0".join(argument) in joined
    assert argv[-1] == "-"


@pytest.mark.parametrize(
    ("buildx", "containerd", "progress", "provenance"),
    [
        ("0.9.1", False, "plain", False),
        ("0.9.1", True, "plain", False),
        ("0.10.0", True, "plain", True),
        ("0.12.1", False, "plain", False),
        ("0.13.0", False, "rawjson", False),
        ("0.29.1", True, "rawjson", True),
        ("1.0.0", True, "rawjson", True),
    ],
)
def test_only_what_this_buildx_understands(buildx: str, containerd: bool, progress: str, provenance: bool) -> None:
    argv = build_argv(REQUEST, replace(ENGINE, buildx_version=buildx, containerd_store=containerd))
    assert f"--progress={progress}" in argv
    assert ("--provenance=false" in argv) is provenance


def test_the_builder_is_the_one_inside_the_engine() -> None:
    argv = build_argv(REQUEST, replace(ENGINE, context="desktop-linux"))
    assert argv[argv.index("--builder") + 1] == "desktop-linux"


def test_an_engine_does_not_show_its_environment() -> None:
    assert "hidden-value" not in repr(ENGINE)
