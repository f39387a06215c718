"""A base image of two megabytes with a shell, where no Python is needed: what is saved, loaded and pushed is small."""

from __future__ import annotations

from pathlib import Path

from tests.rig.docker_command import docker

SMALL_BASE = "localhost/md-small-base"
_FOLDER = Path(__file__).resolve().parents[1] / "bases" / "busybox"
_CA = Path("/etc/ssl/certs/ca-certificates.crt")


def make_small_base() -> str:
    """Build SMALL_BASE, in a moment where the engine did it before; return that name. It stays in the engine."""
    secret = [f"--secret=id=ca-bundle,src={_CA}"] if _CA.exists() else []
    options = ["--quiet", "--load", *secret, f"--tag={SMALL_BASE}", f"--file={_FOLDER / 'base.Dockerfile'}"]
    docker("buildx", "build", *options, str(_FOLDER))
    return SMALL_BASE
