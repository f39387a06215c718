"""The command line: flags to Settings, every end to a verdict, a report and an exit code."""

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from model_dockerize import cli as faces
from model_dockerize import licenses, pipeline
from model_dockerize.cli.group import NAMED
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import Question, Run
from model_dockerize.report.facts import Identity
from model_dockerize.settings import INPUTS, Settings
from model_dockerize.settings.model import BY_NAME


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Return the settings with which the pipeline was called; it answers that it built."""
    settings: list[Settings] = []

    def run(run: Run) -> Outcome:
        settings.append(run.settings)
        run.recorder.found(Identity("iris:1", "b"))
        return Outcome.BUILT

    monkeypatch.setattr(pipeline, "run", run)
    return settings


def call(*arguments: Any) -> Result:
    return CliRunner().invoke(faces.cli, [str(word) for word in arguments])


@pytest.mark.parametrize(
    "arguments",
    [("--sandbox", "FOLDER"), ("FOLDER", "--sandbox"), ("--sandbox", "true", "FOLDER"), ("--sandbox=TRUE", "FOLDER")],
)
def test_a_folder_after_a_flag_is_the_folder(asked: list[Settings], tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = call("run", *(tmp_path if word == "FOLDER" else word for word in arguments))
    assert result.exit_code == 0, result.output
    assert asked[0].run.sandbox
    assert asked[0].program.program_path == tmp_path


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (("--smoke-test", "service", "FOLDER"), "service"),
        (("--smoke-test=image", "FOLDER"), "image"),
        (("--smoke-test", "FOLDER"), True),
        (("FOLDER", "--smoke-test", "false"), False),
        (("--smoke-test", "", "FOLDER"), True),
    ],
)
def test_a_flag_may_have_words_of_its_own(
    asked: list[Settings], tmp_path: Path, arguments: tuple[str, ...], value: bool | str
) -> None:
    result = call("run", *(tmp_path if word == "FOLDER" else word for word in arguments))
    assert result.exit_code == 0, result.output
    assert (asked[0].smoke.smoke_test, asked[0].program.program_path) == (value, tmp_path)


def test_an_empty_flag_is_not_given(asked: list[Settings], tmp_path: Path) -> None:
    """Call it as a script does whose variable is empty."""
    result = call("run", tmp_path, "--deploy-service", "", "--push-to-ecr", "false")
    assert result.exit_code == 0, result.output
    assert not asked[0].service.deploy_service


#: Longer than any file system takes: to ask for it raises, as it does for a file in a folder that is closed to us.
LONG = f"/{'x' * 300}"


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_variable_may_name_what_nobody_may_look_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "main.py").touch()
    monkeypatch.setenv(name, LONG)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = call("status", tmp_path, "--aws-region", "eu-central-1")
    assert "defect" not in result.output
    assert result.exit_code in (8, 9), result.output


@pytest.mark.parametrize("flag", ["ca-bundle", "pip-config", "smoke-input", "smoke-expected", "smoke-mapping"])
def test_a_flag_may_name_what_nobody_may_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    (tmp_path / "main.py").touch()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    result = call("build", tmp_path, f"--{flag}", LONG)
    assert "defect" not in result.output
    assert result.exit_code in (2, 4), result.output


def test_flags_win_over_the_file(asked: list[Settings], tmp_path: Path) -> None:
    (tmp_path / "model-dockerize.yml").write_text("memory: 4096\nimage-name: from-file\n")
    call("run", tmp_path, "--image-name", "from-flag")
    assert (asked[0].service.memory, asked[0].image.image_name) == (4096, "from-flag")


def test_a_command_that_needs_no_aws_asks_for_none(asked: list[Settings], tmp_path: Path) -> None:
    call("build", tmp_path)
    assert not asked[0].registry.push_to_ecr
    assert not asked[0].service.deploy_service


def test_a_report_that_cannot_be_written_is_told_before_anything_runs(asked: list[Settings], tmp_path: Path) -> None:
    result = call("run", tmp_path, "--report", tmp_path)
    assert result.exit_code == 2
    assert "cannot be written" in result.stdout
    assert asked == []


def test_a_defect_is_a_sentence_and_a_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(_: Run) -> Outcome:
        raise KeyError("surprise")

    monkeypatch.setattr(pipeline, "run", run)
    report = tmp_path / "r.json"
    result = call("run", tmp_path, "--report", report)
    assert result.exit_code == 1
    assert "defect of model-dockerize: KeyError: 'surprise'" in result.stdout
    assert "Traceback" not in result.output
    assert json.loads(report.read_text())["error"]["kind"] == "internal"


@pytest.mark.parametrize(
    ("typed", "is_terminal", "code", "said"),
    [
        ("y\n", False, 2, "add --yes"),
        ("", True, 0, "unchanged"),
        ("n\n", True, 0, "unchanged"),
        ("y\n", True, 0, "destroyed"),
    ],
)
def test_destroy_asks_on_a_terminal_and_no_answer_is_no(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typed: str, is_terminal: bool, code: int, said: str
) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: is_terminal)
    asked = Question(("service iris: 1 of 1 tasks run iris:3",), ("stack iris",), ("repository iris: used by a",))

    def destroy(*_: object, agreed: Callable[[Question], bool], delete_data: bool, by_name: bool) -> Outcome:
        assert not delete_data
        return Outcome.DESTROYED if agreed(asked) else Outcome.UNCHANGED

    monkeypatch.setattr(pipeline, "destroy", destroy)
    result = CliRunner().invoke(faces.cli, ["destroy", str(tmp_path)], input=typed)
    assert result.exit_code == code
    assert said in result.stdout
    assert ("Remove all of it? [y/N]" in result.stderr) is is_terminal
    assert result.stderr.splitlines()[:6] == [
        *("This runs now, and will be ended:", "  - service iris: 1 of 1 tasks run iris:3"),
        *("This will be removed:", "  - stack iris", "This stays:", "  - repository iris: used by a"),
    ]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_is_an_end_with_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    def run(run: Run) -> Outcome:
        with run.recorder.stage("build"):
            os.kill(os.getpid(), number)
        return Outcome.BUILT

    monkeypatch.setattr(pipeline, "run", run)
    report = tmp_path / "r.json"
    result = call("run", tmp_path, "--report", report)
    assert result.exit_code == code
    assert f"The run was cancelled ({number.name})" in result.stdout
    document = json.loads(report.read_text())
    assert document["outcome"] == "cancelled"
    assert document["stages"][0]["status"] == "failed"


def flags_of(text: str) -> list[str]:
    """Return the inputs whose flags a help text shows, in its order."""
    shown = re.findall(r"^  --([a-z-]+) ", text, re.MULTILINE)
    return [name for name in shown if name in BY_NAME]


def test_help_shows_what_most_people_need_and_help_all_every_input() -> None:
    common = [each.name for each in INPUTS if each.common]
    others = [each.name for each in INPUTS if not each.common]
    assert flags_of(call("run", "--help").output) == common
    assert flags_of(call("run", "--help-all").output) == common + others
    assert "--help-all" in call("run", "--help").output
    login = call("login", "--help-all")
    assert login.exit_code == 0
    taken = {each.name for each in INPUTS if each.group in ("aws", "run")}
    assert set(flags_of(login.output)) == taken - {"dry-run"}  # it cannot say what it would do


def test_what_needs_no_folder_by_a_name_shows_the_name_and_ask_only_flags_that_count() -> None:
    for command in ("status", "logs", "rollback", "smoke", "submit", "destroy"):
        shown = flags_of(call(command, "--help").output)
        assert set(NAMED) <= set(shown), command
        assert not {"cpu", "environment"} & set(shown), command
        assert {"cpu", "environment"} <= set(flags_of(call(command, "--help-all").output)), command
    asked = flags_of(call("ask", "--help-all").output)
    assert {"cluster", "aws-region", "sandbox", "smoke-api-key"} <= set(asked)
    assert not {"cpu", "environment", "deploy-service", "service"} & set(asked)


def test_help_says_what_is_so_where_nothing_is_said() -> None:
    for words, defaults in (
        (("serve",), ("9090", "127.0.0.1")),
        (("logs",), ("50",)),
        (("license", "issue"), ("30",)),
        (("mapping",), ("mapping.json",)),
    ):
        shown = " ".join(call(*words, "--help").output.split())
        assert [default for default in defaults if f"[default: {default}" not in shown] == [], words


def test_the_help_of_submit_begins_with_what_is_its_own() -> None:
    text = call("submit", "--help").output
    assert text.index("submit FOLDER data/*.csv --output results/") < text.index("Options:")
    assert re.findall(r"^  --([a-z-]+) ", text, re.MULTILINE)[:4] == ["output", "input", "inputs-from", "bucket"]


def test_the_help_names_every_command_in_a_whole_sentence() -> None:
    text = call("--help").output
    assert "..." not in text.replace("[ARGS]...", "")
    assert all(f"  {name} " in text for name in faces.cli.commands)


@pytest.mark.parametrize("group", ["license", "sandbox"])
def test_the_help_of_a_group_is_not_cut(group: str) -> None:
    shown = " ".join(call(group, "--help").output.split())
    assert "..." not in shown.replace("[ARGS]...", "")


def test_a_report_to_standard_output_is_told_its_flag(
    asked: list[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("run", tmp_path, "--report", "-")
    assert (result.exit_code, "--json" in result.stdout, asked) == (2, True, [])
    assert not Path("-").exists()


def test_a_line_that_a_program_wrote_cannot_redraw_the_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def logs(*_: object, show: Callable[[str], None], **__: object) -> Outcome:
        show("a\x1b[2J\rb\tc\x9b")
        return Outcome.READ

    monkeypatch.setattr(pipeline, "logs", logs)
    assert call("logs", tmp_path).stdout == "a[2Jb\tc\n"  # and nothing of ours


def test_a_key_that_cannot_be_written_is_no_defect(tmp_path: Path) -> None:
    licenses.make_pair(tmp_path / "private.pem")
    flags = ("--private-key", tmp_path / "private.pem", "--model", "iris", "--name", "A", "--email", "a@example.com")
    result = call("license", "issue", *flags, "--output", tmp_path / "no" / "such.gai_key")
    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in result.stdout


def test_verbosity_is_a_flag_of_every_stage_command(asked: list[Settings], tmp_path: Path) -> None:
    assert call("run", tmp_path, "-q").stdout == "built iris:1\n"
    assert "built iris:1" in call("run", tmp_path, "-v").stdout
    assert len(asked) == 2
