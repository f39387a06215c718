"""A release's stages: a new one is a module, and its name here."""

from model_dockerize.pipeline.release import Stage
from model_dockerize.pipeline.stages.foundations import FOUNDATIONS
from model_dockerize.pipeline.stages.images import NAMED, PUSHED
from model_dockerize.pipeline.stages.jobs import JOBS
from model_dockerize.pipeline.stages.order import ORDER
from model_dockerize.pipeline.stages.service import SERVICE

#: Jobs come after the service's verdict: they must not run a build that the service was put back from.
STAGES: tuple[Stage, ...] = (ORDER, FOUNDATIONS, PUSHED, NAMED, SERVICE, JOBS)

__all__ = ["FOUNDATIONS", "JOBS", "ORDER", "PUSHED", "SERVICE", "STAGES"]
