"""An AWS Batch environment, as calls: batch_util. docs/library.md shows them at work."""
