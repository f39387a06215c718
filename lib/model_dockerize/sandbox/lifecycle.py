"""Starts, finds and stops a home's sandbox."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model_dockerize import state
from model_dockerize.engine_images import listed
from model_dockerize.errors import SandboxError
from model_dockerize.progress import Progress
from model_dockerize.sandbox import environment, record
from model_dockerize.sandbox.record import Sandbox

STATE_NAME = "state"
_START_SECONDS = 60.0
_STOP_SECONDS = 45.0
_POLL_SECONDS = 0.02
_LOG_TAIL_LINES = 15
_OTHER_HOME = "Name a folder of your own with MODEL_DOCKERIZE_HOME."


@dataclass(frozen=True)
class StopReport:
    """The things that `stop` ended and removed."""

    was_running: bool
    containers: tuple[str, ...]
    images: tuple[str, ...]
    paths: tuple[Path, ...]


def default_home() -> Path:
    return state.folder(os.environ)


def start(home: Path, progress: Progress, iam: str = "") -> Sandbox:
    """Return the sandbox of `home`, started empty if need be; two callers at once get the same.

    It survives its caller. `iam`: "enforced", "off" or empty: unchanged.
    """
    if running := status(home):
        return _as_wished(running, iam)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_own(home)
    except OSError as error:
        raise SandboxError(
            f"The sandbox's folder {home} cannot be made: {error.strerror}.", "Name another with MODEL_DOCKERIZE_HOME."
        ) from error
    with _lock(home):
        if running := status(home):
            return _as_wished(running, iam)
        _require_engine()
        python = environment.ensure(home, progress)
        began = time.monotonic()
        _remove_state(home)
        sandbox = _spawn(home, python, iam or "off")
        progress.info(f"Sandbox started in {time.monotonic() - began:.1f} s at {sandbox.endpoint_url}")
        return sandbox


def status(home: Path) -> Sandbox | None:
    """Return the sandbox of `home` if it answers."""
    sandbox = record.load(home)
    return sandbox if sandbox and record.answers(sandbox) else None


def stop(home: Path, progress: Progress) -> StopReport:
    """End the sandbox of `home`, even a killed one; remove all but its Python environment.

    Raises:
        SandboxError: without Docker Engine, containers may be left.
    """
    if not home.is_dir():
        return StopReport(False, (), (), ())
    with _lock(home):
        sandbox = record.load(home)
        running = sandbox is not None and record.answers(sandbox)
        containers = _containers(home)
        # One that hangs answers no more, but is still ours.
        if sandbox and (running or record.born(sandbox.pid) == sandbox.born):
            progress.info(f"Stopping the sandbox (process {sandbox.pid})")
            _end(sandbox.pid, sandbox.born)
        _remove_containers(home)
        images = _remove_images(sandbox.registry) if sandbox else ()
        report = StopReport(running, containers, images, _remove_state(home))
    for kind, names in (("container", report.containers), ("image", report.images), ("path", report.paths)):
        for name in names:
            progress.info(f"Removed {kind} {name}")
    return report


def instance_of(home: Path) -> str:
    """Name a home's containers, so that orphans are found."""
    return hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]


def _require_own(home: Path) -> None:
    # Who may write to it could have us run anything.
    facts = home.stat()
    if facts.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
        raise SandboxError(f"The sandbox's folder {home} belongs to another user.", _OTHER_HOME)
    if facts.st_mode & stat.S_IWOTH:
        raise SandboxError(f"Everybody may write to the sandbox's folder {home}.", _OTHER_HOME)


