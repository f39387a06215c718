"""Modes `resident` and `library`: unmodified programs of the public `gravityai` library, installed from the index."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model_runner.stand_in import OTHER
from model_runner.websocket import WebSocket
from model_server.runner_client import RunnerClient
from model_server.runner_command import runner_command
from model_server.slots import OwnSlot
from tests.rig.waiting import eventually

#: What the library's users write.
SYNC = """
import os, time
from gravityai import gravityai as grav

started = time.time()

def process(data_path, out_path):
    with open(data_path) as file:
        text = file.read()
    if text == "refuse":
        return "this cannot be done"
    if text == "raise":
        raise ValueError("bad value")
    if text == "crash":
        os._exit(9)
    if text == "sleep":
        open("sleeps", "w").close()
        time.sleep(30)
    if text == "grow":
        kept = bytearray(300 << 20)
        time.sleep(5)
    if text != "nothing":
        with open(out_path, "w") as file:
            file.write("{} {}".format(text.upper(), os.getpid()))

grav.wait_for_requests(process)
"""
UPPER = """
import os, sys
from gravityai import gravityai as grav

done = []
with open("starts", "a") as file:
    file.write("x")

def process(data_path, out_path):
    done.append(out_path)
    with open(data_path) as file:
        text = file.read()
    if text == "refuse":
        return "this cannot be done"
    with open(out_path, "w") as file:
        file.write(text.upper())

grav.wait_for_requests(process)
"""
ASYNC = """
import asyncio
from gravityai import gravityai as grav

async def process(data_path, out_path):
    await asyncio.sleep(0.01)
    with open(out_path, "w") as file:
        file.write("async")

grav.wait_for_requests(process)
"""
#: Closes the connection of a client that leaves a ping without an answer for so long.
STRICT_SERVER = """
import asyncio, sys, websockets
async def talk(websocket, path):
    async for text in websocket:
        await websocket.send(text)
async def main():
    async with websockets.serve(talk, "127.0.0.1", int(sys.argv[1]), ping_interval=0.1, ping_timeout=0.3):
        print("ready", flush=True)
        await asyncio.Future()
