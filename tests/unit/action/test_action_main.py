"""From the runner's environment to the exit code, without Docker: how a run is set up, and how it ends."""

import io
import json
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model_dockerize import action, licenses, pipeline
from model_dockerize.errors import AwsAccessError, BuildError
from model_dockerize.outcome import Outcome
from model_dockerize.pipeline import Run
from model_dockerize.report import CheckReport, SmokeReport
from model_dockerize.report.facts import Address, SmokeTested
from model_dockerize.settings import OUTPUTS, Settings
from tests.action.grammar import Log, parse_file

ROOT = Path(__file__).resolve().parents[3]
SECRET = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"


class Job:
    """A workspace and the files of one step."""

    def __init__(self, root: Path) -> None:
        self.workspace, self.temp = root / "workspace", root / "temp"
        self.workspace.mkdir()
        self.temp.mkdir()
        self._output, self._summary = root / "output", root / "summary"
        self.log = Log()

    def main(self, *argv: str, **variables: str) -> int:
        named = {
            "INPUT_" + name.upper().replace("_", "-") if name.islower() else name: text
            for name, text in variables.items()
        }
        environment = {
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(self._output),
            "GITHUB_STEP_SUMMARY": str(self._summary),
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_ACTION_REPOSITORY": "org/model-dockerize",
            "RUNNER_TEMP": str(self.temp),
            **named,
        }
        stream = io.StringIO()
        code = action.main(environment, stream, list(argv))
        for line in stream.getvalue().splitlines():
            self.log.feed(line)
        return code

    @property
    def outputs(self) -> dict[str, str]:
        return dict(parse_file(self._output.read_text(encoding="utf-8")))

    @property
    def summary(self) -> str:
        return self._summary.read_text(encoding="utf-8")

    @property
    def text(self) -> str:
        return "\n".join(self.log.lines)

    def model(self, folder: str, settings: str = "") -> Path:
        path = self.workspace / folder
        path.mkdir(parents=True)
        if settings:
            (path / "model-dockerize.yml").write_text(settings, encoding="utf-8")
        return path


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


Act = Callable[[Run], Outcome]


@pytest.fixture
def run_as(monkeypatch: pytest.MonkeyPatch) -> Callable[[Act], None]:
    """Put a function in the pipeline's place, for what a pipeline does only on a bad day."""
    return lambda function: monkeypatch.setattr(pipeline, "run", function)


def test_a_folder_that_is_not_there(job: Job) -> None:
    assert job.main(program_path="nowhere", push_to_ecr="false") == 3
    assert set(job.outputs) == {output.name for output in OUTPUTS}
    assert job.outputs["outcome"] == "failed"
    assert job.summary.startswith("## ❌ failed")
    (error,) = job.log.annotations("error")
    assert "nowhere" in error.data
    assert json.loads(Path(job.outputs["report"]).read_text(encoding="utf-8"))["error"]["exit_code"] == 3


def test_arguments_are_an_error_with_a_hint(job: Job) -> None:
    assert job.main("--image-name", "iris") == 2
    assert "Remove `args:`" in job.text


def test_inputs_win_over_the_file_of_the_folder(job: Job, run_as: Callable[[Act], None]) -> None:
    seen: list[Settings] = []

    def run(run: Run) -> Outcome:
        seen.append(run.settings)
        return Outcome.BUILT

    run_as(run)
    folder = job.model("a model", "image-name: from-file\nimage-version: v1\nprogram-path: src\n")
    assert job.main(program_path="a model", image_name="from-input", report="a model/out/r.json") == 0
    assert seen[0].image.image_name == "from-input"
    assert seen[0].image.image_version == "v1"
    assert seen[0].program.program_path == folder / "src"
    assert job.outputs["report"] == "a model/out/r.json"
    assert (folder / "out/r.json").is_file()
    # Without an input the folder is the workspace itself, whatever the current directory is.
    assert job.main() == 0
    assert seen[1].program.program_path == job.workspace


def test_the_version_is_the_tag_or_commit_unless_somebody_says_another(job: Job, run_as: Callable[[Act], None]) -> None:
    seen: list[str] = []

    def run(run: Run) -> Outcome:
        seen.append(run.settings.image.image_version)
        return Outcome.BUILT

    run_as(run)
    job.model("iris", "image-version: from-file\n")
    tag = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "iris/v2", "GITHUB_SHA": "a" * 40}
    for variables in (tag, {**tag, "GITHUB_REF_TYPE": "branch"}, {**tag, "program_path": "iris"}, {}):
        assert job.main(**variables) == 0
    assert job.main(**tag, program_path="iris", image_version="from-input") == 0
    assert seen == ["v2", "a" * 12, "from-file", "latest", "from-input"]


