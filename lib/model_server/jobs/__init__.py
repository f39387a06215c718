"""Jobs: a durable queue with leases and fences, the files that belong to a job, and the workers."""
