"""Jobs: the durable queue, its files and its workers."""
