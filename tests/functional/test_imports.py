"""A command loads what it needs: help answers without the packages that speak to AWS, Docker and a terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.command import ROOT

HEAVY = {
    *("boto3", "botocore", "cryptography", "docker", "jinja2", "jwt", "questionary", "requests", "rich", "s3transfer"),
    *("tenacity", "urllib3"),
}
#: What a run needs, and the words about it do not.
OF_A_RUN = {
    *("backports.zstd", "http.client", "ssl", "subprocess", "yaml"),
    *(f"model_dockerize.{name}" for name in ("aws", "image", "pipeline", "program", "report", "sandbox", "smoke")),
}
ROLLBACK = {"COMP_CWORD": "1", "COMP_WORDS": "model-dockerize ro"}
MEMORY = {"COMP_CWORD": "2", "COMP_WORDS": "model-dockerize run --mem"}


def loaded(words: tuple[str, ...], home: Path, **more: str) -> tuple[str, set[str]]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "model_dockerize", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "lib"), "MODEL_DOCKERIZE_HOME": os.fspath(home), **more},
        capture_output=True,
        text=True,
        check=False,
    )
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in names
    return done.stdout, names | {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    "words",
    [("--help",), ("--version",), ("run", "--help"), ("run", "--help-all"), ("license", "issue", "--help")],
    ids=" ".join,
)
def test_help_loads_nothing_of_a_run(words: tuple[str, ...], tmp_path: Path) -> None:
    printed, names = loaded(words, tmp_path)
    assert printed
    assert names & (HEAVY | OF_A_RUN) == set()


@pytest.mark.parametrize(
    ("task", "typed", "printed"),
    [
        ("bash_source", ROLLBACK, "complete"),
        ("zsh_complete", ROLLBACK, "rollback"),
        ("bash_complete", MEMORY, "--memory"),
    ],
)
def test_completion_loads_nothing_of_a_run(task: str, typed: dict[str, str], printed: str, tmp_path: Path) -> None:
    answer, names = loaded((), tmp_path, _MODEL_DOCKERIZE_COMPLETE=task, **typed)
    assert printed in answer
    assert names & (HEAVY | OF_A_RUN) - {"subprocess"} == set()  # click asks bash for its version


def test_a_run_s_modules_are_named_as_they_are(tmp_path: Path) -> None:
    _, names = loaded(("build", os.fspath(tmp_path / "nowhere")), tmp_path)
    assert names >= OF_A_RUN


def test_the_sandbox_is_looked_for_without_aws_docker_or_rich(tmp_path: Path) -> None:
    printed, names = loaded(("sandbox", "status"), tmp_path)
    assert printed
    assert names & HEAVY == set()


def test_the_server_loads_what_license_keys_and_batches_need_only_for_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, model_server.serve; print(*sys.modules)"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "lib")},
        capture_output=True,
        text=True,
        check=True,
    )
    names = set(done.stdout.split())
    assert "uvicorn" in names
    assert names & {"jwt", "nacl", "model_server.batch_proof", "model_server.jobs.batches"} == set()
