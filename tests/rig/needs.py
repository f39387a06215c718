"""Leaves out, with the reason, tests that this machine cannot run: `@pytest.mark.needs("root-on-debian")`.

Every other skip is a failure. So where a machine has all of NEEDS nothing is left out.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path

import pytest

from machine.host import is_root, parse_os_release

#: The beginning of the reason why a test was left out.
LEFT_OUT = "left out here"


def _root_on_debian() -> str:
    release = Path("/etc/os-release")
    system = parse_os_release(release.read_text()).get("ID", "") if release.exists() else ""
    return "" if system == "debian" and is_root() else f"this is user {os.geteuid()} on {system or 'no Linux'}"


def _containerd_store() -> str:
    from model_dockerize import image  # here: unit tests need no engine

    engine = image.probe(os.environ)
    return "" if engine.containerd_store else f"Docker Engine {engine.version} here has the classic image store"


def _landlock() -> str:
    version = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return "" if version >= 6 else f"the kernel's Landlock has version {version}"


#: Name -> why this machine lacks it, or "". Each raises if that cannot be found out.
NEEDS: dict[str, Callable[[], str]] = {
    "root-on-debian": cache(_root_on_debian),
    "containerd-store": cache(_containerd_store),
    #: It hides folders, memory, and keeps from signals.
    "landlock": cache(_landlock),
}


def missing(reason: str) -> bool:
    """Tell whether this is the reason of a test that needs what this machine really lacks."""
    words = reason.removeprefix(f"{LEFT_OUT}: needs ").split(":")
    return reason.startswith(LEFT_OUT) and words[0] in NEEDS and bool(NEEDS[words[0]]())


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"needs(name): left out where that is missing: {', '.join(NEEDS)}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the test before any fixture is made."""
    for name in (name for marker in item.iter_markers("needs") for name in marker.args):
        if lack := NEEDS[name]():
            pytest.skip(f"{LEFT_OUT}: needs {name}: {lack}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    if report.skipped and not missing(reason.removeprefix("Skipped: ")):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped ({reason or 'xfail'}): a test says with @pytest.mark.needs why."
    return report