asyncio.run(main())
"""


KEPT = pytest.mark.parametrize("mode", ["resident", "library"])


class Program:
    def __init__(self, client: RunnerClient, folder: Path) -> None:
        self._client = client
        self._folder = folder

    @property
    def mode(self) -> str:
        return self._client.mode

    @property
    def record(self) -> dict[str, Any] | None:
        return self._client.record

    def __call__(self, text: str, seconds: float = 20) -> str:
        """Run a job; return its output or its error."""
        source, target = self._folder / "input", self._folder / "output"
        source.write_text(text, encoding="utf-8")
        target.unlink(missing_ok=True)
        outcome = self._client.run("job", source, target, seconds)
        return outcome.error if outcome.error is not None else target.read_text(encoding="utf-8")


@contextmanager
def program(
    python: str, folder: Path, code: str, mode: str = "auto", sample: str | None = None, **limits: int
) -> Iterator[Program]:
    (folder / "main.py").write_text(code, encoding="utf-8")
    manifest = folder / "model.json"
    command = [python, "main.py", "{input}", "{output}"]
    document: dict[str, object] = {"command": command, "working_directory": str(folder)}
    if sample is not None:
        document["sample"] = "sample.txt"
        (folder / "sample.txt").write_text(sample, encoding="utf-8")
    manifest.write_text(json.dumps(document), encoding="utf-8")
    client = RunnerClient(OwnSlot(runner_command(command, manifest), environment={"MODEL_RUNNER_MODE": mode}), **limits)
    client.prepare()
    try:
        yield Program(client, folder)
    finally:
        client.stop()


@KEPT
def test_a_program_is_kept_alive_and_its_errors_are_those_of_the_job(
    mode: str, library_python: str, tmp_path: Path
) -> None:
    with program(library_python, tmp_path, SYNC, mode) as run:
        assert run.mode == f"{mode} (as asked)"
        word, pid = run("hello").split()
        assert word == "HELLO"
        assert run("again") == f"AGAIN {pid}"
        assert run("refuse") == "Error returned during processing: this cannot be done"
        assert run("raise") == "Exception generated during processing: bad value"
        assert run("nothing") == "Output file not generated during processing"
        assert run("still there") == f"STILL THERE {pid}"


@KEPT
def test_a_program_that_ended_is_started_again(mode: str, library_python: str, tmp_path: Path) -> None:
    with program(library_python, tmp_path, SYNC, mode, memory_mib=200) as run:
        first = run("a").split()[1]
        assert run("crash") == "The program ended with exit code 9 and wrote nothing to stderr."
        second = run("b").split()[1]
        os.kill(int(second), signal.SIGKILL)
        third = run("c").split()[1]
        assert run("sleep", 0.5) == "The program ran longer than 0.5 s and was stopped."
        fourth = run("d").split()[1]
        assert run("grow") == "memory limit of 200 MiB exceeded: the program was stopped."
        fifth = run("e").split()[1]
        assert len({first, second, third, fourth, fifth}) == 5
    eventually(lambda: not Path(f"/proc/{fifth}").exists())


@KEPT
def test_an_async_program(mode: str, library_python: str, tmp_path: Path) -> None:
    with program(library_python, tmp_path, ASYNC, mode) as run:
        assert (run("x"), run("y")) == ("async", "async")


def test_a_program_as_a_process_for_each_job(library_python: str, tmp_path: Path) -> None:
    with program(library_python, tmp_path, SYNC, "command") as run:
        assert run.mode == "command (as asked)"
        word, pid = run("hello").split()
        assert word == "HELLO"
        assert run("hello").split()[1] != pid
        assert run("refuse") == "Error returned during processing: this cannot be done"


@KEPT
def test_a_program_that_cannot_serve_says_why(mode: str, library_python: str, tmp_path: Path) -> None:
    with program(library_python, tmp_path, "import sys, gravityai\nsys.exit('no weights')", mode) as run:
        assert run("x") == "no weights"
        assert run("x") == "no weights"


@dataclass(frozen=True)
class Chosen:
    """The choice by a sample: the mode, why, and how often the program is started, in a build and later."""

    code: str
    sample: str | None
    mode: str
    reason: str
    starts: tuple[int, int]
    is_kept: bool = True


CHOSEN = {
    "the same every time": Chosen(UPPER, "good", "library", "", (6, 2)),
    "no sample": Chosen(
        UPPER, None, "resident", "there is no sample in the image to prove a faster mode with", (1, 1), is_kept=False
    ),
    "a sample that fails": Chosen(
        UPPER, "refuse", "resident", "its sample fails in a new process, see the log", (2, 2), is_kept=False
    ),
    "chance": Chosen(
        UPPER.replace("text.upper()", "os.urandom(9).hex()"),
        "good",
        "resident",
        "its sample has another result in another new process",
        (3, 1),
    ),
    "another result later": Chosen(
        UPPER.replace("text.upper()", "str(len(done))"),
        "good",
        "command",
        "its sample has another result in mode library, the second job of one process",
        (6, 1),
    ),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_the_sample_decides_once_in_the_build_and_shortly_at_each_start(
    name: str, library_python: str, tmp_path: Path
) -> None:
    wanted = CHOSEN[name]
    why = f"because {wanted.reason}" if wanted.reason else ""
    for number in wanted.starts:
        (tmp_path / "starts").unlink(missing_ok=True)
        with program(library_python, tmp_path, wanted.code, sample=wanted.sample) as run:
            assert run.mode == (f"{wanted.mode} ({why})" if why else wanted.mode)
            assert run.record == ({"mode": wanted.mode, "reason": why} if wanted.is_kept else None)
            assert run("x")
            assert (tmp_path / "starts").stat().st_size == number
        (tmp_path / "self-test.json").write_text(json.dumps(run.record), encoding="utf-8")


def test_another_version_of_the_library_is_left_to_itself(library_python: str, tmp_path: Path) -> None:
    there = next(Path(library_python).parents[1].glob("lib/python3*/site-packages/gravityai"))
    shutil.copytree(there, tmp_path / "gravityai")
    with (tmp_path / "gravityai/gravityai.py").open("a", encoding="utf-8") as file:
        file.write("# another version\n")
    with program(library_python, tmp_path, UPPER, sample="x") as run:
        what = "its sample fails in mode library, one process for all jobs, see the log"
        assert run.mode == f"resident (because {what}: {OTHER})"
        assert run("x") == "X"
    with program(library_python, tmp_path, UPPER, "library") as run:
        assert run("x") == OTHER


@KEPT
def test_a_program_that_is_killed_in_a_job_fails_that_job_alone(mode: str, library_python: str, tmp_path: Path) -> None:
    with program(library_python, tmp_path, SYNC, mode) as run, ThreadPoolExecutor(1) as pool:
        pid = int(run("a").split()[1])
        sleeping = pool.submit(run, "sleep")
        eventually((tmp_path / "sleeps").exists)
        os.kill(pid, signal.SIGKILL)
        assert sleeping.result() == "The program was killed by SIGKILL (often: out of memory)."
        assert run("b").startswith("B ")


def test_the_connection_is_kept_while_nothing_is_to_do(library_python: str) -> None:
    port = 19_000 + os.getpid() % 1000
    command = [library_python, "-c", STRICT_SERVER, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            websocket = WebSocket(port, 5)
            texts = ["short", "ü" * 300, "x" * 70_000]
            received: list[str] = []
            for text in texts:
                websocket.send(text.encode())
                deadline = time.monotonic() + 1
                while time.monotonic() < deadline:  # a second: three times what an unanswered ping is given
                    received += websocket.receive()
                    time.sleep(0.01)
            assert received == texts
            websocket.close()
        finally:
            server.kill()
