"""The script that stands in for sudo, in a shell."""

import subprocess
from pathlib import Path

import pytest

from model_dockerize.program.dockerfile import SUDO_SCRIPT


@pytest.mark.parametrize(
    ("called", "printed"),
    [
        ("sudo echo a", "a\n"),
        ("sudo -E -H echo 'a b'", "a b\n"),
        ("sudo -u root -n echo a", "a\n"),
        ("sudo X=1 sh -c 'echo $X'", "1\n"),
    ],
)
def test_the_stand_in_for_sudo_runs_what_follows_its_options(tmp_path: Path, called: str, printed: str) -> None:
    script = tmp_path / "sudo"
    script.write_bytes(subprocess.run(["printf", SUDO_SCRIPT], capture_output=True, check=True).stdout)
    script.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", called], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == printed
