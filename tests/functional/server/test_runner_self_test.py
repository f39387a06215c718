"""The self-test: `warm` is for programs that give in forks what they give as new processes, `command` for others."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_runner import self_test
from model_runner.process_state import by_name
from model_runner.room import Room
from model_runner.warm import UnfitError

from .test_runner import oldest_and_newest
from .test_runner_warm import client, once, program

OLDEST, NEWEST = oldest_and_newest()
BOTH = pytest.mark.parametrize("python", [OLDEST, NEWEST], ids=["oldest", "newest"])
SCRIPT = "import sys\nimport installed\nopen(sys.argv[2], 'w').write('done')"

#: What an installed module does when it is imported, and how the runner says why it goes without `warm`.
LEFT = {
    "an exit handler": (
        "import atexit, shutil, tempfile\nfolder = tempfile.mkdtemp()\natexit.register(shutil.rmtree, folder)",
        "installed registers an exit handler when it is imported",
    ),
    "an exit handler of a module in C": (
        "import atexit\ndef end(): pass\n"
        "exec('register(end)', {'__name__': 'importlib._bootstrap', 'register': atexit.register, 'end': end})",
        "installed registers an exit handler when it is imported",
    ),
    "a handler of threading": (
        "import threading\ngetattr(threading, '_register_atexit', __import__('atexit').register)(print)",
        "installed registers an exit handler when it is imported",
    ),
    "a finalizer": (
        "import weakref\nclass Kept: pass\nkept = Kept()\nweakref.finalize(kept, print, 'gone')",
        "an import keeps installed.Kept, which is cleaned up at exit",
    ),
    "an object with an end": (
        "class Kept:\n    def __del__(self): pass\nkept = Kept()",
        "an import keeps an object with a finalizer (installed.Kept)",
    ),
    "a temporary folder that is removed": (
        "import tempfile\nkept = tempfile.TemporaryDirectory()",
        "an import keeps tempfile.TemporaryDirectory, which is cleaned up at exit",
    ),
    "a temporary folder": ("import tempfile\nkept = tempfile.mkdtemp(dir={tmp!r})", "an import makes {tmp}/tmp"),
    "a temporary file": (
        "import os, tempfile\nos.close(tempfile.mkstemp(dir={tmp!r})[0])",
        "an import makes {tmp}/tmp",
    ),
    "a cache in HOME": (
        "import os\nos.makedirs(os.path.expanduser('~/.cache/kept'), exist_ok=True)",
        "an import makes ~/.cache",
    ),
    "an open file": ("kept = open(__file__)", "an import opened {tmp}/installed.py"),
    "a database": (
        "import sqlite3\nkept = sqlite3.connect({tmp!r} + '/data')\nkept.execute('select 1 from sqlite_master')",
        "an import opened {tmp}/data",
    ),
    "a connection": ("import socket\nkept = socket.socketpair()", "an import opened socket:"),
    "a generator of random numbers": (
        "import random\nkept = random.Random()",
        "an import makes a generator of random numbers (Random)",
    ),
    "the time": ("import time\nkept = time.time()", "installed keeps the time of its import in kept"),
    "the day": ("import datetime\nkept = datetime.date.today()", "installed keeps the time of its import in kept"),
    "the arguments": ("import sys\nkept = sys.argv[1:]", "an import reads sys.argv"),
    "the list of arguments": ("from sys import argv", "an import reads sys.argv"),
    "options": (
        "import argparse\nkept = argparse.ArgumentParser().parse_known_args()",
        "an import reads sys.argv",
    ),
    "a thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        "2 threads run after the imports",
    ),
    "a process": ("import subprocess\nkept = subprocess.Popen(['sleep', '60'])", "an import starts a process"),
    "a timer": ("import signal\nsignal.setitimer(signal.ITIMER_REAL, 60)", "an import sets a timer"),
    "logging": ("import logging\nlogging.basicConfig()", "an import configures logging"),
    "shared memory": ("import mmap\nkept = mmap.mmap(-1, 4096)", "an import shares memory with its children"),
    "a lock of multiprocessing": (
        "import multiprocessing\nkept = multiprocessing.get_context('fork').Lock()",
        "an import shares memory with its children: /dev/shm/",
    ),
    "what no fork survives": (
        "import sys\nsys.modules['tensorflow'] = sys",
        "tensorflow does not survive a fork",
    ),
    "a crash": (
        "import os\nwith open({tmp!r} + '/count', 'a') as file:\n    file.write('x')\n"
        "if os.stat({tmp!r} + '/count').st_size == 5:\n    os._exit(3)",
        "preloading its imports failed: it crashed",
    ),
    "a module that the program hides": ("import helper", "helper in the program's folder hides a module"),
}

#: What a program does, lines of its main.py, before it imports a module of others that reads it.
SET = {
    "by a module": ("import settings", "import os\nos.environ['X'] = '1'", "settings.py line 2 changes os.environ"),
    "by a function": ("import settings\nsettings.do()", "import os\ndef do():\n    os.environ.update(X='1')",
                      "settings.py line 3 changes os.environ"),
    "the path": ("import settings", "import sys\nsys.path.insert(0, '/nowhere')",
                 "settings.py line 2 changes sys.path"),
    "by a library": ("import library\nlibrary.load()", "", "the program changes the environment before it imports"),
    "in a function": ("import library\ndef first():\n    library.load()\nfirst()", "",
                      "the program changes the environment before it imports"),
    "the path, by another name": ("from sys import path\npath.append('/nowhere')", "",
                                  "the program changes sys.path before it imports"),
    "the directory": ("import os\nos.chdir('/')", "", "the program changes the working directory before it imports"),
    "the umask": ("import os\nos.umask(0)", "", "the program changes the umask before it imports"),
    "a handler": ("import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)", "",
                  "the program changes the signal handlers before it imports"),
    "the start method": ("import multiprocessing\nmultiprocessing.set_start_method('spawn')", "",
                         "the program changes the start method of multiprocessing before it imports"),
    "the decimal context": ("import decimal\ndecimal.getcontext().prec = 5", "",
                            "the program changes the decimal context before it imports"),
    "the recursion limit": ("import sys\nsys.setrecursionlimit(5000)", "",
                            "the program changes the recursion limit before it imports"),
    "the locale": ("import locale\nlocale.setlocale(locale.LC_TIME, 'C.UTF-8')", "",
                   "the program changes the locale before it imports"),
    "the standard library": ("import time\ntime.sleep = print", "",
                             "the program changes the standard library before it imports"),
}  # fmt: skip

#: Programs that are what a fork is for, though they look like others above.
FIT = {
    "its own exit handlers": "import atexit, installed\natexit.register(lambda: open(sys.argv[2], 'a').write('bye'))",
    "its own folder": "import installed, tempfile\nkept = tempfile.TemporaryDirectory()\nopen(kept.name + '/x', 'w')",
    "settings that it reads": "import os\nhome = os.environ.get('X', 'y')\nimport installed",
    "settings after all imports": "import installed, os, signal\nsignal.signal(signal.SIGUSR1, print)\nos.umask(0o77)",
    "a chosen seed": "import random, installed\nrandom.seed(1)\nopen(sys.argv[2] , 'w').write(str(random.random()))",
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Write modules that are not the program's; HOME is the test's own."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")

    return write


@pytest.mark.parametrize("left", LEFT)
def test_an_import_that_leaves_something_is_left_to_each_job(
    tmp_path: Path, installed: Callable[[str, str], None], left: str
) -> None:
    module, reason = LEFT[left]
    installed("installed", module.replace("{tmp!r}", repr(str(tmp_path))))
    installed("helper", "")
    with client(NEWEST, program(tmp_path / "p", SCRIPT)) as started:
        assert started.mode.startswith(f"command (because {reason.replace('{tmp}', str(tmp_path))}")
        assert [once(started, tmp_path / "p")[1] for _ in range(2)] == ["done", "done"]


@pytest.mark.parametrize("how", SET)
def test_settings_before_an_import_are_left_to_each_job(
    tmp_path: Path, installed: Callable[[str, str], None], how: str
) -> None:
    lines, settings, reason = SET[how]
    installed("library", "import os\ndef load():\n    os.environ['X'] = '1'\n")
    installed("installed", "")
    script = f"import sys\n{lines}\nimport installed\nopen(sys.argv[2], 'w').write('done')"
    with client(NEWEST, program(tmp_path / "p", script, settings=settings)) as started:
        assert started.mode.startswith(f"command (because {reason}")
        assert once(started, tmp_path / "p")[1] == "done"


@BOTH
@pytest.mark.parametrize("what", FIT)
def test_what_a_program_does_for_itself_is_done_in_forks(
    tmp_path: Path, installed: Callable[[str, str], None], what: str, python: str
) -> None:
    installed("installed", "")
    code = f"import sys\nopen(sys.argv[2], 'w').write('done')\n{FIT[what]}"
    with client(python, program(tmp_path / "p", code)) as started:
        assert started.mode == "warm"
        assert len({once(started, tmp_path / "p")[1] for _ in range(3)}) == 1


@BOTH
@pytest.mark.parametrize(
    ("output", "where"),
    [
        ("random.random()", "another new process"),
        ("time.time()", "another new process"),
        ("uuid.uuid4()", "another new process"),
        ("os.getpid()", "another new process"),
        ("sys.flags.no_user_site", "a fork"),
    ],
)
def test_outputs_that_differ_are_left_to_new_processes(tmp_path: Path, python: str, output: str, where: str) -> None:
    code = f"import os, random, sys, time, uuid\nopen(sys.argv[2], 'w').write(str({output}))"
    with client(python, program(tmp_path / "p", code)) as started:
        assert started.mode.startswith(f"command (because its sample has another result in {where}")
        assert once(started, tmp_path / "p")[0].error is None


@BOTH
@pytest.mark.parametrize("how", ["Pool", "ProcessPoolExecutor"])
@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_results_of_a_class_of_the_script_come_back_from_other_processes(
    tmp_path: Path, python: str, method: str, how: str
) -> None:
    code = f"""
        import sys, multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        class Row:
            def __init__(self, n): self.n = n
        def make(n):
            return Row(n * 2)
        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            try:
                pool = context.Pool(2) if "{how}" == "Pool" else ProcessPoolExecutor(2, mp_context=context)
            except TypeError:  # Python 3.6
                pool = ProcessPoolExecutor(2)
            with pool:
                result = [row.n for row in pool.map(make, range(3))]
            with open(sys.argv[2], "w") as target:
                target.write(str(result))
        """
    with client(python, program(tmp_path / "p", code)) as started:
        assert started.mode == "warm"
        assert [once(started, tmp_path / "p")[1] for _ in range(2)] == ["[0, 2, 4]"] * 2


def test_a_link_to_a_script_finds_the_neighbours_of_the_script(tmp_path: Path) -> None:
    folder = program(tmp_path / "p", "")
    (folder / "src").mkdir()
    (folder / "src/near.py").write_text("said = 'near'", encoding="utf-8")
    (folder / "src/score.py").write_text("import sys, near\nopen(sys.argv[2], 'w').write(near.said)", encoding="utf-8")
    (folder / "main.py").unlink()
    (folder / "main.py").symlink_to("src/score.py")
    with client(NEWEST, folder) as started:
        assert started.mode == "warm"
        assert once(started, folder)[1] == "near"


#: What the manifest, and what the record of the build, say; and what becomes of it.
GIVEN: dict[str, tuple[dict[str, Any], Any, str]] = {
    "no sample": ({"sample": None}, None, "command (because there is no sample in the image to prove a faster"),
    "a sample that is gone": ({"sample": "gone"}, None, "command (because its sample"),
    "a reason": ({}, {"reason": "it is so"}, "command (because it is so)"),
    "a list of imports": ({}, {"imports": ["csv"]}, "warm"),
    "a record that is none": ({}, 7, "warm"),
    "command": ({"runner_mode": "command"}, None, "command (as asked)"),
    "warm": ({"runner_mode": "warm", "sample": None}, {"reason": "it is so"}, "warm (as asked)"),
}  # fmt: skip


@pytest.mark.parametrize("given", GIVEN)
def test_what_the_image_says_decides(tmp_path: Path, given: str) -> None:
    changes, record, mode = GIVEN[given]
    folder = program(tmp_path / "p", "import sys\nopen(sys.argv[2], 'w').close()")
    if record is not None:
        (folder / "self-test.json").write_text(json.dumps(record), encoding="utf-8")
    with client(NEWEST, folder, "", changes) as started:
        assert started.mode.startswith(mode)
        assert once(started, folder)[0].error is None


def test_a_sample_that_fails_leaves_the_program_to_new_processes(tmp_path: Path) -> None:
    with client(NEWEST, program(tmp_path / "p", "raise ValueError('no GPU')")) as started:
        assert started.mode == "command (because its sample fails in a new process, see the log)"


def test_what_the_sample_imports_is_there_for_the_first_job(tmp_path: Path) -> None:
    code = (
        "import sys\nthere = 'csv' in sys.modules\ndef late():\n    import csv\nlate()\n"
        "open(sys.argv[2], 'w').write(str(there) if open(sys.argv[1]).read() == 'ask' else '')"
    )
    folder = program(tmp_path / "p", code)
    (folder / "input").write_text("ask", encoding="utf-8")
    with client(NEWEST, folder) as started:
        assert (started.mode, once(started, folder)[1]) == ("warm", "True")
        assert started.record is not None
        assert "csv" in started.record["imports"]


def test_a_runner_that_is_started_again_proves_nothing_again(tmp_path: Path) -> None:
    code = "import sys\nopen(sys.argv[2], 'w').close()\nopen('count', 'a').write('x')"
    with client(NEWEST, program(tmp_path / "p", code)) as started:
        ran = len((tmp_path / "p/count").read_text())
        for mode in ("warm", "warm"):
            started.stop()
            started.prepare()
            assert started.mode == mode
        assert len((tmp_path / "p/count").read_text()) == ran


class Fake:
    """A mode whose jobs take so many seconds and write so much; it never learns."""

    def __init__(self, *outputs: str, seconds: float = 0.0) -> None:
        self.outputs = list(outputs)
        self.seconds = seconds
        self.has_left = False

    def run(self, request: dict[str, Any]) -> tuple[int, str | None]:
        if self.seconds > request["timeout"]:
            time.sleep(request["timeout"])
            return -9, "The program ran too long."
        Path(request["output"]).write_text(self.outputs.pop(0), encoding="utf-8")
        return 0, None

    def improve(self, _seconds: float) -> bool:
        return False

    def stop_learning(self) -> None: ...

    def leave(self) -> None:
        self.has_left = True


def proved(tmp_path: Path, cold: Fake, warm: Fake, known: list[str] | None = None) -> str:
    (tmp_path / "sample").touch()
    sample = self_test.Sample(str(tmp_path / "sample"), Room({"folder": str(tmp_path / "jobs"), "is_own_user": False}))
    given: list[Any] = [sample, cold, lambda _imports, _seconds: warm, known]
    try:
        self_test.prove(*given)
    except UnfitError as error:
        return str(error)
    return ""


def test_the_third_fork_counts_as_the_first(tmp_path: Path) -> None:
    assert proved(tmp_path, Fake("a", "a", "a"), Fake("a", "a", "a")) == ""
    warm = Fake("a", "a", "b")
    assert proved(tmp_path, Fake("a", "a", "a"), warm) == "its sample has another result in a fork"
    assert warm.has_left
    assert proved(tmp_path, Fake("a"), Fake("a", "a", "a"), []) == ""
    assert proved(tmp_path, Fake("b"), Fake("a", "a", "a"), []) == "its sample has another result in a fork"


def test_a_sample_that_takes_long_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test, "SAMPLE_SECONDS", 0.1)
    cold = Fake(seconds=5)
    assert proved(tmp_path, cold, Fake()) == "its sample takes longer than 0.1 s"
    assert cold.has_left
    monkeypatch.setattr(self_test, "TEST_SECONDS", 0.1)
    assert proved(tmp_path, cold, Fake()) == "the self-test takes longer than 0.1 s"


def test_a_reason_is_short_however_much_a_program_says() -> None:
    class Loud:
        error = "why\n" + "x" * 10**6

        def left(self) -> float:
            return 1.0

        def run(self, *_: object) -> None:
            raise UnfitError("it fails")

        def renew(self) -> None:
            pass

    class Kept:
        name = "library"

        def stop(self) -> None:
            pass

    sample: Any = Loud()
    start: Any = Kept
    with pytest.raises(UnfitError, match=r"^it fails: xxx") as raised:
        self_test.prove_kept(sample, start, 1)
    assert len(str(raised.value)) == self_test.REASON_CHARACTERS


def test_a_name_before_every_state_is_one_of_an_unknown_state() -> None:
    assert by_name(["a", {"umask": "18"}, "b", "c"]) == [("a", {}), ("b", {"umask": "18"}), ("c", {"umask": "18"})]
