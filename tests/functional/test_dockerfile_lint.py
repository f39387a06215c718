"""Dockerfiles before a judge that is not ours."""

import subprocess
import sys
from pathlib import Path

import pytest

from model_dockerize.program import Program, render_dockerfile
from tests.unit.program.test_dockerfile import SERVER, variants


@pytest.mark.parametrize("program", variants(), ids=lambda program: program.name)
def test_linter_is_content(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(render_dockerfile(program, SERVER))
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, "--no-color", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
