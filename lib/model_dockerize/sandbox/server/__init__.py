"""The sandbox's process. Runs in the sandbox's own environment; nothing outside this package imports it."""
