"""Measures the server itself: memory, time until it answers, and a large upload beside a plain write to the disk.

python bench/server_cost.py [--mib 300] [--rounds 5] [--large]
"""

import argparse
import contextlib
import http.client
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import ours
from throughput import CACHE

MIB = 1024 * 1024
BLOCK = os.urandom(MIB)
#: Of a data file, if the image does not say otherwise.
LIMIT = 2048 * MIB


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def upload(port: int, size: int, declared: bool = True) -> tuple[float, int]:
    """Send a file of `size` bytes; return the seconds until the answer, and its status.

    Args:
        port: of the server.
        size: of the file.
        declared: the server is told before how much will come; else it comes in chunks.
    """
    head, tail = ours.form(b"\0").split(b"\0")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    started = time.perf_counter()
    connection.putrequest("POST", "/data/add-job")
    connection.putheader("Content-Type", ours.KIND)
    if declared:
        connection.putheader("Content-Length", str(len(head) + len(tail) + size))
    else:
        connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()

    def send(data: bytes) -> None:
        connection.send(data if declared else b"%x\r\n%b\r\n" % (len(data), data))

    with contextlib.suppress(ConnectionError):  # it was refused before its end: the answer says why
        send(head)
        for start in range(0, size, len(BLOCK)):
            send(BLOCK[: size - start])
        send(tail)
        if not declared:
            connection.send(b"0\r\n\r\n")
    status = connection.getresponse().status
    return time.perf_counter() - started, status


def kept(folder: Path) -> int:
    """Return the bytes of data files on the volume, whole or in part."""
    volume = folder / "data-volume"
    files = [*volume.glob("inputs/*"), *volume.glob("instances/*/uploads/*")]
    return sum(path.stat().st_size for path in files)


def write(folder: Path, mib: int) -> float:
    """Write as much to a file and wait for the disk; return the seconds."""
    started = time.perf_counter()
    with (folder / "plain").open("wb") as file:
        for _ in range(mib):
            file.write(BLOCK)
        file.flush()
        os.fsync(file.fileno())
    seconds = time.perf_counter() - started
    (folder / "plain").unlink()
    return seconds


def spread(seconds: Sequence[float]) -> str:
    """Return the median of sorted times, and the first and the last of them."""
    return f"{median(seconds):.2f} s ({seconds[0]:.2f} to {seconds[-1]:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5, help="so many uploads and plain writes, in turns")
    parser.add_argument("--large", action="store_true", help="also 2 GiB, three times")
    arguments = parser.parse_args()
    mib, large = arguments.mib, arguments.large
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as text:
        folder = Path(text)
        (folder / "main.py").write_text("import sys\nopen(sys.argv[2], 'w').close()\n", encoding="utf-8")
        started = time.perf_counter()
        with ours.server(folder, [sys.executable, "main.py", "{input}", "{output}"]) as (port, pid):
            ready = time.perf_counter() - started
            upload(port, MIB)
            time.sleep(1)
            before = peak = memory_mib(pid)
            over = threading.Event()

            def watch() -> None:
                nonlocal peak
                while not over.wait(0.02):
                    peak = max(peak, memory_mib(pid))

            watcher = threading.Thread(target=watch)
            watcher.start()
            pairs = []
            for _ in range(arguments.rounds):
                plain = write(folder, mib)
                seconds, status = upload(port, mib * MIB)
                if status != 200:
                    raise SystemExit(f"the upload was answered with {status}")
                pairs.append((plain, seconds))
            over.set()
            watcher.join()
            print("| | |\n|---|---|")
            print(f"| ready after | {ready:.2f} s |\n| memory, idle | {before:.0f} MiB |")
            print(f"| memory, growth in an upload of {mib} MiB | {peak - before:.1f} MiB |")
            disk, sent = (sorted(times) for times in zip(*pairs, strict=True))
            print(f"| upload of {mib} MiB | {spread(sent)} |\n| a plain write and fsync of as much | {spread(disk)} |")
            print(f"| ratio of the medians | {median(sent) / median(disk):.2f} |", flush=True)
            if large:
                refuse_or_keep(port, folder)


def refuse_or_keep(port: int, folder: Path) -> None:
    """Send what is just at the limit, and a byte more."""
    for name, size, declared in (
        ("2 GiB, which is the limit", LIMIT, True),
        ("a byte more, declared", LIMIT + 1, True),
        ("a byte more, in chunks", LIMIT + 1, False),
    ):
        before = kept(folder)
        seconds, status = upload(port, size, declared)
        grown = kept(folder) - before
        print(f"| {name} | {status} after {seconds:.1f} s, {grown} bytes kept |", flush=True)
        if (status, grown) != ((200, size) if size <= LIMIT else (413, 0)):
            raise SystemExit("that was not to be")


if __name__ == "__main__":
    main()
