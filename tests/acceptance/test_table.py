"""The acceptance table holds: every row has tests that exist; a run in which one did not pass is found."""

import subprocess
import sys
from pathlib import Path

import pytest

from acceptance import table
from acceptance.table import Results, Row
from rig import needs

_SUITE = """
import pytest

def test_good(): pass
@pytest.mark.parametrize("n", [1, 2])
def test_mixed(n): assert n == 1
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.skip("left out here: needs wings: this is a pig")
def test_flight(): pass
@pytest.mark.skip("left out here: needs feet: it has none")
def test_walk(): pass
@pytest.fixture
def broken(): raise OSError
def test_error(broken): pass
@pytest.mark.xfail
def test_expected(): assert False
class TestClass:
    def test_inside(self): pass
"""


NO_CASE = "integration/test_scenarios.py::test_scenario[no-such-folder]"


def test_every_row_has_tests_and_they_exist() -> None:
    assert table.gaps(table.every_row()) == []


def test_a_row_that_is_missing_or_names_what_is_not_there_is_found() -> None:
    here = "acceptance/test_table.py::test_every_row_has_tests_and_they_exist"
    none = (f"{here}_not", "engine/no_file.py::test_x", "acceptance/test_table.py", NO_CASE)
    rows = [
        Row("001", "", {}),
        Row("002", "", {"engine": (here, *none)}),
        Row("003", "", {"unit": (here,), "magic": (here,)}),
        Row("999", "", {"sandbox": (here,)}),
        *(Row(number, "", {"engine": (here,)}) for number in table.IDS[4:]),
    ]

    assert table.gaps(rows) == [
        "004: no such row",
        "001: no test",
        *(f"002: {each} does not exist" for each in none),
        "003: magic is none of unit, engine, sandbox, browser",
        f"003: {here} does not run against unit",
        f"003: {here} does not run against magic",
        "999: not in the list",
    ]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_did_not_run_and_pass_is_found_in_the_results(
    tmp_path: Path, workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = tmp_path / "tests" / "deep" / "test_suite.py"
    suite.parent.mkdir(parents=True)
    suite.write_text(_SUITE, encoding="utf-8")
    ini = "[pytest]\naddopts = -p no:schemathesis -p no:anyio\n"
    (tmp_path / "pytest.ini").write_text(ini, encoding="utf-8")
    results = tmp_path / "results.xml"
    argv = [sys.executable, "-m", "pytest", "-q", "-n", workers, f"--junitxml={results}", "tests"]
    assert subprocess.run(argv, cwd=tmp_path, check=False, capture_output=True).returncode == 1
    monkeypatch.setattr(needs, "NEEDS", {"wings": lambda: "this is a pig", "feet": lambda: ""})
    names = ("good", "mixed", "skipped", "flight", "walk", "error", "expected", "never")
    rows = [Row(name, "", {"unit": (f"deep/test_suite.py::test_{name}",)}) for name in names]
    rows += [Row(f"mixed {n}", "", {"unit": (f"deep/test_suite.py::test_mixed[{n}]",)}) for n in (1, 2)]
    rows += [Row("class", "", {"unit": ("deep/test_suite.py::TestClass::test_inside",)}), Row("empty", "", {})]

    read = Results.read([results])
    assert read.left_out == ("deep/test_suite.py::test_flight: needs wings: this is a pig",)
    assert read.not_shown_here(rows) == ["flight"]
    assert read.shortcomings(rows) == [
        "mixed: deep/test_suite.py::test_mixed: failure",
        "skipped: deep/test_suite.py::test_skipped: skipped",
        "walk: deep/test_suite.py::test_walk: skipped",
        "error: deep/test_suite.py::test_error: error",
        "expected: deep/test_suite.py::test_expected: skipped",
        "never: deep/test_suite.py::test_never: not run",
        "mixed 2: deep/test_suite.py::test_mixed[2]: failure",
        "empty: no test",
    ]
