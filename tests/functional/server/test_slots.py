"""The server, as root, finds out about the users that it runs programs as."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

GROUP = 4242
SCRIPT = f"""
import os, sys
from pathlib import Path
from model_server.slots import may
os.setgroups([{GROUP}])
rights = [may((65534, 65534), Path(name), os.R_OK) for name in sys.argv[1:]]
print(rights, os.getgroups(), os.geteuid(), os.getegid())
"""


@pytest.mark.needs("root-on-debian")
def test_a_user_has_no_right_by_a_group_of_the_server() -> None:
    # Not in pytest's folder, which others may not enter.
    with tempfile.TemporaryDirectory() as text:
        Path(text).chmod(0o755)
        of_group, of_all = Path(text, "of the group"), Path(text, "of all")
        for file, mode in ((of_group, 0o640), (of_all, 0o644)):
            file.write_text("x")
            os.chown(file, 0, GROUP)
            file.chmod(mode)
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "lib")}
        command = [sys.executable, "-c", SCRIPT, str(of_group), str(of_all)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == f"[False, True] [{GROUP}] 0 0"
