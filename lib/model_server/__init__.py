"""The server inside every model image: answers the container API and keeps jobs on the data volume."""

__version__ = "1.0.0"
