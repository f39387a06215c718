"""Failures reported in one clear line."""


class StartError(Exception):
    """The server cannot start; the text says why and what to do."""


class ManifestError(StartError):
    """The manifest cannot be used; the text lists every problem."""


class VolumeError(StartError):
    """The data directory or queue cannot be used, or is another model's."""


class LicenseError(Exception):
    """A license key is not accepted; says why."""
