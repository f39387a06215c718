"""The programs that the command line makes of the sandbox, and starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model_dockerize.sandbox import environment


def test_the_sandbox_imports_itself_and_nothing_that_lies_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    environ = environment.of_child(tmp_path / "state" / "program")
    assert "AWS_PROFILE" not in environ
    code = """
import importlib.util, sys
import model_sandbox
print([importlib.util.find_spec(name) is not None for name in ("model_dockerize", "model_server")])
print("/elsewhere" in sys.path)
"""
    # -I would drop PYTHONPATH; -S leaves out the environment of the tests, which knows the checkout.
    argv = [sys.executable, "-S", "-P", "-c", code]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[False, False]", "False"]
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_folder_is_erased_by_a_program_that_needs_nothing_of_its_package(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "in").mkdir(parents=True)
    (folder / "out").symlink_to(tmp_path)
    argv = [sys.executable, "-P", str(environment.PROGRAM / "erase.py"), str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
    assert (done.returncode, done.stderr, folder.exists(), tmp_path.exists()) == (0, "", False, True)
