"""Builds the wheel with pinned tools only."""

import tempfile
from pathlib import Path

from releasing.shell import run


def build(root: Path, target: Path) -> Path:
    """Build the wheel into this folder; the same commit gives the same bytes.

    Build isolation would fetch whatever setuptools is newest, so the build's own environment has it, by hash.
    """
    date = run("git", "show", "--no-patch", "--format=%ct", "HEAD", cwd=root)
    with tempfile.TemporaryDirectory() as folder:
        python = str(Path(folder, "bin/python"))
        run("python3", "-m", "venv", folder)
        pip = (python, "-m", "pip", "--disable-pip-version-check", "--quiet")
        run(*pip, "install", "--require-hashes", "--requirement", str(root / "requirements/build.txt"))
        run(
            *(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(target), str(root)),
            env={"SOURCE_DATE_EPOCH": date},
        )
    (wheel,) = target.glob("*.whl")
    return wheel
