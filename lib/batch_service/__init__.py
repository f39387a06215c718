"""An AWS Batch environment, as calls; docs/library.md shows them."""

from batch_service.batch_util import Batch
from model_dockerize.aws import ComputeEnvironment, JobDefinition, JobQueue, SubmittedJob

__all__ = ["Batch", "ComputeEnvironment", "JobDefinition", "JobQueue", "SubmittedJob"]
