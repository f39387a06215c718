"""All that a killed runner leaves ends all the same; a process of its own, for it adopts for good."""

import os
import subprocess
import sys
from pathlib import Path

from .conftest import manifest_text
from .test_runner import wait_until_gone

#: Serves as the server does: two runners; the job of the first has its runner killed, by the kernel as it were.
SERVER = """
import ctypes, os, signal, sys, time
from pathlib import Path
from model_server import privileges
from model_server.orphans import ORPHANS
from model_server.slots import OwnSlot
from model_server.runner_client import RunnerClient, RunnerDiedError
from model_server.runner_command import runner_command
manifest, pids, out = sys.argv[1:]
ORPHANS.adopt()
privileges.drop((os.getuid(), os.getgid()))
other, client = (RunnerClient(OwnSlot(runner_command(["none"], Path(manifest)))) for _ in range(2))
other.prepare()
try:
    client.run("1", Path(pids), Path(out), 20)
except RunnerDiedError:
    print("died", flush=True)
print(Path("/proc/self/status").read_text().partition("NoNewPrivs:")[2].split()[0], flush=True)
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)  # PR_GET_DUMPABLE: may others of its user look into it?
print(other._slot.process.poll(), flush=True)
other.stop()
"""
LEAVES = "import os,signal,subprocess,sys; p=subprocess.Popen(['sleep','300'],start_new_session=True);"
KILLS = "open(sys.argv[1],'w').write(str(p.pid)); os.kill(os.getppid(), signal.SIGKILL); import time; time.sleep(9)"


def test_what_a_killed_runner_leaves_ends_and_other_runners_go_on(tmp_path: Path, program_folder: Path) -> None:
    manifest = tmp_path / "model.json"
    command = ["python3", "-c", LEAVES + KILLS, "{input}", "{output}"]
    manifest.write_text(manifest_text(program_folder, command=command), encoding="utf-8")
    pids = tmp_path / "pids"
    done = subprocess.run(
        [sys.executable, "-c", SERVER, str(manifest), str(pids), str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MODEL_RUNNER_MODE": "command"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-4:] == ["died", "1", "0", "None"], done.stderr
    wait_until_gone(int(pids.read_text(encoding="utf-8")))
