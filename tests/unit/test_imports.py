"""A command loads what it needs: help answers without the packages that speak to AWS, Docker and a terminal."""

import os
import subprocess
import sys

import pytest

from tests.rig.command import ROOT

HEAVY = {"boto3", "botocore", "cryptography", "docker", "jwt", "requests", "rich", "s3transfer", "tenacity", "urllib3"}


@pytest.mark.parametrize(
    "words",
    [("--help",), ("--version",), ("run", "--help"), ("license", "issue", "--help"), ("sandbox", "status")],
    ids=" ".join,
)
def test_it_loads_nothing_of_aws_docker_or_rich(words: tuple[str, ...], tmp_path: os.PathLike[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "model_dockerize", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "lib"), "MODEL_DOCKERIZE_HOME": os.fspath(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert done.stdout
    assert "click" in loaded
    assert loaded & HEAVY == set()
