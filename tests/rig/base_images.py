"""Base images of tests/bases: each is as near to a real one as can be had here."""

from __future__ import annotations

from pathlib import Path

from tests.rig.docker_command import CA_SECRET, docker

BASES = Path(__file__).resolve().parents[1] / "bases"


def make_base(name: str, ref: str) -> str:
    """Build an image, in a moment where the engine did it before; return its name."""
    dockerfile = (BASES / f"{name}.Dockerfile").read_text(encoding="utf-8")
    docker("buildx", "build", "--quiet", "--load", *CA_SECRET, f"--tag={ref}", "-", stdin=dockerfile)
    return ref
