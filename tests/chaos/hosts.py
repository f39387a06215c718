"""Servers that can be killed in three ways: on this machine as processes, or in containers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Protocol

import requests

from rig.docker_command import both_outputs, docker

ROOT = Path(__file__).parents[2]
START_SECONDS = 40
#: What a program does to the file of its input before it answers, by the first word of its data.
DEEDS = ("keep", "edit", "cut", "remove", "replace")
#: Takes a while, says at its start and at its end that it ran, and holds the diary open as long as it does. It answers
#: with a digest of what it was given and, for every second job, with all of it.
PROGRAM = """
import hashlib, os, random, sys, time
source, target, diary = sys.argv[1:]
notes = open(diary, "a")
def note(word):
    notes.write(word + " " + name + "\\n")
    notes.flush()
with open(source, "rb") as file:
    data = file.read()
deed, name = data.split(b"\\n", 1)[0].decode().split(" ", 1)
note("start")
if deed == "edit":
    with open(source, "r+b") as file:
        file.write(b"EDITED")
elif deed == "cut":
    with open(source, "wb") as file:
        file.writelines(data.splitlines(True)[1:])
elif deed == "remove":
    os.unlink(source)
elif deed == "replace":
    with open(source + ".new", "wb") as file:
        file.write(b"replaced")
    os.replace(source + ".new", source)
time.sleep(random.uniform(0.02, 0.15))
with open(target, "wb") as file:
    file.write(hashlib.sha256(data).hexdigest().encode())
    if int(name) % 2:
        file.write(data)
note("end")
notes.close()
"""
#: The same as a program of the public library, which is kept alive.
LIBRARY_PROGRAM = f"""
import sys
from gravityai import gravityai as grav
code = compile({PROGRAM!r}, "main.py", "exec")
def process(source, target):
    sys.argv = ["main.py", source, target, "diary"]
    exec(code, {{}})
grav.wait_for_requests(process)
"""


def payload(number: int, size: int) -> bytes:
    """Return the data of a job: the deed that its program is to do, its number, and bytes that are its own."""
    head = f"{DEEDS[number % len(DEEDS)]} {number}\n".encode()
    rest = max(0, size - len(head))
    block = hashlib.sha512(head).hexdigest().encode() + b"\n"
    return head + (block * (rest // len(block) + 1))[:rest]


def answer(number: int, data: bytes) -> bytes:
    """Return the program's answer to data that reached it as they were sent."""
    return hashlib.sha256(data).hexdigest().encode() + (data if number % 2 else b"")


class Host(Protocol):
    """One server that can be killed and started again."""

    url: str

    def start(self) -> None:
        """Start it, or start it again; return when it answers."""

    def server_pid(self) -> int | None:
        """Return the server process, as this machine numbers it."""

    def kill_all(self) -> None:
        """Kill all its processes, as the end of the machine would."""

    def log(self) -> str:
        """Return all that it ever wrote."""

    def remove(self) -> None:
        """Remove it, and leave nothing."""


def manifest(python: str, folder: str, diary: str) -> str:
    return json.dumps(
        {
            "name": "chaos",
            "version": "1",
            "build_id": "b",
            "command": [python, "main.py", "{input}", "{output}", diary],
            "working_directory": folder,
            "input_types": ["text/plain"],
            "output_types": ["text/plain"],
        }
    )


class ProcessHost:
    """A server from the sources, in a process group of its own."""

    def __init__(self, folder: Path, name: str, environment: dict[str, str], library_python: str = "") -> None:
        """Prepare a host; start nothing. `library_python`: the program is one of the library, which this Python has."""
        self._log = folder / f"{name}.log"
        self._manifest = folder / "model.json"
        (folder / "main.py").write_text(LIBRARY_PROGRAM if library_python else PROGRAM, encoding="utf-8")
        python = library_python or sys.executable
        self._manifest.write_text(manifest(python, str(folder), str(folder / "diary")), encoding="utf-8")
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        self.environment = {
            **os.environ,
            "MODEL_MANIFEST": str(self._manifest),
            "MODEL_SERVER_HOST": "127.0.0.1",
            "MODEL_SERVER_PORT": str(self._port),
            "MODEL_SERVER_USER": f"{os.getuid()}:{os.getgid()}",
            "GAI_VOLUME_PATH": str(folder / "data"),
            "PYTHONPATH": str(ROOT / "lib"),
            **environment,
        }

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "model_server"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until_ready(self.url, self.log)

    def server_pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def kill_all(self) -> None:
        if self._process is not None:
            pids = [self._process.pid, *descendants(self._process.pid)]
            for pid in pids:
                kill(pid)
            self._process.wait()

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def remove(self) -> None:
        self.kill_all()


class ContainerHost:
    """A server in a container of `image`, which has the bundle and the program."""

    def __init__(self, image: str, volume: str, diary: Path, environment: dict[str, str]) -> None:
        self._name = f"mdchaos-{uuid.uuid4().hex[:8]}"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = {"MODEL_SERVER_HOST": "127.0.0.1", "MODEL_SERVER_PORT": str(port), **environment}
        options = [f"--env={name}={value}" for name, value in settings.items()]
        mounts = [f"--mount=source={volume},target=/var/gai_data", f"--volume={diary}:/diary"]
        docker("create", "--name", self._name, "--network=host", *mounts, *options, image)

    def start(self) -> None:
        docker("start", self._name)
        wait_until_ready(self.url, self.log)

    def server_pid(self) -> int | None:
        init = int(docker("inspect", "--format", "{{.State.Pid}}", self._name))
        return next(iter(children(init)), None) if init else None

    def kill_all(self) -> None:
        with contextlib.suppress(AssertionError):  # it may have ended by itself a moment ago
            docker("kill", self._name)
        docker("wait", self._name)

    def log(self) -> str:
        return "".join(both_outputs("logs", self._name))

    def remove(self) -> None:
        docker("rm", "--force", self._name)


def wait_until_ready(url: str, log: object) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/ready", timeout=2).ok:
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"the server did not become ready:\n{log() if callable(log) else ''}")
        time.sleep(0.05)


def runner_of(server: int) -> int | None:
    """Find a runner below the server, which may have a launcher between the two."""
    for pid in descendants(server):
        with contextlib.suppress(OSError):
            if b"/runner.py\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return None


def children(pid: int) -> list[int]:
    """List the direct children of a process; none when it is gone, or ends meanwhile."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(word) for word in (task / "children").read_text().split()]
    return found


def descendants(pid: int) -> list[int]:
    below = children(pid)
    return [*below, *(other for child in below for other in descendants(child))]


def program_of(server: int) -> int | None:
    """Find a program that does a job: a process below the server that holds the diary open."""
    for pid in descendants(server):
        with contextlib.suppress(OSError):
            if any(fd.readlink().name == "diary" for fd in Path(f"/proc/{pid}/fd").iterdir()):
                return pid
    return None


def kill(pid: int) -> bool:
    """Kill a process; tell whether it was still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])
