"""Locks of real tools, built: the image holds exactly the packages that the lock names, and the program runs."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.rig import projects

from .conftest import Cli

# It imports what was installed; of the project itself where that is a package.
MAIN = "import sys, click, idna, socks, urllib3{more}\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read())\n"
OLD = {"click": "8.1.8", "idna": "3.7", "PySocks": "1.7.1", "urllib3": "2.6.3"}
NEW = {"click": "8.5.1", "idna": "3.7", "PySocks": "1.7.1", "urllib3": "2.8.0"}


@pytest.mark.parametrize(("project", "locked"), [("uv", NEW), ("poetry", OLD), ("pdm", OLD), ("pipenv", NEW)])
def test_the_image_holds_what_is_locked(tmp_path: Path, project: str, locked: dict[str, str]) -> None:
    folder = projects.copy(project, tmp_path / f"format-{project}")
    more = ", rows" if project == "uv" else ""
    (folder / "main.py").write_text(MAIN.format(more=more))
    bundle = os.environ.get("SSL_CERT_FILE")
    options = ("--ca-bundle", bundle) if bundle else ()
    image = f"format-{project}:latest"
    try:
        built = Cli(tmp_path)("build", folder, "--smoke-test", "false", *options)
        assert built.returncode == 0, built.stderr
        frozen = dict(line.split("==") for line in inside(image, "pip", "freeze", "--exclude-editable").split())
        assert frozen == locked
        inside(image, "python", "main.py", "/program/main.py", "/tmp/output")
    finally:
        subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True, check=False)


def inside(image: str, *command: str) -> str:
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", "--user=1000:1000", "--entrypoint=", image, *command],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
