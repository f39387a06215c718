"""Failures that the server reports in one clear line."""


class StartError(Exception):
    """The server cannot start; the text says what is wrong and what to do about it."""


class ManifestError(StartError):
    """The manifest is not what the server can read; the text lists every problem."""


class VolumeError(StartError):
    """The data directory cannot be used, or belongs to another model."""
