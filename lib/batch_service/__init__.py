"""An AWS Batch environment, as calls. docs/library.md shows them."""
