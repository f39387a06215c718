"""Mode `library` beside the public library itself: a row of docs/runner.md each, played by both and compared."""

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.functional.server.test_runner import ask, runner
from tests.rig.command import ROOT
from tests.rig.waiting import eventually

#: A job's input is what it does. `kept` is of all jobs of a process.
HEAD = """
import asyncio, contextvars, multiprocessing, os, signal, subprocess, sys, threading, time
from gravityai import gravityai as grav
kept = {"n": 0}
variable = contextvars.ContextVar("variable", default=0)
def double(n):
    return 2 * n
def names_of(source, target):
    def write(text):
        with open(target, "w", encoding="utf-8") as file:
            file.write(str(text))
    with open(source, encoding="utf-8") as file:
        return file.read(), {**globals(), "source": source, "target": target, "write": write}
"""
SYNC = f"""{HEAD}
def process(source, target):
    code, names = names_of(source, target)
    exec(code, names)
    return names.get("result")
if __name__ == "__main__":
    grav.wait_for_requests(process)
"""
#: What the code calls `later` is awaited.
ASYNC = f"""{HEAD}
async def process(source, target):
    code, names = names_of(source, target)
    await asyncio.sleep(0)
    exec(code, names)
    if "later" in names:
        await names["later"]
    return names.get("result")
grav.wait_for_requests(process)
"""
RUN, REAL, OURS = "command", "resident", "library"
#: What the library says of its own server, which our stand-in does not have.
SERVER = re.compile(
    r"\[gravityAI\]: (Starting server|Running on port \d+|Idle Timer: started|Websocket (Connection|Disconnected))$"
)
MISSING = "(there is no input)"
FACTS = """
import warnings
main = sys.modules["__main__"]
own = {"MODEL_RUNNER_MODE", "HOME"}  # other ones for each runner
handled = (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD)
facts = [
    (__name__, main.__file__, main.__spec__, sorted(vars(main)), double.__module__, sorted(dir(grav))),
    (sys.path, [str(finder).partition(' at ')[0] for finder in sys.meta_path]),
    (sys.executable, sys.flags, warnings.filters[0]),
    (os.getcwd(), os.getpid() == os.getsid(0), sys.stdin.read(), sys.getrecursionlimit(), os.umask(0)),
    sorted((name, value) for name, value in os.environ.items() if name not in own),
    (threading.active_count(), threading.current_thread() is threading.main_thread()),
    ([signal.getsignal(number) for number in handled], signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    list(grav.batch([1, 2, 3], 2)),
]
write("\\n".join(map(str, facts)))
"""


@dataclass(frozen=True)
class Row:
    """The behavior of a program, job after job."""

    jobs: tuple[str, ...]
    main: str = SYNC
    #: Of the jobs.
    limits: dict[str, Any] = field(default_factory=dict)
    #: Of Python; without -u what is printed and not flushed is lost with a program that the library lets serve.
    options: tuple[str, ...] = ("-u",)
    #: By what else the program is played.
    others: tuple[str, ...] = (RUN, REAL)
    #: A file that the first job makes later; the second job waits for it.
    between: str = ""
    #: That a job named in the log printed each line.
    named: bool = False


