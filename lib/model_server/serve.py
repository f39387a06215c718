"""The start of a server: what needs root, and what its processes share."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from model_server import example, listening, log, manifest, privileges, process, processes, siblings, volume
from model_server.access import Access, Keys
from model_server.errors import StartError
from model_server.jobs import instance
from model_server.launcher import LaunchedSlot, Launcher, launch
from model_server.log import logger
from model_server.orphans import ORPHANS
from model_server.process import Common
from model_server.processes import Place
from model_server.runner_command import runner_command
from model_server.settings import DEFAULT_DATA_DIRECTORY, Settings, forget_secrets
from model_server.slots import OwnSlot, may
from model_server.volume import Volume

_MOUNTS = Path("/proc/self/mountinfo")


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
    count = settings.server_processes
    listeners = listening.bind(settings.host, settings.port, count)
    data = volume.claim(_data_directory(settings), model.name, settings.user if os.geteuid() == 0 else None)
    os.umask(0o077)
    command = runner_command(model.command, settings.manifest)
    users = [settings.program_users[number::count] for number in range(count)]
    launchers = _launchers(users, command, data) if settings.user_apart else [None] * count
    privileges.drop(settings.user)
    volume.check(data)
    on_network = volume.is_on_network(data.root, _mounts())
    if on_network and not settings.queue_url:
        _check_alone(settings, data)
    places = list(map(Place, siblings.make(count), listeners, launchers))
    return processes.run(places, partial(_serve, Common(settings, model, access, data, on_network), command, users))


def _serve(common: Common, command: Sequence[str], users: Sequence[Sequence[tuple[int, int]]], place: Place) -> int:
    mine = users[place.siblings.number]
    launcher = place.launcher
    if launcher is not None:
        slots = [LaunchedSlot(launcher, number) for number in range(len(mine))]
        return process.run(common, place, slots, launcher.remove_instance)
    ORPHANS.adopt()
    return process.run(common, place, [OwnSlot(command) for _ in mine], instance.remover(common.data.instances))


def _check_alone(settings: Settings, data: Volume) -> None:
    if settings.server_processes > 1:
        raise StartError(
            f"the data directory {data.root} is on a network file system, where a queue in SQLite bears one process: "
            "keep the queue in PostgreSQL by MODEL_QUEUE_URL, or set MODEL_SERVER_PROCESSES to 1"
        )


def _launchers(
    of_processes: Sequence[Sequence[tuple[int, int]]], command: Sequence[str], data: Volume
) -> list[Launcher | None]:
    users = of_processes[0]
    if not may(users[0], data.instances, os.X_OK):
        raise StartError(
            f"the program, user {users[0][0]}, may not enter {data.instances}: a folder above is closed to others; "
            "open it (chmod o+x), mount the volume elsewhere, or start the container as an ordinary user (--user)"
        )
    return [launch(command, users, data.instances) for users in of_processes]


def _data_directory(settings: Settings) -> Path:
    if settings.data_directory is not None:
        return settings.data_directory
    if volume.is_read_only(DEFAULT_DATA_DIRECTORY):
        if volume.is_mounted(DEFAULT_DATA_DIRECTORY, _mounts()):
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


def _mounts() -> str:
    return _MOUNTS.read_text(encoding="utf-8") if _MOUNTS.exists() else ""
