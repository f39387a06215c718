"""Mode `warm`: a script in a fork does what it does as a new process, and what may break that is noticed."""

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from model_server.runner_client import Outcome, RunnerClient
from model_server.runner_command import runner_command
from model_server.slots import OwnSlot
from tests.rig.waiting import eventually

from .test_runner import oldest_and_newest, wait_until_gone

BOTH = pytest.mark.parametrize("python", oldest_and_newest(), ids=["oldest", "newest"])

#: Writes what a script can see of how it was started.
FACTS = """
import json, os, pickle, sys, threading
import helper
class Thing:
    pass
facts = {
    "name": __name__, "file": __file__, "spec": __spec__, "package": __package__, "doc": __doc__,
    "globals": sorted(globals()), "argv": sys.argv, "path": sys.path[0], "cwd": os.getcwd(),
    "leader": os.getpid() == os.getsid(0) == os.getpgid(0), "stdin": sys.stdin.read(),
    "main": sys.modules["__main__"].Thing is Thing, "pickled": type(pickle.loads(pickle.dumps(Thing()))) is Thing,
    "helper": helper.__file__, "threads": threading.active_count(), "thread": threading.current_thread().name,
    "is_main_thread": threading.current_thread() is threading.main_thread(), "limit": sys.getrecursionlimit(),
    "umask": os.umask(0o22), "executable": sys.executable,
    "environment": sorted(os.environ),
}
with open(sys.argv[2], "w") as file:
    json.dump(facts, file)
"""
#: Each ends in its own way; what is told apart: exit code, error text, output.
ENDINGS = {
    "text": "import sys; sys.exit('no good')",
    "number": "import sys; sys.stderr.write('why'); sys.exit(7)",
    "none": "import sys; open(sys.argv[2], 'w').close(); sys.exit()",
    "large number": "import sys; sys.exit(256 + 3)",
    "exception": "def inner():\n    raise ValueError('bad')\ninner()",
    "hook": "import sys\nsys.excepthook = lambda *a: sys.stderr.write('hooked')\n1 / 0",
    "at once": "import os, sys; sys.stderr.write('lost?'); sys.stderr.flush(); os._exit(5)",
    "signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "at exit": "import atexit, sys\natexit.register(lambda: open(sys.argv[2], 'w').write('bye'))",
    "at exit, failing": "import atexit, sys\nopen(sys.argv[2], 'w').close()\natexit.register(lambda: 1 / 0)",
    "thread": (
        "import sys, threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), open(sys.argv[2], 'w').write('late'))).start()"
    ),
    "daemon": (
        "import sys, threading, time\nopen(sys.argv[2], 'w').close()\n"
        "threading.Thread(target=time.sleep, args=(30,), daemon=True).start()"
    ),
    "file left open": "import sys; file = open(sys.argv[2], 'w'); file.write('kept')\ndef use(): return file",
    "file left open by a helper": "import sys, helper; helper.keep(sys.argv[2])",
    "finaliser": (
        "import os, sys\nclass Last:\n    def __del__(self, write=os.write, fd=os.open(sys.argv[2], 65)):\n"
        "        write(fd, b'del')\nlast = Last()\n"
    ),
    "pool": (
        "import multiprocessing, sys\ndef double(x):\n    return 2 * x\nif __name__ == '__main__':\n"
        "    with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "        open(sys.argv[2], 'w').write(str(pool.map(double, [1, 2])))"
    ),
    "closed streams": "import sys; open(sys.argv[2], 'w').close(); sys.stdout.close(); sys.stderr.close()",
}


#: The sample of programs that run their input.
NOTHING = "import sys; open(sys.argv[2], 'w').close()"


def program(folder: Path, code: str, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "sample.txt").write_text(NOTHING, encoding="utf-8")
    (folder / "main.py").write_text(textwrap.dedent(code), encoding="utf-8")
    (folder / "helper.py").write_text(
        "files = []\ndef keep(path):\n    files.append(open(path, 'w'))\n    files[0].write('kept')\n", encoding="utf-8"
    )
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


@contextmanager
def client(
    python: str, folder: Path, mode: str = "auto", changes: dict[str, Any] | None = None, **limits: int
) -> Iterator[RunnerClient]:
    """Start a runner with this program; `changes` are of the manifest."""
    manifest = folder / "model.json"
    command = [python, "main.py", "{input}", "{output}"]
    document = {"command": command, "working_directory": str(folder), "sample": "sample.txt", **(changes or {})}
    manifest.write_text(json.dumps(document), encoding="utf-8")
    started = RunnerClient(
        OwnSlot(runner_command(command, manifest), environment={"MODEL_RUNNER_MODE": mode}), **limits
    )
    try:
        started.prepare()
        yield started
    finally:
        started.stop()


def once(client: RunnerClient, folder: Path) -> tuple[Outcome, str | None]:
    """Run a job; return how it ended and its output."""
    output = folder / "output"
    output.unlink(missing_ok=True)
    outcome = client.run("1", folder / "input", output, 20)
    return outcome, output.read_text(encoding="utf-8") if output.exists() else None