def test_a_fork_without_credentials_is_told_why(job: Job, run_as: Callable[[Act], None], tmp_path: Path) -> None:
    def run(run: Run) -> Outcome:
        raise AwsAccessError("no usable AWS credentials", "Sign in.")

    run_as(run)
    event = tmp_path / "event.json"
    event.write_text(
        '{"pull_request": {"head": {"repo": {"full_name": "a/fork"}}, "base": {"repo": {"full_name": "org/iris"}}}}'
    )
    assert job.main(GITHUB_EVENT_PATH=str(event)) == 8
    assert "comes from a fork (a/fork)" in job.text
    assert "push-to-ecr: ${{ github.event_name" in job.text
    assert job.main() == 8
    assert "Sign in." in job.text


def test_docker_gets_a_configuration_that_does_not_stay(job: Job, run_as: Callable[[Act], None]) -> None:
    seen: list[Path] = []

    def run(run: Run) -> Outcome:
        config = Path(run.environment["DOCKER_CONFIG"])
        (config / "config.json").write_text("{}")
        seen.append(config)
        assert run.environment["PATH"].startswith("/usr/local/sbin:")
        raise RuntimeError("on the way")

    run_as(run)
    assert job.main(PATH="utter-nonsense", DOCKER_CONFIG="/root/.docker") == 1
    assert not seen[0].exists()


def test_the_jobs_own_docker_is_not_ours(job: Job, run_as: Callable[[Act], None]) -> None:
    seen: list[str] = []

    def run(run: Run) -> Outcome:
        seen.extend(name for name in run.environment if name.startswith(("DOCKER", "BUILD")))
        return Outcome.BUILT

    run_as(run)
    variables = {
        "DOCKER_CONTEXT": "rootless",
        "DOCKER_HOST": "unix:///run/user/1001/docker.sock",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/home/runner/certificates",
        "DOCKER_DEFAULT_PLATFORM": "linux/arm64",
        "BUILDX_BUILDER": "of-the-job",
        "BUILDX_CONFIG": "/home/runner/buildx",
        "BUILDKIT_HOST": "tcp://127.0.0.1:1234",
    }
    assert job.main(**variables) == 0
    assert seen == ["DOCKER_CONFIG"]


def test_a_defect_is_one_line_and_a_link(job: Job, run_as: Callable[[Act], None]) -> None:
    def run(run: Run) -> Outcome:
        raise KeyError("surprise")

    run_as(run)
    assert job.main() == 1
    assert "defect of model-dockerize: KeyError: 'surprise'" in job.text
    assert "https://github.com/org/model-dockerize/issues" in job.text
    assert "Traceback" not in job.text
    assert job.outputs["outcome"] == "failed"
    assert job.main(RUNNER_DEBUG="1") == 1
    assert "debug: error: Traceback" in job.text


def test_with_debug_logging_the_log_says_more_and_no_secret(
    job: Job, run_as: Callable[[Act], None], tmp_path: Path
) -> None:
    def run(run: Run) -> Outcome:
        run.recorder.secret("another-secret-value")
        logging.getLogger("model_dockerize.aws.client.call_log").debug(
            "one %s and\n::error::another-secret-value", SECRET
        )
        logging.getLogger("botocore.auth").debug("the signature of a request")
        raise BuildError("no", "try")

    def told() -> list[str]:
        return [command.data for command in job.log.commands if command.name == "debug"]

    run_as(run)
    licenses.make_pair(tmp_path / "publisher.pem")
    key = licenses.issue(tmp_path / "publisher.pem", "iris", "Ann", "ann@example.com", 30)
    folder = job.model("iris", "environment: {KEY: of-the-model}\ncpu: 512\n")
    given = {"AWS_SECRET_ACCESS_KEY": SECRET, "program_path": "iris", "license_key": key}
    assert job.main(**given) == 5
    assert told() == []
    assert job.main(**given, RUNNER_DEBUG="1") == 5
    notes = told()
    assert notes[0].startswith("run: version ")
    assert f"settings: cpu = '512' ({folder / 'model-dockerize.yml'}, line 2)" in notes
    assert f"settings: environment ({folder / 'model-dockerize.yml'}, line 1)" in notes
    assert {"aws: one *** and", "aws: ::error::***"} <= set(notes)
    assert "error: model_dockerize.errors.BuildError: no" in notes, "where the failure came from"
    assert job.main(**given, licence_key="misspelt-secret", RUNNER_DEBUG="1") == 2
    assert "settings: licence-key (input licence-key)" in told()
    for secret in (SECRET, "another-secret-value", "of-the-model", "misspelt-secret", key, "signature"):
        assert secret not in job.text
    seen = len(told())
    assert job.main(**given) == 5
    assert len(told()) == seen, "nobody listens any more"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_cancelled(job: Job, run_as: Callable[[Act], None], number: int, code: int) -> None:
    cleaned: list[bool] = []

    def run(run: Run) -> Outcome:
        try:
            with run.recorder.stage("build"):
                os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)  # an impatient second signal must not cut the cleaning short
            cleaned.append(True)
        return Outcome.BUILT

    run_as(run)
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    assert job.main() == code
    assert cleaned == [True]
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == before
    assert job.outputs["outcome"] == "cancelled"
    assert "| build | failed |" in job.summary


