"""A registry login for one build, in its own docker configuration."""

import base64
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from model_dockerize.errors import EngineError
from model_dockerize.image.engine import Engine, config_folder
from model_dockerize.image.push import RegistryAuth

_MEMORY = Path("/dev/shm")  # noqa: S108  a file system in memory: the password touches no disk there


@contextmanager
def signed_in(engine: Engine, auth: RegistryAuth) -> Iterator[Engine]:
    """Yield an engine whose builds may use the registry."""
    home = config_folder(engine.environment)
    where = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="model-dockerize-", dir=where) as folder:
        if home.is_dir():
            for entry in home.iterdir():
                if entry.name != "config.json":
                    (Path(folder) / entry.name).symlink_to(entry.absolute())  # contexts, plugins, buildx's own state
        settings = _read(home / "config.json")
        word = base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
        settings["auths"] = {**settings.get("auths", {}), auth.registry: {"auth": word}}
        # No helper for this one registry, whatever helps for all others.
        settings["credHelpers"] = {**settings.get("credHelpers", {}), auth.registry: ""}
        file = Path(folder) / "config.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(settings), encoding="utf-8")
        yield replace(engine, environment={**engine.environment, "DOCKER_CONFIG": folder})


def log_in(engine: Engine, auth: RegistryAuth) -> None:
    """Run `docker login` for good."""
    argv = [str(engine.cli), "login", "--username", auth.username, "--password-stdin", auth.registry]
    done = subprocess.run(
        argv, env=dict(engine.environment), input=auth.password, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise EngineError(
            f"docker login to {auth.registry} failed: {done.stderr.strip().replace(auth.password, '***')}",
            "Look at the credential helper of docker's configuration (credsStore in ~/.docker/config.json).",
        )


def _read(file: Path) -> dict[str, dict[str, object]]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise EngineError(f"{file} cannot be read: {error}", "Correct docker's configuration file.") from error
    return found if isinstance(found, dict) else {}
