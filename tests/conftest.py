"""Fixtures and options that tests of several folders share.

Generated tests are few and the same ones each time while working and in CI, many and new ones on request:
`HYPOTHESIS_PROFILE=thorough ./scripts/test unit` takes minutes instead of seconds.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.rig import judges
from tests.rig.command import ROOT, Cli
from tests.rig.garbage import collect_seldom
from tests.rig.homes import NewHome, furnish
from tests.rig.leaks import pytest_configure, pytest_runtest_makereport, pytest_sessionfinish, search_sandbox
from tests.rig.reaper import Reaper

pytest_plugins = ("rig.needs", "tests.rig.judges.docket")

# Hooks of every test session: no secret in anything that a test makes.
__all__ = ["pytest_configure", "pytest_runtest_makereport", "pytest_sessionfinish"]

#: The files that take longest. They are begun first, so that at the end no worker is left alone with one of them; each
#: share gets one in turn.
LONGEST = (
    "test_scenarios.py",
    "test_source_python.py",
    "test_main_path.py",
    "test_both_modes.py",
    "test_action_image.py",
    "test_blue_green.py",
    "test_bases.py",
    "test_faults.py",
    "test_download.py",
    "test_installers.py",
    "test_old_service.py",
    "test_first_model.py",
    "test_examples_build.py",
)

# A suite that is started in the background would ignore Ctrl-C, and so would all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", default="1/1", metavar="N/M", help="run the Nth of M shares of the files")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the files, and keep those of this share; `--no-loadscope-reorder` keeps the order."""

    def place(path: Path) -> tuple[int, int, str]:
        # Of the others the largest first: it has the most tests.
        return LONGEST.index(path.name) if path.name in LONGEST else len(LONGEST), -path.stat().st_size, str(path)

    files = sorted({item.path for item in items}, key=place)
    number, shares = map(int, config.getoption("--share").split("/"))
    order = {path: index for index, path in enumerate(files) if index % shares == number - 1}
    config.hook.pytest_deselected(items=[item for item in items if item.path not in order])
    items[:] = sorted((item for item in items if item.path in order), key=lambda item: order[item.path])


def pytest_collection_finish() -> None:
    """Begin when the modules of all tests are loaded."""
    collect_seldom()


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewHome]:
    """Make homes for sandboxes. Workers of one run are processes that share the folder above theirs."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "sandbox-environment"
    reaper = Reaper()

    def make(name: str) -> Path:
        home = tmp_path_factory.mktemp(name)
        reaper.watch(home)
        return furnish(home, shared)

    yield make
    reaper.close()


@pytest.fixture(scope="module")
def cli(new_home: NewHome) -> Iterator[Cli]:
    """Return the command line with a sandbox home of its own; remove all that it started and built.

    One for each file: a service that nobody needs any more takes a thirtieth of a processor, for its health checks.
    """
    home = new_home("home")
    command = Cli(home)
    yield command
    search_sandbox(home)
    stopped = command("sandbox", "stop")
    assert stopped.returncode == 0, stopped.stderr
    subprocess.run(["docker", "image", "rm", "--force", *sorted(command.images)], capture_output=True, check=False)
    judges.judge_noted(command.requests)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Any]:
    """Copy an example into a folder whose path would break careless quoting."""

    def copy(name: str, to: str = "") -> Path:
        return Path(shutil.copytree(ROOT / "examples" / name, tmp_path / "Modelle für Köln" / (to or name)))

    return copy
