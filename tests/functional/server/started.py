"""A server in a process of its own."""

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from model_server import health
from tests.functional.server.conftest import manifest_text, write_program

ROOT = Path(__file__).resolve().parents[3]


class Started:
    """A server with a sample in its program's folder."""

    def __init__(self, folder: Path, sample: str, expected: str) -> None:
        program = write_program(folder / "program")
        (program / "in.csv").write_text(sample, encoding="utf-8")
        (program / "out.csv").write_text(expected, encoding="utf-8")
        (folder / "model.json").write_text(
            manifest_text(program, proof={"input": "in.csv", "expected": "out.csv"}), encoding="utf-8"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = folder / "data"
        self.log = folder / "log"
        self.environment = {
            "MODEL_MANIFEST": str(folder / "model.json"),
            "MODEL_SERVER_HOST": "127.0.0.1",
            "MODEL_SERVER_PORT": str(self.port),
            "MODEL_SERVER_USER": f"{os.getuid()}:{os.getgid()}",
            "MODEL_WORKERS": "2",
            "GAI_VOLUME_PATH": str(self.data),
            "MODEL_SELF_PROOF": "true",
            "PYTHONPATH": str(ROOT / "lib"),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "model_server"]
            self.process = subprocess.Popen(
                command, env={**os.environ, **self.environment}, stdout=log, stderr=subprocess.STDOUT
            )
        return self.process

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        return health.probe(self.port) is None

    def states(self) -> list[str]:
        with closing(sqlite3.connect(self.data / "jobs.sqlite3")) as queue:
            return [state for (state,) in queue.execute("SELECT state FROM jobs ORDER BY number")]
