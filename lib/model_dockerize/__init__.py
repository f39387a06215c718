"""Takes a model's program folder to a container in production that has proved it works."""

__version__ = "1.0.0"
