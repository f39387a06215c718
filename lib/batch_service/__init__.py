"""An AWS Batch environment, as calls."""