ROWS = {
    "a function": Row(("write('done ' + source[-2:])", "write('again')")),
    "an async function": Row(
        (
            "write('done')",
            "later = asyncio.sleep(0.01)\nwrite('slept')",
            "result = 'no'",
            "raise ValueError('bad')",
            "pass",
        ),
        main=ASYNC,
    ),
    "what it returns": Row(
        (
            "result = 'no good: ü 🐍'",
            "write(1)\nresult = ''",
            "write(1)\nresult = 0",
            "write(1)\nresult = []",
            "result = 5",
            "class Array:\n    def __bool__(self): raise ValueError('is ambiguous')\nresult = Array()",
        )
    ),
    "what it raises": Row(("raise ValueError('bad')", "sys.exit(3)", "raise KeyboardInterrupt", "open('/nowhere')")),
    "an exception without a text": Row(
        ("class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd", "write(1)"), others=(REAL,)
    ),
    "what it leaves at its output": Row(
        ("pass", "os.mkdir(target)", "os.symlink('/etc/hostname', target)", "write('there')")
    ),
    "an input that is not there": Row((MISSING, "write(1)"), others=(REAL,)),
    "what is no function": Row(("write(1)",), main=f"{HEAD}\ngrav.wait_for_requests(5)\n"),
    "its paths": Row(("write([source, target])",)),
    "its paths, async": Row(("write([source, target])",), main=ASYNC, others=(REAL,)),
    "what it sees": Row((FACTS,)),
    "its arguments": Row(
        (
            "write([[word for word in words if word not in sys.argv[3]] for words in (sys.argv, sys.orig_argv)])",
            "write([grav.args.subcommand, grav.args.gai, grav._is_gai, grav._is_debug, grav._type_of_script()])",
            "write(grav.getInputFile())",
            "exec('from gravityai.gravityai import *')\nwrite(getOutputCSV())",
        ),
        others=(REAL,),
    ),
    "state from job to job": Row(
        (
            "kept['n'] += 1\nvariable.set(7)\nos.chdir('/')\nos.environ['X'] = 'y'\nwrite(1)",
            "write([kept['n'], variable.get(), os.getcwd(), os.environ['X']])",
        ),
        others=(REAL,),
    ),
    "the event loop": Row(
        (
            "write([asyncio.get_running_loop().is_running(), asyncio.current_task() is not None])",
            "job = asyncio.sleep(0)\nasyncio.run(job)",
            "threading.Thread(target=lambda: write(asyncio.run(asyncio.sleep(0, 'in a thread')))).start()\n"
            "while not os.path.exists(target) or not os.stat(target).st_size: time.sleep(0.01)",
        )
    ),
    "a task that goes on between jobs": Row(
        (
            "async def late():\n    await asyncio.sleep(0.05)\n    open('late', 'w').close()\n"
            "kept['task'] = asyncio.ensure_future(late())\nwrite('soon')",
            "write(kept['task'].done())",
        ),
        others=(REAL,),
        between="late",
    ),
    "an error in the event loop": Row(
        ("asyncio.get_event_loop().call_soon(lambda: 1 / 0)\nlater = asyncio.sleep(30)", "write('anew')"),
        main=ASYNC,
        others=(REAL,),
    ),
    "its end in a job": Row(
        (
            "sys.stderr.write('why')\nsys.stderr.flush()\nos._exit(9)",
            "write(kept['n'])",
            "os.kill(os.getpid(), signal.SIGKILL)",
            "os.kill(os.getpid(), signal.SIGSEGV)",
            "threading.Thread(target=os._exit, args=(7,)).start()\ntime.sleep(30)",
            "write(kept['n'])",
        )
    ),
    "its end before": Row(("write(1)",), main="import sys, gravityai\nsys.exit('no weights')"),
    "an error before": Row(("write(1)",), main=f"{HEAD}\ndef load():\n    raise ValueError('no weights: ü')\nload()\n"),
    "a script that is none": Row(("write(1)",), main="import gravityai\nthis is not Python\n"),
    "exit handlers, threads and files at its end": Row(
        ("write(1)",),
        main=f"{HEAD}\nimport atexit\natexit.register(print, 'handler')\n"
        "class Last:\n    def __del__(self, write=os.write): write(1, b'object\\n')\nlast = Last()\n"
        "threading.Timer(0.1, print, ('thread',)).start()\nprint('not flushed')\nsys.exit(3)\n",
        options=(),
    ),
    "in a thread of its own": Row(
        ("write(1)",),
        main=f"{HEAD}\nimport threading\nthreading.excepthook = lambda found: print(found.exc_value)\n"
        "waits = threading.Thread(target=grav.wait_for_requests, args=(double,))\nwaits.start()\nwaits.join()\n"
        "sys.exit('it ended')\n",
    ),
    "in a loop that runs": Row(
        ("write(1)",),
        main=f"{HEAD}\nasync def main():\n    grav.wait_for_requests(double)\n"
        "asyncio.get_event_loop().run_until_complete(main())\n",
        others=(REAL,),
    ),
    "what it prints": Row(
        (
            "print('one')\nprint('two', file=sys.stderr)\nos.write(1, b'bytes \\xff\\n')\nwrite(1)",
            "subprocess.run(['echo', 'of a child'])\nprint('x' * 500)\nprint('ü 🐍 \\x1b')\nwrite(1)",
            "print('no end of line', end='')\nwrite(1)",
            "print('last')\nwrite(1)",
        )
    ),
    "what it prints and does not flush": Row(
        ("print('one')\nwrite(1)", "print('two', end='')\nwrite(1)", "print('three')\nwrite(1)"),
        options=(),
        others=(RUN,),
        named=True,
    ),
    "threads": Row(
        (
            "one = threading.Thread(target=write, args=('by a thread',))\none.start()\none.join()",
            "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nwrite(1)",
            "def fail(): raise ValueError('in a thread')\n"
            "one = threading.Thread(target=fail, name='t')\none.start()\none.join()\nwrite(1)",
            "from concurrent.futures import ThreadPoolExecutor\n"
            "with ThreadPoolExecutor(2) as pool:\n    write(list(pool.map(double, [1, 2])))",
        )
    ),
    "children": Row(
        (
            "write(subprocess.check_output(['cat', source]).decode())",
            "child = os.fork()\nif child == 0: os._exit(4)\nwrite(os.waitpid(child, 0)[1])",
            "with multiprocessing.get_context('fork').Pool(2) as pool:\n    write(pool.map(double, [1, 2]))",
            "with multiprocessing.get_context('spawn').Pool(1) as pool:\n    write(pool.map(double, [1, 2]))",
            "write(1)",
        )
    ),
    "a child that goes on": Row(
        (
            "child = os.fork()\nif child: write(os.waitpid(child, 0)[1] >> 8)\nelse: result = 'of a child'",
            "child = os.fork()\nif child: os.waitpid(child, 0)\nelse: write('of a child')",
            "write('still here')",
        ),
        others=(RUN,),
    ),
    "signals": Row(
        (
            "signal.signal(signal.SIGUSR1, lambda *_: write('rung'))\nos.kill(os.getpid(), signal.SIGUSR1)",
            "os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)",
            "def stop(*_): raise TimeoutError('by an alarm')\nsignal.signal(signal.SIGALRM, stop)\n"
            "signal.setitimer(signal.ITIMER_REAL, 0.05)\ntime.sleep(30)",
        )
    ),
    "blocked signals": Row(
        (
            "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "time.sleep(60)",
        ),
        limits={"timeout": 1.5},
    ),
    "a job that takes too long": Row(("time.sleep(60)",), limits={"timeout": 1.5}),
    "a job that takes too much memory": Row(
        ("taken = bytearray(b'x') * (400 << 20)\ntime.sleep(60)", "write('anew')"), limits={"memory_mib": 300}
    ),
    "a job that writes too much": Row(
        ("write('x' * 2000)\ntime.sleep(60)", "write('x' * 2000)", "write('x')"), limits={"output_bytes": 1000}
    ),
    "large outputs": Row(("write('x' * (20 << 20))",)),
    "large errors": Row(
        ("result = 'ü' * 300000", "result = 'lone \\udcff'", "raise ValueError('x' * (5 << 20))", "write('anew')"),
        others=(REAL,),
    ),
    "recursion": Row(("def deep(n): return n and 1 + deep(n - 1)\nwrite(deep(900))",)),
    "an output that was there": Row(("write('a' * 10)", "open(target, 'a').write('b')")),
}


