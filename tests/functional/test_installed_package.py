"""The package as pip lays it out."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.rig.command import ROOT
from tests.unit.image.test_server import version


def test_the_installed_package_holds_what_the_server_is_made_of(tmp_path: Path) -> None:
    # As pip lays it out: the packages, nothing above them, and no links.
    shutil.copytree(ROOT / "lib", tmp_path / "site-packages", ignore=shutil.ignore_patterns("__pycache__"))
    code = "from model_dockerize import image; print(image.server_version(image.find_sources()))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site-packages"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == version(ROOT)
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    assert packaged["model_dockerize.image"] == ["sources/*"]
    patterns = [*packaged["*"], "*.py", "*.pyc"]
    files = [path.name for path in (ROOT / "lib/model_server").rglob("*") if path.is_file()]
    assert [name for name in files if not any(map(Path(name).match, patterns))] == []
