"""A new version is tested beside the former one, before anybody meets it: real containers, traffic all the time."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from model_dockerize import sandbox
from tests.integration.conftest import Cli
from tests.integration.test_main_path import journal
from tests.integration.test_self_proof import clients, model
from tests.rig.sandbox_calls import ask_sandbox
from tests.rig.waiting import eventually

#: Without the proof of a task itself: only the test at the pause stands between a wrong answer and its users.
ASKED = ("--load-balancer", "true", "--smoke-test", "service", "--self-proof", "false", "--bake-minutes", "1")
_MUTATING = ("ModifyRule", "ModifyListener", "UpdateService", "CreateService")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one service for all tests, which stand on one another."""
    return tmp_path_factory.mktemp("shifted") / "shifted"


@pytest.fixture(scope="module")
def url(cli: Cli, folder: Path) -> Iterator[str]:
    """Deploy its first version; yield the address. A minute of the sandbox takes four seconds."""
    first = cli.run(model(folder, "one", "one"), *ASKED)
    assert (first.code, first.report["outcome"]) == (0, "deployed"), first.verdict + first.log
    assert first.report["rollout"] == {"strategy": "blue-green", "bake_minutes": 1, "is_baking": False}
    running = sandbox.status(cli.home)
    assert running
    ask_sandbox(running, "PUT", "/_sandbox/minute/4")
    yield str(first.report["url"])
    cli.run(folder, "--yes", command="destroy")


def now(url: str) -> str:
    return requests.post(f"{url}/data/run-job", files={"File": b"y"}, timeout=60).text


def rules(cli: Cli) -> list[str]:
    return [call["action"] for call in journal(cli) if call["action"].rpartition(":")[2] in _MUTATING]


def test_a_second_run_changes_neither_service_nor_rules(cli: Cli, folder: Path, url: str) -> None:
    journal(cli, reset=True)
    second = cli.run(folder, *ASKED)
    assert (second.code, second.report["outcome"]) == (0, "unchanged"), second.verdict + second.log
    assert [call for call in journal(cli) if call["mutating"]] == []


def test_a_good_version_takes_over_and_nobody_is_refused(cli: Cli, folder: Path, url: str) -> None:
    model(folder, "two", "two")
    with clients(url) as answers:
        second = cli.run(folder, *ASKED)
        eventually(lambda: answers[-1:] == ["two y"])
    assert (second.code, second.report["outcome"]) == (0, "deployed"), second.verdict + second.log
    assert set(answers) == {"one y", "two y"}
    assert second.stages["shift"] == "done"
    assert "waits for its test" in second.log


def test_a_change_of_the_stack_leaves_the_traffic_where_ecs_has_it(cli: Cli, folder: Path, url: str) -> None:
    journal(cli, reset=True)
    done = cli.run(folder, *ASKED, "--allow-from", "127.0.0.0/8 10.0.0.0/8")
    assert done.code == 0, done.verdict + done.log
    assert any("UpdateStack" in call["action"] or "ExecuteChangeSet" in call["action"] for call in journal(cli))
    assert [action for action in rules(cli) if "Rule" in action] == []
    assert now(url) == "two y"


def test_a_wrong_answer_is_met_by_no_user(cli: Cli, folder: Path, url: str) -> None:
    model(folder, "wrong", "right")
    with clients(url) as answers:
        done = cli.run(folder, *ASKED)
    assert (done.code, done.report["outcome"]) == (12, "smoke-failed-rolled-back"), done.verdict + done.log
    assert "No user has met it" in done.verdict
    assert set(answers) == {"two y"}
    assert now(url) == "two y"


def test_the_next_run_takes_a_killed_ones_pause_over(cli: Cli, folder: Path, url: str, tmp_path: Path) -> None:
    model(folder, "three", "three")
    seen = tmp_path / "seen"
    check = tmp_path / "check.py"
    code = f"import os, pathlib, time\npathlib.Path({str(seen)!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n"
    check.write_text(code, encoding="utf-8")
    slow = f"{sys.executable} {check}"
    killed = subprocess.Popen(
        [sys.executable, "-m", "model_dockerize", "run", folder, "--sandbox", *ASKED, "--check", slow],
        env=cli.environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        checking = int(eventually(lambda: seen.exists() and seen.read_text(encoding="utf-8"), seconds=300))
    finally:
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    os.kill(checking, signal.SIGKILL)
    assert now(url) == "two y"
    journal(cli, reset=True)
    again = cli.run(folder, *ASKED)
    assert (again.code, again.report["outcome"]) == (0, "deployed"), again.verdict + again.log
    assert rules(cli) == []
    assert now(url) == "three y"


def test_a_check_of_the_user_that_fails_takes_it_back(cli: Cli, folder: Path, url: str, tmp_path: Path) -> None:
    model(folder, "four", "four")
    check = tmp_path / "check.py"
    check.write_text(
        "import os, sys, json, urllib.request\n"
        "build = urllib.request.urlopen(os.environ['MODEL_URL'] + '/health').headers['X-Model-Build-Id']\n"
        "print(json.dumps([build, sorted(name for name in os.environ if name.startswith('AWS_'))]))\n"
        "sys.exit('the share of positive answers is 3 %')\n",
        encoding="utf-8",
    )
    done = cli.run(folder, *ASKED, "--check", f"{sys.executable} {check}")
    assert (done.code, done.report["outcome"]) == (12, "smoke-failed-rolled-back"), done.verdict + done.log
    assert "the share of positive answers is 3 %" in done.verdict
    (told,) = [line for line in done.report["error"]["details"] if line.startswith('["')]
    build, variables = json.loads(told)
    assert build == done.report["build_id"]
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} & set(variables)
    assert now(url) == "three y"


def test_while_both_run_the_traffic_goes_back_at_once(cli: Cli, folder: Path, url: str) -> None:
    model(folder, "five", "five")
    slow = (*ASKED[:-1], "60")
    done = cli.run(folder, *slow, "--skip-bake", "true")
    assert (done.code, done.report["rollout"]["is_baking"]) == (0, True), done.verdict + done.log
    assert now(url) == "five y"
    with clients(url) as answers:
        back = cli.run(folder, command="rollback")
        eventually(lambda: answers[-1:] == ["three y"])
    assert (back.code, back.report["outcome"]) == (0, "deployed"), back.verdict + back.log
    assert set(answers) <= {"three y", "five y"}
    assert now(url) == "three y"


def test_after_the_bake_it_goes_back_by_a_deployment_that_the_command_itself_continues(
    cli: Cli, folder: Path, url: str
) -> None:
    model(folder, "six", "six")
    assert cli.run(folder, *ASKED).code == 0
    assert now(url) == "six y"
    back = cli.run(folder, command="rollback")
    assert (back.code, back.report["outcome"]) == (0, "deployed"), back.verdict + back.log
    assert now(url) == "three y"


def test_rolling_and_back_again_on_a_service_that_is_asked_all_the_time(cli: Cli, folder: Path, url: str) -> None:
    """Begin with users at either group; rolling is for the first, so it may take a deployment more."""
    with clients(url) as answers:
        for version, way in (("seven", "rolling"), ("eight", "rolling"), ("nine", "blue-green")):
            model(folder, version, version)
            done = cli.run(folder, *ASKED, "--rollout", way)
            assert (done.code, done.report["outcome"]) == (0, "deployed"), done.verdict + done.log
            eventually(lambda wanted=version: answers[-1:] == [f"{wanted} y"])  # type: ignore[misc]
        assert done.report["rollout"]["strategy"] == "blue-green"
    assert set(answers) == {"three y", "seven y", "eight y", "nine y"}
