"""Warns of jobs that a new version does not know."""

from model_dockerize.aws.model import Service
from model_dockerize.pipeline.context import Prepared
from model_dockerize.progress import Progress
from model_dockerize.settings import ServiceSettings


def tell(prepared: Prepared, service: Service, settings: ServiceSettings, progress: Progress) -> None:
    """Warn where a new version is to take over from one whose jobs it does not know."""
    has_queue, takes_over = prepared.made_here, service.changed and service.previous_task_definition_arn
    if has_queue and takes_over and service.shifts and not settings.queue_url:
        progress.warning(
            f"Service {service.name}: each version keeps its jobs on its own disk. What the former one accepted, and "
            "nobody has fetched when the traffic shifts, gets 404. With queue-url (PostgreSQL) no job is lost."
        )
