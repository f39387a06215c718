"""Runs Debian's docker-registry on a loopback port: a registry that we did not write, with or without a login."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

from machine import debian
from machine.host import MachineError, is_root, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS = 30
PACKAGE = "docker-registry"
USER, PASSWORD = "tester", "open sesame"
#: PASSWORD as htpasswd keeps it (bcrypt, cost 4).
_HTPASSWD = "tester:$2b$04$xzr0MWyonFR5C85.vVk2v.GdTl8LxcjoBQ/7M/CgRJNTeu.AzecbG\n"


def program(folder: Path) -> Path:
    """Find the registry's program, installed; else unpack it into this folder, which needs no root.

    Raises:
        MachineError: apt has no such package; says why.
    """
    if installed := shutil.which(PACKAGE):
        return type(folder)(installed)
    if is_root() and PACKAGE not in debian.candidates(PACKAGE):
        debian.refresh()
    run(["apt-get", "download", PACKAGE], cwd=folder, timeout=300, env=debian.NONINTERACTIVE)
    (package,) = folder.glob("*.deb")
    run(["dpkg", "-x", str(package), str(folder)], timeout=60)
    return folder / "usr/bin" / PACKAGE


@contextlib.contextmanager
def running(folder: Path, private: bool = False) -> Iterator[str]:
    """Run a registry, its data in this folder, until the block ends. Yield HOST:PORT.

    Args:
        private: it wants USER and PASSWORD for everything.
    """
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    (folder / "htpasswd").write_text(_HTPASSWD)
    login = f"auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n" if private else ""
    (folder / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: 127.0.0.1:{port}}}\n{login}"
    )
    argv = [program(folder), "serve", folder / "config.yml"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(process, port, folder / "log")
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise MachineError(f"The registry did not start: {log.read_text(errors='replace')[-2000:]}")
