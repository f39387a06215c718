"""The memory that a model has and needs."""

import re
from collections.abc import Iterable

from model_dockerize.settings import ServiceSettings, Settings
from model_dockerize.settings.fargate import nearest

_KILLED = re.compile(r"killed by SIGKILL|exit code:? 137|OutOfMemory")


def of_test(settings: Settings) -> int:
    """Return a test's MiB; 0: no limit."""
    service = settings.service
    is_shipped = service.deploy_service or settings.batch.create_job_def
    return service.memory if is_shipped or "memory" in service.given else 0


def was_killed(evidence: Iterable[str]) -> bool:
    """Tell whether lines report a killed process."""
    return any(_KILLED.search(line) for line in evidence)


def remedy(service: ServiceSettings | None, command: str = "") -> str:
    """Return advice with Fargate's next size, if the service is known.

    Args:
        command: what takes the flag, with a space after it; empty: the one that is running.
    """
    if service is None:
        return f"Most likely its memory was too small: give it more, by {command}--memory."
    cpu, memory = nearest(service.cpu, 2 * service.memory)
    flags = f"--memory {memory}" if cpu == service.cpu else f"--memory {memory} --cpu {cpu}"
    return f"Most likely its memory was too small, {service.memory} MiB: give it more, e.g. {command}{flags}."
