"""The runner: its protocol over a real socket, under every Python that is here."""

import ast
import asyncio
import errno
import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import uvloop

from model_runner.logs import JobLog
from model_runner.runner import lower_priority
from model_server import runner_client
from model_server.runner_client import Outcome, RunnerClient, RunnerDiedError
from model_server.runner_command import runner_command
from model_server.runner_line import Message
from model_server.slots import OwnSlot
from tests.rig.processes import is_over
from tests.rig.waiting import eventually

from .conftest import manifest_text

RUNNER = Path(__file__).parents[3] / "lib/model_runner/runner.py"


@cache
def oldest_and_newest() -> tuple[str, str]:
    """Return the Pythons of this computer at both ends, tests' own included."""
    own = sys.version_info.minor
    oldest = next(filter(None, map(python_of, range(6, own))), sys.executable)
    newest = next(filter(None, map(python_of, range(19, own, -1))), sys.executable)
    return oldest, newest


def python_of(minor: int) -> str | None:
    """Return the path of a Python 3.`minor` that starts."""
    for folder in (*os.get_exec_path(), *map(str, Path.home().glob(f".pyenv/versions/3.{minor}.*/bin"))):
        path = shutil.which(f"python3.{minor}", path=folder)
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


@contextmanager
def runner(
    python: str, manifest_path: Path, folder: Path, mode: str = "auto"
) -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    connection, theirs = socket.socketpair()
    with theirs:
        command = [python, "-I", "-S", str(RUNNER), str(theirs.fileno()), str(manifest_path)]
        environment = {**os.environ, "MODEL_RUNNER_MODE": mode}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, pass_fds=[theirs.fileno()])
    connection.settimeout(10)
    connection.sendall(json.dumps({"folder": None, "hidden": str(folder), "is_own_user": False}).encode() + b"\n")
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(1)
    assert set(json.loads(line)) == {"mode", "record"}
    connection.settimeout(None)
    try:
        yield connection, process
    finally:
        connection.close()
        process.wait(30)


def ask(connection: socket.socket, given: bytes = b"", **request: object) -> dict[str, object]:
    connection.sendall(json.dumps(request).encode() + b"\n" + given)
    with connection.makefile("rb") as replies:
        reply = dict(json.loads(replies.readline()))
        replies.read(reply["content"] or 0)
        return reply


@pytest.fixture
def manifest_path(tmp_path: Path, program_folder: Path) -> Path:
    path = tmp_path / "model.json"
    path.write_text(manifest_text(program_folder), encoding="utf-8")
    return path