@contextlib.contextmanager
def _lock(home: Path) -> Iterator[None]:
    with (home / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _require_engine() -> None:
    import docker  # noqa: PLC0415 - `status` and a running `start` must answer in milliseconds
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        with contextlib.closing(docker.from_env(timeout=30)) as client:
            client.ping()
    except DockerException as error:
        raise SandboxError(
            "The sandbox runs real containers and found no Docker Engine that answers",
            "Start Docker Engine and make sure that you may use it (`docker info` must work), then start again.",
            (str(error),),
        ) from error


def _as_wished(running: Sandbox, iam: str) -> Sandbox:
    if iam and running.iam != iam:
        raise SandboxError(
            f"The sandbox runs already, with IAM {running.iam}.",
            "Stop it first (what is in it goes with it): model-dockerize sandbox stop",
        )
    return running


def _spawn(home: Path, python: Path, iam: str) -> Sandbox:
    argv = [str(python), "-m", "model_sandbox", "--home", str(home.resolve())]
    argv += ["--instance", instance_of(home), "--iam", iam]
    log = home / record.LOG_NAME
    # What the sandbox prints may quote what it was sent.
    with open(log, "wb", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW, 0o600)) as output:
        process = subprocess.Popen(
            argv,
            env=environment.of_child(home / STATE_NAME / "program"),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        sandbox = record.load(home)
        if sandbox and sandbox.pid == process.pid and record.answers(sandbox):
            # The child is meant to outlive us; without this Python warns about a process that was not waited for.
            process.returncode = 0
            return sandbox
        if process.poll() is not None:
            break
        time.sleep(_POLL_SECONDS)
    else:
        process.kill()
        process.wait()
    tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    raise SandboxError("The sandbox did not come up", f"Read its log: {log}", tuple(tail))


def _end(pid: int, born: int) -> None:
    for sign, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if _is_gone(pid, born):
                return
            time.sleep(_POLL_SECONDS)


def _is_gone(pid: int, born: int) -> bool:
    with contextlib.suppress(ChildProcessError):  # else it was started by another process
        os.waitpid(pid, os.WNOHANG)
    return record.born(pid) != born  # another process may have its number by now


def _containers(home: Path) -> tuple[str, ...]:
    import docker  # noqa: PLC0415 - see _require_engine

    _require_engine()
    with contextlib.closing(docker.from_env(timeout=60)) as client:
        label = f"{record.CONTAINER_LABEL}={instance_of(home)}"
        found = client.containers.list(all=True, sparse=True, filters={"label": label})
        return tuple(sorted((container.attrs.get("Names") or ["?"])[0].lstrip("/") for container in found))


def _remove_containers(home: Path) -> None:
    import docker  # noqa: PLC0415 - see _require_engine
    from docker.errors import APIError  # noqa: PLC0415

    with contextlib.closing(docker.from_env(timeout=60)) as client:
        for name in _containers(home):
            # The child may have removed it in between: gone is what we want.
            with contextlib.suppress(APIError):
                client.api.remove_container(name, force=True, v=True)
        for volume in client.volumes.list(filters={"label": f"{record.CONTAINER_LABEL}={instance_of(home)}"}):
            with contextlib.suppress(APIError):
                volume.remove()


def _remove_images(registry: str) -> tuple[str, ...]:
    import docker  # noqa: PLC0415 - see _require_engine
    from docker.errors import APIError  # noqa: PLC0415

    removed = []
    with contextlib.closing(docker.from_env(timeout=60)) as client:
        for image in listed(client.api.images):
            for reference in [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]:
                if reference.startswith(f"{registry}/"):
                    # A digest goes with its last tag; an image in use by somebody else's container stays.
                    with contextlib.suppress(APIError):
                        client.api.remove_image(reference)
                        removed.append(reference)
    return tuple(removed)


def _remove_state(home: Path) -> tuple[Path, ...]:
    removed = []
    for name in (record.RECORD_NAME, record.LOG_NAME, STATE_NAME):
        path = home / name
        if path.is_dir():
            try:
                shutil.rmtree(path)
            except PermissionError:
                _erase(path)
        elif path.exists():
            path.unlink()
        else:
            continue
        removed.append(path)
    return tuple(removed)


def _erase(path: Path) -> None:
    # Containers have written into it as other users: the engine removes it.
    erased = subprocess.run(
        [sys.executable, "-P", str(environment.PROGRAM / "erase.py"), str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if erased.returncode:
        raise SandboxError(
            f"Containers have left files in {path} that are not yours",
            f"Remove it as root: sudo rm -rf {path}",
            tuple(erased.stderr.splitlines()[-_LOG_TAIL_LINES:]),
        )
