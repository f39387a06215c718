"""The search for secrets finds what it is for: tests that let one out, run by a pytest of their own, fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.command import ROOT
from tests.rig.leaks import leaks, learn

HOOKS = "from tests.rig.leaks import pytest_configure, pytest_runtest_makereport, pytest_sessionfinish\n"
TESTS = """
import subprocess, sys
from model_dockerize.aws.model import Identity
from tests.rig.leaks import learn, planted, planted_file, watched
from tests.rig.progress import Said

SECRET = planted("x")

def test_printed(): print("it is", SECRET)

def test_logged():
    import logging
    logging.getLogger("any").warning("it is %s", SECRET)

def test_given_as_an_argument(): subprocess.run([sys.executable, "-c", "", SECRET], check=True)

def test_printed_by_a_child():
    subprocess.run([sys.executable, "-c", "import os; print(os.environ['S'])"], env={"S": SECRET}, capture_output=True)

def test_learned_from_the_product():
    Said().secret("a-password-of-a-registry")
    print("a-password-of-a-registry")

def test_given_by_a_child_to_its_own():
    script = "import os, subprocess; subprocess.run(['sh', '-c', 'sleep 1', os.environ['S']])"
    with watched():
        subprocess.run([sys.executable, "-c", script], env={"S": SECRET, "PATH": "/usr/bin:/bin"}, check=True)

def test_kept():
    secret = planted("y")
    assert secret and Identity("1", "a", "r")

def test_kept_where_it_belongs(tmp_path): planted_file(tmp_path / "pip.conf", SECRET)
"""
KEPT_IN_A_FILE = """
from tests.rig.leaks import planted

def test_written(tmp_path): (tmp_path / "report.json").write_text(planted("z"))
"""


def session(folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """Run a session of its own, in which the search is switched on as in ours."""
    (folder / "conftest.py").write_text(HOOKS, encoding="utf-8")
    (folder / "test_them.py").write_text(tests, encoding="utf-8")
    environment = {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'lib'}",
        "PATH": "/usr/bin:/bin",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "--basetemp", folder / "t", folder]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_every_way_out_is_found_and_nothing_else(tmp_path: Path) -> None:
    done = session(tmp_path, TESTS)
    failed = {line.split("::")[1].split()[0] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    passed = {line.split("::")[1] for line in done.stdout.splitlines() if line.startswith("PASSED")}
    assert passed == {"test_kept", "test_kept_where_it_belongs"}, done.stdout
    assert len(failed) == 6
    assert done.returncode == 1


def test_a_file_that_is_left_fails_the_session(tmp_path: Path) -> None:
    done = session(tmp_path, KEPT_IN_A_FILE)
    assert "PASSED" in done.stdout
    assert done.returncode == 1
    assert "report.json holds planted" in done.stderr


@pytest.mark.parametrize("short", ["", "b", "testing"])
def test_what_stands_everywhere_is_not_looked_for(short: str) -> None:
    learn(short)
    assert leaks(f"any text with {short} in it") == []
