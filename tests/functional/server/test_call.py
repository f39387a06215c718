"""A job's input and output have their names, and one file is the result: by the runner, in both modes."""

import errno
import json
import os
import sys
from pathlib import Path

import pytest

from model_runner.call import LINK, NOTHING, settle
from model_server.runner_client import Outcome, RunnerClient
from model_server.runner_command import runner_command
from model_server.slots import OwnSlot

SAVE = "open(sys.argv[2] + '{}', 'w').write('{}'); "


@pytest.fixture(params=["command", "warm"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(folder: Path, mode: str, code: str, *arguments: str) -> tuple[Outcome, Path]:
    """Run one job of a script that is this code, with a folder of its own, as in a server."""
    (folder / "main.py").write_text(f"import os, sys\n{code}\n", encoding="utf-8")
    manifest = folder / "model.json"
    command = [sys.executable, "main.py", *(arguments or ("{input}", "{output}"))]
    manifest.write_text(json.dumps({"command": command, "working_directory": str(folder)}), encoding="utf-8")
    environment = {**os.environ, "MODEL_RUNNER_MODE": mode}
    jobs = folder / "jobs"
    client = RunnerClient(OwnSlot(runner_command(command, manifest), environment=environment), folder=jobs)
    try:
        client.prepare()
        assert client.mode.startswith(mode)
        source, target = jobs / "result-input", jobs / "result"
        source.write_text("a,b\n", encoding="utf-8")
        outcome = client.run("1", source, target, 20)
        assert [path.name for path in jobs.iterdir()] == (["result"] if outcome.error is None else [])
        copy = folder / "result"
        if outcome.error is None:
            copy.write_bytes(target.read_bytes())
        return outcome, copy
    finally:
        client.stop()


@pytest.mark.parametrize(
    ("code", "arguments", "result"),
    [
        (SAVE.format("", "plain"), (), "plain"),
        (SAVE.format("", "plain") + SAVE.format(".log", "beside"), (), "plain"),
        (SAVE.format(".npz", "appended"), (), "appended"),
        (SAVE.format(".csv", "linked") + "os.symlink('result.csv', sys.argv[2])", (), "linked"),
        (SAVE.format("", "asked"), ("{input}", "{output}.png"), "asked"),
        (SAVE.format(".zip", "twice"), ("{input}", "{output}.tar"), "twice"),
        ("open(sys.argv[1][6:], 'w').write('inside a word')", ("--out={output}.csv", "{input}"), "inside a word"),
        (SAVE.format("", "1") + "open(sys.argv[3], 'w').write('2')", ("{input}", "{output}.png", "{output}.log"), "1"),
        ("open(sys.argv[3], 'w').write('table')", ("{input}", "{output}.png", "{output}"), "table"),
        ("open(sys.argv[2], 'w').write(open(sys.argv[1]).read() + os.path.splitext(sys.argv[1])[1])",
         ("{input}.csv", "{output}"), "a,b\n.csv"),
    ],
)  # fmt: skip
def test_the_result_is_found_by_its_name_or_the_ending_that_a_library_appends(
    tmp_path: Path, mode: str, code: str, arguments: tuple[str, ...], result: str
) -> None:
    outcome, target = run(tmp_path, mode, code, *arguments)
    assert outcome.error is None
    assert target.read_text(encoding="utf-8") == result


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("", "The program ended without an error but wrote no output file."),
        (
            SAVE.format(".csv", "x") + SAVE.format(".png", "x"),
            "The program wrote no output file, but several beside it: {output}.csv, {output}.png. Name the one that is "
            "the result in the command.",
        ),
        (
            "os.mkdir(sys.argv[2])",
            "The program made a folder at its output path. A result is one file: let the program pack the folder.",
        ),
        ("os.symlink(os.path.abspath(sys.argv[1]), sys.argv[2])", LINK),
        ("os.symlink('/proc/self/environ', sys.argv[2] + '.csv')", NOTHING),
    ],
)
def test_a_program_without_a_result_is_told_what_there_is_instead(
    tmp_path: Path, mode: str, code: str, error: str
) -> None:
    assert run(tmp_path, mode, code)[0].error == error


def test_a_result_that_cannot_be_renamed_is_the_error_of_that_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_source: str, _target: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "result.png").touch()
    monkeypatch.setattr(os, "rename", refused)  # root, as whom tests may run, may rename in any folder
    output = str(tmp_path / "result")
    assert settle(output, f"{output}.png") == "The program's output cannot be kept: Permission denied."


def test_the_limit_of_the_output_counts_whatever_its_ending_is(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import sys\nopen(sys.argv[1], 'w').write('x' * 100)\n", encoding="utf-8")
    manifest = tmp_path / "model.json"
    command = [sys.executable, "main.py", "{output}.png", "{input}"]
    manifest.write_text(json.dumps({"command": command, "working_directory": str(tmp_path)}), encoding="utf-8")
    client = RunnerClient(OwnSlot(runner_command(command, manifest)), output_bytes=99, folder=tmp_path / "jobs")
    client.prepare()
    (tmp_path / "jobs/in").touch()
    assert (
        client.run("1", tmp_path / "jobs/in", tmp_path / "jobs/out", 20).error == "output limit of 99 bytes exceeded."
    )
    client.stop()
