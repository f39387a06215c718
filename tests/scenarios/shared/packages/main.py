"""Answers the packages that are installed, besides those of the base image."""

import importlib.metadata
import sys
from pathlib import Path

import click  # noqa: F401 - what is locked can be imported
import idna  # noqa: F401
import socks  # noqa: F401
import urllib3  # noqa: F401

found = {one.name.lower(): one.version for one in importlib.metadata.distributions()}
lines = sorted(f"{name}=={version}" for name, version in found.items() if name not in ("pip", "setuptools", "wheel"))
Path(sys.argv[2]).write_text("\n".join(lines))
