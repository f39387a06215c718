"""Makes the sandbox's own Python environment, as it pins botocore."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from model_dockerize.errors import SandboxError
from model_dockerize.progress import Progress

#: The sandbox is a program beside this one; no module of it is imported here.
PROGRAM = Path(__file__).resolve().parents[2] / "model_sandbox"
REQUIREMENTS = PROGRAM / "requirements.txt"
#: Written last. Without it an environment is half made, however much is in it.
READY_MARKER = "ready"
_PIP_TAIL_LINES = 15


def environment_path(home: Path, requirements: Path = REQUIREMENTS) -> Path:
    facts = requirements.read_bytes() + f"{sys.executable} {platform.python_version()}".encode()
    return home / f"sandbox-env-{hashlib.sha256(facts).hexdigest()[:12]}"


def python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def ensure(home: Path, progress: Progress, requirements: Path = REQUIREMENTS) -> Path:
    """Return the sandbox's interpreter, made if need be.

    The caller holds the home's lock.
    """
    environment = environment_path(home, requirements)
    if (environment / READY_MARKER).exists() and python_of(environment).exists():
        return python_of(environment)
    for stale in home.glob("sandbox-env-*"):
        shutil.rmtree(stale, ignore_errors=True)
    progress.info(f"Making the sandbox's Python environment in {environment} (first use, about ten seconds)")
    _run([sys.executable, "-m", "venv", str(environment)], progress, "make a virtual environment")
    # Only errors: what pip says otherwise are addresses and paths that help nobody.
    pip = [str(python_of(environment)), "-m", "pip", "install", "-qq", "--require-hashes", "--no-input", "--no-deps"]
    _run([*pip, "--requirement", str(requirements)], progress, "install the sandbox's packages")
    (environment / READY_MARKER).touch()
    progress.info("The sandbox's Python environment is ready")
    return python_of(environment)


def of_child(folder: Path) -> dict[str, str]:
    """Return the sandbox's variables; make `folder`, its PYTHONPATH.

    With site-packages in it, the user's packages would come first.
    """
    for part in (folder.parent, folder):
        part.mkdir(mode=0o700)
    (folder / PROGRAM.name).symlink_to(PROGRAM)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON", "MINISTACK_"))}
    return environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


def _run(argv: list[str], progress: Progress, what: str) -> None:
    # A PYTHONPATH or an activated environment of the caller must not decide what gets installed here.
    environ = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    tail: list[str] = []
    with subprocess.Popen(
        argv,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        umask=0o022,  # functions, which are another user, read boto3 there
    ) as process:
        if process.stdout is not None:
            for line in process.stdout:
                progress.output(line.rstrip())
                tail = [*tail, line.rstrip()][-_PIP_TAIL_LINES:]
    if process.returncode:
        raise SandboxError(
            f"Could not {what} for the sandbox (exit code {process.returncode})",
            "Check that pip can reach a package index (pip config, PIP_INDEX_URL, PIP_CERT), then start it again.",
            tuple(tail),
        )