def test_a_secret_is_in_nothing_that_is_handed_over(job: Job, run_as: Callable[[Act], None]) -> None:
    def run(run: Run) -> Outcome:
        with run.recorder.stage("push") as stage:
            stage.secret("another-secret-value")
            stage.output(f"the key is {SECRET}")
            smoke = SmokeReport(False, (CheckReport("health", False, 0.1, "another-secret-value"),))
            stage.found(SmokeTested("image", smoke))
        raise BuildError(f"no {SECRET}", f"use {SECRET}", (f"line {SECRET}",))

    run_as(run)
    assert job.main(AWS_SECRET_ACCESS_KEY=SECRET, AWS_SESSION_TOKEN="") == 5
    everything = job.text + job.summary + str(job.outputs) + Path(job.outputs["report"]).read_text(encoding="utf-8")
    assert SECRET not in everything
    assert "another-secret-value" not in everything
    # So that the runner hides it from later steps too.
    assert SECRET in job.log.masks


def test_what_cannot_be_handed_over_is_no_success(job: Job, run_as: Callable[[Act], None], tmp_path: Path) -> None:
    def run(run: Run) -> Outcome:
        return Outcome.BUILT

    run_as(run)
    assert job.main(GITHUB_OUTPUT=str(tmp_path / "no/such/folder")) == 1
    assert "could not be handed everything" in job.text


def test_without_a_runner_it_works_and_writes_nothing(tmp_path: Path, run_as: Callable[[Act], None]) -> None:
    def run(run: Run) -> Outcome:
        return Outcome.BUILT

    run_as(run)
    assert action.main({"GITHUB_WORKSPACE": str(tmp_path)}, io.StringIO(), []) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_was_made_in_the_workspace_belongs_to_its_owner(job: Job, run_as: Callable[[Act], None]) -> None:
    if os.geteuid() == 0:
        os.chown(job.workspace, 1001, 1001)
    folder = job.model("model")

    def run(run: Run) -> Outcome:
        (folder / "Dockerfile").touch()
        (folder / "link").symlink_to("/etc/passwd")
        return Outcome.BUILT

    run_as(run)
    system = Path("/etc/passwd").stat().st_uid
    assert job.main(program_path="model", report="deep/er/report.json") == 0
    owner = job.workspace.stat().st_uid
    assert {path.lstat().st_uid for path in job.workspace.rglob("*")} == {owner}
    assert Path("/etc/passwd").stat().st_uid == system


def test_what_was_there_before_keeps_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("before", "after"):
        (tmp_path / name).touch()
    given: list[str] = []
    times = {"before": 1000.0, "after": 2000.0}
    mine = os.geteuid()

    def lstat(path: Path) -> Any:
        return SimpleNamespace(st_uid=mine, st_ctime=times[path.name])

    monkeypatch.setattr(action, "_give", lambda path, _: given.append(path.name))
    monkeypatch.setattr(Path, "lstat", lstat)
    monkeypatch.setattr(os, "geteuid", lambda: mine)
    monkeypatch.setattr(Path, "stat", lambda path, **_: SimpleNamespace(st_uid=mine + 1, st_mode=0o040755))
    action._hand_over(tmp_path, 1500.0)
    assert given == ["after"]


def test_a_license_key_is_masked_and_handed_to_nobody(job: Job, tmp_path: Path) -> None:
    licenses.make_pair(tmp_path / "publisher.pem")
    key = licenses.issue(tmp_path / "publisher.pem", "iris", "Ann", "ann@example.com", 30)
    assert job.main(program_path="nowhere", push_to_ecr="false", license_key=f"{key}\n") == 3
    assert key in job.log.masks
    (report,) = job.temp.rglob("report.json")
    assert key not in job.text + job.summary + report.read_text(encoding="utf-8")


def test_a_runner_without_its_temporary_folder_gets_all_but_the_report(
    job: Job, run_as: Callable[[Act], None], tmp_path: Path
) -> None:
    def run(run: Run) -> Outcome:
        run.recorder.found(Address("http://203.0.113.7"))
        return Outcome.DEPLOYED

    run_as(run)
    assert job.main(RUNNER_TEMP=str(tmp_path / "not/mounted")) == 0
    assert job.outputs["outcome"] == "deployed"
    assert job.outputs["url"] == "http://203.0.113.7"
    assert job.outputs["report"] == ""
    assert job.summary.startswith("## ✅ deployed")
    assert "The report is not written: No such file or directory" in job.text
    assert "The input report names a place in the workspace instead." in job.text
    # Where it is named, it is there.
    assert job.main(RUNNER_TEMP=str(tmp_path / "not/mounted"), report="out/report.json") == 0
    assert (job.workspace / "out/report.json").is_file()
    assert job.outputs["report"] == "out/report.json"


def test_a_report_that_cannot_be_written_is_told_before_anything_runs(job: Job, run_as: Callable[[Act], None]) -> None:
    def run(run: Run) -> Outcome:
        raise AssertionError("it ran")

    run_as(run)
    (job.workspace / "taken").touch()
    assert job.main(report="taken/report.json") == 2
    assert "The report " in job.text
    assert "cannot be written" in job.text
    assert Path(job.outputs["report"]).is_file()
