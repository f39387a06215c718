"""A look into a running container shows what no scenario can: the rest is in tests/scenarios (`on-...`)."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT, Cli
from tests.rig.base_images import make_base
from tests.rig.docker_command import docker
from tests.rig.waiting import eventually


@pytest.fixture
def preload() -> Iterator[str]:
    yield make_base("preload", "localhost/md-base/allocator")
    docker("image", "rm", "--force", "localhost/md-base/allocator")


def test_the_base_images_allocator_is_loaded_by_the_program_alone(cli: Cli, preload: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "tests/scenarios/shared/upper", tmp_path / "md-allocator"))
    built = cli.run(folder, "--base-image", preload, "--smoke-test", "false", command="build")
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
