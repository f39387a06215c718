"""The public `gravityai` library, installed from the package index."""

import subprocess
import sys

import pytest

from tests.rig.waiting import BUSY_SECONDS


@pytest.fixture(scope="session")
def library_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Install the library; return the Python of an environment that has it."""
    folder = tmp_path_factory.mktemp("library") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "gravityai==0.1.4.post2"], check=True, timeout=BUSY_SECONDS)
    return str(folder / "bin/python")
