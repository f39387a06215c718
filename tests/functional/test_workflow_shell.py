"""Shell scripts within workflows, before a judge that is not ours."""

import subprocess
import sys
from pathlib import Path

import yaml

from tests.rig.command import ROOT
from tests.unit.action.test_workflows import WORKFLOWS, scripts_of

SHELLCHECK = Path(sys.executable).with_name("shellcheck")


def test_the_shell_of_the_workflows_is_sound() -> None:
    files = [*WORKFLOWS, *(ROOT / ".github/workflows").glob("*.yml")]
    scripts = [script for path in files for script in scripts_of(yaml.safe_load(path.read_text(encoding="utf-8")))]
    assert len(scripts) >= 10
    for script in scripts:
        # As the runner starts it, by `bash -e`.
        done = subprocess.run(
            [SHELLCHECK, "--shell=bash", "-"], input=script, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
