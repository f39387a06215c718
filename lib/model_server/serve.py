"""All that a server is made of, from its start to its end."""

import asyncio
import os
import socket
import tempfile
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
import uvloop
from starlette.applications import Starlette

from model_server import __version__, bounds, example, listening, log, manifest, privileges, tracing, volume
from model_server import license as licenses
from model_server.access import Access, Keys
from model_server.api import data as data_of_jobs
from model_server.api import envelope
from model_server.api.app import create_app
from model_server.api.disk import Space
from model_server.api.services import Services
from model_server.converters import Converters
from model_server.errors import StartError
from model_server.jobs import database, exclusive_lock, instance
from model_server.jobs.callbacks import CallbackSender
from model_server.jobs.heartbeat import Heartbeat
from model_server.jobs.housekeeping import Housekeeper, Retention
from model_server.jobs.queue import Queue
from model_server.jobs.store import SMALL_BYTES, Store
from model_server.jobs.worker import Worker
from model_server.jobs.worker_pool import Workers
from model_server.launcher import LaunchedSlot, Launcher, launch
from model_server.log import logger
from model_server.manifest import Limits, Manifest
from model_server.metrics import Metrics
from model_server.orphans import ORPHANS
from model_server.protocol import Connections
from model_server.runner_client import RunnerClient
from model_server.runner_command import runner_command
from model_server.self_proof import EXIT_NOT_PROVED, SelfProof
from model_server.settings import DEFAULT_DATA_DIRECTORY, DEFAULT_MANIFEST, Settings, forget_secrets
from model_server.slots import OwnSlot, Slot, may
from model_server.stopping import LAST_SECONDS, Server
from model_server.volume import Volume

if TYPE_CHECKING:
    from model_server.jobs.batches import Batches

_MOUNTS = Path("/proc/self/mountinfo")
#: For what waits for the disk, beside one for each worker; made when they are needed.
_THREADS = 40


def serve(settings: Settings) -> int:
    """Run the server until told to stop, or raise StartError."""
    log.configure(settings.log_json)
    forget_secrets(os.environ)
    model = example.with_example(manifest.read(settings.manifest))
    access = Access(
        Keys(settings.api_keys, model.name) if settings.api_keys else None,
        settings.allowed_hosts,
        settings.open_paths,
        settings.job_list,
    )
    listener = listening.bind(settings.host, settings.port)
    data = volume.claim(_data_directory(settings), model.name, settings.user if os.geteuid() == 0 else None)
    os.umask(0o077)
    command = runner_command(model.command, settings.manifest)
    launcher = _launcher(settings, command, data) if settings.user_apart else None
    privileges.drop(settings.user)
    volume.check(data)
    if launcher is not None:
        slots: list[Slot] = [LaunchedSlot(launcher, number) for number in range(settings.workers)]
        return _run(settings, model, access, data, listener, slots, launcher.remove_instance)
    ORPHANS.adopt()
    own = [OwnSlot(command) for _ in range(settings.workers)]
    return _run(settings, model, access, data, listener, own, instance.remover(data.instances))


def _launcher(settings: Settings, command: Sequence[str], data: Volume) -> Launcher:
    users = settings.program_users
    if not may(users[0], data.instances, os.X_OK):
        raise StartError(
            f"the program, user {users[0][0]}, may not enter {data.instances}: a folder above is closed to others; "
            "open it (chmod o+x), mount the volume elsewhere, or start the container as an ordinary user (--user)"
        )
    return launch(command, users, data.instances)


