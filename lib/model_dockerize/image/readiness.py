"""Checks disk, base image and registry before a build."""

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import requests
from docker.errors import APIError

from model_dockerize.errors import EngineError, PushError
from model_dockerize.image.engine import Engine, connect
from model_dockerize.image.push import RegistryAuth
from model_dockerize.image.store import has

_PATIENCE = 20  # seconds for a registry's answer
_CAUSES = (
    (("not found", "manifest unknown", "name unknown"), "There is no such image", "Correct base-image."),
    (("toomanyrequests", "429"), "Its registry limits pulls without a login", "Sign in there: docker login."),
    (("unauthorized", "denied", "forbidden"), "Its registry refuses to show it", "Sign in there: docker login."),
)


def free_disk(engine: Engine) -> int | None:
    """Return the bytes left for images; None: unknown."""
    if not engine.host.startswith("unix://"):
        return None
    with closing(connect(engine)) as client:
        root = Path(str(client.info().get("DockerRootDir", "")))
    try:
        return shutil.disk_usage(root).free
    except OSError:  # inside a virtual machine (Docker Desktop), or not open to this user
        return None


def find_base(engine: Engine, name: str) -> str:
    """Say where the base image is, else raise EngineError."""
    if has(engine, name):
        return f"{name} is in the engine"
    argv = [str(engine.cli), "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", name]
    try:
        asked = subprocess.run(
            argv,
            env=dict(engine.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _unreachable(name, f"no answer within {_PATIENCE} s") from error
    if asked.returncode == 0:
        return f"{name} is in its registry ({asked.stdout.strip()[:19]})"
    said = (asked.stderr.strip() or asked.stdout.strip()).splitlines()[-1:] or ["no reason was given"]
    for signs, what, remedy in _CAUSES:
        if any(sign in said[0].lower() for sign in signs):
            raise EngineError(f"{what}: {name}.", remedy, (said[0],))
    raise _unreachable(name, said[0])


def _unreachable(name: str, why: str) -> EngineError:
    remedy = f"Check network and proxy, or have it here beforehand: docker pull {name}"
    return EngineError(f"{name} is not in the engine, and its registry cannot be reached.", remedy, (why,))


def sign_in(engine: Engine, auth: RegistryAuth) -> None:
    """Have the engine try these credentials, without keeping them."""
    with closing(connect(engine)) as client:
        try:
            client.login(auth.username, auth.password, registry=auth.registry, reauth=True)
        except APIError as error:
            raise PushError(
                f"Docker Engine cannot sign in to {auth.registry}.",
                "Check the engine's network and proxy (they are not this shell's), and the account's region.",
                (str(error.explanation),),
            ) from error
        except requests.RequestException as error:
            raise EngineError("Docker Engine stopped answering.", "Look at its log.", (str(error),)) from error
