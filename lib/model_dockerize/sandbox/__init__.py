"""AWS on this computer: a real registry, real containers behind ECS services and Batch jobs, no account.

The sandbox is a program of its own, `model_sandbox`, with a Python environment of its own (docs/sandbox.md): here it is
started, found and stopped. The rest of the product only sees the variables of `Sandbox.environment()`.
"""

from model_dockerize.sandbox.lifecycle import StopReport, default_home, start, status, stop
from model_dockerize.sandbox.record import Sandbox

__all__ = ["Sandbox", "StopReport", "default_home", "start", "status", "stop"]