def _run(
    settings: Settings,
    model: Manifest,
    access: Access,
    data: Volume,
    listener: socket.socket,
    slots: Sequence[Slot],
    remove: instance.Remove,
) -> int:
    on_network = _MOUNTS.exists() and volume.is_on_network(data.root, _MOUNTS.read_text(encoding="utf-8"))
    tempfile.tempdir = "/tmp"  # noqa: S108 - the only place that is promised to be writable
    licensing = licenses.of_image(model, DEFAULT_MANIFEST, settings, data.root)
    lock = exclusive_lock.acquire(data.root) if on_network and not settings.queue_url else None
    engine = (
        database.open_postgres(settings.queue_url)
        if settings.queue_url
        else database.open_sqlite(data.database, on_network)
    )
    limits = settings.limits_of(model)
    queue = Queue(engine, model.name, settings.max_attempts, build_id=model.build_id[:255])
    # What is to be joined must not wait for one another.
    store = Store(data, queue, None if limits.batch_records else len(os.sched_getaffinity(0)))
    metrics = Metrics(model.name, model.version, model.build_id)
    me = instance.register(data.instances)
    locks_reach = not on_network or lock is not None
    keeper = Housekeeper(store, data, _retention(settings, model), locks_reach, remove)
    keeper.take_over()
    converters = Converters()
    proof = _self_proof(settings, model, limits.timeout_seconds, converters)
    heartbeat = Heartbeat(store, settings.lease_seconds, me.id, lambda: proof is None or proof.waiting_for is None)
    traces = tracing.of_environment(os.environ, model)
    clients = [runner_of(slot, limits, me.work / uuid.uuid4().hex, data.root) for slot in slots]
    batches = _batches(clients, model, limits, me.work) if limits.batch_records else None
    runners = clients if batches is None else batches.members
    workers = Workers(
        [
            Worker(
                store,
                runner,
                heartbeat,
                metrics,
                owner=me.id,
                timeout_seconds=limits.timeout_seconds,
                lease_seconds=settings.lease_seconds,
                prepare=partial(data_of_jobs.prepare, manifest=model, converters=converters),
                gate=proof,
                tracing=traces,
            )
            for runner in runners
        ],
        converters,
    )
    services = Services(
        model,
        store,
        me.uploads,
        draining=lambda: workers.draining,
        unproved=lambda: None if proof is None else proof.waiting_for,
        worker_problem=lambda: workers.problem,
        runner_mode=lambda: workers.mode,
        said=workers.said,
        metrics=metrics,
        tracing=traces,
        licensing=licensing,
        access=access,
        callback_hosts=settings.callback_hosts,
        space=Space(me.uploads, settings.free_bytes),
        converters=converters,
    )
    logger.info(
        "%s %s (build %s, server %s) on port %d; data in %s, journal %s; workers: %d; program: %s",
        *(model.name, model.version, model.build_id, __version__, settings.port),
        *(data.root, database.journal_mode(engine), settings.workers, _whose(slots, settings)),
    )
    sender = CallbackSender(store, envelope.of_job, settings.callback_hosts)
    for thread in (heartbeat, keeper, sender):
        thread.start()
    connections = Connections()
    config = _http(create_app(services, settings.root_path), connections)
    server = Server(config, connections, workers, heartbeat, settings.drain_seconds)
    if proof is not None:
        proof.on_failure = server.stop_at_once
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        # Python's own has four more threads than there are processors: slow uploads would keep workers from theirs.
        runner.get_loop().set_default_executor(ThreadPoolExecutor(len(runners) + _THREADS))
        if batches is not None:
            batches.start(runner.get_loop())
        workers.start(runner.get_loop())
        if lock is not None:
            lock.keep(server.stop_at_once)
        runner.run(server.serve(sockets=[listener]))
    heartbeat.stop()
    sender.stop()
    sender.join(1)  # what it had recorded behind the end of the queue, it would wait for forever
    left = store.queue.abandon_all(me.id)
    store.queue.close()
    me.unregister(remove)
    engine.dispose()
    if lock is not None:
        lock.release()
    if traces is not None:
        traces.stop()
    logger.info("stopped%s", f"; {left} job(s) given back unfinished" if left else "")
    return EXIT_NOT_PROVED if proof is not None and proof.failure is not None and not proof.is_stopped else 0


def _http(app: Starlette, connections: Connections) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=connections,  # type: ignore[arg-type]  # it is called as the class would be
        ws="none",
        proxy_headers=False,  # nobody asks for the client's address, and no absolute URL is made
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        backlog=listening.BACKLOG,
        timeout_keep_alive=bounds.IDLE_SECONDS,
        timeout_graceful_shutdown=LAST_SECONDS,
    )


def runner_of(slot: Slot, limits: Limits, folder: Path, hidden: Path) -> RunnerClient:
    """Return a runner of jobs in `folder`; programs cannot see `hidden`."""
    return RunnerClient(
        slot,
        memory_mib=limits.memory_mib,
        output_bytes=limits.output_bytes,
        small_bytes=bounds.BATCH_RESULT_BYTES if limits.batch_records else SMALL_BYTES,
        folder=folder,
        hidden=hidden,
    )


def _batches(clients: Sequence[RunnerClient], model: Manifest, limits: Limits, work: Path) -> "Batches":
    from model_server import batch_proof  # noqa: PLC0415 - few models have batches

    return batch_proof.batches(clients, model, limits, work)


def _self_proof(settings: Settings, model: Manifest, timeout: float, converters: Converters) -> SelfProof | None:
    if not settings.self_proof:
        return None
    if model.proof is None:
        logger.warning("this image carries no sample: jobs are taken without a proof")
        return None
    folder = Path(model.working_directory)
    mapping = folder / model.proof.mapping if model.proof.mapping else None
    make = partial(data_of_jobs.of_sample, mapping=mapping, manifest=model, converters=converters)
    return SelfProof(model.proof, folder, make, timeout)


def _whose(slots: Sequence[Slot], settings: Settings) -> str:
    return f"user {settings.program_user[0]}" if slots[0].is_own_user else "the server's own user"


def _data_directory(settings: Settings) -> Path:
    if settings.data_directory is not None:
        return settings.data_directory
    if volume.is_read_only(DEFAULT_DATA_DIRECTORY):
        if volume.is_mounted(DEFAULT_DATA_DIRECTORY, _MOUNTS.read_text(encoding="utf-8") if _MOUNTS.exists() else ""):
            raise StartError(
                f"the volume at {DEFAULT_DATA_DIRECTORY} is read-only: jobs cannot be kept there; mount it writable"
            )
        fall_back = Path("/tmp/gai_data")  # noqa: S108 - the only place that is promised to be writable
        logger.warning(
            "%s is read-only and no volume is mounted there: jobs are kept in %s and end with the container",
            *(DEFAULT_DATA_DIRECTORY, fall_back),
        )
        return fall_back
    return DEFAULT_DATA_DIRECTORY


def _retention(settings: Settings, model: Manifest) -> Retention:
    limits = model.limits
    days = limits.retention_days or None if settings.retention_days is None else settings.retention_days
    return Retention(
        days, limits.retention_jobs or None if settings.retention_jobs is None else settings.retention_jobs
    )
