#!/usr/bin/env python3
"""Brings a Docker Engine with BuildKit to this machine: `engine.py ensure | status | stop`.

Standard library only: this runs before anything of the project is installed. An engine that is already there is used
as it is; see docs/machine.md for what is done when there is none.
"""

from __future__ import annotations

import argparse
import enum
import fcntl
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import daemon, debian
from machine.host import EXIT_REFUSED, MachineError, is_root, parse_os_release, run, say

INSTALL_PAGE = "https://docs.docker.com/engine/install"
OLDEST_ENGINE = 23
BESIDE = {"bookworm": "trixie"}
PLUGIN_DIR = Path("/usr/local/lib/docker/cli-plugins")
LOCAL_BIN = Path("/usr/local/bin")
CLI = daemon.PROGRAMS / "usr/bin/docker"
BUILDX = daemon.PROGRAMS / "usr/libexec/docker/cli-plugins/docker-buildx"


@dataclass(frozen=True)
class Facts:
    """The facts about this machine.

    Attributes:
        engine: version of the engine that answers, or "".
        denied: the engine's socket refused this user.
        docker_host: DOCKER_HOST, or "".
        has_cli: a docker command is on PATH.
        has_buildx: `docker buildx` works.
        dockerd: version of a daemon's program that is installed but not running, or "".
        root: we may install.
        apt: Debian, Ubuntu or a derivative.
    """

    engine: str
    denied: bool
    docker_host: str
    has_cli: bool
    has_buildx: bool
    dockerd: str
    root: bool
    apt: bool


class Step(enum.Enum):
    """A step of the setup, in this order."""

    GET_ENGINE = "get the engine"
    GET_CLIENT = "get the docker command and its buildx plugin"
    START = "start the engine"


def plan(facts: Facts) -> tuple[Step, ...]:
    """Return the steps from these facts to an engine with buildx; none if the machine has one.

    Raises:
        MachineError: it cannot be done from here; says the one thing to do.
    """
    if facts.denied and not facts.root:
        raise MachineError(
            "Docker Engine runs here, but its socket refuses you: add yourself to the docker group "
            '(`sudo usermod -aG docker "$USER"`, then log in again) or run this with sudo.'
        )
    if facts.engine and facts.has_cli and facts.has_buildx:
        return ()
    if not facts.engine and facts.docker_host:
        raise MachineError(
            f"No engine answers at DOCKER_HOST={facts.docker_host}: start it, or unset DOCKER_HOST to use this machine."
        )
    if not (facts.root and facts.apt):
        missing = "Docker's buildx plugin is missing" if facts.engine else "No Docker Engine answers on this machine"
        sudo = ", or run this with sudo" if facts.apt else ""
        raise MachineError(f"{missing}: install it as {INSTALL_PAGE} tells{sudo}.")
    steps = []
    if not facts.engine and debian.major(facts.dockerd) < OLDEST_ENGINE:
        steps.append(Step.GET_ENGINE)
    if not (facts.has_cli and facts.has_buildx):
        steps.append(Step.GET_CLIENT)
    if not facts.engine:
        steps.append(Step.START)
    return tuple(steps)


class Origin(enum.Enum):
    """The source of the engine's packages."""

    DISTRIBUTION = "this distribution"
    BESIDE = "the next Debian release, unpacked beside the system"


def choose_origin(distribution: str, codename: str, candidates: dict[str, str]) -> Origin:
    """Choose where to take the engine from.

    Args:
        distribution: ID of os-release, such as debian.
        codename: VERSION_CODENAME of os-release, such as bookworm.
        candidates: package -> version that apt would install.

    Raises:
        MachineError: this release has no engine that is new enough.
    """
    offered = candidates.get("docker.io", "")
    if debian.major(offered) >= OLDEST_ENGINE and "docker-buildx" in candidates:
        return Origin.DISTRIBUTION
    if distribution == "debian" and codename in BESIDE:
        return Origin.BESIDE
    raise MachineError(
        f"{distribution} {codename} offers docker.io {offered or '(none)'}, and {OLDEST_ENGINE} or newer with "
        f"docker-buildx is needed: install Docker Engine as {INSTALL_PAGE} tells."
    )


def _docker(*arguments: str) -> tuple[int, str, str]:
    try:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        return 127, "", str(error)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def _dockerd_version() -> str:
    dockerd = daemon.find("dockerd")
    if not dockerd:
        return ""
    try:
        return run([str(dockerd), "--version"], timeout=20).partition("version ")[2]
    except MachineError:
        return ""


def _os_release() -> dict[str, str]:
    path = Path("/etc/os-release")
    return parse_os_release(path.read_text()) if path.exists() else {}


def gather() -> Facts:
    """Read this machine. Change nothing."""
    has_cli = shutil.which("docker") is not None
    if has_cli:
        code, version, complaint = _docker("version", "--format", "{{.Server.Version}}")
        engine = version if code == 0 else ""
    else:
        engine = "unknown" if daemon.answers(daemon.SOCKET) else ""
        complaint = ""
    release = _os_release()
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    return Facts(
        engine=engine,
        denied=not engine and "permission denied" in complaint.lower(),
        docker_host=os.environ.get("DOCKER_HOST", ""),
        has_cli=has_cli,
        has_buildx=has_cli and _docker("buildx", "version")[0] == 0,
        dockerd="" if engine else _dockerd_version(),
        root=is_root(),
        apt=bool(family & {"debian", "ubuntu"}) and shutil.which("apt-get") is not None,
    )


