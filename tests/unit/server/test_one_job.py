"""One job without a server: what a runner, which only answers here, is given, and what becomes of its result."""

import io
import os
import signal
import stat
import sys
from contextlib import redirect_stderr
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_server import privileges, s3, settings, single_job
from model_server.errors import StartError
from model_server.runner_client import Outcome, RunnerDiedError
from tests.functional.server.conftest import manifest_text


class Stage:
    """All that is around the job: what is called, and how the program ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[Any] = []
        self.outcome = Outcome(None, 1.0)
        self.died = ""
        self.made: dict[str, Any] = {}
        self.given: bytes | None = None
        self.is_link = False
        self.handler: Any = None
        self.errors = io.StringIO()

    def client(self, slot: Any, **options: Any) -> Any:
        self.made = {**vars(slot), **options}
        return SimpleNamespace(run=self.run, stop=lambda: self.calls.append("stop"))

    def run(self, job_id: str, given: Path, made: Path, timeout: float) -> Outcome:
        self.calls.append(("run", job_id, given.name, made.name, timeout))
        assert given.parent == made.parent
        assert given.parent.name.startswith("model-run-")
        assert given.parent.parent == Path("/tmp")
        self.is_link, self.given = given.is_symlink(), given.read_bytes()
        if self.died:
            raise RunnerDiedError(self.died)
        if self.outcome.error is None:
            made.write_bytes(self.given.upper())
        return self.outcome

    def settings(self, **variables: str) -> settings.Settings:
        given = {"MODEL_MANIFEST": str(self.folder / "model.json"), "GAI_VOLUME_PATH": str(self.folder / "data")}
        return settings.from_environment({**given, **variables})

    def do(self, source: str, target: str, **variables: str) -> int:
        with redirect_stderr(self.errors):
            return single_job.run(self.settings(**variables), source, target)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage(tmp_path)
    limits = {"timeout_seconds": 20, "memory_mib": 30, "output_bytes": 40}
    (tmp_path / "model.json").write_text(manifest_text(tmp_path, limits=limits), encoding="utf-8")
    monkeypatch.setattr(single_job, "RunnerClient", made.client)
    monkeypatch.setattr(privileges, "harden", lambda: made.calls.append("harden"))
    monkeypatch.setattr(os, "geteuid", lambda: 5)
    monkeypatch.setattr(signal, "signal", lambda number, handler: setattr(made, "handler", (number, handler)))
    monkeypatch.setattr(made.errors, "fileno", lambda: 2)
    monkeypatch.delenv("AWS_BATCH_JOB_ID", raising=False)
    return made


def written(folder: Path, content: bytes = b"data") -> str:
    path = folder / "in.csv"
    path.write_bytes(content)
    return str(path)


def test_a_job_is_done_with_the_models_limits_and_its_result_delivered(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_LICENSE_KEY", "secret")
    target = tmp_path / "out"
    target.write_bytes(b"older and longer")
    assert stage.do(written(tmp_path), str(target)) == 0
    assert stage.calls == ["harden", ("run", "run", "input", "output", 20), "stop"]
    assert (stage.given, stage.is_link, target.read_bytes()) == (b"data", True, b"DATA")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "model.json", "out"]
    assert "MODEL_LICENSE_KEY" not in os.environ
    command = stage.made.pop("_command")
    assert command[-2:] == ["{connection}", str(tmp_path / "model.json")]
    assert stage.made == {
        **{"is_own_user": False, "_user": None, "_environment": {"MODEL_RUNNER_MODE": "command"}, "_log": 2},
        **{"process": None, "memory_mib": 30, "output_bytes": 40},
    }


@pytest.mark.parametrize(("name", "job"), [("", "run"), ("aws-1", "aws-1")])
def test_a_job_of_batch_has_its_name_there(
    stage: Stage, tmp_path: Path, name: str, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BATCH_JOB_ID", name)
    assert stage.do(written(tmp_path), str(tmp_path / "out"), MODEL_JOB_SECONDS="7") == 0
    assert stage.calls[1] == ("run", job, "input", "output", 7)


def test_a_program_that_fails_is_told_and_nothing_is_written(stage: Stage, tmp_path: Path) -> None:
    stage.outcome = Outcome("no good", 1.0)
    assert stage.do(written(tmp_path), str(tmp_path / "out")) == 1
    assert stage.errors.getvalue() == "model-server: no good\n"
    assert (stage.calls[-1], (tmp_path / "out").exists()) == ("stop", False)


def test_a_runner_that_dies_is_told(stage: Stage, tmp_path: Path) -> None:
    stage.died = "it ended"
    with pytest.raises(StartError) as caught:
        stage.do(written(tmp_path), str(tmp_path / "out"))
    assert str(caught.value) == "the job could not be run: it ended"
    assert stage.calls[-1] == "stop"


def test_a_word_to_stop_ends_the_program_and_the_job_with_its_number(stage: Stage, tmp_path: Path) -> None:
    stage.do(written(tmp_path), str(tmp_path / "out"))
    stage.calls.clear()
    number, handler = stage.handler
    with pytest.raises(SystemExit) as caught:
        handler(number, None)
    assert (number, stage.calls, caught.value.code) == (signal.SIGTERM, ["stop"], 143)


class Bytes:
    """A standard stream."""

    def __init__(self, content: bytes = b"") -> None:
        self.buffer = io.BytesIO(content)
        self.flushed: list[bytes] = []
        self.buffer.flush = lambda: self.flushed.append(self.buffer.getvalue())  # type: ignore[method-assign]


def test_standard_input_and_output_are_a_dash(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = Bytes(b"piped"), Bytes()
    monkeypatch.setattr(sys, "stdin", source)
    monkeypatch.setattr(sys, "stdout", target)
    assert stage.do("-", "-") == 0
    assert (stage.given, stage.is_link, target.buffer.getvalue()) == (b"piped", False, b"PIPED")
    assert target.flushed == [b"PIPED"]


def test_objects_of_s3_are_fetched_and_stored(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(s3, "check", lambda target: told.append(("check", target, list(stage.calls))))
    monkeypatch.setattr(s3, "fetch", lambda source, path: told.append((source, path.write_bytes(b"fetched"))))
    monkeypatch.setattr(s3, "store", lambda result, target: told.append((target, result.read())))
    assert stage.do("s3://b/in", "s3://b/out") == 0
    assert told == [("check", "s3://b/out", ["harden"]), ("s3://b/in", 7), ("s3://b/out", b"FETCHED")]


def test_a_place_that_cannot_take_the_result_is_told_before_the_work(stage: Stage, tmp_path: Path) -> None:
    target = tmp_path / "nowhere/out"
    with pytest.raises(StartError) as caught:
        stage.do(written(tmp_path), str(target))
    assert str(caught.value) == f"cannot write {target}: its folder does not exist"
    assert stage.calls == ["harden"]


def test_an_input_that_cannot_be_read_is_told(stage: Stage, tmp_path: Path) -> None:
    for source, reason in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(StartError) as caught:
            stage.do(str(source), str(tmp_path / "out"))
        assert str(caught.value) == f"cannot read the input {source}: {reason}"
    assert stage.calls == ["harden"] * 2


def test_a_result_that_cannot_be_written_is_told_and_leaves_nothing(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    target = tmp_path / "out"
    with pytest.raises(StartError) as caught:
        stage.do(written(tmp_path), str(target))
    assert str(caught.value) == f"cannot write the output {target}: No space left on device"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "model.json"]


def test_a_pipe_is_read_and_written_into(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "from", tmp_path / "to"
    for pipe in (source, target):
        os.mkfifo(pipe)
    reader = os.open(target, os.O_RDONLY | os.O_NONBLOCK)
    kept = os.open(source, os.O_RDONLY | os.O_NONBLOCK)
    writers = [os.open(source, os.O_WRONLY)]
    os.write(writers[0], b"piped")
    fstat = os.fstat

    def look(number: int) -> os.stat_result:
        """End the input once it is opened: the one that reads it waits for that."""
        while writers:
            os.close(writers.pop())
        return fstat(number)

    monkeypatch.setattr(os, "fstat", look)
    assert stage.do(str(source), str(target)) == 0
    assert (stage.given, stage.is_link, os.read(reader, 100)) == (b"piped", False, b"PIPED")
    assert stat.S_ISFIFO(target.stat().st_mode)
    for end in (reader, kept):
        os.close(end)


def test_a_link_that_the_program_made_leads_to_no_file_of_the_caller(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")

    def link(_job: str, _given: Path, made: Path, _timeout: float) -> Outcome:
        made.symlink_to(secret)
        return Outcome(None, 1.0)

    monkeypatch.setattr(stage, "run", link)
    with pytest.raises(OSError, match="symbolic links"):
        stage.do(written(tmp_path), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("may", [True, False])
def test_a_program_of_another_user_reads_the_original_only_if_it_may(
    stage: Stage, tmp_path: Path, may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(single_job, "may", lambda user, path, right: given.append((user, path, right)) or may)
    monkeypatch.setattr(single_job, "lend", lambda folder, user: given.append((folder.name[:10], user)))
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: given.append((path.name, uid, gid)))
    variables = {"MODEL_SERVER_USER": "1:1", "MODEL_PROGRAM_USER": "30:40"}
    source = written(tmp_path)
    assert stage.do(source, str(tmp_path / "out"), **variables) == 0
    owned = [] if may else [("input", 30, 40)]
    assert given == [((30, 40), Path(source), os.R_OK), *owned, ("model-run-", (30, 40))]
    assert (stage.is_link, stage.given, stage.made["_user"]) == (may, b"data", (30, 40))


def test_what_comes_from_elsewhere_is_given_to_the_programs_user(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(single_job, "lend", lambda *_: None)
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: given.append((path.name, uid, gid)))
    monkeypatch.setattr(sys, "stdin", Bytes(b"piped"))
    assert stage.do("-", str(tmp_path / "out"), MODEL_SERVER_USER="1:1", MODEL_PROGRAM_USER="30:40") == 0
    assert given == [("input", 30, 40)]


@pytest.mark.parametrize("problem", ["this model needs a license key", None])
@pytest.mark.parametrize("named", [True, False])
def test_without_a_license_key_nothing_is_done(
    stage: Stage, tmp_path: Path, problem: str | None, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def of_image(model: Any, built_in: Path, given: settings.Settings, folder: Path) -> Any:
        asked.append((model.name, str(built_in), given.license_key, str(folder)))
        return SimpleNamespace(problem=lambda: problem)

    monkeypatch.setattr(single_job.license, "of_image", of_image)
    folder = str(tmp_path / "data") if named else "/var/gai_data"
    words = {"MODEL_LICENSE_KEY": "k", "GAI_VOLUME_PATH": folder if named else ""}
    if problem is None:
        assert stage.do(written(tmp_path), str(tmp_path / "out"), **words) == 0
    else:
        with pytest.raises(StartError) as caught:
            stage.do(written(tmp_path), str(tmp_path / "out"), **words)
        assert str(caught.value) == (
            f"this model needs a license key: give one by MODEL_LICENSE_KEY, or mount the data volume that has one at "
            f"{folder}"
        )
        assert stage.calls == []
    assert asked == [("upper", "/opt/model-server/model.json", "k", folder)]
