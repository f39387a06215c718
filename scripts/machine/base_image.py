#!/usr/bin/env python3
"""Puts base images into the engine: `base_image.py ensure python:3.13-slim-trixie [...]`.

A registry is asked first. Where none can be reached, a stand-in is made of Debian's own packages: the same Debian
release and Python version, under the same name, labelled as what it is.
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

from machine import debian
from machine.host import EXIT_REFUSED, MachineError, is_root, parse_os_release, run, say

# The images whose Debian release ships the very Python version that their name promises.
STAND_INS = {"python:3.11-slim-bookworm": "bookworm", "python:3.13-slim-trixie": "trixie"}
LABEL = "io.model-dockerize.stand-in"
PACKAGES = ["python3", "python3-venv", "ca-certificates"]
WHEELS = "/usr/share/python-wheels"
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
PULL_SECONDS = 300
# What official slim images configure: apt keeps no downloads and no translations, dpkg drops documentation.
APT_CONF = """\
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Apt::AutoRemove::SuggestsImportant "false";
"""
DPKG_CONF = """\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/locale/*
"""


def stand_in_release(image: str) -> str:
    """The Debian release that a stand-in for this image is made of.

    Raises:
        MachineError: no Debian release ships that Python version.
    """
    if image not in STAND_INS:
        raise MachineError(
            f"{image} cannot be pulled from here, and a stand-in can only be made for {' and '.join(STAND_INS)}: "
            "use one of these, or load the image with `docker load`."
        )
    return STAND_INS[image]


def import_changes(release: str, python: str) -> list[str]:
    """The image configuration, as official Python images have it, for `docker import --change`."""
    return [
        f"ENV PATH={PATH}",
        "ENV LANG=C.UTF-8",
        f"ENV PYTHON_VERSION={python}",
        'CMD ["python3"]',
        f"LABEL {LABEL}=debian-{release}",
    ]


def present(image: str) -> bool:
    """Whether the engine has an image of this name."""
    try:
        run(["docker", "image", "inspect", "--format", "{{.Id}}", image], timeout=30)
    except MachineError as error:
        if "no such image" in str(error).lower():
            return False
        raise
    return True


def ensure(image: str) -> str:
    """Makes sure that the engine has this image: it is there, or pulled, or a stand-in is made.

    Args:
        image: such as python:3.13-slim-trixie.

    Returns:
        One line that says which.

    Raises:
        MachineError: no engine answers, or the image can neither be pulled nor made.
    """
    if present(image):
        return f"{image} is there"
    say(f"base image: pulling {image}")
    try:
        run(["docker", "pull", "--quiet", image], timeout=PULL_SECONDS)
    except MachineError as error:
        say(f"base image: {error}")
    else:
        return f"{image} pulled"
    release = stand_in_release(image)
    started = time.monotonic()
    make_stand_in(image, release)
    return (
        f"{image} is now a STAND-IN made of Debian {release} in {time.monotonic() - started:.0f} s, not the real image"
    )


def make_stand_in(image: str, release: str, machine: str = "") -> None:
    """Makes `image` of a Debian release's own packages.

    Args:
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
    sources = debian.for_release(debian.debian_sources(codename), codename, release)
    # debootstrap makes device nodes, which /tmp does not allow on many machines.
    with tempfile.TemporaryDirectory(prefix="model-dockerize-base-", dir="/var/tmp") as folder:
        root = Path(folder) / "root"
        say(f"base image: making a stand-in for {image} of Debian {release} (a minute or two)")
        _bootstrap(root, sources[0], machine)
        python = _finish(root, sources, release)
        _import(root, image, import_changes(release, python), machine)


def _bootstrap(root: Path, source: debian.Source, machine: str) -> None:
    # A release newer than this machine's debootstrap has no script of its own there; they all link to sid's.
    scripts = Path("/usr/share/debootstrap/scripts")
    script = [] if (scripts / source.suite).exists() else [str(scripts / "sid")]
    include = f"--include={','.join(PACKAGES)}"
    other = [f"--arch={machine}"] if machine else []
    arguments = [*other, "--variant=minbase", include, source.suite, str(root), source.uri, *script]
    run(["debootstrap", *arguments], timeout=580, env=debian.NONINTERACTIVE)


def _finish(root: Path, sources: list[debian.Source], release: str) -> str:
    """Shapes the tree like an official slim image; returns its Python version."""
    python = run(["chroot", str(root), "python3", "-c", "import platform; print(platform.python_version())"]).strip()
    major_minor = ".".join(python.split(".")[:2])
    links = {"python": "python3", "python3": "python3", f"python{major_minor}": f"python{major_minor}"}
    for name, target in links.items():
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{target}")
    # Official images let pip install beside the interpreter.
    (root / "usr/lib" / f"python{major_minor}" / "EXTERNALLY-MANAGED").unlink(missing_ok=True)
    # From the wheels that venv brings, not from the package python3-pip: pip cannot upgrade what dpkg installed.
    pip = next((root / WHEELS.lstrip("/")).glob("pip-*.whl")).name
    # Official images leave setuptools out from 3.12 on, so a model that forgot to ask for it fails here as there.
    tools = ["pip", "setuptools"] if release == "bookworm" else ["pip"]
    pip_install = ["python3", f"{WHEELS}/{pip}/pip", "install", "--no-index", "--find-links", WHEELS, "--no-cache-dir"]
    run(["chroot", str(root), *pip_install, *tools], timeout=300)
    (root / "etc/apt/sources.list").write_text(debian.source_lines(sources, None))
    (root / "etc/apt/apt.conf.d/docker-clean").write_text(APT_CONF)
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(DPKG_CONF)
    for name in ("var/lib/apt/lists", "var/cache/apt", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        for entry in (root / name).iterdir():
            run(["rm", "-rf", str(entry)], timeout=60)
    return python


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
