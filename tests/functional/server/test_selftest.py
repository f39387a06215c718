"""`model-server selftest`, as the image's build calls it: a process of its own, the real runner, a real program."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_server.errors import StartError
from model_server.selftest import _difference, _keep

from .conftest import manifest_text


def selftest(folder: Path, program_folder: Path, tests: object, **changes: object) -> subprocess.CompletedProcess[str]:
    path = folder / "model.json"
    path.write_text(manifest_text(program_folder, **changes), encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[3] / "lib"),
        "MODEL_MANIFEST": str(path),
        "MODEL_SERVER_USER": f"{os.geteuid()}:{os.getegid()}",
    }
    command = [sys.executable, "-m", "model_server", "selftest", json.dumps(tests)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_model_that_passes(tmp_path: Path, program_folder: Path) -> None:
    (program_folder / "in.csv").write_text("a,b\n1,x\n")
    (program_folder / "out.csv").write_text("A,B\n1,X\n")
    schema = {"output": [{"Path": "A", "DataType": "number"}, {"Path": "B", "DataType": "string"}]}
    tests = [{"input": "in.csv", "expected": "out.csv"}, {"input": "in.csv", "expected": None}]
    done = selftest(tmp_path, program_folder, tests, schema=schema)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the model passed its 2 tests" in done.stdout


def test_a_model_that_fails_says_every_reason(tmp_path: Path, program_folder: Path) -> None:
    (program_folder / "in.csv").write_text("a,b\n1,x\n2,y\n")
    (program_folder / "out.csv").write_text("A,B\n1,X\n2,Z\n")
    (program_folder / "bad.csv").write_text("!fail because")
    schema = {"output": [{"Path": "A", "DataType": "number"}, {"Path": "B", "DataType": "boolean"}]}
    tests = [
        {"input": "in.csv", "expected": "out.csv"},
        {"input": "in.csv", "expected": None},
        {"input": "bad.csv", "expected": None},
        {"input": "gone.csv", "expected": None},
        {"input": "in.csv", "expected": "gone.csv"},
    ]
    done = selftest(tmp_path, program_folder, tests, schema=schema)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "model-server: 5 of 5 tests of the model failed:",
        "  in.csv: the result differs from out.csv at byte 11, line 3: 'Y\\n' instead of 'Z\\n'"
        " (12 bytes, 12 in the reference)",
        "  in.csv: the result does not fit the schema: row 1, B: true or false is needed, 'X' is there; "
        "row 2, B: true or false is needed, 'Y' is there",
        "  bad.csv: the program failed: no good: because",
        "  gone.csv: the input is not in the image",
        "  in.csv: the reference gone.csv is not in the image",
    ]


def test_a_model_must_pass_under_the_limits_of_a_job(
    tmp_path: Path, program_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (program_folder / "in.csv").write_text("a\n" * 500)
    tests = [{"input": "in.csv", "expected": None}]
    assert selftest(tmp_path, program_folder, tests).returncode == 0
    monkeypatch.setenv("MODEL_JOB_OUTPUT_BYTES", "100")
    done = selftest(tmp_path, program_folder, tests)
    assert done.returncode == 1
    assert "in.csv: the program failed: output limit of 100 bytes exceeded" in done.stderr


def test_what_the_sample_shows_stays_in_the_image(tmp_path: Path, program_folder: Path) -> None:
    record = tmp_path / "self-test.json"
    (program_folder / "in.csv").write_text("a,b\n1,x\n")
    done = selftest(tmp_path, program_folder, [], sample="in.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert "runner: mode warm" in done.stdout
    assert "tests" not in done.stdout
    assert set(json.loads(record.read_text())) == {"imports"}
    assert record.stat().st_mode & 0o777 == 0o644
    record.unlink()
    (program_folder / "main.py").write_text("import random, sys\nopen(sys.argv[2], 'w').write(str(random.random()))")
    done = selftest(tmp_path, program_folder, [], sample="in.csv")
    reason = "its sample has another result in another new process"
    assert (done.returncode, json.loads(record.read_text())) == (0, {"reason": reason})
    assert f"runner: mode command (because {reason})" in done.stdout


def test_a_sample_that_fails_in_the_build_says_nothing_of_the_containers(tmp_path: Path, program_folder: Path) -> None:
    (program_folder / "in.csv").write_text("!fail no GPU")
    done = selftest(tmp_path, program_folder, [], sample="in.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert "the sample fails in a new process: no good: no GPU" in done.stdout
    assert not (tmp_path / "self-test.json").exists()


@pytest.mark.parametrize("tests", ["x", [1], [{"expected": "a"}]])
def test_tests_that_are_none(tmp_path: Path, program_folder: Path, tests: object) -> None:
    done = selftest(tmp_path, program_folder, tests)
    assert done.returncode == 1
    assert "the tests must be a JSON list" in done.stderr


def test_a_result_that_ends_early_is_told_as_such() -> None:
    assert "at byte 3, line 1: the end instead of 'c'" in str(_difference(b"ab", b"abc", "out.csv"))


def test_what_the_sample_shows_and_cannot_be_kept_fails_the_build(tmp_path: Path) -> None:
    runner: Any = SimpleNamespace(record={"imports": []})
    with pytest.raises(StartError, match=r"cannot write .*: No such file or directory"):
        _keep(runner, tmp_path / "gone" / "model.json")
