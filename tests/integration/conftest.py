"""What integration tests import: the command line as a child process. Its fixtures are those of all tests."""

from tests.rig.command import ROOT, Cli, Completed

__all__ = ["ROOT", "Cli", "Completed"]
