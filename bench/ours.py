"""Our server, started for a benchmark, and what a client of it does."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from load import Connection

ROOT = Path(__file__).parents[1]
BOUNDARY = "model-dockerize-bench"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(
    folder: Path,
    command: Sequence[str],
    sample: str = "",
    model: Mapping[str, object] | None = None,
    **environment: str,
) -> Iterator[tuple[int, int]]:
    """Serve the program in `folder`; yield the port and the process number. The data lie beside the program.

    Args:
        folder: with the program.
        command: as in the manifest.
        sample: the same.
        model: what the manifest says beyond that.
        environment: of the server.
    """
    port = free_port()
    data = folder / "data-volume"
    shutil.rmtree(data, ignore_errors=True)
    manifest = folder / "bench-model.json"
    types = {"input_types": ["text/plain"], "output_types": ["text/plain"]}
    manifest.write_text(
        json.dumps(
            {"name": "bench", "version": "1", "build_id": "bench", "working_directory": str(folder), **types}
            | {"command": list(command), "sample": sample, **(model or {})}
        ),
        encoding="utf-8",
    )
    settings = {
        "PYTHONPATH": str(ROOT / "lib"),
        "MODEL_MANIFEST": str(manifest),
        "MODEL_SERVER_HOST": "127.0.0.1",
        "MODEL_SERVER_PORT": str(port),
        "MODEL_SERVER_USER": "0:0",
        "GAI_VOLUME_PATH": str(data),
        **environment,
    }
    with (folder / "bench.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "model_server"], env={**os.environ, **settings}, stdout=log, stderr=log
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(data, ignore_errors=True)


def wait_for(url: str, process: "subprocess.Popen[bytes]", seconds: float = 90) -> None:
    """Wait until `url` answers at all."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2)  # noqa: S310 - the URL is ours
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{url} does not answer")


def form(content: bytes) -> bytes:
    """Return the multipart form of add-job."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="File"; filename="x.txt"\r\n\r\n'
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


KIND = f"multipart/form-data; boundary={BOUNDARY}"


async def job(connection: Connection, content: bytes, expected: bytes | None) -> bool:
    """Add a job, wait for its end, fetch its result; tell whether it is the expected one (None: any)."""
    status, body = await connection.call("POST", "/data/add-job", form(content), KIND)
    if status != 200:
        return False
    number = json.loads(body)["data"]["id"]
    while True:
        status, body = await connection.call("GET", f"/data/status/{number}?wait=20")
        state = json.loads(body)
        if status != 200 or state["isError"]:
            return False
        if state["data"]["status"] == "Complete":
            status, result = await connection.call("GET", f"/data/result/{number}")
            return status == 200 and expected in (None, result)


async def run_job(connection: Connection, content: bytes, expected: bytes) -> bool:
    """Do the same in one request."""
    status, body = await connection.call("POST", "/data/run-job", form(content), KIND)
    return status == 200 and body == expected
