"""The Action's real image, and runners to run it on."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.action.harness import Runner, build_image
from tests.rig.docker_command import docker

ROOT = Path(__file__).resolve().parents[2]
# GitHub's hosted runners run as this user.
RUNNER_UID = 1001
# What the models of these tests are called, so that nothing else is taken for theirs.
IMAGES = f"mdact{os.getpid()}-"


@pytest.fixture(scope="session")
def action_image() -> Iterator[str]:
    """Build the last stage of the top-level Dockerfile as GitHub builds it; remove the image in the end."""
    name = build_image(ROOT)
    yield name
    docker("rmi", "--force", name)


@pytest.fixture
def runner(tmp_path: Path, action_image: str) -> Iterator[Runner]:
    """Make a runner with an empty workspace. Afterwards there is no container, no image, and no login in its home."""
    owner = RUNNER_UID if os.geteuid() == 0 else os.geteuid()
    # The runner's user must get to its own folder: pytest's are open to their maker only.
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    made = Runner(tmp_path, ROOT, action_image, owner)
    yield made
    models = set(docker("images", "--quiet", f"{IMAGES}*").split())
    left = [docker("ps", "--all", "--filter", f"ancestor={image}", "--quiet") for image in (action_image, *models)]
    if models:
        docker("rmi", "--force", *models)
    assert not any(left), "a container of the Action, or of its smoke test, was left behind"
    assert list(made.home.rglob("*")) == [], "something was written to the home that the job's actions share"
    foreign = [path for path in made.workspace.rglob("*") if path.lstat().st_uid != owner]
    assert foreign == [], "files in the workspace belong to somebody else"


@pytest.fixture
def example(runner: Runner) -> Callable[[str], Path]:
    """Copy an example into the workspace."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(ROOT / "examples" / name, runner.workspace / "models" / name))

    return copy
