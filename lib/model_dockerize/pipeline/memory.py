"""The memory of a model on this computer and in its service, and what to do when it was not enough."""

import re
from collections.abc import Iterable

from model_dockerize.settings import ServiceSettings, Settings
from model_dockerize.settings.fargate import nearest

_KILLED = re.compile(r"killed by SIGKILL|exit code:? 137|OutOfMemory")


def of_test(settings: Settings) -> int:
    """Return the MiB that a model may take while its image is tested; 0: all, as nobody has said a size."""
    service = settings.service
    is_shipped = service.deploy_service or settings.batch.create_job_def
    return service.memory if is_shipped or "memory" in service.given else 0


def was_killed(evidence: Iterable[str]) -> bool:
    """Tell whether these lines say that something was killed, as the kernel does where memory ends."""
    return any(_KILLED.search(line) for line in evidence)


def remedy(service: ServiceSettings) -> str:
    """Return what to do about a model that was killed, with the next size that Fargate has."""
    cpu, memory = nearest(service.cpu, 2 * service.memory)
    flags = f"--memory {memory}" if cpu == service.cpu else f"--memory {memory} --cpu {cpu}"
    return f"Most likely its memory was too small, {service.memory} MiB: give it more, e.g. {flags}."
