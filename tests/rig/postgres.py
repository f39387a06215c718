"""A PostgreSQL server of the tests' own: real, unprivileged, on a loopback port, its data in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.rig.leaks import planted

from machine import debian
from machine.host import MachineError, is_root, parse_os_release

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 30


@dataclass(frozen=True)
class Postgres:
    """A running server. Anyone on this host may reach it; only the password opens it."""

    programs: Path
    port: int
    password: str
    address: str

    def make_database(self) -> str:
        """Make an empty database and return its URL, for whoever reaches `address`."""
        name = f"jobs_{secrets.token_hex(4)}"
        self.execute("postgres", f"CREATE DATABASE {name}")
        return f"postgresql://tester:{self.password}@{self.address}:{self.port}/{name}"

    def execute(self, database: str, statement: str) -> str:
        """Run a statement with psql and return what it prints, one line for each row."""
        done = subprocess.run(
            [self.programs / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tester", "-d", database, "-Atq"],
            input=statement,
            capture_output=True,
            text=True,
            env={**os.environ, "PGPASSWORD": self.password},
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def install() -> Path:
    """Return the folder of the server's programs, installed when absent.

    Raises:
        MachineError: this machine cannot have it; says why.
    """
    programs = _programs()
    if programs is None:
        if parse_os_release(Path("/etc/os-release").read_text()).get("ID") != "debian" or not is_root():
            raise MachineError(
                "PostgreSQL's server is not here, and only root on Debian can install it: apt-get install postgresql."
            )
        debian.refresh()
        debian.install("postgresql")
        programs = _programs()
    if programs is None:
        raise MachineError("Debian's package postgresql was installed, but initdb is not where it belongs.")
    return programs


@contextlib.contextmanager
def running(address: str = "127.0.0.1") -> Iterator[Postgres]:
    """Run a server until the block ends; then remove its data.

    Args:
        address: of this host, at which it is to be reached too: that of the engine's bridge, for containers.
    """
    programs = install()
    user = _unprivileged()
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        home = Path(folder)
        password = planted(f"database-password-{secrets.token_hex(8)}")
        (home / "password").write_text(password)
        if user is not None:
            for path in (home, home / "password"):
                os.chown(path, user.pw_uid, user.pw_gid)
        drop = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        data = home / "data"
        access = ["-U", "tester", "--auth=scram-sha-256", f"--pwfile={home / 'password'}"]
        subprocess.run(
            [programs / "initdb", "-D", data, "-E", "UTF8", *access],
            check=True,
            capture_output=True,
            cwd=home,
            timeout=60,
            **drop,
        )
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet scram-sha-256\n")
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
            port = probe.getsockname()[1]
        addresses = ",".join(dict.fromkeys(("127.0.0.1", address)))
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-p", str(port), "-k", home, "-c", f"listen_addresses={addresses}"],
                stdout=log, stderr=log, cwd=home, **drop,
            )  # fmt: skip
        try:
            _wait(programs, port, server, home / "log")
            yield Postgres(programs, port, password, address)
        finally:
            server.terminate()  # a smart shutdown would wait for clients; the second signal does not
            server.send_signal(2)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait(programs: Path, port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until it takes connections: its port is open before."""
    deadline = time.monotonic() + START_SECONDS
    asking = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(asking, timeout=START_SECONDS, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise MachineError(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.05)


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return None if on_path is None else Path(on_path).resolve().parent


def _unprivileged() -> pwd.struct_passwd | None:
    """Return the user for the server, since PostgreSQL refuses root. None: we are an ordinary user already."""
    if not is_root():
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")
