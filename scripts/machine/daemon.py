"""The Docker daemon that we start ourselves: its folders, its configuration, its start and its end.

Everything it owns is in three folders: PROGRAMS (unpacked packages), STATE (images, log, configuration) and RUNTIME
(pid file, sockets of its own). Only the public socket is elsewhere, where every Docker client looks for it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from machine.host import MachineError, run, say

PROGRAMS = Path("/opt/model-dockerize/engine")
STATE = Path("/var/lib/model-dockerize")
RUNTIME = Path("/run/model-dockerize")
SOCKET = Path("/var/run/docker.sock")
PACKAGED_PID_FILE = Path("/var/run/docker.pid")
PID_FILE = RUNTIME / "dockerd.pid"
LOG = STATE / "dockerd.log"
CONFIG = STATE / "daemon.json"
PROGRAM_DIRS = (PROGRAMS / "usr/sbin", PROGRAMS / "usr/bin")


@dataclass(frozen=True)
class Firewall:
    """The iptables for the daemon: `folder` goes first on its PATH; `works` is False when there is none."""

    works: bool
    folder: Path | None
    note: str


def search_path() -> str:
    """Return PATH with the unpacked programs first, and the sbin folders that a plain user's PATH leaves out."""
    system = [*os.environ.get("PATH", "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
    return ":".join(dict.fromkeys([*map(str, PROGRAM_DIRS), *filter(None, system)]))


def find(program: str) -> Path | None:
    """Return where the daemon would find a program, its own folder first."""
    path = shutil.which(program, path=search_path())
    return Path(path) if path else None


def config(*, data: Path, runtime: Path, pid_file: Path, proxy: Path | None, iptables: bool) -> dict[str, object]:
    """Return the daemon.json of an engine with containerd's image store, which can export caches and indexes."""
    settings: dict[str, object] = {
        "data-root": str(data),
        "exec-root": str(runtime),
        "pidfile": str(pid_file),
        "iptables": iptables,
        "features": {"containerd-snapshotter": True},
    }
    if proxy:
        settings["userland-proxy-path"] = str(proxy)
    return settings


def running_pid() -> int | None:
    """Return the pid of the daemon that we started, if that process still is the daemon."""
    try:
        pid = int(PID_FILE.read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if str(CONFIG).encode() in words else None


def _nat_works(iptables: Path) -> bool:
    """Tell whether this iptables can write Docker's kinds of rules, tried on a chain of our own."""
    chain = "MODEL-DOCKERIZE-PROBE"
    nat = [str(iptables), "--wait", "10", "--table", "nat"]
    rules = (["-m", "addrtype", "--dst-type", "LOCAL", "-j", "RETURN"], ["-j", "MASQUERADE"])
    try:
        run([*nat, "--new-chain", chain], timeout=20)
    except MachineError:
        return False
    try:
        for rule in rules:
            run([*nat, "--append", chain, *rule], timeout=20)
    except MachineError:
        return False
    finally:
        run([*nat, "--flush", chain], timeout=20)
        run([*nat, "--delete-chain", chain], timeout=20)
    return True


def choose_firewall(default_works: bool, legacy_works: bool, legacy_folder: Path) -> Firewall:
    """Return the machine's iptables if it can do NAT on this kernel, else the legacy one, else none."""
    if default_works:
        return Firewall(works=True, folder=None, note="")
    if legacy_works:
        return Firewall(works=True, folder=legacy_folder, note="the default iptables cannot do NAT here; using legacy")
    return Firewall(
        works=False,
        folder=None,
        note="no iptables can do NAT on this kernel: containers reach the network only with `--network host`",
    )


def _probe_firewall() -> Firewall:
    default, legacy = find("iptables"), find("iptables-legacy")
    default_works = bool(default and _nat_works(default))
    legacy_works = bool(not default_works and legacy and _nat_works(legacy))
    firewall = choose_firewall(default_works, legacy_works, RUNTIME / "iptables-legacy")
    if firewall.folder:
        firewall.folder.mkdir(parents=True, exist_ok=True)
        for name in ("iptables", "ip6tables"):
            link = firewall.folder / name
            link.unlink(missing_ok=True)
            link.symlink_to(find(f"{name}-legacy") or "/bin/false")
    if firewall.note:
        say(f"engine: {firewall.note}")
    return firewall


def start(dockerd: Path) -> None:
    """Start the daemon on the default socket, detached from this process, and wait until it answers.

    Raises:
        MachineError: it ended, or did not answer within 60 seconds; names its log.
    """
    for folder in (STATE, RUNTIME):
        folder.mkdir(parents=True, exist_ok=True)
    firewall = _probe_firewall()
    settings = config(
        data=STATE / "docker",
        runtime=RUNTIME / "exec",
        pid_file=PID_FILE,
        proxy=find("docker-proxy"),
        iptables=firewall.works,
    )
    CONFIG.write_text(json.dumps(settings, indent=2) + "\n")
    path = search_path()
    env = {**os.environ, "PATH": f"{firewall.folder}:{path}" if firewall.folder else path}
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            [str(dockerd), "--config-file", str(CONFIG), "--host", f"unix://{SOCKET}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=env,
            start_new_session=True,
        )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise MachineError(f"The Docker daemon ended at once: read the end of {LOG}.")
        if answers(SOCKET):
            say(f"engine: started, pid {process.pid}, log {LOG}")
            return
        time.sleep(0.2)
    raise MachineError(f"The Docker daemon (pid {process.pid}) did not answer within 60 seconds: read {LOG}.")


def answers(socket_path: Path) -> bool:
    """Tell whether a Docker daemon answers `GET /_ping` on this socket."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(3)
            client.connect(str(socket_path))
            client.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in client.recv(64)
    except OSError:
        return False


def wait_for_packaged(seconds: float) -> bool:
    """Tell whether a daemon that somebody else started (a package does) answers on the default socket.

    A daemon takes the socket away from another that listens there, so one that is still starting is waited for.

    Args:
        seconds: how long at most.
    """
    deadline = time.monotonic() + seconds
    while not answers(SOCKET):
        try:
            os.kill(int(PACKAGED_PID_FILE.read_text()), 0)
        except (OSError, ValueError):
            return False
        if time.monotonic() > deadline:
            raise MachineError(f"A Docker daemon is running ({PACKAGED_PID_FILE}), but does not answer: restart it.")
        time.sleep(0.2)
    return True


def stop() -> int | None:
    """End the daemon that we started, containers included, and return its pid; None when none of ours runs.

    Raises:
        MachineError: it is still there after 60 seconds.
    """
    pid = running_pid()
    if pid is None:
        return None
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while running_pid() is not None:
        if time.monotonic() > deadline:
            raise MachineError(f"The Docker daemon (pid {pid}) did not end within 60 seconds: read {LOG}.")
        time.sleep(0.2)
    return pid
