#!/usr/bin/env python3
"""Puts base images into the engine: `base_image.py ensure python:3.13-slim-trixie [...]`.

A registry is asked first. Where none can be reached, a stand-in is made (stand_in.py): the same Debian release and
Python version, under the same name, labeled as what it is.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import debian, stand_in
from machine.host import EXIT_REFUSED, MachineError, is_root, parse_os_release, run, say
from machine.stand_in import Recipe

# Images whose Debian release ships the Python version that they are named after.
STAND_INS = {
    "python:3.11-slim-bookworm": Recipe(
        release="bookworm",
        python="3.11",
        libraries=("libdb5.3", "libnsl2", "libreadline8", "libssl3"),
        key="A035C8C19219BA821ECEA86B64E628F8D684696D",
        utf8=True,
    ),
    "python:3.13-slim-trixie": Recipe(
        release="trixie",
        python="3.13",
        libraries=("libdb5.3t64", "libreadline8t64", "libssl3t64"),
        key="7169605F62C751356D054A26A821E680E5FA6305",
        utf8=False,
    ),
}
LABEL = "io.model-dockerize.stand-in"
PULL_SECONDS = 300


def recipe_of(image: str) -> Recipe:
    """Look up what a stand-in for this image is made of.

    Raises:
        MachineError: no Debian release ships that Python version.
    """
    if image not in STAND_INS:
        raise MachineError(
            f"{image} cannot be pulled from here, and a stand-in can only be made for {' and '.join(STAND_INS)}: "
            "use one of these, or load the image with `docker load`."
        )
    return STAND_INS[image]


def import_changes(release: str, environment: dict[str, str]) -> list[str]:
    """Write the image configuration, as official Python images have it, for `docker import --change`."""
    variables = [f"ENV {name}={value}" for name, value in environment.items()]
    return [*variables, 'CMD ["python3"]', f"LABEL {LABEL}=debian-{release}"]


def present(image: str) -> bool:
    """Tell whether the engine has an image of this name."""
    try:
        run(["docker", "image", "inspect", "--format", "{{.Id}}", image], timeout=30)
    except MachineError as error:
        if "no such image" in str(error).lower():
            return False
        raise
    return True


def ensure(image: str) -> str:
    """Make sure that the engine has this image: it is there, or pulled, or a stand-in is made.

    Args:
        image: such as python:3.13-slim-trixie.

    Returns:
        One line that says which of them.

    Raises:
        MachineError: no engine answers, or the image can neither be pulled nor made.
    """
    if present(image):
        return f"{image} is in the engine"
    say(f"base image: pulling {image}")
    try:
        run(["docker", "pull", "--quiet", image], timeout=PULL_SECONDS)
    except MachineError as error:
        say(f"base image: {error}")
    else:
        return f"{image} pulled"
    recipe = recipe_of(image)
    started = time.monotonic()
    make_stand_in(image, recipe)
    seconds = time.monotonic() - started
    return f"{image} is now a STAND-IN made of Debian {recipe.release} in {seconds:.0f} s, not the real image"


def make_stand_in(image: str, recipe: Recipe, machine: str = "") -> None:
    """Make `image` of a Debian release's own packages.

    Args:
        image: the name that the engine then knows it by.
        machine: processor as Debian and Docker call it, e.g. arm64, whose programs must run here; empty: this one's.

    Raises:
        MachineError: it cannot be made on this machine.
    """
    host = parse_os_release(Path("/etc/os-release").read_text())
    if host.get("ID") != "debian" or not is_root():
        raise MachineError(
            f"{image} cannot be pulled from here, and a stand-in is only made by root on Debian: connect this machine "
            "to a registry, or load the image with `docker load`."
        )
    codename = host.get("VERSION_CODENAME", "")
    debian.refresh()
    if not shutil.which("debootstrap"):
        debian.install("debootstrap")
    sources = debian.for_release(debian.debian_sources(codename), codename, recipe.release)
    # debootstrap makes device nodes, which /tmp does not allow on many machines.
    with tempfile.TemporaryDirectory(prefix="model-dockerize-base-", dir="/var/tmp") as folder:
        say(f"base image: making a stand-in for {image} of Debian {recipe.release} (less than a minute)")
        tree = stand_in.make(recipe, sources, Path(folder), machine)
        _import(tree.root, image, import_changes(recipe.release, tree.environment), machine)


def _import(root: Path, image: str, changes: list[str], machine: str) -> None:
    # The engine makes /dev, /proc and /sys itself; this machine's host name and resolver are not the image's.
    left_out = [f"--exclude=./{name}" for name in ("dev/*", "proc/*", "sys/*", "etc/resolv.conf", "etc/hostname")]
    options = [word for change in changes for word in ("--change", change)]
    options += ["--platform", f"linux/{machine}"] if machine else []
    with subprocess.Popen(["tar", "-C", str(root), *left_out, "-c", "."], stdout=subprocess.PIPE) as tar:
        loaded = subprocess.run(
            ["docker", "import", *options, "-", image],
            stdin=tar.stdout,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    if loaded.returncode or tar.returncode:
        raise MachineError(f"`docker import` of {image} failed: {loaded.stderr.strip()}")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Base images for this machine's engine.")
    parser.add_argument("command", choices=["ensure"])
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    images = parser.parse_args(argv).images
    failed = False
    for image in images:
        try:
            say(f"base image: {ensure(image)}")
        except MachineError as error:
            say(f"base image: {error}")
            failed = True
    return EXIT_REFUSED if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
