"""What integration tests stand on: one sandbox home for the whole run, and the command line as a child process."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Completed:
    """One run of the command line."""

    code: int
    verdict: str  # standard output
    log: str  # standard error
    report: dict[str, Any]

    @property
    def stages(self) -> dict[str, str]:
        """Stage name -> status."""
        return {stage["name"]: stage["status"] for stage in self.report["stages"]}


@dataclass(frozen=True)
class Cli:
    """`model-dockerize` with the state of this test run."""

    home: Path
    images: set[str] = field(default_factory=set)  # what the runs built, by local name

    @property
    def environment(self) -> dict[str, str]:
        """What a user's shell would hand over: nothing of AWS."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**kept, "MODEL_DOCKERIZE_HOME": str(self.home), "PYTHONPATH": str(ROOT / "lib")}

    def __call__(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "model_dockerize", *map(str, arguments)],
            env=self.environment,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def run(self, folder: Path, *arguments: str | Path, command: str = "run") -> Completed:
        """A command that writes a report, against the sandbox where it can be."""
        report = self.home / "reports" / f"{folder.name}-{os.urandom(4).hex()}.json"
        where = () if command in ("build", "save", "serve", "dockerfile", "smoke") else ("--sandbox",)
        done = self(command, folder, *where, "--report", report, *arguments)
        text = report.read_text(encoding="utf-8") if report.exists() else '{"stages": []}'
        completed = Completed(done.returncode, done.stdout, done.stderr, json.loads(text))
        if completed.report.get("image"):
            self.images.add(completed.report["image"])
        return completed


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The command line with a sandbox home of its own; what it started and built is removed."""
    home = tmp_path_factory.mktemp("home")
    command = Cli(home)
    yield command
    stopped = command("sandbox", "stop")
    assert stopped.returncode == 0, stopped.stderr
    subprocess.run(["docker", "image", "rm", "--force", *sorted(command.images)], capture_output=True, check=False)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Any]:
    """Copies an example into a folder whose path would break careless quoting."""

    def copy(name: str, to: str = "") -> Path:
        return Path(shutil.copytree(ROOT / "examples" / name, tmp_path / "Modelle für Köln" / (to or name)))

    return copy
