"""Nothing is left of a runner's processes when the one above them is gone, and no word of it."""

import array
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.waiting import eventually

from .test_runner import RUNNER, oldest_and_newest, wait_until_gone

LIB = RUNNER.parent.parent
FORK_SERVER = RUNNER.parent / "fork_server.py"
BOTH = pytest.mark.parametrize("python", oldest_and_newest(), ids=["oldest", "newest"])
#: A child that is late: its parent is gone before it asks to die with it. It writes a word if it outlives that.
LATE = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
if sys.argv[2] == "fork server":
    from model_runner.fork_server import hide
    tie = hide()
else:
    from model_runner.processes import death_signal_setter
    tie = death_signal_setter(signal.SIGKILL, os.getpid())
parent = os.getpid()
if os.fork() == 0:
    if sys.argv[3] == "late":
        while os.getppid() == parent:
            time.sleep(0.001)
    tie()
    os.write(1, b"alive")
    os._exit(0)
if sys.argv[3] != "late":
    os.wait()
"""


@pytest.mark.parametrize(("when", "written"), [("late", ""), ("in time", "alive")])
@pytest.mark.parametrize("who", ["fork server", "runner"])
def test_a_process_whose_parent_is_gone_already_does_not_live_on(who: str, when: str, written: str) -> None:
    # The output ends when the last process that could write to it has ended.
    late = [sys.executable, "-c", LATE, str(LIB), who, when]
    done = subprocess.run(late, capture_output=True, text=True, timeout=20, check=True)
    assert (done.stdout, done.stderr) == (written, "")


@pytest.mark.parametrize("moment", ["while it imports", "between jobs", "in a job"])
@BOTH
def test_a_fork_server_whose_runner_is_gone_ends_without_a_word(python: str, moment: str, tmp_path: Path) -> None:
    script, pid_file = tmp_path / "main.py", tmp_path / "pid"
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(0.3)\n", encoding="utf-8")
    script.write_text(
        "import os, sys, time\nopen(sys.argv[1] + '-', 'w').write(str(os.getpid()))\n"
        "os.rename(sys.argv[1] + '-', sys.argv[1])\ntime.sleep(float(sys.argv[2]))\n",
        encoding="utf-8",
    )
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        process = subprocess.Popen(
            [python, str(FORK_SERVER), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        theirs.close()
        imports = ["slow"] if moment == "while it imports" else []
        wanted = {"script": str(script), "words": [python], "imports": imports, "check": False}
        assert json.loads(ours.recv(65536)) == {"hidden": True}
        ours.send(json.dumps(wanted).encode())
        if moment != "while it imports":
            assert json.loads(ours.recv(65536))["hazard"] is None
        if moment == "in a job":
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [os.open(os.devnull, os.O_WRONLY)] * 2))
            ours.sendmsg([json.dumps({"argv": [str(pid_file), "0.3"], "tell": False}).encode()], [rights])
            eventually(pid_file.exists)
        ours.close()
        said, _ = process.communicate(timeout=20)
    assert (said.decode(), process.returncode) == ("", 0)
    if moment == "in a job":
        wait_until_gone(int(pid_file.read_text(encoding="utf-8")))


@BOTH
def test_a_runner_whose_server_is_gone_says_so_in_one_line(python: str, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}", encoding="utf-8")
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        number = theirs.fileno()
        command = [python, str(RUNNER), str(number), str(tmp_path / "model.json")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, pass_fds=[number])
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count("\n") == 1
    assert "runner: the server is gone" in done.stdout


#: A program that has closed its connection, and is about to end, when the runner sends it a job.
ENDING = """
import socket, sys
sys.path.insert(0, sys.argv[1])
from model_runner.kept import Channel, KeptMode, Program
ours, theirs = socket.socketpair()
class Broken(Channel):
    def fileno(self):
        return ours.fileno()
    def send(self, payload):
        raise BrokenPipeError(32, "Broken pipe")
    def receive(self):
        return []
    def close(self):
        pass
class Ending(KeptMode):
    def _launch(self, strays):
        code = "import sys, time; time.sleep({seconds}); sys.exit('no more')"
        program = Program([sys.executable, "-c", code], ".", theirs, strays)
        program.talk_over(Broken())
        return program
print(*Ending(None, ".", theirs).run({"job": "1", "input": "i", "output": "o", "timeout": 20}))
"""


@pytest.mark.parametrize(
    ("seconds", "told"),
    [("0.05", "1 no more"), ("60", "None The program broke its protocol: it closed its connection and went on.")],
)
@BOTH
def test_a_program_that_is_gone_when_it_is_asked_is_told_by_its_own_words(python: str, seconds: str, told: str) -> None:
    code = [python, "-c", ENDING.replace("{seconds}", seconds), str(LIB)]
    done = subprocess.run(code, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith(f"{told}\n")
