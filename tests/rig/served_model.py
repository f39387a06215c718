"""A model server of its own process, from the sources, for browsers and clients."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.rig.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
#: Upper-cases; a name of `slow PATH` takes until that file is there, one of `bad` fails.
PROGRAM = """
import os, sys, time
text = open(sys.argv[1]).read()
if "bad" in text:
    sys.exit("this is no name: bad")
while "slow" in text and not os.path.exists(text.split("slow ")[1].split(",")[0].strip()):
    time.sleep(0.01)
open(sys.argv[2], "w").write(text.upper())
"""
FIELDS = [
    {"Path": "name", "DataType": "string", "Optional": False},
    {"Path": "age", "DataType": "number", "Optional": True},
]


@contextmanager
def served(
    folder: Path, environment: Mapping[str, str] | None = None, program: str = PROGRAM, **changes: object
) -> Iterator[str]:
    """Run a model server in a process of its own and yield its address; `changes` are of its manifest."""
    folder.mkdir(exist_ok=True)
    (folder / "main.py").write_text(program)
    csv = "text/csv; header=present"
    model = {
        **{"name": "upper", "version": "1.2", "build_id": "b1d", "working_directory": str(folder)},
        "command": [sys.executable, str(folder / "main.py"), "{input}", "{output}"],
        **{"input_types": [csv], "output_types": [csv], "schema": {"input": FIELDS}},
        **changes,
    }
    (folder / "model.json").write_text(json.dumps(model))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "PYTHONPATH": str(ROOT / "lib"),
        "MODEL_MANIFEST": str(folder / "model.json"),
        "GAI_VOLUME_PATH": str(folder / "data"),
        "MODEL_SERVER_HOST": "127.0.0.1",
        "MODEL_SERVER_PORT": str(port),
        # As root it would give up root, and with it the way to the test's folder.
        "MODEL_SERVER_USER": f"{os.getuid()}:{os.getgid()}",
        **(environment or {}),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "model_server"], env={**os.environ, **settings}, stdout=log, stderr=log
        )
    try:
        eventually(lambda: answers(f"http://127.0.0.1:{port}/health"), tell=(folder / "log").read_text)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    """Tell whether a server is there."""
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False