@BOTH
def test_a_script_sees_what_it_sees_as_a_process_of_its_own(tmp_path: Path, python: str) -> None:
    folder = program(tmp_path / "p", FACTS)
    seen = {}
    for mode in ("command", "warm"):
        with client(python, folder, mode) as started:
            outcome, output = once(started, folder)
            assert (outcome.error, started.mode.split()[0]) == (None, mode)
            facts = json.loads(output or "")
            # The variable that chose the mode is the test's own.
            seen[mode] = {**facts, "environment": [name for name in facts["environment"] if name[:6] != "MODEL_"]}
    assert seen["warm"] == seen["command"]


@pytest.mark.parametrize(
    ("python", "options"),
    [(sys.executable, ["-I"]), (sys.executable, ["-P"]), (oldest_and_newest()[0], ["-s", "-u"])],
    ids=["isolated", "safe", "oldest"],
)
def test_a_script_finds_what_it_finds_as_a_process_of_its_own(tmp_path: Path, python: str, options: list[str]) -> None:
    code = (
        "import json, os, sys, threading\nours = [name for name in sys.modules if name.startswith('model_runner')]\n"
        "is_main = getattr(threading.main_thread(), 'native_id', os.getpid()) == os.getpid()\n"
        "json.dump([sys.path, getattr(sys, 'orig_argv', [])[:-2], ours, is_main], open(sys.argv[2], 'w'))"
    )
    folder = program(tmp_path / "p", code)
    changes = {"command": [python, *options, "main.py", "{input}", "{output}"]}
    seen = []
    for mode in ("command", "warm"):
        with client(python, folder, mode, changes) as started:
            assert started.mode == f"{mode} (as asked)"
            seen.append(json.loads(once(started, folder)[1] or ""))
    assert seen[0] == seen[1]


@BOTH
def test_a_script_ends_as_it_does_as_a_process_of_its_own(tmp_path: Path, python: str) -> None:
    folder = program(tmp_path / "p", "import sys\nexec(compile(open(sys.argv[1]).read(), 'job', 'exec'))")
    source, target = folder / "input", folder / "output"
    with client(python, folder) as started:
        assert started.mode == "warm"
        for name, code in ENDINGS.items():
            source.write_text(code, encoding="utf-8")
            outcome, output = once(started, folder)
            target.unlink(missing_ok=True)
            argv = [python, "main.py", str(source), str(target)]
            cold = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
            written = target.read_text(encoding="utf-8") if target.exists() else None
            assert (name, output) == (name, written)
            if cold.returncode == 0:
                assert (name, outcome.error is None) == (name, written is not None)
            elif cold.returncode < 0:
                assert outcome.error == "The program was killed by SIGTERM."
            else:
                silent = f"The program ended with exit code {cold.returncode} and wrote nothing to stderr."
                assert (name, outcome.error) == (name, cold.stderr.strip() or silent)


@BOTH
def test_jobs_share_nothing_but_what_was_imported(tmp_path: Path, python: str) -> None:
    folder = program(
        tmp_path / "p",
        "import os, random, sys, json\n"
        "random.shared = getattr(random, 'shared', 0) + 1\n"
        "os.environ['LEFT'] = os.environ.get('LEFT', '') + 'x'\n"
        "json.dump([random.shared, os.environ['LEFT'], random.random()], open(sys.argv[2], 'w'))",
    )
    with client(python, folder) as started:
        outputs = [json.loads(once(started, folder)[1] or "") for _ in range(3)]
    assert [output[:2] for output in outputs] == [[1, "x"]] * 3
    assert len({output[2] for output in outputs}) == 3


def test_the_imports_are_done_once_and_those_that_show_up_later_too(tmp_path: Path) -> None:
    python = oldest_and_newest()[-1]
    library = tmp_path / "library"
    library.mkdir()
    slow = "import os, time\nwith open({!r}, 'a') as file:\n    file.write('{} ')\n"
    for name in ("early", "late"):
        (library / f"{name}.py").write_text(slow.format(str(tmp_path / "imported"), name), encoding="utf-8")
    (library / "broken.py").write_text("raise SystemExit(3)", encoding="utf-8")
    folder = program(
        tmp_path / "p",
        "import sys, early\ntry:\n    import broken\nexcept SystemExit:\n    pass\n"
        "def main():\n    import late\n    open(sys.argv[2], 'w').write(late.__file__)\nmain()",
    )
    os.environ["PYTHONPATH"] = str(library)
    try:
        with client(python, folder, "warm") as started:
            assert started.mode == "warm (as asked)"
            assert once(started, folder)[1] == str(library / "late.py")
            # The next fork server imports both.
            eventually(lambda: "late early late" in (tmp_path / "imported").read_text())
            time.sleep(0.3)
            before = (tmp_path / "imported").read_text()
            assert once(started, folder)[0].error is None
            assert once(started, folder)[0].error is None
            assert (tmp_path / "imported").read_text() == before == "early late early late "
    finally:
        del os.environ["PYTHONPATH"]


