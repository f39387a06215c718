"""The user's own test of a service: what it is told, what it is not, and how it ends."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from model_dockerize.aws.ecs.endpoint import Address
from model_dockerize.pipeline import deployed
from model_dockerize.pipeline.context import Run
from model_dockerize.pipeline.own_check import own_check
from model_dockerize.report import Recorder
from model_dockerize.settings import to_settings
from tests.rig.deployer import Quiet
from tests.rig.leaks import planted
from tests.rig.processes import is_over
from tests.rig.progress import Said
from tests.rig.waiting import eventually

HOME = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}


def python(code: str) -> str:
    return f'{sys.executable} -c "{code}"'


def run(command: str, seconds: float = 30, **variables: str) -> tuple[tuple[str, ...], Said]:
    said = Said()
    return own_check(command, "http://green:10080", seconds, {**HOME, **variables}, said), said


def test_it_is_told_where_the_new_version_is_and_none_of_our_secrets() -> None:
    secret = planted("secret-access-key")
    kept, dropped = (
        {"AWS_REGION": "eu-central-1", "MINE": "yes"},
        {
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": secret,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": secret,
            "INPUT_LICENSE-KEY": secret,
            "GITHUB_TOKEN": secret,
            "GH_TOKEN": secret,
        },
    )
    code = "import os; print(sorted(os.environ)); raise SystemExit(os.environ['MODEL_URL'] != 'http://green:10080')"
    failed, said = run(python(code), **kept, **dropped)
    assert failed == ()
    (line,) = said.outputs
    assert all(f"'{name}'" in line for name in kept)
    assert not any(f"'{name}'" in line for name in dropped)


def test_its_exit_code_decides_and_its_last_lines_are_told() -> None:
    failed, _ = run(python("print(*range(40), sep=chr(10)); raise SystemExit(7)"))
    assert failed[0].endswith("ended with exit code 7")
    assert failed[1:] == tuple(map(str, range(20, 40)))


def test_a_line_without_an_end_is_told_in_parts() -> None:
    failed, said = run(python("import sys; sys.stdout.write('x' * 25000); raise SystemExit(1)"))
    assert [len(line) for line in said.outputs] == [10_000, 10_000, 5_000]
    assert failed[1:] == tuple(said.outputs)


def test_what_is_shown_slowly_is_still_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Said, "output", lambda *_: time.sleep(0.1))
    failed, _ = run(python("print(*range(5), sep=chr(10)); raise SystemExit(7)"))
    assert failed[1:] == tuple(map(str, range(5)))


@pytest.mark.parametrize("waiting", ["", "build"])
def test_it_waits_until_the_test_port_has_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, waiting: str) -> None:
    moved = tmp_path / "moved"

    def await_build(url: str, build_id: str, seconds: float, api_key: str = "") -> bool:
        moved.write_text(f"{url} {build_id}")
        return True

    monkeypatch.setattr("model_dockerize.smoke.await_build", await_build)
    asked = to_settings([])
    command = python(f"import pathlib; raise SystemExit(not pathlib.Path('{moved}').exists())")
    of_check = Run(replace(asked, smoke=replace(asked.smoke, check=command)), dict(HOME), Recorder(Quiet()))
    with of_check.recorder.stage("smoke-deployed") as stage:
        failed = deployed.own_check(of_check, Address("http://green:10080", "", 3.0), waiting, stage)
    assert bool(failed) is not bool(waiting)
    if waiting:
        assert moved.read_text() == "http://green:10080 build"


def test_no_shell_reads_it(tmp_path: Path) -> None:
    run(f"{sys.executable} -c pass ; touch {tmp_path / 'made'} $(touch {tmp_path / 'made'})")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["/nowhere/at-all", "/etc/passwd"])
def test_what_cannot_be_run_fails(command: str) -> None:
    failed, _ = run(command)
    assert f"{command} cannot be run" in failed[0]


def test_too_long_it_is_ended_with_what_it_started(tmp_path: Path) -> None:
    child = tmp_path / "child"
    code = (
        "import subprocess, sys, pathlib, time; "
        f"p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']); "
        f"pathlib.Path('{child}').write_text(str(p.pid)); print('waiting', flush=True); time.sleep(300)"
    )
    started = time.monotonic()
    failed, _ = run(python(code), seconds=2)
    assert "not over after 2 s" in failed[0]
    assert time.monotonic() - started < 100
    eventually(lambda: is_over(int(child.read_text())))
