"""Small programs of the public `gravityai` library, each about one thing that one process could do otherwise."""

REQUIREMENT = "gravityai==0.1.4.post2"
_HEAD = "import os, sys\nfrom gravityai import gravityai as grav\n"
_END = "if __name__ == '__main__':\n    grav.wait_for_requests(process)\n"
_FUNCTION = "def process(source, target):\n    text = open(source).read()\n    out = open(target, 'w')\n"

#: What stands before the function, and its lines; `out` is the file to write, `text` what the input holds.
_PARTS = {
    "plain": ("", "out.write(text.upper())\nout.close()"),
    "paths": ("", "out.write(str([os.path.isabs(source), os.path.dirname(source) == os.path.dirname(target)]))"),
    "state": ("count = []\n", "count.append(1)\nout.write(str(count))"),
    "cache": ("cache = {}\n", "out.write(cache.setdefault(text, text.upper()))"),
    "rows_of_all_jobs": ("rows = []\n", "rows.extend(text.split())\nout.write(str(len(rows)))"),
    "file_left_open": ("kept = []\n", "kept.append(out)\nout.write(text)"),
    "finalizer": (
        "import weakref\nclass Kept: pass\nkept = Kept()\n",
        "weakref.finalize(kept, os.write, os.dup(out.fileno()), b'gone')\nout.write('there ')",
    ),
    "atexit": ("import atexit\n", "atexit.register(out.write, 'bye')\nout.write('hello ')"),
    "atexit_of_program": ("import atexit\natexit.register(print, 'bye')\n", "out.write(text)"),
    "prints": ("", "print('one', flush=True)\nprint('two')\nsys.stderr.write('three')\nout.write(text)"),
    "closed_streams": ("", "sys.stdout.close()\nsys.stderr.close()\nout.write(text)"),
    "chdir": ("", "out.write(os.path.basename(os.getcwd()))\nos.chdir('/')"),
    "environment": ("", "os.environ['LEFT'] = os.environ.get('LEFT', '') + 'x'\nout.write(os.environ['LEFT'])"),
    "umask": ("", "out.write(str(os.umask(0o27)))"),
    "exit": ("", "out.write(text)\nout.close()\nos._exit(0)"),
    "random": ("import random\n", "out.write(str(random.random()))"),
    "random_seeded": ("import random\nrandom.seed(7)\n", "out.write(str(random.random()))"),
    "random_seeded_in_function": ("import random\n", "random.seed(7)\nout.write(str(random.random()))"),
    "threads": (
        "from concurrent.futures import ThreadPoolExecutor\n",
        "with ThreadPoolExecutor(3) as pool:\n    out.write(str(list(pool.map(len, ['a', 'bb']))))",
    ),
    "threads_of_program": (
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\n",
        "out.write(str(list(pool.map(len, ['a', 'bb']))))",
    ),
    "thread_that_goes_on": (
        "import threading\n",
        "out.write('soon ')\nout.flush()\nthreading.Timer(0.2, lambda: (out.write('late'), out.close())).start()",
    ),
    "daemon": (
        "import threading, time\n",
        "threading.Thread(target=time.sleep, args=(30,), daemon=True).start()\nout.write(text)",
    ),
    "signals": (
        "import signal\n",
        "signal.signal(signal.SIGUSR1, lambda *_: out.write('rung'))\nos.kill(os.getpid(), signal.SIGUSR1)",
    ),
    "handlers_left": (
        "import signal\n",
        "out.write(str(signal.getsignal(signal.SIGUSR2)))\nsignal.signal(signal.SIGUSR2, signal.SIG_IGN)",
    ),
    "blocked_signals": ("import signal\n", "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nout.write(text)"),
    "alarm": (
        "import signal, time\ndef rung(*_):\n    raise TimeoutError\nsignal.signal(signal.SIGALRM, rung)\n",
        "signal.setitimer(signal.ITIMER_REAL, 0.05)\n"
        "try:\n    time.sleep(30)\nexcept TimeoutError:\n    out.write('rung')",
    ),
    "fork": ("", "child = os.fork()\nif child == 0:\n    os._exit(4)\nout.write(str(os.waitpid(child, 0)[1]))"),
    "fork_that_returns": ("", "child = os.fork()\nif child:\n    out.write(str(os.waitpid(child, 0)[1]))"),
    "child_that_goes_on": (
        "import subprocess\n",
        "subprocess.Popen(['sleep', '30'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\nout.write(text)",
    ),
    "subprocess": ("import subprocess\n", "out.write(subprocess.check_output(['cat', source]).decode())"),
    "pool": (
        "import multiprocessing\ndef double(n):\n    return 2 * n\n",
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n    out.write(str(pool.map(double, [1, 2])))",
    ),
    "pool_by_spawn": (
        "import multiprocessing\ndef double(n):\n    return 2 * n\n",
        "with multiprocessing.get_context('spawn').Pool(1) as pool:\n    out.write(str(pool.map(double, [1, 2])))",
    ),
    "recursion": ("def deep(n):\n    return n and 1 + deep(n - 1)\n", "out.write(str(deep(900)))"),
    "recursion_limit": ("", "out.write(str(sys.getrecursionlimit()))\nsys.setrecursionlimit(5000)"),
    "large": ("", "out.write(text * 1000000)"),
    "unicode": ("", "out.write(text + '\\xfc \\U0001f40d ' + os.path.basename(__file__))"),
    "decimal_context": (
        "import decimal\n",
        "out.write(str(decimal.Decimal(1) / 3))\ndecimal.getcontext().prec = 7",
    ),
    "warnings": ("import warnings\n", "out.write(str(warnings.filters[0][0]))\nwarnings.simplefilter('error')"),
    "logging": (
        "import logging\n",
        "logging.basicConfig(stream=out, level=logging.INFO)\nlogging.info('one')\nout.flush()",
    ),
    "imports_in_function": ("", "import json, csv\nout.write(json.dumps(sorted({'csv', 'json'} & set(sys.modules))))"),
    "error_caught": ("", "try:\n    sys.exit(3)\nexcept SystemExit as error:\n    out.write(str(error.code))"),
    "tempfile": (
        "import tempfile\n",
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    open(folder + '/x', 'w').write(text)\n    out.write(open(folder + '/x').read())",
    ),
    "cache_in_home": (
        "",
        "place = os.path.expanduser('~/x')\nopen(place, 'a').write('x')\nout.write(open(place).read())",
    ),
    "input_removed": ("", "os.unlink(source)\nout.write(text)"),
    "output_replaced": ("", "open(target + '.new', 'w').write(text)\nos.replace(target + '.new', target)"),
    "loop": ("import asyncio\n", "out.write(str(asyncio.get_running_loop().is_running()))"),
    "arguments": ("", "out.write(str(len(sys.argv)))"),
}


def _write(before: str, lines: str) -> str:
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    return f"{_HEAD}{before}{_FUNCTION}{body}{_END}"


#: They differ from process to process, so nothing can be proved, and what they loaded stays, as the library has it.
LOADED = {
    "library_time_of_import": _write("import time\nSTARTED = time.time()\n", "out.write(str(STARTED))"),
    "library_process_number": _write("", "out.write(str(os.getpid()))"),
}
#: A main.py each.
PROGRAMS = {
    **{f"library_{name}": _write(*parts) for name, parts in _PARTS.items()},
    "library_async": (
        f"import asyncio\n{_HEAD}async def process(source, target):\n    await asyncio.sleep(0.01)\n"
        "    with open(source) as given, open(target, 'w') as out:\n        out.write(given.read().upper())\n" + _END
    ),
    "library_async_task": (
        f"import asyncio\n{_HEAD}tasks = []\nasync def late(target):\n    await asyncio.sleep(0.2)\n"
        "    open(target, 'a').write('late')\n"
        "async def process(source, target):\n    open(target, 'w').write('soon ')\n"
        "    tasks.append(asyncio.ensure_future(late(target)))\n    await asyncio.sleep(0)\n" + _END
    ),
}
