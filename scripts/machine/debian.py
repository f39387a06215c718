"""Debian's packages: what apt offers, and unpacking packages of another Debian release beside the system.

Unpacking never touches dpkg's database: apt gets a private set of lists and caches, whose only sources are the Debian
mirrors this machine already uses, with the release's name swapped.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from machine.host import MachineError, run, say

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TARGET_FORMAT = "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(RELEASE)|$(REPO_URI)"
APT_INSTALL = ["apt-get", "install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
NONINTERACTIVE = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


@dataclass(frozen=True)
class Source:
    """One suite of one mirror, as in a one-line apt source: `deb uri suite main`."""

    uri: str
    suite: str


def parse_debian_sources(targets: str, codename: str) -> list[Source]:
    """Return Debian's own sources among all that apt knows.

    Args:
        targets: output of `apt-get indextargets` in TARGET_FORMAT.
        codename: the release this machine runs, such as bookworm.

    Returns:
        The suites of that release (main, updates, security), each once; third-party repositories are left out by the
        origin their Release file declares, so it does not matter where or how they are configured.
    """
    found: dict[Source, None] = {}
    for line in targets.splitlines():
        fields = line.split("|")
        if len(fields) != 5:
            continue
        origin, label, component, suite, uri = fields
        ours = suite == codename or suite.startswith((f"{codename}-", f"{codename}/"))
        if origin == "Debian" and label in {"Debian", "Debian-Security"} and component == "main" and ours:
            found[Source(uri, suite)] = None
    return list(found)


def for_release(sources: list[Source], codename: str, wanted: str) -> list[Source]:
    """Return the same mirrors for another release: bookworm-security becomes trixie-security."""
    return [Source(source.uri, wanted + source.suite[len(codename) :]) for source in sources]


def source_lines(sources: list[Source], keyring: Path | None) -> str:
    """Return the text of a sources.list."""
    option = f"[signed-by={keyring}] " if keyring else ""
    return "".join(f"deb {option}{source.uri} {source.suite} main\n" for source in sources)


def source_stanzas(sources: list[Source]) -> str:
    """Write these sources as Debian's own images do, in a debian.sources with a stanza for each mirror."""
    mirrors: dict[str, list[str]] = {}
    for source in sources:
        mirrors.setdefault(source.uri, []).append(source.suite)
    return "\n".join(
        f"Types: deb\nURIs: {uri}\nSuites: {' '.join(suites)}\nComponents: main\nSigned-By: {KEYRING}\n"
        for uri, suites in mirrors.items()
    )


def parse_candidates(policy: str) -> dict[str, str]:
    """Return package -> version that apt would install, from the output of `apt-cache policy`."""
    found: dict[str, str] = {}
    name = ""
    for line in policy.splitlines():
        if line and not line[0].isspace():
            name = line.rstrip(":")
        match = re.match(r"\s+Candidate: (\S+)", line)
        if match and match[1] != "(none)":
            found[name] = match[1]
    return found


def major(version: str) -> int:
    """Return the first number of a Debian or Docker version: 27 of `5:27.1-1~x`; 0 of an unreadable one."""
    match = re.match(r"(?:\d+:)?v?(\d+)", version.strip())
    return int(match[1]) if match else 0


def refresh() -> None:
    """Bring apt's lists up to date, and only report a broken third-party source, which does not matter here."""
    try:
        run(["apt-get", "update", "-o", "DPkg::Lock::Timeout=120"], timeout=180, env=NONINTERACTIVE)
    except MachineError as error:
        say(f"apt: going on with the lists that are there ({error})")


def candidates(*packages: str) -> dict[str, str]:
    """Return the versions of these packages that apt would install by its present lists."""
    return parse_candidates(run(["apt-cache", "policy", *packages], timeout=60, env=NONINTERACTIVE))


def install(*packages: str) -> None:
    """Install packages with apt-get, without recommended ones and without questions."""
    say(f"apt: installing {' '.join(packages)}")
    run([*APT_INSTALL, *packages], timeout=580, env=NONINTERACTIVE)


def debian_sources(codename: str) -> list[Source]:
    """Return this machine's own Debian mirrors for the release it runs.

    Raises:
        MachineError: apt knows none (its lists are empty, or only third-party sources are configured).
    """
    targets = run(["apt-get", "indextargets", "--format", TARGET_FORMAT, "Created-By: Packages"], timeout=60)
    sources = parse_debian_sources(targets, codename)
    if not sources:
        raise MachineError(
            f"apt knows no Debian mirror for {codename}: add one to /etc/apt/sources.list.d and run `apt-get update`."
        )
    return sources


def unpack(packages: list[str], sources: list[Source], target: Path, *, machine: str = "", source: str = "") -> None:
    """Download packages from the given sources and unpack them into a private folder.

    Args:
        packages: names, without their dependencies.
        sources: where apt looks; nothing else is read.
        target: the folder that then holds `usr/bin/...`; made when absent, completed when there.
        machine: processor as Debian calls it, e.g. arm64; empty: this machine's.
        source: a source package whose upstream archive (NAME_VERSION.orig.tar.xz) is put into the folder, too.

    Raises:
        MachineError: the mirror cannot be reached, or has no such package.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=target.parent) as folder:
        root = Path(folder)
        for name in ("parts", "lists/partial", "cache/archives/partial", "debs", "unpacked"):
            (root / name).mkdir(parents=True)
        env = {**NONINTERACTIVE, "APT_CONFIG": str(_private_apt(root, sources, machine, with_source=bool(source)))}
        say(f"apt: downloading {' '.join(packages)} from {', '.join(source.suite for source in sources)}")
        try:
            run(["apt-get", "update"], timeout=180, env=env)
        except MachineError as error:
            say(f"apt: one source is missing, going on with the others ({error})")
        run(["apt-get", "download", *packages], timeout=400, env=env, cwd=root / "debs")
        for deb in sorted((root / "debs").glob("*.deb")):
            run(["dpkg", "-x", str(deb), str(root / "unpacked")], timeout=120)
        if source:
            run(
                ["apt-get", "source", "--download-only", "--tar-only", source],
                timeout=400,
                env=env,
                cwd=root / "unpacked",
            )
        _move_files(root / "unpacked", target)


def _private_apt(root: Path, sources: list[Source], machine: str, *, with_source: bool) -> Path:
    (root / "status").touch()
    lines = source_lines(sources, KEYRING if KEYRING.exists() else None)
    if with_source:
        lines += lines.replace("deb ", "deb-src ")
    (root / "parts" / "debian.list").write_text(lines)
    config = root / "apt.conf"
    config.write_text(
        f'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "{root}/parts";\n'
        f'Dir::State::Lists "{root}/lists";\nDir::State::status "{root}/status";\nDir::Cache "{root}/cache";\n'
        # The folder is root's alone, so apt's own unprivileged user could not write into it.
        'APT::Sandbox::User "root";\nAcquire::Languages "none";\n'
        + (f'APT::Architecture "{machine}";\nAPT::Architectures {{ "{machine}"; }};\n' if machine else "")
    )
    return config


def _move_files(unpacked: Path, target: Path) -> None:
    """Rename each file into place, so that a run killed half-way leaves no half-written program."""
    for folder, folders, names in os.walk(unpacked):
        destination = target / Path(folder).relative_to(unpacked)
        destination.mkdir(exist_ok=True)
        for name in names + [name for name in folders if (Path(folder) / name).is_symlink()]:
            (Path(folder) / name).replace(destination / name)
