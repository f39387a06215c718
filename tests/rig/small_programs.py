"""Small programs, each about one thing that a fork could do in another way than a new process."""

#: A main.py each; `out` is the file to write, `text` what the input holds. Behind `===` a module
#: that is installed, so that it may be imported once for all jobs.
PROGRAMS = {
    "plain": "out.write(text.upper())",
    "random": "import random\nout.write(str([random.random() for _ in range(3)]))",
    "random_seeded": "import random\nrandom.seed(7)\nout.write(str(random.random()))",
    "random_instance": (
        "import helper\nout.write(str(helper.RNG.random()))\n=== helper\nimport random\nRNG = random.Random()"
    ),
    "secrets": "import secrets\nout.write(secrets.token_hex(8))",
    "uuid": "import uuid\nout.write('{} {}'.format(uuid.uuid4(), uuid.uuid1()))",
    "hash_seed": "out.write(' '.join({str(n) for n in range(100)}))",
    "time": "import time\nout.write(str(time.time()))",
    "time_of_import": "import helper\nout.write(str(helper.STARTED))\n=== helper\nimport time\nSTARTED = time.time()",
    "process_number": "import os\nout.write(str(os.getpid()))",
    "tempfile": (
        "import tempfile\nwith tempfile.TemporaryDirectory() as folder:\n"
        "    open(folder + '/x', 'w').write(text)\n    out.write(open(folder + '/x').read())"
    ),
    "tempfile_left": "import tempfile\nkept = tempfile.TemporaryDirectory()\nout.write(str(len(kept.name) > 3))",
    "tempfile_of_import": (
        "import helper\nopen(helper.FOLDER + '/x', 'w').write(text)\nout.write(open(helper.FOLDER + '/x').read())\n"
        "=== helper\nimport atexit, shutil, tempfile\n"
        "FOLDER = tempfile.mkdtemp()\natexit.register(shutil.rmtree, FOLDER)"
    ),
    "atexit": "import atexit\natexit.register(lambda: out.write('bye'))\nout.write('hello ')",
    "atexit_order": "import atexit\nfor n in range(3):\n    atexit.register(out.write, str(n))",
    "weakref_finalizer": (
        "import weakref\nclass Kept: pass\nkept = Kept()\n"
        "weakref.finalize(kept, out.write, 'gone')\nout.write('there ')"
    ),
    "object_with_end": (
        "class Kept:\n    def __del__(self, write=out.write):\n        write('gone')\n"
        "kept = Kept()\nout.write('there ')"
    ),
    "threading": (
        "import threading\nlate = threading.Timer(0.05, lambda: out.write('late'))\nout.write('soon ')\nlate.start()"
    ),
    "threads": (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(3) as pool:\n"
        "    out.write(str(list(pool.map(len, ['a', 'bb', 'ccc']))))"
    ),
    "multiprocessing": (
        "import multiprocessing\ndef double(n):\n    return 2 * n\nif __name__ == '__main__':\n"
        "    with multiprocessing.Pool(2) as pool:\n        out.write(str(pool.map(double, range(4))))"
    ),
    "multiprocessing_spawn": (
        "import multiprocessing\nclass Row:\n    def __init__(self, n): self.n = n\nif __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        out.write(str([row.n for row in pool.map(Row, range(3))]))"
    ),
    "process_pool": (
        "from concurrent.futures import ProcessPoolExecutor\nif __name__ == '__main__':\n"
        "    with ProcessPoolExecutor(2) as pool:\n        out.write(str(list(pool.map(abs, [-1, -2]))))"
    ),
    "manager": (
        "import multiprocessing\nif __name__ == '__main__':\n    with multiprocessing.Manager() as manager:\n"
        "        table = manager.dict()\n        table['x'] = 1\n        out.write(str(dict(table)))"
    ),
    "sqlite3": (
        "import sqlite3\nbase = sqlite3.connect(sys.argv[2] + '.db')\nbase.execute('create table t (a)')\n"
        "base.executemany('insert into t values (?)', [(line,) for line in text.split()])\n"
        "out.write(str(base.execute('select count(*) from t').fetchone()))\nbase.close()\n"
        "import os\nos.unlink(sys.argv[2] + '.db')"
    ),
    "sqlite3_of_import": (
        "import helper\nhelper.BASE.execute('create table t (a)')\nout.write(str(helper.BASE.total_changes))\n"
        "=== helper\nimport sqlite3\nBASE = sqlite3.connect(':memory:')"
    ),
    "logging": (
        "import logging\nlogging.basicConfig(stream=out, format='%(levelname)s %(message)s', level=logging.INFO)\n"
        "logging.info('one')\nlogging.getLogger('x').warning('two')"
    ),
    "locale": ("import locale\nout.write(locale.setlocale(locale.LC_ALL, 'C') + locale.localeconv()['decimal_point'])"),
    "decimal_context": (
        "import decimal\ndecimal.getcontext().prec = 7\nimport fractions\nout.write(str(decimal.Decimal(1) / 3))"
    ),
    "environment": (
        "import os\nos.environ['LEFT'] = os.environ.get('LEFT', '') + 'x'\nimport helper\nout.write(helper.LEFT)\n"
        "=== helper\nimport os\nLEFT = os.environ['LEFT']"
    ),
    "environment_is": "import os\nout.write(str(sorted(set(os.environ) - {'MODEL_RUNNER_MODE', 'HOME', '_'})))",
    "cwd": "import os\nout.write(os.path.basename(os.getcwd()))\nos.chdir('/')\nimport helper\nout.write(helper.CWD)\n"
    "=== helper\nimport os\nCWD = os.getcwd()",
    "umask": "import os\nbefore = os.umask(0o27)\nout.write(str(before))",
    "signals": (
        "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: out.write('rung'))\n"
        "import os\nos.kill(os.getpid(), signal.SIGUSR1)"
    ),
    "interrupt": (
        "import _thread, threading, time\nthreading.Timer(0.05, _thread.interrupt_main).start()\ntry:\n"
        "    for _ in range(100):\n        time.sleep(0.02)\n    out.write('to the end')\n"
        "except KeyboardInterrupt:\n    out.write('stopped')"
    ),
    "argparse_of_import": (
        "import helper\nout.write(str(helper.COUNT))\n"
        "=== helper\nimport argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('files', nargs='*')\n"
        "COUNT = len(parser.parse_args().files)"
    ),
    "generators": (
        "import itertools\nids = itertools.count()\ndef numbers():\n    try:\n        yield next(ids)\n"
        "    finally:\n        out.write('closed')\nkept = numbers()\nout.write(str(next(kept)))"
    ),
    "asyncio": (
        "import asyncio\nasync def double(n):\n    await asyncio.sleep(0)\n    return 2 * n\nasync def main():\n"
        "    return await asyncio.gather(*map(double, range(3)))\n"
        "out.write(str(asyncio.new_event_loop().run_until_complete(main())))"
    ),
    "native_thread": (
        "import os, threading\nmain = threading.main_thread()\n"
        "out.write(str(getattr(main, 'native_id', os.getpid()) == os.getpid()))"
    ),
    "subprocess": (
        "import subprocess\nout.write(subprocess.check_output([sys.executable, '-c', 'import sys; print(sys.argv)'],"
        " universal_newlines=True))"
    ),
    "pickle": (
        "import pickle\nclass Model:\n    pass\nout.write(repr(type(pickle.loads(pickle.dumps(Model()))) is Model))"
    ),
    "recursion": "def deep(n):\n    return n and deep(n - 1)\nout.write(str(deep(900)))",
    "warnings": "import warnings\nwarnings.simplefilter('error')\nimport csv\nout.write(str(warnings.filters[0][0]))",
    "path": "import os\nout.write(str([os.path.basename(place) for place in sys.path[:1]]))",
    "original_arguments": "out.write(str(len(getattr(sys, 'orig_argv', sys.argv))))",
    "cache_in_home": (
        "import os\nplace = os.path.expanduser('~/.cache-of-this/x')\n"
        "os.makedirs(os.path.dirname(place), exist_ok=True)\n"
        "open(place, 'a').write('x')\nout.write(open(place).read()[-1:])"
    ),
    "state_of_import": ("import helper\nhelper.COUNT.append(1)\nout.write(str(helper.COUNT))\n=== helper\nCOUNT = []"),
    "lock_of_import": (
        "import helper\nhelper.LOCK.acquire()\nout.write('held')\n"
        "=== helper\nimport multiprocessing\nLOCK = multiprocessing.Lock()"
    ),
    "thread_of_import": (
        "import helper\nhelper.ASKED.put(2)\nout.write(str(helper.ANSWERS.get(timeout=5)))\n"
        "=== helper\nimport queue, threading\nASKED, ANSWERS = queue.Queue(), queue.Queue()\n"
        "threading.Thread(target=lambda: ANSWERS.put(ASKED.get() * 2), daemon=True).start()"
    ),
    "file_of_import": "import helper\nout.write(helper.FILE.readline())\n=== helper\nFILE = open(__file__)\n# a line\n",
}
