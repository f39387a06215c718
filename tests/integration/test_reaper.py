"""A test session that is killed leaves no sandbox behind."""

import os
import signal
import subprocess
import sys

from model_dockerize import sandbox
from tests.rig.command import ROOT
from tests.rig.homes import NewHome
from tests.rig.waiting import eventually

SESSION = """
import sys
from pathlib import Path
from model_dockerize import sandbox
from model_dockerize.progress import Silent
from tests.rig.reaper import Reaper
reaper, home = Reaper(), Path(sys.argv[1])
reaper.watch(home)
print(sandbox.start(home, Silent()).pid, flush=True)
sys.stdin.read()
"""


def test_its_sandbox_ends_with_it(new_home: NewHome) -> None:
    home = new_home("mdreaped")
    session = subprocess.Popen(
        [sys.executable, "-c", SESSION, home],
        env={**os.environ, "PYTHONPATH": f"{ROOT}/lib:{ROOT}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with session:
        assert session.stdout
        assert int(session.stdout.readline())
        assert sandbox.status(home)
        os.killpg(session.pid, signal.SIGKILL)
    eventually(lambda: sandbox.status(home) is None)
    eventually(lambda: not (home / "state").exists())
