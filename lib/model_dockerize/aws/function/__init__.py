"""The function that sends a Batch job for every file that arrives in S3."""
