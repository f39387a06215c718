"""A model server in a process of its own, and what an attack does to it: its memory, and the health that others see."""

import math
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
import requests

from functional.server.conftest import manifest_text, write_program

MIB = 1024 * 1024
#: What one attack may cost: of memory, and of the time that a second client waits for /health.
MOST_MEMORY = 100 * MIB
MOST_SECONDS = 0.25
_START_SECONDS = 30.0
#: The 99th percentile of fewer would be the slowest.
_LEAST_ASKED = 100


@dataclass(frozen=True)
class Target:
    """A server that is attacked."""

    process: "subprocess.Popen[bytes]"
    port: int
    data: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, seconds: float = 30) -> socket.socket:
        """Connect as an attacker does."""
        return socket.create_connection(("127.0.0.1", self.port), seconds)

    def forget_peak(self) -> bool:
        """Make VmHWM count from now on; return false where only root may do that, as the server is not dumpable."""
        try:
            Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="ascii")
        except PermissionError:
            return False
        return True

    def memory(self, name: str = "VmRSS") -> int:
        """Return the bytes that it holds in memory; VmHWM: that it held at most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"{name}:"))


@dataclass
class Watched:
    """Holds what a second client saw of /health during an attack."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    grown: int = 0

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[math.ceil(len(self.seconds) * 0.99) - 1]


@contextmanager
def serving(folder: Path, environment: dict[str, str] | None = None, **changes: object) -> Iterator[Target]:
    """Run a server until the block ends; `changes` are of its manifest."""
    program = folder / "program"
    if not program.exists():
        write_program(program)
    manifest = folder / "model.json"
    manifest.write_text(manifest_text(program, **{"limits": {"timeout_seconds": 20}, **changes}), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {
        "MODEL_MANIFEST": str(manifest),
        "MODEL_SERVER_HOST": "127.0.0.1",
        "MODEL_SERVER_PORT": str(port),
        "MODEL_SERVER_USER": f"{os.getuid()}:{os.getgid()}",
        "GAI_VOLUME_PATH": str(folder / "data"),
        "MODEL_DRAIN_SECONDS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "model_server"],
            env={**os.environ, **variables, **(environment or {})},
            stdout=log,
            stderr=log,
        )
    target = Target(process, port, folder / "data")
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with suppress(requests.RequestException):
                if requests.get(f"{target.url}/ready", timeout=60).ok:
                    break
            assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
            assert time.monotonic() < deadline, "the server is not ready"
            time.sleep(0.05)
        yield target
    finally:
        process.terminate()
        try:
            process.wait(15)
        finally:
            process.kill()


@contextmanager
def watching(target: Target) -> Iterator[Watched]:
    """Ask for /health all the time until the block ends, each time by a new connection as a prober does."""
    watched, over = Watched(), threading.Event()
    peak = "VmHWM" if target.forget_peak() else "VmRSS"
    most = before = target.memory()

    def ask() -> None:
        nonlocal most
        while not over.is_set() or len(watched.seconds) < _LEAST_ASKED:
            with suppress(OSError, StopIteration):  # it has ended
                most = max(most, target.memory())
            began = time.monotonic()
            try:
                connection = HTTPConnection("127.0.0.1", target.port, timeout=30)
                connection.request("GET", "/health")
                answer = connection.getresponse()
                if answer.status != 200:
                    watched.failures.append(str(answer.status))
                answer.read()
                connection.close()
            except (OSError, HTTPException) as error:
                watched.failures.append(repr(error))
            watched.seconds.append(time.monotonic() - began)
            over.wait(0.01)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield watched
    finally:
        over.set()
        asker.join()
        if target.process.poll() is None:
            watched.grown = max(most, target.memory(peak)) - before


@contextmanager
def harmless(target: Target) -> Iterator[Watched]:
    """Assert that the block is an attack that the server bears."""
    with watching(target) as watched:
        yield watched
    assert target.process.poll() is None
    assert watched.failures == []
    assert watched.grown < MOST_MEMORY, f"{watched.grown / MIB:.0f} MiB"
    shared = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # others may have most of the processors
    assert watched.p99 < MOST_SECONDS * shared, f"{watched.p99 * 1000:.0f} ms of {len(watched.seconds)}"


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Start one server for all attacks that it must bear: each meets it as the others left it."""
    with serving(tmp_path_factory.mktemp("attacked")) as started:
        yield started


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., object]:
    return lambda **changes: serving(tmp_path, **changes)
