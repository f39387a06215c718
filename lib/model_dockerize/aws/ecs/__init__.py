"""The service and its tasks: defined, rolled out, followed, looked at."""
