"""Leave a thread, a pool and an exit handler to the end; each writes a line when the one before has."""

import atexit
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

pooled = threading.Event()


def write(line: str) -> None:
    with open(sys.argv[2], "a") as target:
        target.write(line + "\n")


def late() -> None:
    pooled.wait()
    time.sleep(0.05)
    write(f"late {threading.current_thread().name} {threading.main_thread().is_alive()}")


def in_pool() -> None:
    write("pool")
    pooled.set()


atexit.register(write, "at exit")
threading.Thread(target=late, name="other").start()
local = threading.local()
local.kept = 1
write(f"main {threading.current_thread() is threading.main_thread()} {local.kept}")
ThreadPoolExecutor(1).submit(in_pool)