@dataclass(frozen=True)
class Played:
    """The end of each job, and the lines printed."""

    #: Status, error, output.
    ends: list[tuple[object, str | None, bytes | None]]
    exit_codes: list[object]
    printed: list[str]


def play(python: str, folder: Path, mode: str, row: Row) -> Played:
    """Run the row's jobs."""
    (folder / "main.py").write_text(row.main, encoding="utf-8")
    manifest = folder / "model.json"
    command = [python, *row.options, "main.py", "{input}", "{output}"]
    document = {"command": command, "working_directory": str(folder), "uses_library": True}
    manifest.write_text(json.dumps(document), encoding="utf-8")
    link = folder / "link"  # a path is another when its links are resolved
    (folder / "jobs").mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to("jobs")
    played = Played([], [], [])
    with runner(python, manifest, folder, mode) as (connection, process):
        connection.settimeout(60)
        for number, job in enumerate(row.jobs):
            source, target = link / f"in{number}", link / f"out{number}"
            if job != MISSING:
                source.write_text(job, encoding="utf-8")
            paths: Any = {"input": str(source), "output": str(target)}
            reply = ask(connection, job=f"number {number}", **{"timeout": 30, **paths, **row.limits})
            error = None if reply["error"] is None else str(reply["error"]).strip()
            played.ends.append((reply["status"], error, target.read_bytes() if target.is_file() else None))
            played.exit_codes.append(reply["exit"])
            source.unlink(missing_ok=True)
            if row.between and number == 0:
                eventually((folder / row.between).exists)
                (folder / row.between).unlink()
        connection.close()
        log = process.communicate(timeout=30)[0].decode()
    for left in (folder / "jobs").iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    played.printed.extend(printed(log, row.named))
    return played


def printed(log: str, is_named: bool) -> list[str]:
    """Return the program's lines: a set, as one that does not live long is started again and again."""
    lines = re.findall(r"^\S+ ((?:program|job number \d+) \| )(.*)$", log, re.MULTILINE)
    return sorted({(label if is_named else "") + text for label, text in lines if not SERVER.match(text)})


@pytest.mark.parametrize("name", ROWS)
def test_the_stand_in_does_what_the_library_does(name: str, library_python: str, tmp_path: Path) -> None:
    row = ROWS[name]
    ours = play(library_python, tmp_path, OURS, row)
    if REAL in row.others:
        assert ours == play(library_python, tmp_path, REAL, row)
    if RUN in row.others:
        by_hand = play(library_python, tmp_path, RUN, row)
        assert ours.ends == by_hand.ends
        assert not row.named or ours.printed == by_hand.printed


def test_the_page_lists_what_is_compared() -> None:
    page = (ROOT / "docs/runner.md").read_text(encoding="utf-8")
    table = page.partition("\n| what | among others |\n|---|---|\n")[2].partition("\n\n")[0]
    assert re.findall(r"^\| (.+?) \|", table, re.MULTILINE) == list(ROWS)
