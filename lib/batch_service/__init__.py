"""An AWS Batch environment, as calls. docs/library.md shows them at work."""

from batch_service.batch_util import Batch

__all__ = ["Batch"]