def _get_engine() -> None:
    release = _os_release()
    distribution, codename = release.get("ID", ""), release.get("VERSION_CODENAME", "")
    debian.refresh()
    offered = debian.candidates("docker.io", "docker-buildx", "docker-cli")
    origin = choose_origin(distribution, codename, offered)
    say(f"engine: taking Docker Engine from {origin.value}")
    if origin is Origin.DISTRIBUTION:
        debian.install("iptables", "ca-certificates", *offered)
        return
    # Only what the daemon calls comes from the system: trixie's own runc needs a newer C library than bookworm has.
    debian.install("runc", "iptables", "libsystemd0", "ca-certificates")
    sources = debian.for_release(debian.debian_sources(codename), codename, BESIDE[codename])
    debian.unpack(["docker.io", "docker-cli", "docker-buildx", "containerd", "tini"], sources, daemon.PROGRAMS)
    # As the package would: its members may use the engine's socket.
    run(["groupadd", "--force", "--system", "docker"], timeout=20)


def _client_complete() -> bool:
    return shutil.which("docker") is not None and _docker("buildx", "version")[0] == 0


def _get_client() -> None:
    """Get a missing docker command or buildx, as a package, or unpacked and linked where Docker looks."""
    if _client_complete():
        return
    if not (CLI.exists() and BUILDX.exists()):
        release = _os_release()
        distribution, codename = release.get("ID", ""), release.get("VERSION_CODENAME", "")
        debian.refresh()
        offered = debian.candidates("docker.io", "docker-buildx", "docker-cli")
        if choose_origin(distribution, codename, offered) is Origin.DISTRIBUTION:
            cli = "docker-cli" if "docker-cli" in offered else "docker.io"
            debian.install("docker-buildx", *([] if shutil.which("docker") else [cli]))
            return
        sources = debian.for_release(debian.debian_sources(codename), codename, BESIDE[codename])
        debian.unpack(["docker-buildx", "docker-cli"], sources, daemon.PROGRAMS)
    if not shutil.which("docker"):
        _link(LOCAL_BIN / "docker", CLI)
    if not _client_complete():
        _link(PLUGIN_DIR / "docker-buildx", BUILDX)


def _link(link: Path, target: Path) -> None:
    if link.exists() and not link.is_symlink():
        raise MachineError(f"{link} is not ours and does not work: repair or remove it, then run this again.")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    say(f"engine: {link} -> {target}")


def _start() -> None:
    dockerd = daemon.find("dockerd")
    if not dockerd:
        raise MachineError(f"No dockerd is installed: install Docker Engine as {INSTALL_PAGE} tells.")
    if daemon.PROGRAMS not in dockerd.parents and Path("/run/systemd/system").is_dir():
        run(["systemctl", "start", "docker"], timeout=120)
        say("engine: started by systemd")
    elif not daemon.wait_for_packaged(seconds=30):
        daemon.start(dockerd)


def ensure() -> str:
    """Make sure that an engine with buildx answers.

    Returns:
        One line that says which.

    Raises:
        MachineError: it cannot be done from here; says the one thing to do.
    """
    facts = gather()
    steps = plan(facts)
    if not steps:
        return f"Docker Engine {facts.engine} with buildx answers"
    # Whatever root's umask is: what is installed here, every user of this machine must be able to run.
    os.umask(0o022)
    daemon.RUNTIME.mkdir(parents=True, exist_ok=True)
    with (daemon.RUNTIME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        actions = {Step.GET_ENGINE: _get_engine, Step.GET_CLIENT: _get_client, Step.START: _start}
        for step in plan(gather()):
            actions[step]()
    after = gather()
    if plan(after):
        raise MachineError("The engine was set up, but does not answer as it should: run `engine.py status`.")
    return f"Docker Engine {after.engine} with buildx answers"


def status() -> str:
    """Describe what runs here, in a few lines."""
    facts = gather()
    pid = daemon.running_pid()
    return "\n".join(
        [
            f"engine:  {facts.engine or ('refuses this user' if facts.denied else 'none answers')}",
            f"docker:  {shutil.which('docker') or 'not on PATH'}",
            f"buildx:  {_docker('buildx', 'version')[1] or 'missing'}",
            f"ours:    {f'pid {pid}, log {daemon.LOG}' if pid else 'no (nothing that stop would end)'}",
        ]
    )


def stop() -> str:
    """End the engine if it is the one that `ensure` started.

    Raises:
        MachineError: we may not, or it does not end.
    """
    if daemon.running_pid() and not is_root():
        raise MachineError("The engine was started by root: run this with sudo.")
    pid = daemon.stop()
    return f"engine: ended pid {pid}" if pid else "engine: nothing to end; no engine that `ensure` started runs here"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="A Docker Engine with BuildKit for this machine.")
    parser.add_argument("command", choices=["ensure", "status", "stop"])
    command = parser.parse_args(argv).command
    started = time.monotonic()
    try:
        say({"ensure": ensure, "status": status, "stop": stop}[command]())
    except MachineError as error:
        say(f"engine: {error}")
        return EXIT_REFUSED
    if command == "ensure":
        say(f"engine: ready in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
