"""Makes the file tree of a slim Python image of Docker Hub where none can be pulled.

The Debian part is a debootstrap with what debuerreotype adds. CPython is Debian's build, moved to /usr/local, with the
library of CPython's own release in place of Debian's, which looks for packages elsewhere. docs/machine.md lists what
differs from the real images (docker-library/python).
"""

from __future__ import annotations

import hashlib
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from machine import debian
from machine.host import run

#: Of every real image: certificates, /etc/protocols, time zones; libraries of CPython's modules.
_PACKAGES = [
    *("ca-certificates", "netbase", "tzdata"),
    *("libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libncursesw6", "libsqlite3-0", "libuuid1", "zlib1g"),
]
#: As debuerreotype configures apt and dpkg of Debian's images.
_CONFIGURATION = {
    "etc/apt/apt.conf.d/docker-autoremove-suggests": 'Apt::AutoRemove::SuggestsImportant "false";\n',
    "etc/apt/apt.conf.d/docker-clean": (
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };\n'
        'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
    ),
    "etc/apt/apt.conf.d/docker-gzip-indexes": 'Acquire::GzipIndexes "true";\n',
    "etc/apt/apt.conf.d/docker-no-languages": 'Acquire::Languages "none";\n',
    "etc/dpkg/dpkg.cfg.d/docker": (
        "path-exclude /usr/share/doc/*\npath-include /usr/share/doc/*/copyright\npath-exclude /usr/share/groff/*\n"
        "path-exclude /usr/share/info/*\npath-exclude /usr/share/locale/*\npath-exclude /usr/share/man/*\n"
    ),
    "etc/dpkg/dpkg.cfg.d/docker-apt-speedup": "force-unsafe-io\n",
}


@dataclass(frozen=True)
class Recipe:
    """Say what a stand-in is made of.

    Attributes:
        release: of Debian, one that ships this Python version.
        python: such as 3.13.
        libraries: that CPython needs, and whose names change from release to release.
        key: GPG_KEY of the real image, the release manager's fingerprint.
        utf8: the real image sets LANG.
    """

    release: str
    python: str
    libraries: tuple[str, ...]
    key: str
    utf8: bool


@dataclass(frozen=True)
class Tree:
    """Hold a finished file tree, and the environment that goes with it."""

    root: Path
    environment: dict[str, str]


def make(recipe: Recipe, sources: list[debian.Source], folder: Path, machine: str) -> Tree:
    """Make the tree in `folder`.

    Args:
        sources: the release's mirrors, its main one first.
        machine: processor as Debian calls it, whose programs must run here; empty: this machine's.

    Raises:
        MachineError: the mirror lacks a package, or a step fails.
    """
    root, parts = folder / "root", folder / "parts"
    with ThreadPoolExecutor() as pool:  # both wait for the network
        waiting = pool.submit(_download, recipe, sources, parts, machine)
        _bootstrap(recipe, root, sources[0], machine)
        archive = waiting.result()
    _configure(root, sources)
    _move_python(recipe, parts, archive, root / "usr/local")
    _install_pip(recipe, parts, root)
    _empty(root)
    return Tree(root, _environment(recipe, archive))


def _download(recipe: Recipe, sources: list[debian.Source], parts: Path, machine: str) -> Path:
    """Download Debian's build of CPython and the release that it is made of; return the latter's archive."""
    python = f"python{recipe.python}"
    names = [f"{name}-{part}" for name in (python, f"lib{python}") for part in ("minimal", "dev")]
    names += [f"lib{python}", f"lib{python}-stdlib"]
    debian.unpack([*names, "python3-wheel-whl"], sources, parts, machine=machine, source=python)
    return next(parts.glob(f"{python}_*.orig.tar.*"))


def _bootstrap(recipe: Recipe, root: Path, source: debian.Source, machine: str) -> None:
    # A release newer than this machine's debootstrap has no script of its own there; they all link to sid's.
    scripts = Path("/usr/share/debootstrap/scripts")
    script = [] if (scripts / source.suite).exists() else [str(scripts / "sid")]
    include = f"--include={','.join([*_PACKAGES, *recipe.libraries])}"
    other = [f"--arch={machine}"] if machine else []
    arguments = [*other, "--variant=minbase", include, source.suite, str(root), source.uri, *script]
    run(["debootstrap", *arguments], timeout=580, env=debian.NONINTERACTIVE)


def _configure(root: Path, sources: list[debian.Source]) -> None:
    for name, text in _CONFIGURATION.items():
        (root / name).write_text(text)
    (root / "etc/apt/sources.list").unlink()
    (root / "etc/apt/sources.list.d/debian.sources").write_text(debian.source_stanzas(sources))
    # No service starts while an image is built.
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)


