"""Tells the platforms that an engine runs or emulates."""

import platform as host
import re
import subprocess

from model_dockerize.errors import EngineError
from model_dockerize.image.engine import Engine
from model_dockerize.image.server import ServerSources

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_TIMEOUT = 30  # seconds; buildx asks the engine


def own_platform(machine: str = "") -> str:
    """Return linux/amd64 for x86_64 (empty: this computer)."""
    name = (machine or host.machine()).lower()
    return f"linux/{_MACHINES.get(name, name)}"


def check_platform(engine: Engine, platform: str, asked: bool, sources: ServerSources) -> None:
    """Raise EngineError unless the engine can build and run `platform`.

    Args:
        asked: somebody chose it.
    """
    if platform == engine.platform:
        return
    if not asked:
        raise EngineError(
            f"This computer is {platform} and its Docker Engine {engine.platform}: which one is the image for?",
            f"Say so: platforms: {engine.platform} (or {platform}, if the engine emulates it).",
        )
    native = "a runner" if engine.environment.get("GITHUB_ACTIONS") else "a computer"
    label = " (runs-on: ubuntu-24.04-arm)" if native == "a runner" and platform == "linux/arm64" else ""
    if platform not in _platforms(engine):
        raise EngineError(
            f"platforms: this Docker Engine is {engine.platform} and runs nothing that is built for {platform}.",
            f"Run on {native} of that kind{label}, or teach the engine to emulate it, which is many times slower: "
            "https://docs.docker.com/build/building/multi-platform/",
        )
    if not sources.files:
        raise EngineError(
            f"platforms: there is no model server for {platform} here, and no source to build it from.",
            f"Run on {native} of that kind{label}, or model-dockerize from a clone of its repository.",
        )


def runs(engine: Engine, platform: str) -> bool:
    return platform == engine.platform or platform in _platforms(engine)


def _platforms(engine: Engine) -> frozenset[str]:
    argv = [str(engine.cli), "buildx", "inspect", engine.context]
    try:
        done = subprocess.run(
            argv, env=dict(engine.environment), capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"Docker Engine does not say within {_TIMEOUT} s which platforms it builds for.", "Restart it."
        ) from error
    return platforms_of(done.stdout)


def platforms_of(text: str) -> frozenset[str]:
    found = re.findall(r"^Platforms:(.*)$", text, re.MULTILINE)
    return frozenset(name.strip(" *") for line in found for name in line.split(","))
