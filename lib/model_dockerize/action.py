"""The Action: from INPUT_* to outputs, files and exit code."""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from model_dockerize import pipeline, runner
from model_dockerize.cancel import cancellable
from model_dockerize.errors import InputError
from model_dockerize.report import Ending, Failure, Recorder, Report, debug_logging, reserve, write
from model_dockerize.report.github import GitHubDisplay, outputs
from model_dockerize.report.summary import markdown
from model_dockerize.settings import Given, Settings, load_settings
from model_dockerize.settings.sources import from_environment, from_inputs

# Where docker and its plugins are in the Action's image. The job's own PATH is the runner's, or anything.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Variables that lead docker and buildx to contexts, hosts, builders and files of the runner, which are not mounted.
_DOCKER = ("DOCKER_", "BUILDX_", "BUILDKIT_")
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
# A key of AWS has 40 characters. Shorter texts are placeholders of local stand-ins, and would blank out the log.
_SHORTEST_SECRET = 20


def main(environment: Mapping[str, str], stdout: TextIO, argv: list[str]) -> int:
    """Run the Action; return the exit code (docs/exit-codes.md)."""
    started, file = time.time(), None
    workspace = Path(environment.get("GITHUB_WORKSPACE") or Path.cwd())
    try:
        with GitHubDisplay(stdout) as display:
            recorder = Recorder(display)
            for name in _SECRETS:
                if len(environment.get(name, "")) >= _SHORTEST_SECRET:
                    recorder.secret(environment[name])
            with Ending(recorder, environment) as ending, recorder.ticking(), debug_logging(recorder, environment):
                settings = _settings(environment, workspace, argv)
                file = reserve(settings.run.report)
                with cancellable(), _own_environment(environment) as own:
                    ending.outcome = pipeline.run(pipeline.Run(settings, own, recorder))
            report = _explained(ending.report, environment)
            try:
                written = _write(report, file, workspace, environment, recorder)
                _publish(report, written, workspace, environment, recorder)
            except OSError as error:
                told = f"The runner could not be handed everything: {error}"
                lost = Failure("internal", 1, told, "Look at its disk.", ())
                report = report.with_(failure=report.failure or lost)
            display.finish(report)
            return report.exit_code
    finally:
        _hand_over(workspace, started)


def _settings(environment: Mapping[str, str], workspace: Path, argv: list[str]) -> Settings:
    if argv:
        raise InputError(
            f"The Action takes no arguments, but was given {len(argv)}.",
            "Remove `args:` from the step and give them as inputs, under `with:`.",
        )
    inputs = from_inputs(environment, workspace)
    folder = inputs.pop("program-path", Given(".", "the default", workspace, folder=workspace))
    surroundings = {**from_environment(environment), **runner.from_run(environment, workspace)}
    settings = load_settings(surroundings, folder, inputs)
    if settings.run.sandbox:
        raise InputError(
            "The sandbox cannot be started inside the Action: its addresses are those of this container only.",
            "Use it in a `run:` step: install the command (README.md says how), then model-dockerize run --sandbox.",
        )
    return settings


