"""Every command as people type it first: bare, with `--help`, as its own help shows it, and completed by a shell.

Nothing of the outside is there: no Docker Engine, no AWS, no sandbox.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner, Result

from model_dockerize.cli import cli

_BUILDS = ("run", "plan", "build", "save", "serve", "push", "batch", "deploy", "task-definition", "doctor", "smoke")
_ASKS_AWS = ("rollback", "status", "logs", "destroy")
_NO_ARGUMENT = (
    *("load", "mapping", "submit", "login", "bootstrap", "network", "list", "ask"),
    *("license", "license new-key", "license issue", "license inspect", "sandbox"),
)
#: Exit code of a bare command where a program is.
IN_A_PROGRAM = {
    **dict.fromkeys(_BUILDS, 4),
    **dict.fromkeys((*_ASKS_AWS, *_NO_ARGUMENT), 2),
    **{"dockerfile": 0, "iam-policy": 0, "init": 0},
    **{"sandbox start": 16, "sandbox status": 1, "sandbox stop": 0},
}
#: The same where nothing is.
IN_NOTHING = {**IN_A_PROGRAM, **dict.fromkeys((*_BUILDS, *_ASKS_AWS, "dockerfile", "iam-policy"), 3)}


def commands() -> Iterator[tuple[str, click.Command]]:
    """List every command and group with its whole name."""
    for name, command in cli.commands.items():
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", below) for sub, below in command.commands.items())


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make an empty current folder, in a process that reaches nothing."""
    nothing, home = tmp_path / "nothing", tmp_path / "home"
    nothing.mkdir()
    home.mkdir()
    for name, text in {
        "HOME": str(home),
        "MODEL_DOCKERIZE_HOME": str(home / "sandbox"),
        "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(home / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "none"),
    }.items():
        monkeypatch.setenv(name, text)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(nothing)
    return nothing


@pytest.fixture
def program(alone: Path) -> Path:
    """Put a program into the current folder."""
    (alone / "main.py").write_text("import sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read())\n")
    return alone


def called(*words: str) -> Result:
    result = CliRunner().invoke(cli, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert "Traceback" not in result.output
    assert "defect of model-dockerize" not in result.output
    return result


def test_the_expected_exit_codes_are_those_of_all_commands() -> None:
    assert IN_A_PROGRAM.keys() == IN_NOTHING.keys() == dict(commands()).keys()


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("name", IN_A_PROGRAM)
def test_a_bare_command_in_the_folder_of_a_program(name: str) -> None:
    assert called(*name.split()).exit_code == IN_A_PROGRAM[name]


@pytest.mark.parametrize("name", IN_NOTHING)
def test_a_bare_command_in_an_empty_folder(name: str) -> None:
    assert called(*name.split()).exit_code == IN_NOTHING[name]


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("name", ["list", "login", "network", "rollback", "status", "logs", "destroy"])
def test_a_bare_command_of_an_aws_that_is_not_reached(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "x")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert called(name).exit_code == 9


@pytest.mark.parametrize("name", dict(commands()))
def test_help_and_each_example_in_it(name: str) -> None:
    text = called(*name.split(), "--help")
    assert text.exit_code == 0
    for example in examples(text.output):
        assert called(*example).exit_code in {0, 2, 3, 4, 16}, example


def test_the_first_help_has_an_example() -> None:
    assert examples(called("--help").output) == [["init", "my-model"], ["run", "my-model", "--sandbox"]]


def examples(text: str) -> list[list[str]]:
    """Find the command lines in a help text, without their first word."""
    return [shlex.split(line) for line in re.findall(r"^ +model-dockerize (.+)$", text, re.MULTILINE)]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["ru"], "run"),
        (["run", "--mem"], "--memory"),
        (["run", "--sandbox", "--mem"], "--memory"),
        (["sandbox", "sta"], "start"),
    ],
)
def test_a_shell_completes(typed: list[str], offered: str) -> None:
    completer = BashComplete(cli, {}, "model-dockerize", "_MODEL_DOCKERIZE_COMPLETE")
    assert offered in [item.value for item in completer.get_completions(typed[:-1], typed[-1])]


@pytest.mark.parametrize("name", dict(commands()))
def test_a_shell_completes_the_flags_of_a_bare_command(name: str) -> None:
    completer = BashComplete(cli, {}, "model-dockerize", "_MODEL_DOCKERIZE_COMPLETE")
    assert "--help" in [item.value for item in completer.get_completions(name.split(), "--h")]


def test_the_folder_of_the_sandbox_may_not_be_makeable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_DOCKERIZE_HOME", "/dev/null/sandbox")
    result = called("sandbox", "start")
    assert result.exit_code == 16
    assert "The sandbox's folder /dev/null/sandbox cannot be made: Not a directory." in result.output
