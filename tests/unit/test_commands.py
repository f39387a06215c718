"""Each command line: which function of the pipeline it calls, with what, and what of AWS is asked for."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from model_dockerize import pipeline
from model_dockerize.cli import cli
from model_dockerize.image import Place
from model_dockerize.outcome import Outcome
from tests.rig.told import Calls

FUNCTIONS = (
    *("run", "plan", "dockerfile", "load", "serve", "stop_serving", "mapping", "smoke", "smoke_service", "list_models"),
    *("status", "logs", "rollback", "doctor", "iam_policy", "destroy", "destroy_environment", "batch_environment"),
    *("submit", "login", "bootstrap", "network", "task_definition", "ask"),
)
ALL, NOTHING = (True, True, True), (False, False, False)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    """Let each function end well; the current folder holds a model, a batch file and data."""
    made = Calls(monkeypatch)
    for name in FUNCTIONS:
        made.stand_in(pipeline, name, Outcome.READ)
    (tmp_path / "main.py").touch()
    (tmp_path / "in.csv").touch()
    (tmp_path / "iris.tar").touch()
    (tmp_path / "Batch.yml").write_text("job_queue:\n  job_queue_name: q\n  computer_enviornment_name: e\n")
    monkeypatch.chdir(tmp_path)
    return made


def call(*words: str, **more: Any) -> Result:
    result = CliRunner().invoke(cli, words, **more)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


@pytest.mark.parametrize(
    ("words", "function", "named", "asks"),
    [
        (("run",), "run", {}, ALL),
        (("plan",), "plan", {}, ALL),
        (("doctor",), "doctor", {}, ALL),
        (("dockerfile",), "dockerfile", {}, NOTHING),
        (("build",), "run", {}, NOTHING),
        (("save",), "run", {}, NOTHING),
        (("push",), "run", {}, (True, False, False)),
        (("batch",), "run", {}, (True, True, False)),
        (("deploy",), "run", {}, (True, False, True)),
        (("task-definition",), "task_definition", {}, (True, False, True)),
        (("login",), "login", {}, ALL),
        (("bootstrap",), "bootstrap", {}, ALL),
        (("network",), "network", {}, ALL),
        (("list",), "list_models", {}, ALL),
        (("status", "--service", "iris"), "status", {"by_name": True}, ALL),
        (("status",), "status", {"by_name": False}, ALL),
        (("rollback", "--to", "3"), "rollback", {"to": "3", "by_name": False}, ALL),
        (("rollback", "--service", "iris"), "rollback", {"to": "", "by_name": True}, ALL),
        (("smoke",), "smoke", {"keep": False}, NOTHING),
        (("smoke", "--keep"), "smoke", {"keep": True}, NOTHING),
        (("smoke", "--service", "iris"), "smoke_service", {}, ALL),
        (("load", "iris.tar"), "load", {"archive": Path("iris.tar")}, ALL),
        (("serve",), "serve", {"place": Place("127.0.0.1", 9090, "")}, None),
        (
            ("serve", "--port", "80", "--address", "0.0.0.0", "--data-volume", "jobs"),  # noqa: S104 - it is only asked for
            "serve",
            {"place": Place("0.0.0.0", 80, "jobs")},  # noqa: S104
            None,
        ),
        (("serve", "--stop"), "stop_serving", {"is_named": False}, None),
        (("serve", ".", "--stop"), "stop_serving", {"is_named": True}, None),
        (("serve", "--program-path", ".", "--stop"), "stop_serving", {"is_named": True}, None),
        (
            ("mapping", "--data", "in.csv"),
            "mapping",
            {"data": Path("in.csv"), "mime_type": "", "target": Path("mapping.json")},
            NOTHING,
        ),
        (
            ("mapping", "--data", "in.csv", "--mime-type", "text/csv", "--output", "m.json"),
            "mapping",
            {"data": Path("in.csv"), "mime_type": "text/csv", "target": Path("m.json")},
            NOTHING,
        ),
        (("batch", "Batch.yml"), "batch_environment", {}, None),
        (("destroy", "Batch.yml", "--yes"), "destroy_environment", {"agreed": ...}, None),
        (("destroy", "--yes"), "destroy", {"agreed": ..., "delete_data": False, "by_name": False}, ALL),
        (
            ("destroy", "--service", "iris", "--delete-data"),
            "destroy",
            {"agreed": ..., "delete_data": True, "by_name": True},
            ALL,
        ),
        (("logs",), "logs", {"lines": 50, "follow": False, "show": ..., "by_name": False}, ALL),
        (
            ("logs", "--lines", "7", "--follow", "--service", "iris"),
            "logs",
            {"lines": 7, "follow": True, "show": ..., "by_name": True},
            ALL,
        ),
        (("iam-policy",), "iam_policy", {"show": ..., "after_bootstrap": False}, ALL),
        (("iam-policy", "--after-bootstrap"), "iam_policy", {"show": ..., "after_bootstrap": True}, ALL),
    ],
)
def test_a_command_calls_its_function(
    calls: Calls, words: tuple[str, ...], function: str, named: dict[str, Any], asks: Any
) -> None:
    result = call(*words)
    assert (result.exit_code, calls.names[0]) == (0, function), result.output
    assert len(calls.made) == 1 or function == "smoke_service"
    given = calls.made[0]
    (run,) = given[1] if named else given[1:]
    found = {name: ... if named[name] is ... else value for name, value in (given[2] if named else {}).items()}
    assert found == named
    settings = run.settings
    if asks:
        asked = (settings.registry.push_to_ecr, settings.batch.create_job_def, settings.service.deploy_service)
        assert asked == asks


def test_an_image_is_saved_here_unless_a_place_is_named(calls: Calls, tmp_path: Path) -> None:
    call("save")
    call("save", "--archive", "out")
    assert [one.settings.image.archive for _, one in calls.made] == [tmp_path, tmp_path / "out"]


def test_a_push_that_is_not_wanted_is_none(calls: Calls) -> None:
    call("push", "--push-to-ecr", "false")
    assert calls.made[0][1].settings.registry.push_to_ecr is False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("rollback", "--to", "iris:3"), "a revision is a number, e.g. 3"),
        (("rollback", "--to", "1234567890"), "a revision is a number, e.g. 3"),
        (("rollback", "--to", "٣"), "a revision is a number, e.g. 3"),
        (("serve", "--data-volume", "a"), "a volume's name has letters, digits, _ . -"),
        (("serve", "--data-volume", "-ab"), "a volume's name has letters, digits, _ . -"),
        (("serve", "--address", "localhost"), "an IP address, e.g. 127.0.0.1 or 0.0.0.0"),
        (("serve", "--port", "0"), "0 is not in the range"),
        (("serve", "--port", "65536"), "65536 is not in the range"),
        (("smoke", "--service", "iris", "--keep"), "it writes into the model's folder: name that, too"),
        (("logs", "--lines", "0"), "0 is not in the range"),
        (("logs", "--lines", "10001"), "10001 is not in the range"),
        (("load", "none.tar"), "does not exist"),
        (("mapping",), "Missing option '--data'"),
    ],
)
def test_a_word_that_cannot_be_is_refused_before_anything_is_done(
    calls: Calls, words: tuple[str, ...], says: str
) -> None:
    result = call(*words)
    assert (result.exit_code, calls.made) == (2, [])
    assert says in " ".join(result.output.replace("│", "").split())


@pytest.mark.parametrize(
    "words", [("rollback", "--to", "123456789"), ("serve", "--data-volume", "ab"), ("serve", "--port", "65535")]
)
def test_the_last_that_can_be_is_taken(calls: Calls, words: tuple[str, ...]) -> None:
    assert call(*words).exit_code == 0
    assert len(calls.made) == 1


@pytest.mark.parametrize(
    ("words", "stdin", "files", "inputs", "output", "bucket", "by_name"),
    [
        ((".", "in.csv"), "", ("in.csv",), (), "", "", False),
        (("in.csv", "--output", "out"), "", ("in.csv",), (), "out", "", False),
        (("s3://b/a.csv",), "", ("s3://b/a.csv",), (), "", "", False),
        (("churn", "in.csv"), "", ("in.csv",), (), "", "", True),
        (("in.csv", "more.csv", "--service", "iris", "--bucket", "b"), "", ("in.csv", "more.csv"), (), "", "b", True),
        ((".", "--input", "s3://b/a", "--input", "/x"), "", (), ("s3://b/a", "/x"), "", "", False),
        (("--input", "a", "--inputs-from", "-"), " b \n\nc\n", (), ("a", "b", "c"), "", "", False),
    ],
)
def test_words_of_submit_are_a_model_and_its_inputs(
    calls: Calls, words: Any, stdin: str, files: Any, inputs: Any, output: str, bucket: str, by_name: bool
) -> None:
    calls.stand_in(pipeline, "sort_out", "work")
    assert call("submit", *words, input=stdin).exit_code == 0
    assert calls.made[0] == ("sort_out", files, inputs, output, bucket)
    assert calls.made[1][2:] == ("work", by_name)


def test_inputs_that_are_no_text_are_refused(calls: Calls, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\xff")
    result = call("submit", "--inputs-from", "list")
    assert result.exit_code == 2
    assert "--inputs-from is no UTF-8 text: invalid start byte." in " ".join(result.output.split())


@pytest.mark.parametrize("name", ["list", "status", "plan", "doctor"])
def test_in_json_standard_output_holds_the_report_alone(calls: Calls, name: str) -> None:
    result = call(name, "--json")
    assert result.stdout.startswith('{\n  "outcome": "read",\n')
    assert result.stdout.endswith("}\n")
    assert "read" in result.stderr


def test_lines_of_a_log_go_to_standard_output_without_what_redraws_it(calls: Calls) -> None:
    calls.stand_in(pipeline, "logs", lambda *_, **named: (named["show"]("a\x1b[2Jb"), Outcome.READ)[1])
    result = call("logs")
    assert (result.exit_code, result.stdout) == (0, "a[2Jb\n")
    assert "read" in result.stderr


@pytest.mark.parametrize(("yes", "answer"), [(("--yes",), True), ((), None)])
def test_whoever_destroys_is_shown_what_first(calls: Calls, yes: tuple[str, ...], answer: bool | None) -> None:
    question: Any = type("Question", (), {"lines": lambda _: ("- stack\x07 a", "- role b")})()
    calls.stand_in(pipeline, "destroy", lambda *_, **named: [Outcome.READ][0 if named["agreed"](question) else 1])
    result = call("destroy", *yes)
    assert "- stack a\n- role b\n" in result.stderr
    if answer:
        assert result.exit_code == 0
    else:
        assert result.exit_code == 2
        assert "Nobody can be asked here, so nothing was removed." in " ".join(result.output.split())
        assert "To remove it, add --yes." in " ".join(result.output.split())


def test_a_license_is_made_shown_and_checked(calls: Calls, tmp_path: Path) -> None:
    public = call("license", "new-key", "key.pem").stdout.strip()
    to = ("--private-key", "key.pem", "--model", "iris", "--name", "Ann", "--email", "a@x")
    made = call("license", "issue", *to, "--output", "a.gai_key", "--days", "3660")
    assert made.stdout == "a.gai_key: for Ann - a@x, model iris, 3660 days.\n"
    assert (tmp_path / "a.gai_key").read_text().count("\n") == 1
    assert call("license", "issue", *to, "--output", "b.gai_key").stdout.endswith("model iris, 30 days.\n")
    for days in ("0", "3661"):
        assert call("license", "issue", *to, "--output", "c.gai_key", "--days", days).exit_code == 2
    shown = call("license", "inspect", "a.gai_key", "--public-key", public)
    assert (shown.exit_code, '"model": "iris"' in shown.stdout, '"problem": null' in shown.stdout) == (0, True, True)
    other = call("license", "new-key", "other.pem").stdout.strip()
    refused = call("license", "inspect", "a.gai_key", "--public-key", other)
    assert (refused.exit_code, "not signed by this publisher" in refused.stdout) == (1, True)
    lost = call("license", "issue", *to, "--output", "none/a.gai_key")
    assert lost.exit_code == 2
    assert "none/a.gai_key cannot be written: No such file or directory." in " ".join(lost.output.split())
