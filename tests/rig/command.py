"""The command line as a child process, with the state of one test run."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rig.waiting import BUSY_SECONDS

from model_dockerize import sandbox
from model_dockerize.sandbox.record import CONTAINER_LABEL

ROOT = Path(__file__).resolve().parents[2]
_CHILD = str(ROOT / "tests" / "rig" / "judges" / "child.py")


@dataclass(frozen=True)
class Completed:
    """One run of the command line."""

    code: int
    verdict: str  # standard output
    log: str  # standard error
    report: dict[str, Any]

    @property
    def stages(self) -> dict[str, str]:
        """Return stage name -> status."""
        return {stage["name"]: stage["status"] for stage in self.report["stages"]}


@dataclass(frozen=True)
class Cli:
    """`model-dockerize` with the state of this test run."""

    home: Path
    images: set[str] = field(default_factory=set)  # what the runs built, by local name

    @property
    def environment(self) -> dict[str, str]:
        """Return what a user's shell would hand over: nothing of AWS or CI."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "GITHUB_")) and name != "CI"
        }
        return {
            **kept,
            "MODEL_DOCKERIZE_HOME": str(self.home),
            "PYTHONPATH": str(ROOT / "lib"),
            "JUDGED_REQUESTS": str(self.requests),
        }

    @property
    def requests(self) -> Path:
        """Return the file in which the runs note what they asked of AWS, for the judges."""
        return self.home / "requests.jsonl"

    @property
    def container_filter(self) -> str:
        """Return the `docker ps --filter` of this run's sandbox: others may run beside it."""
        running = sandbox.status(self.home)
        assert running, "the sandbox does not run"
        return f"label={CONTAINER_LABEL}={running.instance}"

    def __call__(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.python(_CHILD, *arguments, cwd=cwd)

    def python(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python, which can import the library."""
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=self.environment,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=BUSY_SECONDS,
            check=False,
        )

    def run(self, folder: Path, *arguments: str | Path, command: str = "run") -> Completed:
        """Run a command that writes a report, against the sandbox where it can be."""
        report = self.home / "reports" / f"{folder.name}-{os.urandom(4).hex()}.json"
        where = () if command in ("build", "save", "serve", "dockerfile", "smoke") else ("--sandbox",)
        done = self(command, folder, *where, "--verbose", "--report", report, *arguments)
        text = report.read_text(encoding="utf-8") if report.exists() else '{"stages": []}'
        completed = Completed(done.returncode, done.stdout, done.stderr, json.loads(text))
        if completed.report.get("image"):
            self.images.add(completed.report["image"])
        return completed
