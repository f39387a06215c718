"""The server in every model image: container API and durable jobs."""

__version__ = "1.0.0"
