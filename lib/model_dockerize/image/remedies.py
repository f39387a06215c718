"""Finds the remedy for a failure in what the failed tools printed."""

import re
from collections.abc import Iterable

_NO_PACKAGE = (
    "The base image's Debian release has no such package: take its new name (libgl1 for libgl1-mesa-glx), or a release "
    "that has it, such as `base-image: python:3.11-slim-bookworm`."
)
#: A pattern of what tools print, and the remedy. The first that matches counts, so the most specific are first.
_OF_A_STEP = (
    (
        "CERTIFICATE_VERIFY_FAILED",
        "Name the certificate of your network's proxy with ca-bundle, so that the build trusts it.",
    ),
    (
        'exec: "/bin/sh"',
        "The base image has no shell, which requirements, system-packages and init-file need: choose a base-image that "
        "has one, or build one of your own with all of that in it.",
    ),
    (
        r"apt-get: [^\n]*not found",
        "system-packages are Debian's and Ubuntu's: choose such a base-image, or let init-file call this one's own "
        "package manager.",
    ),
    (
        "No module named pip",
        "The base image's Python has no pip: add python3-pip to system-packages (Debian, Ubuntu), or choose another "
        "base-image.",
    ),
    (
        r"the image has no [^\n]+, which the model's command calls",  # model-server prepare
        "Choose a base-image that has it, or add it by system-packages (Debian, Ubuntu; for Python: "
        "[python3, python3-pip]) or init-file, or correct the command.",
    ),
    (
        "exit code 127",
        "The step calls a program that is not in the image: choose a base-image that has it, or add it by "
        "system-packages (Debian, Ubuntu; for Python: [python3, python3-pip]).",
    ),
    ("No matching distribution found", "Correct that line of the requirements file."),
    ("has no installation candidate", _NO_PACKAGE),
    ("Unable to locate package", _NO_PACKAGE),
    (
        "does not have a Release file",
        "The base image's Debian release has left the mirrors, so apt-get installs nothing: name a newer one, such as "
        "`base-image: python:3.11-slim-bookworm`.",
    ),
    ("no match for platform", "The base image is not made for this platform: choose another base-image, or platforms."),
    (
        r"toomanyrequests|load metadata.*429 Too Many Requests",
        "The registry limits how many images are pulled without a login: {login}.",
    ),
    (
        r"\[internal\] load metadata",
        "Check the base image's name, and that the engine reaches its registry. Where that wants a login: {login}.",
    ),
)
#: Of a step of the build, and of the program when its image is proved.
_OF_BOTH = (
    (
        "no space left on device",
        "Free some disk: `docker system df` shows what takes it, `docker builder prune` frees.",
    ),
    (
        "cannot enable executable stack",
        "The base image's C library (glibc 2.41 or newer) refuses this old build of a library: take a newer version of "
        "the library, or an older Debian release, such as `base-image: python:3.11-slim-bookworm`.",
    ),
    ("exit code 139", "A program crashed (segmentation fault): look for its name in the last lines."),
    ("exit code 137", "It was killed, most likely for want of memory: give the engine more."),
    ("exec format error", "The base image is for another processor: choose another base-image, or platforms."),
)
_OF_A_PROGRAM = (
    (
        "CERTIFICATE_VERIFY_FAILED",
        "The program trusts the certificates in its image only (ca-bundle is for the build): let init-file add your "
        "network's, or have the program fetch in the build what it needs.",
    ),
)
_LOGIN = "run `docker login`, and build again"
# The Action does not see the job's login, but its engine is the runner's and keeps what was pulled.
_LOGIN_OF_A_JOB = "run `docker login` and `docker pull BASE-IMAGE` in a step before this one"


def advice(*evidence: str, runs_in_action: bool = False) -> str:
    """Find the remedy for a failed build that printed `evidence`; empty if nothing in it is known."""
    remedy = _first((*_OF_A_STEP, *_OF_BOTH), evidence)
    return remedy.replace("{login}", _LOGIN_OF_A_JOB if runs_in_action else _LOGIN)


def advice_for_program(*evidence: str) -> str:
    """Find the remedy for a program that failed in its image; empty if nothing in it is known."""
    return _first((*_OF_BOTH, *_OF_A_PROGRAM), evidence)


def _first(remedies: Iterable[tuple[str, str]], evidence: Iterable[str]) -> str:
    words = "\n".join(evidence)
    return next((text for sign, text in remedies if re.search(sign, words, re.IGNORECASE | re.DOTALL)), "")