def test_other_commands_than_a_script_are_new_processes(tmp_path: Path) -> None:
    manifest = tmp_path / "model.json"
    command = ["sh", "-c", 'cp "$0" "$1"', "{input}", "{output}"]
    manifest.write_text(json.dumps({"command": command, "working_directory": "/"}), encoding="utf-8")
    (tmp_path / "in").write_text("x", encoding="utf-8")
    started = RunnerClient(OwnSlot(runner_command(command, manifest)))
    assert started.run("1", tmp_path / "in", tmp_path / "out", 20).error is None
    assert started.mode == "command (because the command is not `python script ...`)"
    started.stop()


LIMITS = {
    "time": ("import time; time.sleep(30)", "The program ran longer than 0.2 s and was stopped."),
    "memory": ("kept = bytearray(200 << 20)\nwhile True: pass", "memory limit of 100 MiB exceeded"),
    "memory of a child": (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'kept = bytearray(200 << 20)\\nwhile True: pass'])",
        "memory limit of 100 MiB exceeded",
    ),
    "memory of one in a session of its own": (
        "import subprocess, sys, time\n"
        "code = 'kept = bytearray(200 << 20)\\nwhile True: pass'\n"
        "subprocess.Popen([sys.executable, '-c', code], start_new_session=True)\ntime.sleep(30)",
        "memory limit of 100 MiB exceeded",
    ),
    "memory of an orphan": (
        "import os, time\n"
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        kept = bytearray(200 << 20)\n"
        "        while True: pass\n    os._exit(0)\ntime.sleep(30)",
        "memory limit of 100 MiB exceeded",
    ),
    "output": (
        "import sys, time\nopen(sys.argv[2], 'w').write('x' * 2000)\ntime.sleep(30)",
        "output limit of 1000 bytes exceeded.",
    ),
    "output at the end": (
        "import sys\nopen(sys.argv[2], 'w').write('x' * 2000)",
        "output limit of 1000 bytes exceeded.",
    ),
}


@pytest.mark.parametrize("mode", ["command", "warm"])
def test_a_broken_limit_is_the_error_of_that_job(tmp_path: Path, mode: str) -> None:
    folder = program(tmp_path / "p", "import sys\nexec(compile(open(sys.argv[1]).read(), 'job', 'exec'))")
    with client(oldest_and_newest()[-1], folder, mode, memory_mib=100, output_bytes=1000) as started:
        for limit, (code, text) in LIMITS.items():
            (folder / "input").write_text(code, encoding="utf-8")
            (folder / "output").unlink(missing_ok=True)
            seconds = 0.2 if limit == "time" else 20
            outcome = started.run("1", folder / "input", folder / "output", seconds)
            assert (limit, (outcome.error or "")[: len(text)]) == (limit, text)
            assert outcome.seconds < 10


#: Starts a process that leaves its group and its session, and one whose parent has left; says their numbers.
LEAVES = """
import os, subprocess, sys
def leave():
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            os.write(writing, str(os.getpid()).encode())
            os.close(writing)
            os.execvp("sleep", ["sleep", "300"])
        os._exit(0)
    os.close(writing)
    return os.read(reading, 100).decode()
child = subprocess.Popen(["sleep", "300"], start_new_session=True)
open(sys.argv[2], "w").write(str(child.pid) + " " + leave())
if open(sys.argv[1]).read() == "fail":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("python", oldest_and_newest(), ids=["oldest", "newest"])
@pytest.mark.parametrize("mode", ["command", "warm"])
def test_what_a_job_left_running_ends_with_it_in_whatever_session(tmp_path: Path, mode: str, python: str) -> None:
    folder = program(tmp_path / "p", LEAVES)
    with client(python, folder, mode) as started:
        for text in ("", "fail", ""):
            (folder / "input").write_text(text, encoding="utf-8")
            outcome = started.run("1", folder / "input", folder / "output", 20)
            assert (outcome.error is None) == (text == "")
            assert outcome.seconds < 5
            left = (folder / "output").read_text(encoding="utf-8").split()
            assert len(left) == 2
            assert not [pid for pid in left if Path("/proc", pid).exists()]


def _run(pids: list[str]) -> bool:
    return all(Path("/proc", pid).exists() for pid in pids)


def test_what_a_resident_program_left_running_ends_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = LEAVES.partition("if open")[0].replace("open(sys.argv[2]", f"open({str(pids)!r}")
    with client(sys.executable, program(tmp_path / "p", code + "import time\ntime.sleep(60)"), "resident") as started:
        started.prepare()
        # Of a file that is being written one may read the beginning of a number.
        eventually(lambda: pids.exists() and len(found := pids.read_text("utf-8").split()) == 2 and _run(found))
    for pid in pids.read_text(encoding="utf-8").split():
        wait_until_gone(int(pid))
