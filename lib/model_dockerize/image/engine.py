"""Finds Docker Engine and its command line."""

import json
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import DockerException
from docker.utils import kwargs_from_env

from model_dockerize.errors import EngineError
from model_dockerize.settings import in_action

_log = logging.getLogger(__name__)
OLDEST_ENGINE = (20, 10)
_DOCKER_READS = (
    *("PATH", "HOME", "TMPDIR", "LANG", "TZ", "DOCKER_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR", "GITHUB_WORKSPACE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY"),
)
_CLI_TIMEOUT = 60  # seconds; they talk to nobody, so only a busy computer makes them slow
_STREAM_TIMEOUT = 900  # seconds of silence: saving or pushing a large layer says nothing for long


@dataclass(frozen=True)
class Engine:
    """A Docker Engine that answered.

    `context` also names its buildx builder. `environment` may hold credentials and is not shown.
    """

    version: str  # "26.1.5"
    api_version: str  # "1.45"
    platform: str  # "linux/amd64"
    buildx_version: str  # "0.13.1"
    containerd_store: bool  # images are kept by containerd, not by the classic store
    cli: Path
    host: str  # "unix:///var/run/docker.sock"
    context: str
    environment: Mapping[str, str] = field(repr=False, compare=False)


def numbers(version: str) -> tuple[int, ...]:
    """Return leading numbers: (20, 10, 24) of "20.10.24+dfsg1"."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def config_folder(environment: Mapping[str, str]) -> Path:
    """Return where docker and buildx keep their settings."""
    return Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME", "/")) / ".docker")


def no_image(ref: str) -> EngineError:
    if ref.startswith("sha256:"):
        return EngineError(
            "The image of this run is gone from the engine: another build took its name, or somebody removed it.",
            "Run again. Jobs that share an engine need an image-name each.",
        )
    return EngineError(f"The engine holds no image {ref}.", "List what there is with `docker image ls`, or build it.")


def connect(engine: Engine) -> docker.DockerClient:
    """Return an API client, which the caller closes.

    Source: https://docs.docker.com/reference/api/engine/
    """
    return _client(engine.host, engine.environment, engine.api_version)


def probe(environment: Mapping[str, str]) -> Engine:
    """Find command line, engine and buildx, else raise EngineError."""
    found = shutil.which("docker", path=environment.get("PATH", os.defpath))
    if not found:
        raise EngineError(
            "The docker command is not installed, or not on the PATH.",
            "Install Docker Engine: https://docs.docker.com/engine/install/",
        )
    cli = Path(found)
    children = _of_docker(environment)
    buildx = _start([found, "buildx", "version"], children)
    name, host = _context(_start([found, "context", "inspect", "--format", "{{json .}}"], children))
    version, info = _ask(host, environment)
    buildx_version = _buildx(buildx)

    if any(str(part.get("Name", "")).startswith("Podman") for part in version.get("Components") or []):
        raise EngineError(
            f"Podman answers at {host}: it has no BuildKit, which builds the image.",
            "Use Docker Engine: https://docs.docker.com/engine/install/",
        )
    engine_version = str(version.get("Version", ""))
    if numbers(engine_version) < OLDEST_ENGINE:
        raise EngineError(
            f"Docker Engine {engine_version or 'of unknown version'} is too old: 20.10 is the oldest that works.",
            "Upgrade it: https://docs.docker.com/engine/install/",
        )
    if version.get("Os") != "linux":
        raise EngineError(
            f"This Docker Engine runs {version.get('Os')} containers, and models need linux ones.",
            "Switch Docker Desktop to Linux containers.",
        )
    engine = Engine(
        version=engine_version,
        api_version=str(version.get("ApiVersion", "")),
        platform=f"linux/{version.get('Arch')}",
        buildx_version=buildx_version,
        containerd_store=["driver-type", "io.containerd.snapshotter.v1"] in (info.get("DriverStatus") or []),
        cli=cli,
        host=host,
        context=name,
        environment=children,
    )
    _log.debug("%s", engine)  # its environment is not shown
    return engine


def _of_docker(environment: Mapping[str, str]) -> dict[str, str]:
    if not in_action(environment):
        # A credential helper reads AWS_PROFILE, and much else.
        return dict(environment)
    # In the Action, the rest holds secrets, and /proc shows it.
    return {name: text for name, text in environment.items() if name.upper() in _DOCKER_READS}


def _client(host: str, environment: Mapping[str, str], api_version: str) -> docker.DockerClient:
    settings = kwargs_from_env(environment=dict(environment))
    settings["base_url"] = host
    return docker.DockerClient(
        version=api_version, timeout=_STREAM_TIMEOUT, use_ssh_client=host.startswith("ssh://"), **settings
    )


def _start(argv: list[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _output(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=_CLI_TIMEOUT)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        words = " ".join(("docker", *error.cmd[1:3]))
        raise EngineError(
            f"`{words}` did not answer within {_CLI_TIMEOUT} s, though it asks nobody.",
            "Try it by hand: a plugin of docker hangs, or this computer is too busy. Then run again.",
        ) from None
    return process.returncode, out, err


def _context(process: subprocess.Popen[str]) -> tuple[str, str]:
    # The SDK knows no contexts: ask the command line.
    code, out, err = _output(process)
    if code != 0:
        raise EngineError(
            f"The docker command does not know which engine to use: {err.strip() or out.strip()}",
            "List the contexts with `docker context ls` and choose one with `docker context use NAME`.",
        )
    found = json.loads(out)
    return found["Name"], found["Endpoints"]["docker"]["Host"]


def _buildx(process: subprocess.Popen[str]) -> str:
    code, out, _ = _output(process)
    match = re.search(r"v?(\d+\.\d+\.\d+)", out)
    if code != 0 or not match:
        raise EngineError(
            "The docker command has no buildx, which builds the image.",
            "Install it: package docker-buildx-plugin (Docker's own packages) or docker-buildx (Debian and Ubuntu).",
        )
    return match[1]


def _ask(host: str, environment: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        client = _client(host, environment, "auto")
        try:
            return client.version(), client.info()
        finally:
            client.close()
    except (DockerException, requests.RequestException, OSError) as error:
        raise _unreachable(host, str(error), in_action(environment)) from error


def _unreachable(host: str, text: str, runs_in_action: bool) -> EngineError:
    if runs_in_action:
        return EngineError(
            f"The runner has no Docker Engine that a container action reaches at {host}.",
            "Use one with Docker itself: GitHub's own Linux runners; a machine where Docker runs as root (not "
            "rootless, not podman); in Actions Runner Controller, containerMode type dind (not kubernetes).",
            details=(text,),
        )
    if "Permission denied" in text:
        return EngineError(
            f"Docker Engine at {host} is not open to this user.",
            "Add the user to the docker group (`sudo usermod -aG docker $USER`), log in again, and repeat.",
        )
    return EngineError(
        f"Docker Engine does not answer at {host}.",
        "Start it (`sudo systemctl start docker`, or Docker Desktop), or point DOCKER_HOST at the right one.",
        details=(text,),
    )