def _move_python(recipe: Recipe, parts: Path, archive: Path, local: Path) -> None:
    """Put together what `make install` of CPython puts under /usr/local."""
    python = f"python{recipe.python}"
    library = local / "lib" / python
    _unpack_release(recipe, archive, parts / "release", local)

    built = parts / "usr/lib" / python
    headers = next((parts / "usr/include").glob(f"*/{python}"))  # pyconfig.h; the others are every processor's
    triplet = headers.parent.name
    sysconfig = f"_sysconfigdata__linux_{triplet}.py"
    makefiles = next(built.glob("config-*"))
    for static in [*makefiles.glob("*.a"), makefiles / f"lib{python}.so"]:
        static.unlink()
    for part, place in {
        built / "lib-dynload": library / "lib-dynload",
        (built / sysconfig).resolve(): library / sysconfig,
        makefiles: library / makefiles.name,
        parts / "usr/include" / python: local / "include" / python,
        headers / "pyconfig.h": local / "include" / python / "pyconfig.h",
        parts / "usr/bin" / python: local / "bin" / python,
        parts / f"usr/bin/{triplet}-{python}-config": local / f"bin/{python}-config",
        parts / f"usr/lib/{triplet}/lib{python}.so.1.0": local / f"lib/lib{python}.so.1.0",
        parts / f"usr/lib/{triplet}/pkgconfig": local / "lib/pkgconfig",
    }.items():
        shutil.move(part, place)

    texts = [library / sysconfig, library / makefiles.name / "Makefile", local / f"bin/{python}-config"]
    for path in [*texts, *(local / "lib/pkgconfig").glob("*.pc")]:
        path.write_text(relocated(path.read_text(), triplet, recipe.python))
    for path in (local / "bin" / python, local / f"lib/lib{python}.so.1.0"):
        # site.py is frozen into both, with Debian's name of the folder, which is as long as CPython's.
        path.write_bytes(path.read_bytes().replace(b"dist-packages", b"site-packages"))
    (local / f"lib/lib{python}.so").symlink_to(f"lib{python}.so.1.0")
    for name in ("idle", "pip", "pydoc", "python"):
        (local / "bin" / name).symlink_to(f"{name}3")
        if name != "pip":
            (local / f"bin/{name}3").symlink_to(f"{name}{recipe.python}")
    (local / "bin/python3-config").symlink_to(f"{python}-config")
    (local / "bin/python-config").symlink_to("python3-config")


def _unpack_release(recipe: Recipe, archive: Path, release: Path, local: Path) -> None:
    """Put CPython's library, without its tests, and its two scripts in place."""
    release.mkdir()
    tests = [f"--exclude={name}" for name in ("test", "tests", "idle_test")]
    run(["tar", "-xf", str(archive), "-C", str(release), "--strip-components=1", *tests])
    shutil.move(release / "Lib", local / f"lib/python{recipe.python}")
    for name in ("idle", "pydoc"):
        text = (release / f"Tools/scripts/{name}3").read_text()
        script = local / f"bin/{name}{recipe.python}"
        script.write_text(text.replace("/usr/bin/env python3", f"/usr/local/bin/python{recipe.python}", 1))
        script.chmod(0o755)


def relocated(text: str, triplet: str, version: str) -> str:
    """Replace the prefix /usr of a build by /usr/local, where CPython itself is meant.

    Args:
        text: of a Makefile, _sysconfigdata, python-config or .pc file.
        triplet: Debian's name of the processor, such as x86_64-linux-gnu, in whose folder its libraries are.
    """
    text = text.replace(f"/usr/lib/{triplet}", "/usr/local/lib").replace("/usr/share/python-wheels/", "")
    text = text.replace(f" -I${{includedir}}/{triplet}/python{version}", "")
    text = re.sub(rf"/usr/(lib|include)/python{re.escape(version)}", rf"/usr/local/\1/python{version}", text)
    # The prefix itself and its folders, as whole words: not /usr/bin/install, not /usr/share/zoneinfo.
    return re.sub(
        r"""(?<=['"=\s])/usr(?P<part>(/bin|/include|/lib|/share(/man)?)?)(?=['"\s]|$)""", r"/usr/local\g<part>", text
    )


def _install_pip(recipe: Recipe, parts: Path, root: Path) -> None:
    """Install what the real image has: pip, and before 3.12 setuptools and wheel."""
    run(["chroot", str(root), "ldconfig"], timeout=120)
    python = ["chroot", str(root), "/usr/local/bin/python3"]
    run([*python, "-m", "ensurepip"], timeout=300)
    if int(recipe.python.split(".")[1]) < 12:
        wheel = next((parts / "usr/share/python-wheels").glob("wheel-*.whl"))
        shutil.copy(wheel, root / "tmp")
        install = ["-m", "pip", "install", "--no-index", "--no-cache-dir", "--root-user-action=ignore"]
        run([*python, *install, f"tmp/{wheel.name}"], timeout=300)
        (root / "tmp" / wheel.name).unlink()
    for folder in list((root / "usr/local").rglob("__pycache__")):
        shutil.rmtree(folder)


def _empty(root: Path) -> None:
    """Remove what the set-up leaves, and all documentation but copyrights."""
    for name in (
        "var/lib/apt/lists",
        "var/cache/apt",
        "usr/share/groff",
        "usr/share/info",
        "usr/share/locale",
        "usr/share/man",
    ):
        if (root / name).exists():
            run(["find", str(root / name), "-mindepth", "1", "-delete"])
    run(["find", str(root / "var/log"), "-type", "f", "-delete"])
    run(["find", str(root / "usr/share/doc"), "!", "-type", "d", "!", "-name", "copyright", "-delete"])


def _environment(recipe: Recipe, archive: Path) -> dict[str, str]:
    environment = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    if recipe.utf8:
        environment["LANG"] = "C.UTF-8"
    version = archive.name.split("_", 1)[1].split(".orig", 1)[0]
    environment |= {"GPG_KEY": recipe.key, "PYTHON_VERSION": version}
    if archive.suffix == ".xz":  # Debian's copy of python.org's own file
        environment["PYTHON_SHA256"] = hashlib.sha256(archive.read_bytes()).hexdigest()
    return environment
