"""An AWS Batch environment, as calls. docs/library.md shows them at work."""

from batch_service.batch_util import Batch
from model_dockerize.aws.batch import ComputeEnvironment, JobDefinition, JobQueue
from model_dockerize.aws.batch.one_job import SubmittedJob

__all__ = ["Batch", "ComputeEnvironment", "JobDefinition", "JobQueue", "SubmittedJob"]
