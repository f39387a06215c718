"""Jobs: a durable queue with leases and fencing tokens, the jobs' files, and the workers."""
