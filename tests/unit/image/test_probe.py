"""One error tells that docker is missing, broken, not permitted or too old."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from tempfile import TemporaryDirectory

import pytest

from model_dockerize.errors import EngineError
from model_dockerize.image import engine as engine_module
from model_dockerize.image import probe
from model_dockerize.image.engine import numbers

#: Stands for the docker command: only what the probe asks it.
FAKE_CLI = """#!/bin/sh
case "$1 $2" in
"buildx version") {buildx} ;;
"context inspect") {context} ;;
esac
"""
BUILDX = 'echo "github.com/docker/buildx v0.13.1 788433953af10f2a698f5c07611dddce2e08c7a0"'


class FakeEngine(ThreadingMixIn, UnixStreamServer):
    """Answers /version and /info of the Engine API, as an engine of the given version and system would."""

    daemon_threads = True

    def __init__(self, path: Path, version: str, system: str, component: str) -> None:
        answers = {
            "/version": {
                "Version": version,
                "ApiVersion": "1.45",
                "MinAPIVersion": "1.24",
                "Components": [{"Name": component, "Version": version}],
                "Os": system,
                "Arch": "amd64",
            },
            "/info": {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]},
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(next(a for end, a in answers.items() if self.path.endswith(end))).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self) -> str:
                return "unix"

            def log_message(self, *_: object) -> None: ...

        super().__init__(str(path), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def machine() -> Iterator["Machine"]:
    # Not pytest's directory: its path can be too long for a socket, and nobody but its owner may enter it.
    with TemporaryDirectory() as directory:
        made = Machine(Path(directory))
        made.directory.chmod(0o755)
        yield made
        if made.engine:
            made.engine.shutdown()
            made.engine.server_close()


class Machine:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "docker.sock"
        self.engine: FakeEngine | None = None
        self.environment = {"PATH": f"{directory}:/usr/bin:/bin", "HOME": str(directory)}

    def start(self, version: str, system: str = "linux", component: str = "Engine") -> None:
        self.engine = FakeEngine(self.socket, version, system, component)

    def cli(self, buildx: str = BUILDX, context: str = "") -> None:
        answer = json.dumps({"Name": "work", "Endpoints": {"docker": {"Host": f"unix://{self.socket}"}}})
        path = self.directory / "docker"
        path.write_text(FAKE_CLI.format(buildx=buildx, context=context or f"echo '{answer}'"))
        path.chmod(0o755)


def problem(machine: Machine) -> EngineError:
    with pytest.raises(EngineError) as raised:
        probe(machine.environment)
    assert raised.value.remedy
    return raised.value


def test_everything_there(machine: Machine) -> None:
    machine.cli()
    machine.start("26.1.5+dfsg1")
    engine = probe(machine.environment)
    assert (engine.version, engine.api_version, engine.platform) == ("26.1.5+dfsg1", "1.45", "linux/amd64")
    assert (engine.buildx_version, engine.containerd_store) == ("0.13.1", True)
    assert (engine.cli, engine.context) == (machine.directory / "docker", "work")
    assert engine.host == f"unix://{machine.socket}"


def test_no_docker_command(machine: Machine) -> None:
    machine.environment["PATH"] = str(machine.directory)
    assert "not installed" in str(problem(machine))


def test_nobody_listens(machine: Machine) -> None:
    machine.cli()
    assert str(problem(machine)) == f"Docker Engine does not answer at unix://{machine.socket}."
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(machine.socket))
    assert "systemctl start docker" in problem(machine).remedy


def test_no_permission(machine: Machine) -> None:
    machine.cli()
    machine.start("26.1.5")
    machine.socket.chmod(0o000)
    user = os.geteuid()
    if user == 0:  # whom no mode of a file stops
        os.seteuid(65534)
    try:
        error = problem(machine)
    finally:
        os.seteuid(user)
    assert "not open to this user" in str(error)
    assert "usermod -aG docker" in error.remedy


@pytest.mark.parametrize("version", ["19.03.15", "1.13.1", ""])
def test_engine_too_old(machine: Machine, version: str) -> None:
    machine.cli()
    machine.start(version)
    error = problem(machine)
    assert "too old" in str(error)
    assert "20.10" in str(error)


def test_windows_containers(machine: Machine) -> None:
    machine.cli()
    machine.start("26.1.5", "windows")
    assert "windows containers" in str(problem(machine))


def test_no_buildx(machine: Machine) -> None:
    machine.cli(buildx="echo \"docker: 'buildx' is not a docker command.\" >&2; exit 1")
    machine.start("26.1.5")
    error = problem(machine)
    assert "no buildx" in str(error)
    assert "docker-buildx" in error.remedy


def test_unknown_context(machine: Machine) -> None:
    machine.cli(context="echo 'context \"gone\" does not exist' >&2; exit 1")
    machine.start("26.1.5")
    error = problem(machine)
    assert 'context "gone" does not exist' in str(error)
    assert "docker context ls" in error.remedy


def test_a_command_that_hangs_is_told_as_that(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_CLI_TIMEOUT", 0.1)
    machine.cli(context="exec sleep 60")
    machine.start("26.1.5")
    error = problem(machine)
    assert str(error) == "`docker context inspect` did not answer within 0.1 s, though it asks nobody."
    assert "run again" in error.remedy


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20.10.24+dfsg1", (20, 10, 24)), ("v0.29.1", (0, 29, 1)), ("26", (26,)), ("dev", ()), ("", ())],
)
def test_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert numbers(text) == expected


def test_podman_is_no_old_docker(machine: Machine) -> None:
    machine.cli()
    machine.start("5.8.4", component="Podman Engine")
    assert (
        str(problem(machine))
        == f"Podman answers at unix://{machine.socket}: it has no BuildKit, which builds the image."
    )


@pytest.mark.parametrize("closed", [False, True])
def test_in_the_action_it_is_the_runner_that_has_no_engine(machine: Machine, closed: bool) -> None:
    machine.cli()
    machine.environment["GITHUB_WORKSPACE"] = "/github/workspace"
    if closed:
        machine.socket.touch()
    error = problem(machine)
    assert str(error) == f"The runner has no Docker Engine that a container action reaches at unix://{machine.socket}."
    for word in ("GitHub's own Linux runners", "not rootless", "podman", "containerMode type dind"):
        assert word in error.remedy
