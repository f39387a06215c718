"""Start and stop of the server."""

import os
import socket
import tempfile
import threading
from pathlib import Path
from types import FrameType

import uvicorn

from model_server import __version__, log, manifest, privileges, volume
from model_server.api.app import create_app
from model_server.api.services import Services
from model_server.errors import StartError
from model_server.jobs import database, instance
from model_server.jobs.heart import Heart
from model_server.jobs.queue import Queue
from model_server.jobs.store import Store
from model_server.jobs.worker import Worker, Workers
from model_server.log import logger
from model_server.manifest import Manifest
from model_server.runner_client import RunnerClient, runner_command
from model_server.settings import DEFAULT_DATA_DIRECTORY, Settings
from model_server.volume import Volume

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 65  # longer than the 60 s of common load balancers: they must be the first to close


def serve(settings: Settings) -> int:
    """Runs the server until it is told to stop; returns the exit code.

    Raises:
        StartError: it could not start; nothing was left behind.
    """
    log.configure(settings.log_json)
    model = manifest.read(settings.manifest)
    listener = _bind(settings.host, settings.port)
    data = volume.claim(_data_directory(settings), model.name, settings.user if os.geteuid() == 0 else None)
    privileges.drop(settings.user)
    return _run(settings, model, data, listener)


def _run(settings: Settings, model: Manifest, data: Volume, listener: socket.socket) -> int:
    mountinfo = Path("/proc/self/mountinfo")
    on_network = mountinfo.exists() and volume.is_on_network(data.root, mountinfo.read_text(encoding="utf-8"))
    tempfile.tempdir = "/tmp"  # noqa: S108 - the only place that is promised to be writable
    engine = database.open_sqlite(data.database, on_network)
    store = Store(data, Queue(engine, model.name, settings.max_attempts))
    heart = Heart(store, settings.lease_seconds)
    me = instance.enter(data.instances)
    _take_over(store, data)
    command = runner_command(model.command, settings.manifest)
    workers = Workers(
        [
            Worker(
                store,
                RunnerClient(command),
                heart,
                owner=me.id,
                work=me.work,
                timeout_seconds=model.limits.timeout_seconds,
                lease_seconds=settings.lease_seconds,
            )
            for _ in range(settings.workers)
        ]
    )
    app = create_app(Services(model, store, me.uploads, lambda: workers.draining), settings.root_path)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=5,
    )
    logger.info(
        "%s %s (build %s, server %s) on port %d; data in %s, journal %s; workers: %d; runner: %s",
        *(model.name, model.version, model.build_id, __version__, settings.port),
        *(data.root, database.journal_mode(engine), settings.workers, command[0]),
    )
    heart.start()
    workers.start()
    _Server(config, workers, settings.drain_seconds).run(sockets=[listener])
    left = store.queue.abandon_all(me.id)
    me.leave()
    engine.dispose()
    logger.info("stopped%s", f"; {left} job(s) given back unfinished" if left else "")
    return 0


class _Server(uvicorn.Server):
    """On SIGTERM: no new job is started, running ones are let end while status is still answered, then it stops."""

    def __init__(self, config: uvicorn.Config, workers: Workers, drain_seconds: float) -> None:
        super().__init__(config)
        self._workers = workers
        self._drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        if not self._workers.draining:
            threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def _drain(self) -> None:
        logger.info("stopping: running jobs have %g s to end", self._drain_seconds)
        self._workers.drain(self._drain_seconds)
        self.should_exit = True


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(
            f"cannot bind {host}:{port}: {error.strerror}; free the port, or name another one by MODEL_SERVER_PORT"
        ) from error
    return listener


def _data_directory(settings: Settings) -> Path:
    if settings.data_directory is not None:
        return settings.data_directory
    if volume.is_read_only(DEFAULT_DATA_DIRECTORY):
        fall_back = Path("/tmp/gai_data")  # noqa: S108 - the only place that is promised to be writable
        logger.warning(
            "%s is read-only and no volume is mounted there: jobs are kept in %s and end with the container",
            *(DEFAULT_DATA_DIRECTORY, fall_back),
        )
        return fall_back
    return DEFAULT_DATA_DIRECTORY


def _take_over(store: Store, data: Volume) -> None:
    """Gives back the jobs of servers that died on this volume, and removes what else they left."""
    for name in instance.dead(data.instances):
        count = store.queue.abandon_all(name)
        instance.bury(data.instances, name)
        logger.info("found a server that had died: %d job(s) given back", count)
