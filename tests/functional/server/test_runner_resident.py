"""Mode `resident`, with a program that speaks the library's protocol in a few lines of its own."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.processes import is_over
from tests.rig.waiting import eventually

from .test_runner import ask, oldest_and_newest, runner, wait_until_gone

#: What a job does is what its input says.
PROGRAM = """
import base64, hashlib, json, os, socket, struct, sys, time

with socket.socket() as listener:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[3])))
    listener.listen(1)
    peer = listener.accept()[0]
stream = peer.makefile("rb")
head = dict(line.decode().strip().split(": ") for line in list(iter(stream.readline, b"\\r\\n"))[1:])
key = head["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
accept = base64.b64encode(hashlib.sha1(key.encode()).digest())
peer.sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nSec-WebSocket-Accept: " + accept + b"\\r\\n\\r\\n")

def receive():
    first, size = stream.read(2)
    assert size & 0x80, "not masked"
    size &= 0x7F
    if size == 126:
        size, = struct.unpack("!H", stream.read(2))
    mask = stream.read(4)
    return first, bytes(byte ^ mask[at % 4] for at, byte in enumerate(stream.read(size)))

def frame(first, payload):
    size = len(payload)
    return bytes([first, size]) + payload if size < 126 else struct.pack("!BBH", first, 126, size) + payload

def say(job, status, **more):
    peer.sendall(frame(0x81, json.dumps({"status": status, "requestId": job, **more}).encode()))

last = ""
while True:
    first, message = receive()
    assert first == 0x81, first
    job, source, target = (json.loads(message)[name] for name in ("requestId", "inputFile", "outputFile"))
    with open(source) as file:
        wanted = file.read()
    say(job, "pending")
    if wanted == "after a late status":
        say(last, "complete")
        say(last, "error", error="late")
        time.sleep(0.2)
    if wanted == "in pieces":
        text = json.dumps({"status": "error", "requestId": job, "error": "e" * 300}).encode()
        for piece in (frame(0x01, text[:200]), frame(0x89, b"?"), frame(0x80, text[200:])):
            for part in (piece[:1], piece[1:3], piece[3:]):
                peer.sendall(part)
                time.sleep(0.01)
        assert receive() == (0x8A, b"?")
        continue
    if wanted == "talk":
        while True:
            print("talk", flush=True)
            time.sleep(0.001)
    if wanted == "sleep":
        time.sleep(60)
    if wanted == "have a child" and os.fork() == 0:
        time.sleep(60)
    if wanted == "let go of two":
        with open(target + ".pids", "w") as file:
            for forks in (1, 2):
                if os.fork() == 0:
                    os.setsid()
                    if forks == 2 and os.fork() != 0:
                        os._exit(0)
                    file.write("{} ".format(os.getpid()))
                    file.flush()
                    time.sleep(60)
        while len(open(target + ".pids").read().split()) < 2:
            time.sleep(0.01)
    if wanted == "end":
        os._exit(3)
    if wanted == "end and leave a child behind":
        if os.fork() != 0:
            os._exit(3)
        time.sleep(60)
    with open(target, "w") as file:
        file.write("{} {}".format(wanted, os.getpid()))
    if wanted == "write too much":
        time.sleep(60)
    say(job, "complete")
    last = job
    if wanted == "ping":
        peer.sendall(frame(0x89, b"are you there?"))
        assert receive() == (0x8A, b"are you there?")
        print("it is there", flush=True)
        open(target + ".pong", "w").close()
"""


@pytest.fixture
def manifest_path(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(PROGRAM, encoding="utf-8")
    path = tmp_path / "model.json"
    command = [sys.executable, "main.py", "{input}", "{output}"]
    path.write_text(json.dumps({"command": command, "working_directory": str(tmp_path)}), encoding="utf-8")
    return path


class Jobs:
    """Runs jobs, one after the other."""

    def __init__(self, folder: Path, numbers: Iterator[int]) -> None:
        self._folder = folder
        self._numbers = numbers

    def request(self, wanted: str, **limits: float) -> dict[str, object]:
        source, self.target = self._folder / "in", self._folder / f"out {next(self._numbers)}"
        source.write_text(wanted, encoding="utf-8")
        return {"job": self.target.name, "input": str(source), "output": str(self.target), "timeout": 20, **limits}


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path, iter(range(100)))


@pytest.mark.parametrize("python", oldest_and_newest(), ids=["oldest", "newest"])
def test_one_process_does_all_jobs_and_is_looked_after_between_them(
    python: str, tmp_path: Path, manifest_path: Path, jobs: Jobs
) -> None:
    with runner(python, manifest_path, tmp_path, "resident") as (connection, process):
        reply = ask(connection, **jobs.request('a "job"'))
        assert isinstance(reply.pop("seconds"), float)
        assert reply == {
            **{"job": "out 0", "status": "complete", "exit": None},
            **{"error": None, "errno": None, "content": None},
        }
        word, pid = jobs.target.read_text(encoding="utf-8").rsplit(" ", 1)
        assert word == 'a "job"'
        reply = ask(connection, **jobs.request("in pieces"))
        assert (reply["status"], reply["error"]) == ("error", "e" * 300)
        assert ask(connection, **jobs.request("ping"))["error"] is None
        eventually(Path(f"{jobs.target}.pong").exists)  # without a request that would wake the runner
        assert ask(connection, **jobs.request("after a late status"))["error"] is None
        assert jobs.target.read_text(encoding="utf-8") == f"after a late status {pid}"
        connection.close()
        output = process.communicate(timeout=10)[0].decode()
    assert "runner: mode resident" in output
    assert "| it is there" in output
    assert "started again" not in output
    wait_until_gone(int(pid))


@pytest.mark.parametrize(
    ("wanted", "limits", "error"),
    [
        ("end", {}, "The program ended with exit code 3 and wrote nothing to stderr."),
        ("end and leave a child behind", {}, "The program ended with exit code 3 and wrote nothing to stderr."),
        ("sleep", {"timeout": 0.3}, "The program ran longer than 0.3 s and was stopped."),
        ("talk", {"timeout": 0.3}, "The program ran longer than 0.3 s and was stopped."),
        ("write too much", {"output_bytes": 10}, "output limit of 10 bytes exceeded."),
    ],
)
def test_a_job_that_is_the_end_of_the_program_fails_and_the_next_has_a_new_one(
    wanted: str, limits: dict[str, float], error: str, tmp_path: Path, manifest_path: Path, jobs: Jobs
) -> None:
    with runner(sys.executable, manifest_path, tmp_path, "resident") as (connection, _):
        ask(connection, **jobs.request("x"))
        first = jobs.target.read_text(encoding="utf-8")
        assert ask(connection, **jobs.request(wanted, **limits))["error"] == error
        assert ask(connection, **jobs.request("x"))["error"] is None
        assert jobs.target.read_text(encoding="utf-8") != first


def test_what_a_program_says_before_it_ever_listens_is_why_its_job_fails(
    tmp_path: Path, manifest_path: Path, jobs: Jobs
) -> None:
    # It is read before the job comes, and the program is still there when the job has come.
    program = "import sys, time\nprint('no weights', file=sys.stderr, flush=True)\ntime.sleep(1)\nsys.exit(1)\n"
    (tmp_path / "main.py").write_text(program, encoding="utf-8")
    with runner(sys.executable, manifest_path, tmp_path, "resident") as (connection, _):
        time.sleep(0.5)
        assert ask(connection, **jobs.request("x"))["error"] == "no weights"


@pytest.mark.parametrize("wanted", ["x", "have a child"])
def test_a_program_that_ended_between_two_jobs_is_started_again(
    wanted: str, tmp_path: Path, manifest_path: Path, jobs: Jobs
) -> None:
    with runner(sys.executable, manifest_path, tmp_path, "resident") as (connection, _):
        ask(connection, **jobs.request(wanted))
        first = int(jobs.target.read_text(encoding="utf-8").split()[-1])
        os.kill(first, signal.SIGKILL)
        wait_until_gone(first)
        assert ask(connection, **jobs.request("x"))["error"] is None
        assert jobs.target.read_text(encoding="utf-8") != f"x {first}"


@pytest.mark.parametrize("end", ["socket closed", "runner terminated"])
def test_the_program_ends_with_its_server_and_its_runner_in_the_midst_of_a_job(
    end: str, tmp_path: Path, manifest_path: Path, jobs: Jobs
) -> None:
    with runner(sys.executable, manifest_path, tmp_path, "resident") as (connection, process):
        request = jobs.request("write too much")
        connection.sendall(json.dumps(request).encode() + b"\n")
        pid = eventually(lambda: jobs.target.exists() and jobs.target.read_text(encoding="utf-8")).split()[-1]
        if end == "socket closed":
            connection.close()
        else:
            process.send_signal(signal.SIGTERM)
        process.wait(30)
        wait_until_gone(int(pid))


def test_what_a_job_lets_go_of_ends_with_it_and_a_child_of_the_program_stays(
    tmp_path: Path, manifest_path: Path, jobs: Jobs
) -> None:
    with runner(sys.executable, manifest_path, tmp_path, "resident") as (connection, _):
        assert ask(connection, **jobs.request("have a child"))["error"] is None
        program = int(jobs.target.read_text(encoding="utf-8").split()[-1])
        (child,) = Path(f"/proc/{program}/task/{program}/children").read_text(encoding="ascii").split()
        assert ask(connection, **jobs.request("let go of two"))["error"] is None
        for pid in Path(f"{jobs.target}.pids").read_text(encoding="utf-8").split():
            wait_until_gone(int(pid))
        assert ask(connection, **jobs.request("x"))["error"] is None
        assert jobs.target.read_text(encoding="utf-8") == f"x {program}"
        assert not is_over(int(child))
