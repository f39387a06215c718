"""--json: standard output is the report and nothing else, whatever comes of it; what people read goes elsewhere."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model_dockerize import pipeline
from model_dockerize.cli import cli
from model_dockerize.errors import AwsError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import Run
from model_dockerize.report.facts import Headline

COMMANDS = {"list": "list_models", "status": "status", "plan": "plan", "doctor": "doctor", "submit": "submit"}


def call(monkeypatch: pytest.MonkeyPatch, folder: Path, command: str, *words: str, fails: bool = False) -> Result:
    (folder / "main.py").touch()
    (folder / "in.csv").write_text("a\n1\n")
    monkeypatch.chdir(folder)

    def act(run: Run, *_: object, **__: object) -> Outcome:
        with run.recorder.stage("stage") as stage:
            stage.warning("mind the gap")
            stage.found(Headline("this is for people"))
            if fails:
                raise AwsError("no account", "Get one.")
        return Outcome.SUCCEEDED

    monkeypatch.setattr(pipeline, COMMANDS[command], act)
    return CliRunner().invoke(cli, [command, *words, *(["in.csv"] if command == "submit" else [])])


def test_every_command_that_looks_has_it() -> None:
    assert {name for name, one in cli.commands.items() if any(each.name == "as_json" for each in one.params)} == {
        *COMMANDS,
        "ask",
    }


@pytest.mark.parametrize("more", [(), ("-q",), ("-v",)])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_report_is_all_of_standard_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, more: tuple[str, ...]
) -> None:
    done = call(monkeypatch, tmp_path, command, "--json", *more)
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert (report["outcome"], report["warnings"]) == ("succeeded", ["mind the gap"])
    assert "this is for people" in done.stderr
    assert "this is for people" in call(monkeypatch, tmp_path, command).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_failure_is_a_report_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str) -> None:
    done = call(monkeypatch, tmp_path, command, "--json", fails=True)
    assert done.exit_code == AwsError.exit_code
    assert json.loads(done.stdout)["error"]["message"] == "no account"
    assert "Next: Get one." in done.stderr


def test_inputs_that_are_wrong_are_a_report_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = call(monkeypatch, tmp_path, "plan", "--json", "--cpu", "x")
    assert (done.exit_code, json.loads(done.stdout)["error"]["kind"]) == (2, "input")
