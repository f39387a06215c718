"""The registry: the repository, what it holds, what it demands of its images."""
