"""Names for integration tests: the command line as a child process. Their fixtures are those of all tests."""

from tests.rig.command import ROOT, Cli, Completed

__all__ = ["ROOT", "Cli", "Completed"]
