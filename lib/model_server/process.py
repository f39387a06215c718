"""All that a process of a server is made of, from its start to its end."""

import asyncio
import os
import tempfile
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
import uvloop
from sqlalchemy import Engine
from starlette.applications import Starlette

from model_server import __version__, bounds, listening, processes, tracing
from model_server import license as licenses
from model_server.access import Access
from model_server.api import data as data_of_jobs
from model_server.api import envelope
from model_server.api.app import create_app
from model_server.api.disk import Space
from model_server.api.services import Services
from model_server.converters import Converters
from model_server.jobs import database, exclusive_lock, instance
from model_server.jobs.callbacks import CallbackSender
from model_server.jobs.exclusive_lock import ExclusiveLock
from model_server.jobs.heartbeat import Heartbeat
from model_server.jobs.housekeeping import Housekeeper, Retention
from model_server.jobs.queue import Queue
from model_server.jobs.said import Said
from model_server.jobs.store import SMALL_BYTES, Store
from model_server.jobs.worker import Worker
from model_server.jobs.worker_pool import Workers
from model_server.log import logger
from model_server.manifest import Limits, Manifest
from model_server.metrics import Metrics
from model_server.processes import Place
from model_server.protocol import Connections
from model_server.runner_client import RunnerClient
from model_server.self_proof import EXIT_NOT_PROVED, SelfProof
from model_server.settings import DEFAULT_MANIFEST, Settings
from model_server.siblings import Siblings
from model_server.slots import Slot
from model_server.stopping import LAST_SECONDS, Server
from model_server.volume import Volume

if TYPE_CHECKING:
    from model_server.jobs.batches import Batches

#: For what waits for the disk, beside one for each worker; made when they are needed.
_THREADS = 40


@dataclass(frozen=True)
class Common:
    """Settings and places that all processes of a server share."""

    settings: Settings
    model: Manifest
    access: Access
    data: Volume
    #: The data is on a network file system.
    on_network: bool


def run(common: Common, place: Place, slots: Sequence[Slot], remove: instance.Remove) -> int:
    """Serve until told to stop; return the exit code."""
    settings, model, data, family = common.settings, common.model, common.data, place.siblings
    is_first = family.number == 0
    tempfile.tempdir = "/tmp"  # noqa: S108 - the only place that is promised to be writable
    licensing = licenses.of_image(model, DEFAULT_MANIFEST, settings, data.root)
    lock, engine = _opened(common)
    limits = settings.limits_of(model)
    queue = Queue(engine, model.name, settings.max_attempts, build_id=model.build_id[:255])
    store = Store(data, queue, _processors(limits, family.count), family)
    metrics = Metrics(model.name, model.version, model.build_id, family)
    me = instance.register(data.instances)
    locks_reach = not common.on_network or lock is not None
    keeper = Housekeeper(store, data, _retention(settings, model), locks_reach, remove)
    keeper.take_over()
    converters = Converters()
    # The first process proves the model for all: the others are started behind it.
    proof = _self_proof(settings, model, limits.timeout_seconds, converters) if is_first else None
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
        said=Said(workers.said, family),
        metrics=metrics,
        tracing=traces,
        licensing=licensing,
        access=common.access,
        callback_hosts=settings.callback_hosts,
        space=Space(me.uploads, settings.free_bytes, family),
        converters=converters,
        siblings=family,
    )
    logger.info(
        "%s %s (build %s, server %s) on port %d%s; data in %s, journal %s; workers: %d; program: %s",
        *(model.name, model.version, model.build_id, __version__, settings.port),
        f", process {family.number + 1} of {family.count}" if family.count > 1 else "",
        *(data.root, database.journal_mode(engine), len(slots), _whose(slots, settings, family)),
    )
    sender = CallbackSender(store, envelope.of_job, settings.callback_hosts)
    # The first sends and tidies up for all: so few calls to one receiver at a time are few of the server.
    for thread in (heartbeat, keeper, sender) if is_first else (heartbeat,):
        thread.start()
    server = _server(services, workers, heartbeat, settings, proof)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        # Python's own has four more threads than there are processors: slow uploads would keep workers from theirs.
        runner.get_loop().set_default_executor(ThreadPoolExecutor(len(runners) + _THREADS))
        family.listen(runner.get_loop())
        if batches is not None:
            batches.start(runner.get_loop())
        workers.start(runner.get_loop())
        if lock is not None:
            lock.keep(server.stop_at_once)
        runner.run(server.serve(sockets=[place.listener]))
    family.leave()
    heartbeat.stop()
    sender.stop()
    if is_first:
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


def _opened(common: Common) -> tuple[ExclusiveLock | None, Engine]:
    if common.settings.queue_url:
        return None, database.open_postgres(common.settings.queue_url)
    lock = exclusive_lock.acquire(common.data.root) if common.on_network else None
    return lock, database.open_sqlite(common.data.database, common.on_network)


def _processors(limits: Limits, processes_count: int) -> int | None:
    if limits.batch_records:
        return None  # what is to be joined must not wait for one another
    return max(1, len(os.sched_getaffinity(0)) // processes_count)


def _server(
    services: Services, workers: Workers, heartbeat: Heartbeat, settings: Settings, proof: SelfProof | None
) -> Server:
    connections = Connections()
    config = _http(create_app(services, settings.root_path), connections)
    server = Server(config, connections, workers, heartbeat, settings.drain_seconds)
    if proof is not None:
        proof.on_failure = server.stop_at_once
    if services.siblings.count > 1:
        server.on_stop = processes.stop_all
        if proof is None:
            server.on_start = processes.tell_ready
        else:
            proof.on_success = processes.tell_ready
    return server


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


def _whose(slots: Sequence[Slot], settings: Settings, family: Siblings) -> str:
    return f"user {settings.program_users[family.number][0]}" if slots[0].is_own_user else "the server's own user"


def _retention(settings: Settings, model: Manifest) -> Retention:
    limits = model.limits
    days = limits.retention_days or None if settings.retention_days is None else settings.retention_days
    return Retention(
        days, limits.retention_jobs or None if settings.retention_jobs is None else settings.retention_jobs
    )
