"""The server's settings, from the container's environment."""

import os
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from model_server import access
from model_server.errors import StartError
from model_server.manifest import Limits, Manifest

DEFAULT_MANIFEST = Path("/opt/model-server/model.json")
DEFAULT_DATA_DIRECTORY = Path("/var/gai_data")
DEFAULT_PORT = 80
DEFAULT_USER = "1000:1000"  # need not exist in /etc/passwd
_SECRETS = ("MODEL_QUEUE_URL", "MODEL_LICENSE_KEY")
DEFAULT_PROGRAM_USER = "20000:20000"  # likely to own nothing in any image

N = TypeVar("N", int, float)
D = TypeVar("D", int, float, None)


@dataclass(frozen=True)
class Settings:
    """Settings of this server. Seconds where not said otherwise."""

    manifest: Path
    host: str
    port: int
    #: None: DEFAULT_DATA_DIRECTORY, with a fall-back on a read-only root file system.
    data_directory: Path | None
    root_path: str
    #: uid and gid that a server started as root goes on as.
    user: tuple[int, int]
    #: The same of the first worker's program; each further worker's has the next uid.
    program_user: tuple[int, int]
    workers: int
    #: Of the server, on one port; the workers are divided among them.
    server_processes: int
    lease_seconds: float
    drain_seconds: float
    max_attempts: int
    #: A JSON object a line, instead of a readable line.
    log_json: bool
    #: URL of a PostgreSQL database for the queue; "": SQLite on the data volume. It may hold a password.
    queue_url: str = field(repr=False)
    #: Jobs that are over are kept so many days, and so many of them; None where the manifest decides.
    retention_days: float | None
    retention_jobs: int | None
    #: Room that a new job must leave on the volume, bytes.
    free_bytes: int
    callback_hosts: tuple[str, ...]
    #: Of the publisher of license keys; "": the manifest's.
    license_public_key: str
    #: A license key that counts where the volume has none; "": none.
    license_key: str = field(repr=False)
    #: Variable -> its API keys; empty: no key is needed.
    api_keys: Mapping[str, str] = field(repr=False)
    #: Host names that the server answers for, in lower case; empty: any.
    allowed_hosts: tuple[str, ...]
    #: What needs neither key nor host name: probes, and /metrics.
    open_paths: tuple[str, ...]
    job_list: bool
    #: Limits of a job that count instead of the manifest's; None where it decides.
    job_seconds: int | None
    job_memory_mib: int | None
    job_output_bytes: int | None
    #: No job is taken before the image's sample is answered as it must be; a wrong answer ends the server.
    self_proof: bool

    @property
    def program_users(self) -> list[tuple[int, int]]:
        """Return each worker's program user, if started as root."""
        uid, gid = self.program_user
        return [(uid + number, gid) for number in range(self.workers)]

    @property
    def user_apart(self) -> tuple[int, int] | None:
        """Return the first program's user if not ours; needs root."""
        return self.program_user if os.geteuid() == 0 and self.user[0] != 0 else None

    def limits_of(self, model: Manifest) -> Limits:
        own = {
            "timeout_seconds": self.job_seconds,
            "memory_mib": self.job_memory_mib,
            "output_bytes": self.job_output_bytes,
        }
        return replace(model.limits, **{name: value for name, value in own.items() if value is not None})


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings; StartError names each wrong variable."""
    problems: list[str] = []

    def number(name: str, convert: Callable[[str], N], default: D, low: float, high: float) -> N | D:
        text = environment.get(name, "").strip()
        if not text:
            return default
        try:
            value = convert(text)
            if low <= value <= high:
                return value
        except ValueError:
            pass
        problems.append(f"{name} must be a number from {low:g} to {high:g}")
        return default

    user = re.fullmatch(r"(\d{1,9}):(\d{1,9})", environment.get("MODEL_SERVER_USER", "").strip() or DEFAULT_USER)
    if user is None:
        problems.append("MODEL_SERVER_USER must be two numbers, uid:gid")
    program_user = re.fullmatch(
        r"([1-9]\d{0,8}):(\d{1,9})", environment.get("MODEL_PROGRAM_USER", "").strip() or DEFAULT_PROGRAM_USER
    )
    if program_user is None:
        problems.append("MODEL_PROGRAM_USER must be two numbers, uid:gid, and not root's")
    log_format = environment.get("MODEL_LOG_FORMAT", "").strip().lower() or "text"
    if log_format not in ("text", "json"):
        problems.append("MODEL_LOG_FORMAT must be text or json")
    open_paths = _words(environment, "MODEL_OPEN_PATHS") or access.PROBES
    if open_paths == ("none",):
        open_paths = ()
    if not set(open_paths) <= {*access.PROBES, "/metrics"}:
        problems.append(f"MODEL_OPEN_PATHS may name {', '.join(access.PROBES)} and /metrics, or be none")
    job_list = environment.get("MODEL_JOB_LIST", "").strip().lower() or "true"
    if job_list not in ("true", "false"):
        problems.append("MODEL_JOB_LIST must be true or false")
    self_proof = environment.get("MODEL_SELF_PROOF", "").strip().lower() or "false"
    if self_proof not in ("true", "false"):
        problems.append("MODEL_SELF_PROOF must be true or false")
    data_directory = environment.get("GAI_VOLUME_PATH", "").strip()
    root_path = environment.get("ROOT_PATH", "").strip().strip("/")
    processes = number("MODEL_SERVER_PROCESSES", int, 1, 1, 64)
    settings = Settings(
        manifest=Path(environment.get("MODEL_MANIFEST", "").strip() or DEFAULT_MANIFEST),
        host=environment.get("MODEL_SERVER_HOST", "").strip() or "0.0.0.0",  # noqa: S104 - the container's port is its face
        port=number("MODEL_SERVER_PORT", int, DEFAULT_PORT, 1, 65535),
        data_directory=Path(data_directory) if data_directory else None,
        root_path=f"/{root_path}" if root_path else "",
        user=(int(user[1]), int(user[2])) if user else (0, 0),
        program_user=(int(program_user[1]), int(program_user[2])) if program_user else (0, 0),
        workers=number("MODEL_WORKERS", int, processes, 1, 256),
        server_processes=processes,
        lease_seconds=number("MODEL_LEASE_SECONDS", float, 15.0, 0.5, 3600),
        drain_seconds=number("MODEL_DRAIN_SECONDS", float, 25.0, 0, 3600),
        max_attempts=number("MODEL_MAX_ATTEMPTS", int, 5, 1, 1000),
        log_json=log_format == "json",
        queue_url=environment.get("MODEL_QUEUE_URL", "").strip(),
        retention_days=number("MODEL_RETENTION_DAYS", float, None, 0.0001, 36500),
        retention_jobs=number("MODEL_RETENTION_JOBS", int, None, 1, 10**9),
        free_bytes=number("MODEL_FREE_BYTES", int, 64 * 1024**2, 0, 10**15),
        callback_hosts=_words(environment, "MODEL_CALLBACK_HOSTS"),
        license_public_key=environment.get("MODEL_LICENSE_PUBLIC_KEY", "").strip(),
        license_key=environment.get("MODEL_LICENSE_KEY", "").strip(),
        api_keys={name: value for name, value in environment.items() if name.startswith(access.PREFIX)},
        allowed_hosts=_words(environment, "MODEL_ALLOWED_HOSTS"),
        open_paths=open_paths,
        job_list=job_list == "true",
        job_seconds=number("MODEL_JOB_SECONDS", int, None, 1, 10**7),
        job_memory_mib=number("MODEL_JOB_MEMORY_MIB", int, None, 0, 10**8),
        job_output_bytes=number("MODEL_JOB_OUTPUT_BYTES", int, None, 0, 10**15),
        self_proof=self_proof == "true",
    )
    if settings.data_directory is not None and not settings.data_directory.is_absolute():
        problems.append("GAI_VOLUME_PATH must be an absolute path")
    if settings.workers < processes:
        problems.append("MODEL_WORKERS must be MODEL_SERVER_PROCESSES at least: each process needs a worker")
    if settings.user[0] in [uid for uid, _ in settings.program_users]:
        problems.append("MODEL_SERVER_USER must be none of the programs' users, MODEL_PROGRAM_USER and above")
    if problems:
        raise StartError("wrong settings: " + "; ".join(problems))
    return settings


def current() -> Settings:
    return from_environment(os.environ)


def forget_secrets(environment: MutableMapping[str, str]) -> None:
    """Remove secrets: the program inherits the rest."""
    for name in list(environment):
        if name in _SECRETS or name.startswith(access.PREFIX):
            del environment[name]


def _words(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(environment.get(name, "").lower().replace(",", " ").split())