@contextmanager
def _own_environment(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    kept = {name: text for name, text in environment.items() if not name.startswith(_DOCKER)}
    # A login must not stay in the HOME that the job's actions share.
    with tempfile.TemporaryDirectory(prefix="model-dockerize-") as config:
        yield {**kept, "DOCKER_CONFIG": config, "PATH": _PATH}


def _explained(report: Report, environment: Mapping[str, str]) -> Report:
    failure, source = report.failure, runner.fork(environment)
    if failure and failure.kind == "internal":
        return report.with_(failure=replace(failure, remedy=_where_to_report(environment)))
    if failure is None or failure.kind != "aws-access" or not source:
        return report
    remedy = (
        f"This pull request comes from a fork ({source}), to which GitHub gives neither secrets nor an OIDC token. "
        "Build and test it without AWS: with `push-to-ecr: ${{ github.event_name != 'pull_request' }}`."
    )
    return report.with_(failure=replace(failure, remedy=remedy))


def _where_to_report(environment: Mapping[str, str]) -> str:
    server, repository = (environment.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_ACTION_REPOSITORY"))
    where = f"at {server}/{repository}/issues" if server and repository else "to the maintainers of this Action"
    return f"Please report it {where}, with the log of a run with debug logging enabled."


def _write(
    report: Report, file: Path | None, workspace: Path, environment: Mapping[str, str], recorder: Recorder
) -> Path | None:
    temporary = environment.get("RUNNER_TEMP")
    try:
        if file is None and temporary:
            file = Path(tempfile.mkdtemp(prefix="model-dockerize-", dir=temporary)) / "report.json"
        if file:
            write(report, file)
        if file and temporary and file.is_relative_to(temporary):
            file.parent.chmod(0o755)  # mkdtemp's folder is open to its maker only, and that is this container's root
            _give(file, workspace)
            _give(file.parent, workspace)
    except OSError as error:
        # Runners before 2.331 do not mount their temporary folder (ContainerActionHandler.cs).
        advice = "The input report names a place in the workspace instead."
        recorder.line("report", "info", f"The report is not written: {error.strerror}: {error.filename}. {advice}")
        return None
    return file


def _publish(
    report: Report, file: Path | None, workspace: Path, environment: Mapping[str, str], recorder: Recorder
) -> None:
    def shown(place: Path | str | None) -> str:
        return _for_later_steps(Path(place), workspace, environment) if place else ""

    values = {
        "build-id": report.build_id,
        "image": report.image,
        "image-uri": report.image_uri,
        "digest": report.digest,
        "archive": shown(report.archive),
        "job-definition-arn": report.job_definition_arn,
        "job-definition-revision": str(report.job_definition_revision or ""),
        "task-definition-arn": report.task_definition_arn,
        "service-arn": report.service_arn,
        "outcome": report.outcome,
        "url": report.url,
        "smoke": report.smoke,
        "report": shown(file),
    }
    # Masked, as GitHub passes no output with a secret to another job.
    _append(environment.get("GITHUB_OUTPUT"), outputs({name: recorder.masked(text) for name, text in values.items()}))
    _append(environment.get("GITHUB_STEP_SUMMARY"), markdown(report))


def _append(file: str | None, text: str) -> None:
    if file:
        with Path(file).open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
            stream.write(text)


def _for_later_steps(path: Path, workspace: Path, environment: Mapping[str, str]) -> str:
    """Return a path for steps on the runner itself: our /github/... exist in this container only.

    Steps start in the workspace. The runner's _temp stands beside its folder of the repository. Source: actions/runner,
    ContainerActionHandler.cs, PipelineDirectoryManager.cs.
    """
    if path.is_relative_to(workspace):
        return str(path.relative_to(workspace))
    temporary, repository = environment.get("RUNNER_TEMP", ""), environment.get("RUNNER_WORKSPACE", "")
    if temporary == "/github/runner_temp" and repository and path.is_relative_to(temporary):
        return str(Path(repository).parent / "_temp" / path.relative_to(temporary))
    return str(path)


def _hand_over(workspace: Path, since: float) -> None:
    """Give what this process made as root to the workspace's owner."""
    ours = os.geteuid()
    if not workspace.is_dir() or workspace.stat().st_uid == ours:
        return
    for folder, folders, files in os.walk(workspace):
        if ".git" in folders:
            folders.remove(".git")  # nothing is made there, and it can be large
        for path in (Path(folder, name) for name in (*folders, *files)):
            with suppress(FileNotFoundError):  # gone meanwhile
                status = path.lstat()
                # The kernel's clock of files ticks a little behind that of the process.
                if status.st_uid == ours and status.st_ctime >= since - 1:
                    _give(path, workspace)


def _give(path: Path, workspace: Path) -> None:
    owner = workspace.stat()
    with suppress(OSError):  # a file system that knows no owners, or an engine without root
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