def test_called_wrongly_or_without_a_server_it_ends_as_failed(manifest_path: Path) -> None:
    done = subprocess.run([sys.executable, str(RUNNER)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: runner.py DESCRIPTOR MANIFEST\n")
    place = json.dumps({"folder": "/nowhere/at-all", "hidden": None, "is_own_user": False})
    for said, told in (("", "the server is gone"), (f"{place}\n", "there is no place for jobs: /nowhere/at-all")):
        server, theirs = socket.socketpair()
        server.sendall(said.encode())
        server.close()
        with theirs:
            command = [sys.executable, "-I", "-S", str(RUNNER), str(theirs.fileno()), str(manifest_path)]
            done = subprocess.run(command, capture_output=True, text=True, pass_fds=[theirs.fileno()], check=False)
        assert (done.returncode, f"runner: {told}" in done.stdout) == (1, True), done


def test_the_files_keep_to_the_grammar_of_python_3_6() -> None:
    for path in RUNNER.parent.glob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("python", oldest_and_newest(), ids=["oldest", "newest"])
def test_the_protocol(python: str, tmp_path: Path, manifest_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_text("häuser\n", encoding="utf-8")
    common = {"input": str(source), "output": str(target), "timeout": 20}
    with runner(python, manifest_path, tmp_path, "command") as (connection, process):
        reply = ask(connection, job="j1", **common)
        seconds = reply.pop("seconds")
        assert reply == {
            **{"job": "j1", "status": "complete", "exit": 0},
            **{"error": None, "errno": None, "content": None},
        }
        assert isinstance(seconds, float)
        assert target.read_text(encoding="utf-8") == "HÄUSER\n"
        target.unlink()
        source.write_text("!fail x", encoding="utf-8")
        reply = ask(connection, job="j2", **common)
        assert (reply["status"], reply["exit"], reply["error"]) == ("error", 1, "no good: x")
        source.write_text("!sleep 20", encoding="utf-8")
        reply = ask(connection, job="j3", **{**common, "timeout": 0.4})
        assert reply["error"] == "The program ran longer than 0.4 s and was stopped."
        given = "häuser\n".encode()
        small = {**common, "input": str(tmp_path / "given"), "small_bytes": len(given)}
        assert ask(connection, given, job="j4", **small, content=len(given))["content"] == len(given)
        assert not target.exists()
        assert not (tmp_path / "given").exists()
        longer = given + b"!"
        reply = ask(connection, longer, job="j5", **small, content=len(longer))
        assert (reply["status"], reply["content"]) == ("complete", None)  # it is longer, too, and stays
        assert target.read_bytes() == "HÄUSER\n!".encode()
        nowhere = {**small, "input": str(tmp_path / "no folder/given")}
        reply = ask(connection, given, job="j6", **nowhere, content=len(given))
        assert (reply["status"], reply["errno"]) == ("refused", errno.ENOENT)
        connection.close()
        output = process.communicate(timeout=10)[0].decode()
    assert "runner: mode command (as asked), Python 3." in output
    # The program may write beside it.
    assert "runner: the server's data is kept from the program not at all: " in output
    assert "job j1 | working" in output
    assert process.returncode == 0


def test_the_program_yields_to_its_server(tmp_path: Path, program_folder: Path) -> None:
    path = tmp_path / "model.json"
    code = "import os, sys; open(sys.argv[2], 'w').write(str(os.nice(0)))"
    text = manifest_text(program_folder, command=[sys.executable, "-c", code, "{input}", "{output}"])
    path.write_text(text, encoding="utf-8")
    client = RunnerClient(OwnSlot(runner_command([sys.executable], path)))
    client.run("1", tmp_path / "i", tmp_path / "o", 20)
    client.stop()
    assert int((tmp_path / "o").read_text(encoding="utf-8")) == min(19, os.nice(0) + 10)


def test_a_program_that_is_not_there_is_that_jobs_error(tmp_path: Path, program_folder: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(manifest_text(program_folder, command=["no-such-program", "{input}", "{output}"]), encoding="utf-8")
    with runner(sys.executable, path, tmp_path) as (connection, _):
        reply = ask(connection, job="1", input="i", output="o", timeout=5)
    assert reply["error"] == "The program could not be started: no-such-program: No such file or directory"


def test_long_output_is_cut_in_the_log_and_its_end_is_the_error(tmp_path: Path, program_folder: Path) -> None:
    code = "import sys; sys.stderr.write('x' * 5_000_000 + 'THE END'); sys.exit(1)"
    path = tmp_path / "model.json"
    text = manifest_text(program_folder, command=[sys.executable, "-c", code, "{input}", "{output}"])
    path.write_text(text, encoding="utf-8")
    log = tmp_path / "log"
    client = logged_client(path, log)
    outcome = client.run("1", tmp_path / "i", tmp_path / "o", 20)
    client.stop()
    assert outcome.error is not None
    assert len(outcome.error) == 4096
    assert outcome.error.endswith("xTHE END")
    assert log.stat().st_size < 300_000
    assert "[further output is not shown]" in log.read_text(encoding="utf-8")


def test_what_the_program_leaves_behind_is_killed_and_does_not_hold_up_the_job(
    tmp_path: Path, program_folder: Path
) -> None:
    code = (
        "import subprocess, sys, pathlib; child = subprocess.Popen(['sleep', '60']);"
        "pathlib.Path(sys.argv[2]).write_text(str(child.pid))"
    )
    path = tmp_path / "model.json"
    text = manifest_text(program_folder, command=[sys.executable, "-c", code, "{input}", "{output}"])
    path.write_text(text, encoding="utf-8")
    client = RunnerClient(OwnSlot(runner_command([sys.executable], path)))
    outcome = client.run("1", tmp_path / "i", tmp_path / "o", 20)
    client.stop()
    assert outcome.error is None
    assert outcome.seconds < 10
    wait_until_gone(int((tmp_path / "o").read_text(encoding="utf-8")))


def sleeping(tmp_path: Path, program_folder: Path) -> tuple[Path, Path]:
    """Write a manifest whose program writes its process id into its input's place and sleeps."""
    code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    path = tmp_path / "model.json"
    text = manifest_text(program_folder, command=[sys.executable, "-c", code, "{input}", "{output}"])
    path.write_text(text, encoding="utf-8")
    return path, tmp_path / "pid"


@pytest.mark.parametrize("end", ["socket closed", "runner killed", "runner terminated"])
def test_the_program_dies_with_the_runner_and_its_server(tmp_path: Path, program_folder: Path, end: str) -> None:
    path, pid_file = sleeping(tmp_path, program_folder)
    with runner(sys.executable, path, tmp_path) as (connection, process):
        request = {"job": "1", "input": str(pid_file), "output": "o", "timeout": 60}
        connection.sendall(json.dumps(request).encode() + b"\n")
        pid = int(eventually(lambda: pid_file.exists() and pid_file.read_text(encoding="utf-8")))
        if end == "socket closed":
            connection.close()
        else:
            process.send_signal(signal.SIGKILL if end == "runner killed" else signal.SIGTERM)
        process.wait(30)
        wait_until_gone(pid)


#: A runner's connection stays in the loop of its first job.
LOOP = asyncio.Runner(loop_factory=uvloop.new_event_loop)


def by_thread(client: RunnerClient, *job: Any) -> Outcome:
    return client.run(*job)


def by_coroutine(client: RunnerClient, *job: Any) -> Outcome:
    number, given, output, seconds = job
    return LOOP.run(client.work(number, str(given), str(output), seconds, None))


Do = Callable[..., Outcome]
both_ways = pytest.mark.parametrize("do", [by_thread, by_coroutine])


@both_ways
def test_a_runner_that_died_is_reported_and_started_again(tmp_path: Path, manifest_path: Path, do: Do) -> None:
    command = ["sh", "-c", 'test -e "$1" || { touch "$1"; exit 3; }; exec "$2" "$3" "$0" "$4"', "{connection}",
               str(tmp_path / "once"), sys.executable, str(RUNNER), str(manifest_path)]  # fmt: skip
    client = RunnerClient(OwnSlot(command))
    source = tmp_path / "in"
    source.write_text("a", encoding="utf-8")
    with pytest.raises(RunnerDiedError):
        do(client, "1", source, tmp_path / "out", 10)
    assert do(client, "1", source, tmp_path / "out", 10).error is None
    client.stop()


def stub(words: str) -> RunnerClient:
    """Make a runner of a few words: `call` is its connection, `ask()` waits for a request."""
    code = f"""import json, socket, sys, time
call = socket.socket(fileno=int(sys.argv[1])); call.recv(65536)
say = lambda **words: call.sendall(json.dumps(words).encode() + b"\\n")
ask = lambda: call.recv(65536)
{words}"""
    return RunnerClient(OwnSlot([sys.executable, "-c", code, "{connection}"]))


@both_ways
def test_a_runner_that_never_answers_is_ended_after_the_time_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, do: Do
) -> None:
    monkeypatch.setattr(runner_client, "_GRACE_SECONDS", 0.1)
    client = stub("say(mode='stub'); ask(); time.sleep(600)")
    client.prepare()
    process = process_of(client)
    with pytest.raises(RunnerDiedError):
        do(client, "1", tmp_path / "i", tmp_path / "o", 0.1)
    assert process
    assert process.wait(30) != 0


@both_ways
def test_the_end_of_another_job_is_none_of_this_one(tmp_path: Path, do: Do) -> None:
    client = stub("say(mode='stub'); ask(); say(job='0', error=None, seconds=1); time.sleep(600)")
    with pytest.raises(RunnerDiedError):
        do(client, "1", tmp_path / "i", tmp_path / "o", 600)


@both_ways
def test_a_reply_may_come_in_pieces_and_an_end_in_its_midst_is_none(tmp_path: Path, do: Do) -> None:
    reply = json.dumps({"job": "1", "error": None, "seconds": 2}).encode() + b"\n"
    pieces = f"ask(); call.sendall({reply[:9]!r}); time.sleep(0.2); "
    client = stub(f"say(mode='stub'); {pieces} call.sendall({reply[9:]!r}); {pieces}")
    assert do(client, "1", tmp_path / "i", tmp_path / "o", 600) == Outcome(None, 2)
    with pytest.raises(RunnerDiedError):
        do(client, "1", tmp_path / "i", tmp_path / "o", 600)


def work(client: RunnerClient, folder: Path, content: bytes) -> Outcome:
    return LOOP.run(client.work("1", str(folder / "i"), str(folder / "o"), 20, content))


def test_small_data_goes_with_the_job_and_comes_with_its_end(tmp_path: Path, manifest_path: Path) -> None:
    client = RunnerClient(OwnSlot(runner_command([sys.executable], manifest_path)), small_bytes=16)
    for content, expected in ((b"a" * 16, b"A" * 16), (b"", b""), (b"a" * 17, None), (b"\n{}\n", b"\n{}\n")):
        outcome = work(client, tmp_path, content)
        assert (outcome.error, outcome.content) == (None, expected)
        assert not (tmp_path / "i").exists()
        assert (tmp_path / "o").exists() == (expected is None)
        (tmp_path / "o").unlink(missing_ok=True)
    outcome = work(client, tmp_path, b"!fail x")
    assert (outcome.error, outcome.content) == ("no good: x", None)
    with pytest.raises(OSError, match="No such file") as refused:
        work(client, tmp_path / "nowhere", b"a")
    assert refused.value.errno == errno.ENOENT
    client.stop()


@pytest.mark.parametrize(
    ("made", "error"),
    [
        ("os.mkfifo(sys.argv[2])", "no output file"),
        ("os.symlink('/dev/zero', sys.argv[2])", "made a link"),
        ("os.symlink('/proc/self/environ', sys.argv[2])", "made a link"),
        ("os.symlink(os.path.abspath(sys.argv[1]), sys.argv[2])", "made a link"),
    ],
)
def test_what_is_no_file_is_not_read(tmp_path: Path, program_folder: Path, made: str, error: str) -> None:
    path = tmp_path / "model.json"
    command = [sys.executable, "-c", f"import os, sys; {made}", "{input}", "{output}"]
    path.write_text(manifest_text(program_folder, command=command), encoding="utf-8")
    client = RunnerClient(OwnSlot(runner_command([sys.executable], path)), small_bytes=16)
    outcome = work(client, tmp_path, b"a")
    client.stop()
    assert outcome.content is None
    assert error in str(outcome.error)


def process_of(client: RunnerClient) -> "subprocess.Popen[bytes] | None":
    """Return the runner's process."""
    assert isinstance(client._slot, OwnSlot)
    return client._slot.process


def descriptors() -> int:
    """Count the open descriptors, once the loop has done what it has to do."""
    LOOP.run(asyncio.sleep(0.01))
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_runner_that_ends_between_two_jobs_costs_none_an_attempt(tmp_path: Path, manifest_path: Path) -> None:
    before = descriptors()
    client = RunnerClient(OwnSlot(runner_command([sys.executable], manifest_path)), small_bytes=16)
    assert work(client, tmp_path, b"a").content == b"A"
    process = process_of(client)
    assert process
    process.kill()
    process.wait(30)
    LOOP.run(asyncio.sleep(0.1))
    assert work(client, tmp_path, b"b").content == b"B"
    client.stop()
    eventually(lambda: descriptors() == before)
    assert work(client, tmp_path, b"c").content == b"C"
    client.stop()
    eventually(lambda: descriptors() == before)


def test_one_that_ended_a_moment_ago_costs_no_attempt_and_says_nothing(tmp_path: Path, manifest_path: Path) -> None:
    client = RunnerClient(OwnSlot(runner_command([sys.executable], manifest_path)), small_bytes=16)
    assert work(client, tmp_path, b"a").content == b"A"
    process = process_of(client)
    assert process
    said: list[object] = []

    async def at_once() -> Outcome:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context))
        process.kill()
        process.wait(30)
        outcome = await client.work("1", str(tmp_path / "i"), str(tmp_path / "o"), 20, b"b")
        gc.collect()
        return outcome

    assert LOOP.run(at_once()).content == b"B"
    client.stop()
    LOOP.run(asyncio.sleep(0.1))
    gc.collect()
    LOOP.get_loop().set_exception_handler(None)
    assert said == []


def test_what_is_no_message_ends_the_runner(tmp_path: Path) -> None:
    client = stub("say(mode='stub'); ask(); call.sendall(b'[]\\n'); time.sleep(600)")
    with pytest.raises(RunnerDiedError):
        work(client, tmp_path, b"a")


def test_a_priority_that_may_not_be_changed_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def refuse(by: int) -> None:
        asked.append(by)
        raise PermissionError

    monkeypatch.setattr(os, "nice", refuse)
    lower_priority()
    assert asked == [10]


@both_ways
def test_a_job_is_stopped_by_another_thread(tmp_path: Path, do: Do) -> None:
    client = stub(f"say(mode='stub'); ask(); open({str(tmp_path / 'asked')!r}, 'w'); time.sleep(600)")
    with ThreadPoolExecutor() as pool:
        done = pool.submit(do, client, "1", tmp_path / "i", tmp_path / "o", 600)
        eventually((tmp_path / "asked").exists)
        client.stop()
        assert isinstance(done.exception(10), RunnerDiedError)


@pytest.mark.parametrize(
    "client", [stub("time.sleep(600)"), RunnerClient(OwnSlot(["sleep", "600"]))], ids=["mute", "absent"]
)
def test_one_that_is_closed_while_it_starts_ends_and_is_not_started_again(client: RunnerClient) -> None:
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(client.prepare)
        time.sleep(0.3)
        client.close()
        assert isinstance(starting.exception(10), RunnerDiedError)
    with pytest.raises(RunnerDiedError):
        client.prepare()


def test_a_runner_that_is_stopped_leaves_its_descriptor_to_the_thread_that_reads_it(
    tmp_path: Path, program_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pid_file = sleeping(tmp_path, program_folder)
    client = RunnerClient(OwnSlot(runner_command([sys.executable], path)))
    client.prepare()
    receive = runner_client.receive
    others: list[socket.socket] = []

    def late(connection: socket.socket) -> Message:
        """Act as a thread that is put to sleep when it has read the number, and before it waits there."""
        number = connection.fileno()
        stopping = threading.Thread(target=client.stop)
        stopping.start()
        stopping.join()
        others.extend(socket.socketpair())  # they get the lowest numbers that are free
        assert number not in [other.fileno() for other in others]
        return receive(connection)

    monkeypatch.setattr(runner_client, "receive", late)
    with pytest.raises(RunnerDiedError):
        client.run("1", pid_file, tmp_path / "out", 5)
    monkeypatch.undo()
    for other in others:
        other.close()
    before = len(list(Path("/proc/self/fd").iterdir()))
    client.prepare()  # a new one
    client.stop()
    # Nothing stays open; another thread of this process may have opened something for a moment.
    eventually(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before, seconds=10)


@both_ways
def test_a_host_without_room_for_a_runner_is_no_fault_of_the_job(
    tmp_path: Path, manifest_path: Path, monkeypatch: pytest.MonkeyPatch, do: Do
) -> None:
    client = RunnerClient(OwnSlot(runner_command([sys.executable], manifest_path)))

    def full(*_options: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", full)
    with pytest.raises(OSError, match="Too many open"):
        do(client, "1", tmp_path / "i", tmp_path / "o", 5)
    monkeypatch.undo()
    (tmp_path / "i").write_text("a", encoding="utf-8")
    assert do(client, "1", tmp_path / "i", tmp_path / "o", 10).error is None
    client.stop()


def test_which_python_runs_the_runner(tmp_path: Path) -> None:
    def only(*names: str) -> Callable[[str], str | None]:
        return lambda name: f"/bin/{name}" if name in names else None

    def chosen(program: list[str], which: Callable[[str], str | None]) -> str:
        return runner_command(program, tmp_path, which)[0]

    assert chosen(["python3.6", "x"], only("python3.6", "python3")) == "/bin/python3.6"
    assert chosen(["./model", "x"], only("./model", "python3", "python")) == "/bin/python3"
    assert chosen(["./model", "x"], only("./model", "python")) == "/bin/python"
    assert chosen(["./model", "x"], only("./model")) == sys.executable


def logged_client(manifest_path: Path, log: Path) -> RunnerClient:
    _, *rest = runner_command([sys.executable], manifest_path)
    command = ["sh", "-c", 'exec "$0" "$@" > "$LOG"'.replace("$LOG", str(log)), sys.executable, *rest]
    return RunnerClient(OwnSlot(command))


def wait_until_gone(pid: int) -> None:
    eventually(lambda: is_over(pid))


def test_a_programs_output_can_neither_redraw_a_terminal_nor_pose_as_another_line(
    capfd: pytest.CaptureFixture[str],
) -> None:
    written = JobLog("job 1")
    written.feed("stdout", "a\x1b[2J\rb\x9b1J\tc\u2028d\u202e\x08\x7f\n".encode())
    (line,) = capfd.readouterr().out.rstrip("\n").split("\n")
    assert line.partition(" ")[2] == "job 1 | a [2J b 1J\tc d   "
