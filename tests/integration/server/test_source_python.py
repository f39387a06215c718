"""The server builds on a CPython made from its sources, as the real base images have it, and serves there."""

import pytest

from tests.rig.docker_command import docker

from .test_bases import ROOT, Made, builds_and_serves, made

__all__ = ["made"]  # the fixture

SOURCE_PYTHON = "model-dockerize-test-source-python"


@pytest.mark.timeout(2400)  # CPython is compiled: minutes, once for an engine
def test_it_builds_and_serves_on_a_python_made_from_its_sources(made: Made) -> None:
    dockerfile = ROOT / "tests/rig/source_python.Dockerfile"
    docker("buildx", "build", "--quiet", f"--file={dockerfile}", f"--tag={SOURCE_PYTHON}", str(ROOT))
    builds_and_serves(SOURCE_PYTHON, made)
