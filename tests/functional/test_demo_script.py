"""scripts/demo: which folder it takes, and what it says at the end. What it calls is replaced by a recorder."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SET_UP_NOTHING = "setup_python() { :; }\nsetup_docker() { :; }\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout whose `model-dockerize` prints its current folder and its arguments, and exits as told."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "demo", tmp_path / "scripts" / "demo")
    (tmp_path / "scripts" / "setup.sh").write_text(SET_UP_NOTHING)
    command = tmp_path / ".venv" / "bin" / "model-dockerize"
    command.parent.mkdir(parents=True)
    command.write_text('#!/bin/sh\necho "in $PWD"\nfor word in "$@"; do echo "<$word>"; done\nexit "${FAIL:-0}"\n')
    command.chmod(0o755)
    return tmp_path


def demo(checkout: Path, *arguments: str, fail: int = 0) -> tuple[int, list[str], str]:
    caller = checkout / "elsewhere"
    caller.mkdir(exist_ok=True)
    done = subprocess.run(
        ["sh", checkout / "scripts" / "demo", *arguments],
        cwd=caller,
        env={"PATH": "/usr/bin:/bin", "FAIL": str(fail)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"in {caller}" in done.stdout
    return done.returncode, [line[1:-1] for line in done.stdout.splitlines() if line.startswith("<")], done.stdout


@pytest.mark.parametrize("arguments", [(), ("--report", "r.json"), ("--smoke-test", "false")])
def test_without_a_folder_it_takes_the_iris_example(checkout: Path, arguments: tuple[str, ...]) -> None:
    iris = f"{checkout}/examples/iris-classifier"
    assert demo(checkout, *arguments)[1] == ["run", "--sandbox", *arguments, "--program-path", iris]


@pytest.mark.parametrize(
    "arguments",
    [
        ("my folder",),
        ("models/ü", "--report", "r.json"),
        ("--program-path", "my folder"),
        ("--report", "r.json", "--program-path=x"),
    ],
)
def test_a_folder_is_handed_on_as_it_is(checkout: Path, arguments: tuple[str, ...]) -> None:
    assert demo(checkout, *arguments)[1] == ["run", "--sandbox", *arguments]


def test_the_end_says_how_to_open_and_how_to_stop(checkout: Path) -> None:
    code, _, text = demo(checkout)
    assert code == 0
    assert "/AddJob" in text
    assert f"{checkout}/.venv/bin/model-dockerize sandbox stop" in text


def test_a_red_run_stays_red_and_says_how_to_stop_what_it_started(checkout: Path) -> None:
    code, _, text = demo(checkout, fail=6)
    assert code == 6
    assert "/AddJob" not in text
    assert "sandbox stop" in text
