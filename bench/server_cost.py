"""What the server itself costs: memory, time until it answers, and a large upload beside a plain write to the disk.

python bench/server_cost.py [--mib 300]
"""

import argparse
import http.client
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import ours
from throughput import CACHE

BLOCK = os.urandom(1024 * 1024)


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def upload(port: int, mib: int) -> float:
    """Sends a file of `mib` MiB; returns the seconds until the answer."""
    head, tail = ours.form(b"\0").split(b"\0")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    started = time.perf_counter()
    connection.putrequest("POST", "/data/add-job")
    connection.putheader("Content-Type", ours.KIND)
    connection.putheader("Content-Length", str(len(head) + len(tail) + mib * len(BLOCK)))
    connection.endheaders()
    connection.send(head)
    for _ in range(mib):
        connection.send(BLOCK)
    connection.send(tail)
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"the upload was answered with {answer.status}: {answer.read()[:200]!r}")
    return time.perf_counter() - started


def write(folder: Path, mib: int) -> float:
    """Writes as much to a file and waits for the disk; returns the seconds."""
    started = time.perf_counter()
    with (folder / "plain").open("wb") as file:
        for _ in range(mib):
            file.write(BLOCK)
        file.flush()
        os.fsync(file.fileno())
    seconds = time.perf_counter() - started
    (folder / "plain").unlink()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=300)
    mib = parser.parse_args().mib
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as text:
        folder = Path(text)
        (folder / "main.py").write_text("import sys\nopen(sys.argv[2], 'w').close()\n", encoding="utf-8")
        plain = write(folder, mib)
        started = time.perf_counter()
        with ours.server(folder, [sys.executable, "main.py", "{input}", "{output}"]) as (port, pid):
            ready = time.perf_counter() - started
            upload(port, 1)
            time.sleep(1)
            before = peak = memory_mib(pid)
            over = threading.Event()

            def watch() -> None:
                nonlocal peak
                while not over.wait(0.02):
                    peak = max(peak, memory_mib(pid))

            watcher = threading.Thread(target=watch)
            watcher.start()
            seconds = upload(port, mib)
            over.set()
            watcher.join()
        again = write(folder, mib)
    disk = (plain + again) / 2
    print("| | |\n|---|---|")
    print(f"| ready after | {ready:.2f} s |\n| memory, idle | {before:.0f} MiB |")
    print(f"| memory, growth in an upload of {mib} MiB | {peak - before:.1f} MiB |")
    print(f"| upload of {mib} MiB | {seconds:.2f} s |\n| a plain write and fsync of as much | {disk:.2f} s |")
    print(f"| ratio | {seconds / disk:.2f} |")


if __name__ == "__main__":
    main()
