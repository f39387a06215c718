"""A test that this machine cannot run is left out with its reason; any other skip is a failure."""

import subprocess
import sys
from pathlib import Path

import pytest

from rig import needs

_CONFTEST = """
from rig import needs
needs.NEEDS = {"wings": lambda: "this is a pig", "feet": lambda: ""}
pytest_plugins = ("rig.needs",)
"""
_SUITE = """
import pytest
@pytest.fixture
def costly():
    raise AssertionError("a fixture was made")
@pytest.mark.needs("wings")
def test_flight(costly): pass
@pytest.mark.needs("feet")
def test_walk(): pass
@pytest.mark.skip("no time")
def test_chosen(): pass
def test_inside(): pytest.skip("left out here: needs feet: untrue")
@pytest.mark.xfail
def test_expected(): assert False
@pytest.mark.needs("fins")
def test_typo(): pass
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_only_what_is_really_missing_may_be_left_out(tmp_path: Path, workers: str) -> None:
    (tmp_path / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
    (tmp_path / "test_suite.py").write_text(_SUITE, encoding="utf-8")
    ini = f"[pytest]\npythonpath = {' '.join(sys.path)}\naddopts = -p no:schemathesis -p no:anyio\n"
    (tmp_path / "pytest.ini").write_text(ini, encoding="utf-8")
    argv = [sys.executable, "-m", "pytest", "-rA", "--strict-markers", "-n", workers, "test_suite.py"]
    done = subprocess.run(argv, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    summary = done.stdout.partition("short test summary info")[2]
    assert "needs wings: this is a pig" in summary
    said = {line.split("::")[1].split(" ")[0]: line.split()[0] for line in summary.splitlines() if "::" in line}
    assert said == {
        **{"test_walk": "PASSED", "test_chosen": "ERROR", "test_inside": "FAILED", "test_expected": "FAILED"},
        "test_typo": "ERROR",
    }


def test_root_on_debian_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "is_root", lambda: True)
    for release, lack in ({"ID": "debian"}, ""), ({"ID": "ubuntu"}, "ubuntu"), ({}, "no Linux"):
        monkeypatch.setattr(needs, "parse_os_release", lambda _, found=release: found)
        assert lack in needs._root_on_debian()
        assert bool(needs._root_on_debian()) == bool(lack)
    monkeypatch.setattr(needs, "is_root", lambda: False)
    monkeypatch.setattr(needs, "parse_os_release", lambda _: {"ID": "debian"})
    assert "on debian" in needs._root_on_debian()
