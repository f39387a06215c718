"""AWS Batch: where jobs run, what they run, and the jobs."""
