"""Mode `resident`: unmodified programs of the public `gravityai` library, installed from the package index."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model_runner.websocket import WebSocket
from model_server.runner_client import RunnerClient, runner_command
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
        time.sleep(30)
    if text == "grow":
        kept = bytearray(300 << 20)
        time.sleep(5)
    if text != "nothing":
        with open(out_path, "w") as file:
            file.write("{} {}".format(text.upper(), os.getpid()))

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


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("library") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "gravityai==0.1.4.post2"], check=True, timeout=300)
    return str(folder / "bin/python")


class Program:
    def __init__(self, client: RunnerClient, folder: Path) -> None:
        self._client = client
        self._folder = folder

    @property
    def mode(self) -> str:
        return self._client.mode

    def __call__(self, text: str, seconds: float = 20) -> str:
        """Runs a job; returns its output or its error."""
        source, target = self._folder / "input", self._folder / "output"
        source.write_text(text, encoding="utf-8")
        target.unlink(missing_ok=True)
        outcome = self._client.run("job", source, target, seconds)
        return outcome.error if outcome.error is not None else target.read_text(encoding="utf-8")


@contextmanager
def program(python: str, folder: Path, code: str, mode: str = "auto", **limits: int) -> Iterator[Program]:
    (folder / "main.py").write_text(code, encoding="utf-8")
    manifest = folder / "model.json"
    command = [python, "main.py", "{input}", "{output}"]
    manifest.write_text(json.dumps({"command": command, "working_directory": str(folder)}), encoding="utf-8")
    client = RunnerClient(OwnSlot(runner_command(command, manifest), environment={"MODEL_RUNNER_MODE": mode}), **limits)
    client.prepare()
    try:
        yield Program(client, folder)
    finally:
        client.stop()


def test_a_program_is_kept_alive_and_its_errors_are_those_of_the_job(python: str, tmp_path: Path) -> None:
    with program(python, tmp_path, SYNC) as run:
        assert run.mode == "resident"
        word, pid = run("hello").split()
        assert word == "HELLO"
        assert run("again") == f"AGAIN {pid}"
        assert run("refuse") == "Error returned during processing: this cannot be done"
        assert run("raise") == "Exception generated during processing: bad value"
        assert run("nothing") == "Output file not generated during processing"
        assert run("still there") == f"STILL THERE {pid}"


def test_a_program_that_ended_is_started_again(python: str, tmp_path: Path) -> None:
    with program(python, tmp_path, SYNC, memory_mib=200) as run:
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


def test_an_async_program_and_the_same_program_without_a_server(python: str, tmp_path: Path) -> None:
    with program(python, tmp_path, ASYNC) as run:
        assert (run.mode, run("x"), run("y")) == ("resident", "async", "async")
    with program(python, tmp_path, SYNC, mode="command") as run:
        assert run.mode == "command (as asked)"
        word, pid = run("hello").split()
        assert word == "HELLO"
        assert run("hello").split()[1] != pid
        assert run("refuse") == "Error returned during processing: this cannot be done"


def test_a_program_that_cannot_serve_says_why(python: str, tmp_path: Path) -> None:
    with program(python, tmp_path, "import sys, gravityai\nsys.exit('no weights')") as run:
        assert run("x") == "no weights"
        assert run("x") == "no weights"


def test_the_connection_is_kept_while_nothing_is_to_do(python: str) -> None:
    port = 19_000 + os.getpid() % 1000
    command = [python, "-c", STRICT_SERVER, str(port)]
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
