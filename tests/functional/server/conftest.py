"""A real server on a loopback port, in this process: uvicorn, SQLite, a worker, the runner, a model program."""

import asyncio
import json
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
import uvloop

from model_server import batch_proof, example, manifest, volume
from model_server.api import data as data_of_jobs
from model_server.api import envelope
from model_server.api.app import create_app
from model_server.api.disk import Space
from model_server.api.services import Services
from model_server.converters import Converters
from model_server.jobs import database, instance
from model_server.jobs.callbacks import CallbackSender
from model_server.jobs.heartbeat import Heartbeat
from model_server.jobs.notifications import Watch, Watchers
from model_server.jobs.queue import Queue
from model_server.jobs.said import Said
from model_server.jobs.store import Store
from model_server.jobs.worker import Worker
from model_server.jobs.worker_pool import Workers
from model_server.license import Licensing
from model_server.metrics import Metrics
from model_server.process import runner_of
from model_server.protocol import Connections
from model_server.runner_command import runner_command
from model_server.siblings import alone
from model_server.slots import OwnSlot
from tests.rig.waiting import eventually

#: Upper-cases its input; an input that starts with "!" makes it fail in the way named.
PROGRAM = """
import os, signal, sys, time
source, target = sys.argv[1:]
text = open(source, encoding="utf-8").read()
print("working", flush=True)
if text.startswith("!fail"):
    sys.exit("no good: " + text[6:])
if text.startswith("!silent"):
    sys.exit(3)
if text.startswith("!nothing"):
    sys.exit(0)
if text.startswith("!kill"):
    os.kill(os.getpid(), signal.SIGKILL)
if text.startswith("!link"):
    os.symlink("/proc/self/nowhere", target)
    sys.exit(0)
if text.startswith("!pipe"):
    os.mkfifo(target)
    sys.exit(0)
if text.startswith("!folder"):
    os.makedirs(target + "/deep")
    sys.exit(0)
if text.startswith("!sleep"):
    time.sleep(float(text[7:]))
with open(target, "w", encoding="utf-8") as file:
    file.write(text.upper())
"""
LIMIT = 100_000


def manifest_text(folder: Path, **changes: object) -> str:
    document: dict[str, object] = {
        "name": "upper",
        "version": "1.2",
        "build_id": "b1d",
        "command": [sys.executable, str(folder / "main.py"), "{input}", "{output}"],
        "working_directory": str(folder),
        "input_types": ["text/csv; header=present"],
        "output_types": ["text/csv; header=present"],
        "limits": {"timeout_seconds": 20, "upload_bytes": LIMIT},
    }
    return json.dumps({**document, **changes})


@dataclass
class Server:
    url: str
    data: Path
    workers: Workers

    def send(self, content: bytes, **fields: str) -> str:
        """Add a job; return its id."""
        answer = requests.post(f"{self.url}/data/add-job", files={"File": ("x.csv", content)}, data=fields, timeout=10)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["id"])

    def stored(self) -> set[Path]:
        """Return every file of jobs on the volume: inputs, results, and uploads under way."""
        patterns = ("inputs/*", "results/*", "instances/*/uploads/*")
        return {path for pattern in patterns for path in self.data.glob(pattern)}

    def wait(self, job_id: str) -> dict[str, object]:
        """Wait until the job is over; return its envelope."""

        def over() -> dict[str, object] | None:
            body = requests.get(f"{self.url}/data/status/{job_id}", timeout=10).json()
            return body if body["isError"] or body["data"]["status"] == "Complete" else None

        return dict(eventually(over))


StartServer = Callable[..., Server]


def write_program(folder: Path) -> Path:
    folder.mkdir()
    (folder / "main.py").write_text(PROGRAM, encoding="utf-8")
    return folder


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Return an event that is set as soon as a request waits for a job's end."""
    waits, watch = threading.Event(), Watchers.watch

    @contextmanager
    def told(watchers: Watchers, job_id: str) -> Iterator[Watch]:
        with watch(watchers, job_id) as one:
            waits.set()
            yield one

    monkeypatch.setattr(Watchers, "watch", told)
    return waits


@pytest.fixture
def program_folder(tmp_path: Path) -> Path:
    return write_program(tmp_path / "program")


@contextmanager
def running(
    folder: Path,
    program_folder: Path,
    root_path: str = "",
    extra: dict[str, Any] | None = None,
    data: Path | None = None,
    most_connections: int | None = None,
    keep: int = 0,
    **changes: object,
) -> Iterator[Server]:
    """Run a server until the block ends; `extra` is of its Services, `data` its volume, `changes` are of the manifest.

    Its volume must keep `keep` bytes free.
    """
    path = folder / f"model-{uuid.uuid4().hex}.json"
    path.write_text(manifest_text(program_folder, **changes), encoding="utf-8")
    model = example.with_example(manifest.read(path))
    claimed = volume.claim(data or path.with_suffix(""), model.name, None)
    store = Store(claimed, Queue(database.open_sqlite(claimed.database, on_network=False), model.name, max_attempts=3))
    me = instance.register(claimed.instances)
    heartbeat = Heartbeat(store, lease_seconds=2, server=me.id)
    converters = Converters()
    metrics = Metrics(model.name, model.version, model.build_id)
    limits = model.limits
    client = runner_of(OwnSlot(runner_command(model.command, path)), limits, me.work / "jobs", claimed.root)
    batches = batch_proof.batches([client], model, limits, me.work) if limits.batch_records else None
    workers = Workers(
        [
            Worker(
                store,
                runner,
                heartbeat,
                metrics,
                owner=me.id,
                timeout_seconds=limits.timeout_seconds,
                lease_seconds=2,
                prepare=partial(data_of_jobs.prepare, manifest=model, converters=converters),
            )
            for runner in ([client] if batches is None else batches.members)
        ],
        converters,
    )
    called = (extra or {}).get("callback_hosts", ("127.0.0.1", "localhost"))  # where tests listen
    services = Services(
        model,
        store,
        me.uploads,
        draining=lambda: workers.draining,
        unproved=lambda: None,
        worker_problem=lambda: workers.problem,
        runner_mode=lambda: workers.mode,
        said=Said(workers.said, alone()),
        metrics=metrics,
        space=Space(me.uploads, keep),
        converters=converters,
        callback_hosts=called,
        licensing=Licensing(model.license_public_key, model.name, claimed.root) if model.license_public_key else None,
    )
    app = create_app(replace(services, **(extra or {})), root_path)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    connections: Any = Connections(most_connections)
    config = uvicorn.Config(app, http=connections, log_config=None, lifespan="off", timeout_keep_alive=5)
    server = uvicorn.Server(config)

    def serve() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if batches is not None:
                batches.start(runner.get_loop())
            workers.start(runner.get_loop())
            runner.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=serve, daemon=True)
    heartbeat.start()
    sender = CallbackSender(store, envelope.of_job, called)
    sender.start()
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}", claimed.root, workers)
    finally:
        sender.stop()
        workers.drain(5)
        server.should_exit = True
        thread.join(30)
        heartbeat.stop()
        heartbeat.join(30)
        store.queue.close()


@pytest.fixture
def start_server(tmp_path: Path, program_folder: Path) -> Iterator[StartServer]:
    """Start servers of the test's own; see `running` for the arguments."""
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(running(tmp_path, program_folder, **changes))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start one server for all tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("server")
    with running(folder, write_program(folder / "program")) as started:
        yield started
