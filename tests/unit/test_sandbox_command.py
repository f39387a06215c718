"""The commands of the sandbox: what a shell can take, and the exit code."""

import pytest
from click.testing import CliRunner, Result

from model_dockerize import sandbox
from model_dockerize.cli import cli
from model_dockerize.sandbox.record import Sandbox
from tests.rig.told import Calls

RUNNING = Sandbox(
    "http://127.0.0.1:4566", "eu-central-1", "123456789012", 1, "r:5000", "i", 1, "not a secret", "enforced"
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls(monkeypatch)
    made.stand_in(sandbox, "default_home", "home")
    made.stand_in(sandbox, "start", RUNNING)
    made.stand_in(sandbox, "status", RUNNING)
    made.stand_in(sandbox, "stop")
    return made


def call(*words: str) -> Result:
    result = CliRunner().invoke(cli, ["sandbox", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


@pytest.mark.parametrize(("words", "iam"), [((), ""), (("--iam", "off"), "off"), (("--iam", "enforced"), "enforced")])
def test_started_it_prints_what_a_shell_takes(calls: Calls, words: tuple[str, ...], iam: str) -> None:
    result = call("start", *words)
    name, home, _, wanted = calls.made[-1]
    assert (result.exit_code, name, home, wanted) == (0, "start", "home", iam)
    assert result.stdout.splitlines() == [
        f"unset {' '.join(RUNNING.unset())}",
        *(f"export {name}={value}" for name, value in RUNNING.environment().items()),
    ]


def test_another_word_for_iam_is_refused(calls: Calls) -> None:
    assert call("start", "--iam", "on").exit_code == 2
    assert calls.made == []


def test_whether_it_runs_is_the_exit_code(calls: Calls) -> None:
    result = call("status")
    assert result.exit_code == 0
    assert result.output == (
        "The sandbox runs at http://127.0.0.1:4566 (account 123456789012, eu-central-1, IAM enforced).\n"
    )
    calls.stand_in(sandbox, "status")
    result = call("status")
    assert result.exit_code == 1
    assert result.output == "The sandbox is not running. Start it with: model-dockerize sandbox start\n"


def test_it_is_stopped_at_its_home(calls: Calls) -> None:
    assert call("stop").exit_code == 0
    assert [each[:2] for each in calls.made] == [("default_home",), ("stop", "home")]
