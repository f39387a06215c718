"""The action's entrypoint as a process."""

import subprocess
import sys

from tests.rig.command import ROOT


def test_the_entrypoint_is_short_and_runs_isolated() -> None:
    assert len((ROOT / "entrypoint.py").read_text(encoding="utf-8").splitlines()) <= 40
    done = subprocess.run(
        [sys.executable, "-I", ROOT / "entrypoint.py", "argument"],
        env={"PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere", "LC_ALL": "POSIX"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert b"Remove `args:`" in done.stdout
    assert done.stderr == b""
