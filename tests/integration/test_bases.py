"""Builds on base images of every kind: each is a folder of tests/bases, as near to the real one as can be had here.

docs/base-images.md names the real ones and their sources.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT, Cli
from tests.rig.docker_command import both_outputs, docker
from tests.rig.waiting import eventually

BASES = ROOT / "tests" / "bases"
CA = Path("/etc/ssl/certs/ca-certificates.crt")
SIX = "six==1.17.0\n"
BUSYBOX, CUDA = "localhost/md-base/busybox", "localhost/md-base/cuda"
#: The folder -> what its program must tell about the Python that runs it.
EXPECTED = {
    "amazon-linux": "Python at /usr/bin/python3, LD_PRELOAD=None",
    "busybox": "",
    "cuda": "six 1.17.0, Python at /usr/bin/python3, LD_PRELOAD=None",
    "distroless": "Python at /usr/bin/python3, LD_PRELOAD=None",
    "empty": "Python at /usr/local/bin/python, LD_PRELOAD=None",
    "environment": "six 1.17.0, Python at /srv/environment/bin/python, LD_PRELOAD=None",
    "lambda": "six 1.17.0, Python at /var/lang/bin/python, LD_PRELOAD=None",
    "micromamba": "six 1.17.0, Python at /opt/conda/bin/python, LD_PRELOAD=None",
    "own-settings": "six 1.17.0, Python at /usr/local/bin/python, LD_PRELOAD=None",
    "preload": "Python at /usr/local/bin/python, LD_PRELOAD=libtcmalloc_minimal.so.4",
    "rocker": "",
    "ubi-minimal": "Python at /usr/bin/python3.12, LD_PRELOAD=None",
}


def make_base(name: str) -> str:
    """Builds the image that the folder's settings name."""
    ref = f"localhost/md-base/{name}"
    secret = [f"--secret=id=ca-bundle,src={CA}"] if CA.exists() else []
    docker("buildx", "build", "--load", *secret, "--tag", ref, "--file", BASES / name / "base.Dockerfile", BASES / name)
    return ref


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Makes a program on the base image `request.param`, which is removed afterwards."""
    name = request.param
    base = make_base(name)
    program = Path(shutil.copytree(BASES / "program", tmp_path / f"md-on-{name}"))
    shutil.copytree(BASES / name, program, dirs_exist_ok=True, ignore=shutil.ignore_patterns("base.Dockerfile"))
    yield program
    docker("image", "rm", "--force", base)


def test_every_folder_is_tried() -> None:
    assert sorted(EXPECTED) == sorted(path.parent.name for path in BASES.glob("*/base.Dockerfile"))


@pytest.mark.parametrize(("folder", "told"), EXPECTED.items(), indirect=["folder"], ids=list(EXPECTED))
def test_a_program_is_built_and_proved(cli: Cli, folder: Path, told: str) -> None:
    built = cli.run(folder, command="build")
    assert built.code == 0, built.log
    assert built.stages["smoke-local"] == "done", built.log
    job = ("run", "--rm", "--interactive", built.report["image"], "run", "-", "-")
    answer, log = both_outputs(*job, stdin="words")
    assert answer.strip() == "WORDS"
    assert told in log


@pytest.mark.parametrize("folder", ["amazon-linux"], indirect=True)
def test_packages_are_installed_where_there_is_no_pip(cli: Cli, folder: Path) -> None:
    (folder / "requirements.txt").write_text(SIX, encoding="utf-8")
    built = cli.run(folder, "--smoke-test", "false", command="build")
    assert built.code == 0, built.log
    run = ("--entrypoint", "python3", built.report["image"], "-c", "import six; print(six.__name__)")
    assert docker("run", "--rm", *run) == "six"


@pytest.mark.parametrize("folder", ["preload"], indirect=True)
def test_the_base_images_allocator_is_loaded_by_the_program_alone(cli: Cli, folder: Path) -> None:
    built = cli.run(folder, "--smoke-test", "false", command="build")
    assert built.code == 0, built.log
    container = docker("run", "--detach", built.report["image"])
    look = 'for one in /proc/[0-9]*; do echo "$(cat $one/comm) $(grep -c tcmalloc $one/maps)"; done'

    def processes() -> str:
        told = docker("exec", "--privileged", container, "sh", "-c", look)
        return told if "python" in told else ""

    try:
        told = eventually(processes)
    finally:
        docker("rm", "--force", container)
    loaded = dict(line.rsplit(" ", 1) for line in told.splitlines())
    assert (loaded["tini"], loaded["model-server"]) == ("0", "0")
    assert int(loaded["python"]) > 0


@pytest.mark.parametrize(
    ("folder", "files", "message", "remedy"),
    [
        pytest.param(
            "distroless", {"requirements.txt": SIX}, "/bin/sh", "The base image has no shell", id="no shell for pip"
        ),
        pytest.param(
            "cuda",
            {"requirements.txt": SIX, "model-dockerize.yml": f"base-image: {CUDA}\n"},
            "python3: not found",
            "for Python: [python3, python3-pip]",
            id="no Python for pip",
        ),
        pytest.param(
            "cuda",
            {"model-dockerize.yml": f"base-image: {CUDA}\nrequirements-file: none\n"},
            "the image has no python and no python3",
            "for Python: [python3, python3-pip]",
            id="no Python for the program",
        ),
        pytest.param(
            "amazon-linux",
            {"requirements.txt": f"--prefer-binary\n{SIX}"},  # an option that uv does not know
            "No module named pip",
            "has no pip",
            id="Python without pip",
        ),
        pytest.param(
            "busybox",
            {"model-dockerize.yml": f"base-image: {BUSYBOX}\nsystem-packages: [git]\ncommand: sh score.sh\n"},
            "apt-get: not found",
            "system-packages are Debian's and Ubuntu's",
            id="no apt",
        ),
        pytest.param(
            "busybox",
            {"model-dockerize.yml": f"base-image: {BUSYBOX}\ncommand: Rscript score.sh\n"},
            "the image has no Rscript",
            "or correct the command",
            id="no such program",
        ),
    ],
    indirect=["folder"],
)
def test_what_a_base_image_lacks_is_told_with_the_remedy(
    cli: Cli, folder: Path, files: dict[str, str], message: str, remedy: str
) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    built = cli.run(folder, command="build")
    assert built.code == 5, built.log
    assert message in built.verdict
    assert remedy in built.verdict
