"""A second, older Docker Engine for tests: the floor that our Dockerfiles have to build on.

It is Debian bookworm's docker.io 20.10, unpacked into a private folder, with a socket, data, runtime folder and bridge
of its own; the default engine is only asked for base images. It writes no firewall rules, so containers on it have no
network unless they run, or are built, with `--network host`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from machine import base_image, daemon, debian
from machine.host import MachineError, is_root, parse_os_release, run
from rig.subnets import free_subnet
from rig.waiting import BUSY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FLOOR = Path("/opt/model-dockerize/floor")
RELEASE = "bookworm"
PACKAGES = ["docker.io", "containerd", "tini"]
START_SECONDS = 60
STOP_SECONDS = 60


@dataclass(frozen=True)
class Engine:
    """A running engine: `host` is what DOCKER_HOST takes, `log` what its daemon writes."""

    host: str
    log: Path

    def docker(
        self,
        *arguments: str,
        stdin: str | None = None,
        env: dict[str, str] | None = None,
        timeout: float = BUSY_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run a docker command against this engine, without raising for its exit code."""
        return subprocess.run(
            ["docker", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env={**os.environ, **(env or {}), "DOCKER_HOST": self.host},
            check=False,
        )

    def build(
        self, context: Path, *options: str, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker buildx build` of a folder with the host's network, which every engine here has."""
        return self.docker("buildx", "build", "--progress=plain", "--network=host", *options, str(context), env=env)


def install_floor() -> Path:
    """Return the folder of the floor engine's programs, unpacked when absent.

    Raises:
        MachineError: this machine cannot have it; says why.
    """
    if (FLOOR / "usr/sbin/dockerd").exists() and (FLOOR / "usr/bin/containerd").exists():
        return FLOOR
    host = parse_os_release(Path("/etc/os-release").read_text())
    codename = host.get("VERSION_CODENAME", "")
    if host.get("ID") != "debian" or not is_root():
        raise MachineError("The floor engine (Debian bookworm's docker.io 20.10) can only be set up by root on Debian.")
    debian.refresh()
    # What the daemon links against and calls; none of these starts a service.
    debian.install("runc", "iptables", "iproute2", "libdevmapper1.02.1", "libsystemd0")
    debian.unpack(PACKAGES, debian.for_release(debian.debian_sources(codename), codename, RELEASE), FLOOR)
    return FLOOR


@contextlib.contextmanager
def floor_engine(images: Sequence[str] = ()) -> Iterator[Engine]:
    """Run the floor engine with these images of the default engine; at the end, remove all it made.

    Args:
        images: names in the default engine, such as python:3.11-slim-bookworm.

    Raises:
        MachineError: it cannot be had, does not start, or an image cannot be loaded.
    """
    for image in images:
        if not base_image.present(image):
            raise MachineError(
                f"{image} is not in the default engine: make it with scripts/machine/base_image.py ensure {image}"
            )
    with contextlib.ExitStack() as stack:
        with _alone():
            programs = install_floor()
        data = Path(tempfile.mkdtemp(prefix="floor-", dir="/var/tmp"))
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        # Sockets have short paths (108 bytes), so they live apart from the data.
        runtime = Path(tempfile.mkdtemp(prefix="floor-", dir="/run"))
        stack.callback(shutil.rmtree, runtime, ignore_errors=True)
        with _alone():
            bridge = stack.enter_context(_bridge())
        engine = stack.enter_context(_daemon(programs, data, runtime, bridge))
        for image in images:
            _copy_image(image, engine)
        yield engine


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time install or take a subnet, when tests run in several."""
    with (Path(tempfile.gettempdir()) / "model-dockerize-floor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _bridge() -> Iterator[str]:
    name = f"mdfloor{secrets.token_hex(3)}"
    run(["ip", "link", "add", name, "type", "bridge"])
    try:
        subnet = free_subnet(run(["ip", "-4", "route"]))
        run(["ip", "address", "add", f"{subnet}.1/24", "dev", name])
        run(["ip", "link", "set", name, "up"])
        yield name
    finally:
        run(["ip", "link", "delete", name])


@contextlib.contextmanager
def _daemon(programs: Path, data: Path, runtime: Path, bridge: str) -> Iterator[Engine]:
    socket = runtime / "docker.sock"
    log = data / "dockerd.log"
    options = {
        "host": f"unix://{socket}",
        "data-root": data / "docker",
        "exec-root": runtime / "exec",
        "pidfile": runtime / "dockerd.pid",
        # The machine's own /etc/docker/daemon.json is not this engine's.
        "config-file": runtime / "daemon.json",
        "bridge": bridge,
        "iptables": "false",
        "ip6tables": "false",
        "userland-proxy-path": programs / "usr/sbin/docker-proxy",
    }
    (runtime / "daemon.json").write_text("{}\n")
    path = f"{programs}/usr/sbin:{programs}/usr/bin:{os.environ['PATH']}:/usr/sbin:/sbin"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(programs / "usr/sbin/dockerd"), *(f"--{name}={value}" for name, value in options.items())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PATH": path},
            start_new_session=True,
        )
    try:
        _wait_until_up(process, socket, log)
        yield Engine(host=f"unix://{socket}", log=log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(process: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not daemon.answers(socket):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = " | ".join(log.read_text(errors="replace").splitlines()[-3:])
            raise MachineError(f"The floor engine did not start: {tail}")
        time.sleep(0.1)


def _copy_image(image: str, engine: Engine) -> None:
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as saved:
        loaded = subprocess.run(
            ["docker", "--host", engine.host, "load", "--quiet"],
            stdin=saved.stdout,
            capture_output=True,
            text=True,
            timeout=BUSY_SECONDS,
            check=False,
        )
    if saved.returncode or loaded.returncode or engine.docker("image", "inspect", image).returncode:
        raise MachineError(
            f"{image} could not be copied into the floor engine: {loaded.stderr.strip() or loaded.stdout.strip()}"
        )
