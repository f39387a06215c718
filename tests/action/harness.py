"""Runs a container action as GitHub's runner does: the same directories, variables, mounts and `docker run`.

What it mirrors, and where it deliberately differs: README.md.
"""

import os
import secrets
import shutil
import signal
import subprocess
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from tests.action.grammar import Log, container_path, input_variable, parse_file, sanitised, shown_summary
from tests.rig.docker_command import docker
from tests.rig.waiting import BUSY_SECONDS

_FILES = {"GITHUB_OUTPUT": "set_output_", "GITHUB_ENV": "set_env_", "GITHUB_PATH": "add_path_"} | {
    "GITHUB_STATE": "save_state_",
    "GITHUB_STEP_SUMMARY": "step_summary_",
}


@dataclass(frozen=True)
class StepResult:
    """A step as a workflow sees it, and beside it the files that a test may look at."""

    exit_code: int
    log: Log
    outputs: Mapping[str, str]
    summary: str | None  # None: too large, dropped
    env: Mapping[str, str]
    warnings: Sequence[str]
    argv: Sequence[str]

    @property
    def text(self) -> str:
        """Return the log as people see it."""
        return "\n".join(self.log.lines)


def build_image(action: Path) -> str:
    """Build the action's Dockerfile as "Set up job" does; return the image's name.

    Declared deviation: the CA bundle of this computer as a build secret, where it has one.
    """
    name = f"{secrets.token_hex(3)}:{uuid.uuid4().hex}"
    bundle = os.environ.get("SSL_CERT_FILE", "")
    secret = ["--secret", f"id=ca-bundle,src={bundle}"] if Path(bundle).is_file() else []
    docker("build", *secret, "-t", name, "-f", action / "Dockerfile", action)
    return name


