"""Makes with CloudFormation what stays."""

from model_dockerize.aws.ground.bootstrap import bootstrap
from model_dockerize.aws.ground.events import Pace
from model_dockerize.aws.ground.foundations import (
    as_deployed,
    container_of,
    ensure_foundations,
    ensure_job_network,
    ensure_network,
    ensure_runtime,
)
from model_dockerize.aws.ground.model import Model
from model_dockerize.aws.ground.names import Names

__all__ = [
    "Model",
    "Names",
    "Pace",
    "as_deployed",
    "bootstrap",
    "container_of",
    "ensure_foundations",
    "ensure_job_network",
    "ensure_network",
    "ensure_runtime",
]
