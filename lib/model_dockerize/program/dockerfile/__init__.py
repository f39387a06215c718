"""Renders a program's Dockerfile."""

from model_dockerize.program.dockerfile.packages import SUDO_SCRIPT
from model_dockerize.program.dockerfile.render import LARGE_FILES, render_dockerfile
from model_dockerize.program.dockerfile.syntax import CONTEXT_ARGUMENT

__all__ = ["CONTEXT_ARGUMENT", "LARGE_FILES", "SUDO_SCRIPT", "render_dockerfile"]
