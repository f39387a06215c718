"""A container to be started, in Docker Engine's form."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

_NANOSECONDS = 1_000_000_000
_CONFINED_PROCESSES = 1024


@dataclass(frozen=True)
class Health:
    """A container health check; times in seconds."""

    test: tuple[str, ...]
    interval: float = 30
    timeout: float = 5
    retries: int = 3
    start_period: float = 0


@dataclass(frozen=True)
class Mount:
    """A directory `inner` beneath `root`, perhaps shared with other containers."""

    root: Path
    inner: str
    target: str
    read_only: bool


@dataclass(frozen=True)
class ContainerSpec:
    """A container to be started.

    `ports`: (address, port), published as itself. `join`: share that one's network. `archive`: a tar file laid into it
    first. `confined`: it can gain no rights.
    """

    image: str
    name: str
    command: tuple[str, ...] | None = None
    entry_point: tuple[str, ...] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    ports: tuple[tuple[str, int], ...] = ()
    health: Health | None = None
    memory_mib: int | None = None
    binds: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    join: str | None = None
    user: str | None = None
    working_directory: str | None = None
    read_only: bool = False
    archive: bytes = b""
    confined: bool = False


def container_config(
    api: docker.APIClient, spec: ContainerSpec, mounts: list[Any], labels: dict[str, str]
) -> dict[str, Any]:
    host = api.create_host_config(
        binds=list(spec.binds),
        mounts=mounts,
        read_only=spec.read_only,
        mem_limit=f"{spec.memory_mib}m" if spec.memory_mib else None,
        network_mode=f"container:{spec.join}" if spec.join else None,
        cap_drop=["ALL"] if spec.confined else None,
        security_opt=["no-new-privileges"] if spec.confined else None,
        pids_limit=_CONFINED_PROCESSES if spec.confined else None,
        port_bindings={} if spec.join else {f"{port}/tcp": (address, port) for address, port in spec.ports},
    )
    config: dict[str, Any] = api.create_container_config(
        spec.image,
        list(spec.command or ()),  # none: the image's
        entrypoint=list(spec.entry_point) if spec.entry_point else None,
        environment=spec.environment,
        labels=labels,
        user=spec.user,
        working_dir=spec.working_directory,
        detach=True,
        ports=[] if spec.join else [(str(port), "tcp") for _, port in spec.ports],
        host_config=host,
    )
    # ECS does not look at the image's own HEALTHCHECK either.
    config["Healthcheck"] = _healthcheck(spec.health) if spec.health else {"Test": ["NONE"]}
    return config


def _healthcheck(health: Health) -> dict[str, Any]:
    return {
        "Test": list(health.test),
        "Interval": int(health.interval * _NANOSECONDS),
        "Timeout": int(health.timeout * _NANOSECONDS),
        "Retries": health.retries,
        "StartPeriod": int(health.start_period * _NANOSECONDS),
        # Of engines from 25 on. AWS asks for the first time after a whole interval; nobody here has to wait so long.
        "StartInterval": _NANOSECONDS,
    }
