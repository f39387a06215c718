"""The environment of a GitHub job: the program has it, and /proc does not."""

import json
import os
import subprocess
import sys
from pathlib import Path

LIB = Path(__file__).resolve().parents[2] / "lib"
PROGRAM = f"""\
import json, os, signal, sys
sys.path.insert(0, {str(LIB)!r})
from model_dockerize.job_environment import take
taken = take()
print(json.dumps({{
    "taken": taken, "kept": dict(os.environ), "words": sys.argv[1:], "isolated": sys.flags.isolated,
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "seen": open("/proc/self/environ").read().split("\\0"),
}}))
"""


def test_it_is_taken_over_and_hidden(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    kept = {"HOME": "/home/x", "LANG": "C.UTF-8", "TMPDIR": "/tmp", "TZ": "UTC"}
    proxies = {"HTTP_PROXY": "p1", "https_proxy": "p2", "ALL_PROXY": "p3", "no_proxy": "p4"}
    given = {**kept, **proxies, "INPUT_API-KEY": "a secret of the job", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, str(program), "a word", "--flag"], env=given, capture_output=True, check=True, timeout=60
    )
    said = json.loads(done.stdout)
    assert said.pop("taken") == given
    assert said["kept"].pop("LC_CTYPE", "C.UTF-8") == "C.UTF-8"  # Python sets it by itself
    name, _, number = said.pop("seen")[0].partition("=")
    assert (name, number.isdigit()) == ("MODEL_DOCKERIZE_HANDED", True)
    assert said == {"kept": {**kept, **proxies}, "words": ["a word", "--flag"], "isolated": 1, "blocked": []}


def test_who_ends_it_before_it_listens_is_heard(tmp_path: Path) -> None:
    """Send a signal before there is a handler: the first process of a container would ignore it."""
    program = tmp_path / "program.py"
    program.write_text(
        f"""\
import os, signal, sys
sys.path.insert(0, {str(LIB)!r})
from model_dockerize.job_environment import take
if "MODEL_DOCKERIZE_HANDED" in os.environ:
    signal.signal(signal.SIGTERM, lambda *_: print("heard", flush=True))
    os.kill(os.getpid(), signal.SIGTERM)  # it waits, as one from outside would
    print("begins", flush=True)
take()
print("goes on", flush=True)
"""
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, check=False, timeout=60, text=True)
    assert (done.returncode, done.stdout.split("\n")) == (0, ["begins", "heard", "goes on", ""])
