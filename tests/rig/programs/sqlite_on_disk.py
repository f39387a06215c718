"""Keep rows in a database in HOME, with a function of Python, from two threads."""

import os
import sqlite3
import sys
import threading

place = os.path.expanduser("~/rows.db")
base = sqlite3.connect(place, isolation_level=None)
base.execute("pragma journal_mode=wal")
base.create_function("twice", 1, lambda value: 2 * value)
base.execute("create table if not exists rows (a integer)")


def fill(begin: int) -> None:
    own = sqlite3.connect(place, timeout=30)
    with own:
        own.executemany("insert into rows values (?)", [(begin + n,) for n in range(100)])
    own.close()


threads = [threading.Thread(target=fill, args=(begin,)) for begin in (0, 1000)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with open(sys.argv[2], "w") as target:
    target.write(repr(base.execute("select count(*), sum(twice(a)) from rows").fetchone()))
