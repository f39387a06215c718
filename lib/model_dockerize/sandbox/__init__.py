"""Starts, finds and stops the sandbox: AWS on this computer.

It is a program with its own Python environment (docs/sandbox.md).
"""

from model_dockerize.sandbox.lifecycle import StopReport, default_home, start, status, stop
from model_dockerize.sandbox.record import Sandbox

__all__ = ["Sandbox", "StopReport", "default_home", "start", "status", "stop"]
