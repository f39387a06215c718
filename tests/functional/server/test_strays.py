"""Processes that a resident program lets go are found after the job, and not looked for where there can be none."""

import subprocess
import sys
from pathlib import Path

import pytest

#: Kills all children but one: so it is a process of its own. `program` does what it is told, and says a number.
BEGIN = """
import os, subprocess, sys, time
from model_runner.processes import FRESH_SECONDS, Strays, adopt_orphans, newest_process
LEADER = '''
import os, subprocess, sys
sleep = ["sleep", "60"]
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}  # else a failure would wait for them
def leave():
    read, write = os.pipe()
    middle = os.fork()
    if middle == 0:
        child = subprocess.Popen(sleep, **quiet)  # in the session; its parent ends
        os.write(write, str(child.pid).encode())
        os._exit(0)
    os.waitpid(middle, 0)
    return int(os.read(read, 20))
for line in sys.stdin:
    print(eval(line), flush=True)
'''
adopt_orphans()
def start(number):
    global program
    strays = Strays(number)
    program = subprocess.Popen(
        [sys.executable, "-c", LEADER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    return strays
def say(text):
    program.stdin.write(text + "\\n")
    program.stdin.flush()
    return int(program.stdout.readline())
def lives(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
def wait_until_gone(pid):
    end = time.monotonic() + 30
    while lives(pid):
        assert time.monotonic() < end
told = [b"1"]
number = lambda: told[0]
"""
END = "\nprogram.kill()\nprogram.wait()\n"
COURSES = {
    "without a new process nothing is looked for, for a moment": """
strays = start(number)
told[0] = b"2"
assert strays.kill(program.pid)
began = time.monotonic()
assert not strays.kill(program.pid) or time.monotonic() - began > FRESH_SECONDS
told[0] = b"3"
assert strays.kill(program.pid)
time.sleep(FRESH_SECONDS)
assert strays.kill(program.pid)
""",
    "where the kernel does not tell of the program it is always looked": """
strays = start(number)
assert strays.kill(program.pid)
assert strays.kill(program.pid)
""",
    "the kernel tells of a process and of a process of a process": """
strays = start(newest_process())
strays.kill(program.pid)
for text in ("leave()", "subprocess.Popen(sleep, start_new_session=True, **quiet).pid") * 3:
    strays.kill(program.pid)
    pid = say(text)
    assert lives(pid)
    assert strays.kill(program.pid)
    wait_until_gone(pid)
""",
    "a process that the program keeps may leave it later, without a new one": """
strays = start(number)
told[0] = b"2"
pid = say("globals().__setitem__('kept', subprocess.Popen([sys.executable, '-c', "
    "'import os, time; input(); os.setsid(); print(flush=True); time.sleep(300)'], "
    "stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)) or kept.pid")
assert strays.kill(program.pid)
assert strays.kill(program.pid)
assert lives(pid)
assert say("(kept.stdin.write(chr(10)), kept.stdin.flush(), len(kept.stdout.readline()))[2]") == 1
assert strays.kill(program.pid)
wait_until_gone(pid)
""",
}


@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_strays(course: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + course + END],
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