class Runner:
    """One job on one runner: a work folder, a workspace, and the action's image."""

    def __init__(self, root: Path, action: Path, image: str, owner: int) -> None:
        """Make a runner in `root`, an empty folder. `owner`: the uid that it runs as, to whom all here belongs."""
        #: Whether containers see `temp`, as they do from 2.331 on.
        self.mounts_temp = True
        self._metadata: dict[str, Any] = yaml.safe_load((action / "action.yml").read_text(encoding="utf-8"))
        self._image = image
        self._owner = owner
        self.work = root / "_work"
        self.repository = self.work / "repo"
        self.workspace = self.repository / "repo"
        self.temp = self.work / "_temp"
        self.home = self.temp / "_github_home"
        self._commands = self.temp / "_runner_file_commands"
        self._workflow = self.temp / "_github_workflow"
        for folder in (self.workspace, self.home, self._commands, self._workflow):
            folder.mkdir(parents=True)
        self.event = self._workflow / "event.json"
        self.event.write_text("{}", encoding="utf-8")

    def step(
        self,
        inputs: Mapping[str, str],
        env: Mapping[str, str] | None = None,
        network: str = "",
        cancel_at: str = "",
    ) -> StepResult:
        """Run one `uses:` step. `cancel_at`: once this is in the log, somebody cancels the job."""
        suffix = str(uuid.uuid4())
        files = {variable: self._commands / f"{prefix}{suffix}" for variable, prefix in _FILES.items()}
        for path in files.values():
            path.touch()
        self._own()
        environment = self._environment(inputs, env or {}, files)
        name = f"{sanitised(self._image)}_{secrets.token_hex(3)}"
        argv = self._argv(name, environment, inputs, network)
        log = Log()
        code = _run(argv, environment, log, name, cancel_at)
        return StepResult(
            exit_code=code,
            log=log,
            outputs=dict(parse_file(files["GITHUB_OUTPUT"].read_text(encoding="utf-8"))),
            summary=shown_summary(files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")),
            env=dict(parse_file(files["GITHUB_ENV"].read_text(encoding="utf-8"))),
            warnings=self._unexpected(inputs),
            argv=argv,
        )

    def _own(self) -> None:
        for path in [self.work, *self.work.rglob("*")]:
            if path.lstat().st_uid != self._owner and os.geteuid() == 0:
                os.chown(path, self._owner, self._owner, follow_symlinks=False)

    def _unexpected(self, inputs: Mapping[str, str]) -> list[str]:
        declared = self._metadata.get("inputs", {})
        return [f"Unexpected input(s) '{name}'" for name in inputs if name not in declared]

    def _environment(
        self, inputs: Mapping[str, str], env: Mapping[str, str], files: Mapping[str, Path]
    ) -> dict[str, str]:
        defaults = {
            name: str((declared or {}).get("default", "")) for name, declared in self._metadata["inputs"].items()
        }
        given = {input_variable(name): text for name, text in {**defaults, **inputs}.items()}
        host = {
            **given,
            "HOME": str(self.home),
            "GITHUB_ACTION": "__self",
            "GITHUB_ACTION_REPOSITORY": "example/model-dockerize",
            "GITHUB_ACTOR": "somebody",
            "GITHUB_API_URL": "https://api.github.com",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_EVENT_PATH": str(self.event),
            "GITHUB_JOB": "deploy",
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_REF_NAME": "main",
            "GITHUB_REF_TYPE": "branch",
            "GITHUB_REPOSITORY": "somebody/repo",
            "GITHUB_REPOSITORY_OWNER": "somebody",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": "1",
            "GITHUB_RUN_NUMBER": "1",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_SHA": "0" * 40,
            "GITHUB_WORKFLOW": "ci",
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_ARCH": "X64",
            "RUNNER_NAME": "runner",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(self.temp),
            "RUNNER_TOOL_CACHE": "/opt/hostedtoolcache",
            "RUNNER_WORKSPACE": str(self.repository),
            "ACTIONS_RUNTIME_URL": "https://pipelines.example/",
            "ACTIONS_RUNTIME_TOKEN": "a-runtime-token-that-is-not-real",
            **{variable: str(path) for variable, path in files.items()},
            # Of the job. The runner lets it not override its own; a test may, to be another run.
            **env,
        }
        return {name: container_path(text, self._mounts()) for name, text in host.items()}

    def _mounts(self) -> list[tuple[str, str]]:
        return [
            *([(str(self.temp), "/github/runner_temp")] if self.mounts_temp else []),
            (str(self.home), "/github/home"),
            (str(self._workflow), "/github/workflow"),
            (str(self._commands), "/github/file_commands"),
            (str(self.workspace), "/github/workspace"),
        ]

    def _argv(self, name: str, environment: Mapping[str, str], inputs: Mapping[str, str], network: str) -> list[str]:
        docker = shutil.which("docker")
        assert docker, "docker is not on the PATH"
        label = self._image.split(":")[0]
        argv = [docker, "run", "--name", name, "--label", label, "--workdir", "/github/workspace", "--rm"]
        for variable in environment:
            argv += ["-e", variable]
        argv += ["-e", "GITHUB_ACTIONS=true"]
        if "CI" not in environment:
            argv += ["-e", "CI=true"]
        if inputs.get("entryPoint"):
            argv += ["--entrypoint", inputs["entryPoint"]]
        if network:
            argv += ["--network", network]
        for host, container in [("/var/run/docker.sock", "/var/run/docker.sock"), *self._mounts()]:
            argv += ["-v", f"{host}:{container}"]
        return [*argv, self._image, *inputs.get("args", "").split()]


def _run(argv: Sequence[str], environment: Mapping[str, str], log: Log, name: str, cancel_at: str) -> int:
    """Run a command with both streams in one log, each read by a thread of its own as the runner does."""
    cancelled = threading.Event()
    lock = threading.Lock()
    process = subprocess.Popen(
        argv,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )

    def read(stream: IO[str]) -> None:
        for line in stream:
            with lock:
                log.feed(line.rstrip("\r\n"))
            if cancel_at and cancel_at in line:
                cancelled.set()

    threads = [threading.Thread(target=read, args=(stream,)) for stream in (process.stdout, process.stderr) if stream]
    for thread in threads:
        thread.start()
    try:
        if cancel_at and cancelled.wait(timeout=BUSY_SECONDS):
            _cancel(process)
        return process.wait(timeout=BUSY_SECONDS)
    finally:
        if process.poll() is None:
            subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
        for thread in threads:
            thread.join(timeout=30)


def _cancel(process: subprocess.Popen[str]) -> None:
    """End the engine's command line as the runner does, which hands the signals on to the container."""
    for number, seconds in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5)):
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
