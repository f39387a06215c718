"""Reads and writes versions in tags, in the files that state them, and in the changelog."""

import re

from releasing import ReleaseError

_TAG = re.compile(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
#: Every file that states the version, and the line that does.
STATED = {
    "pyproject.toml": re.compile(r'^(version = ")(.*)(")$', re.MULTILINE),
    "lib/model_dockerize/__init__.py": re.compile(r'^(__version__ = ")(.*)(")$', re.MULTILINE),
    "lib/model_sandbox/pyproject.toml": re.compile(r'^(version = ")(.*)(")$', re.MULTILINE),
    "lib/model_server/__init__.py": re.compile(r'^(__version__ = ")(.*)(")$', re.MULTILINE),
}


def version_of(tag: str) -> str:
    """Return `1.2.3` for `v1.2.3`."""
    if not _TAG.fullmatch(tag):
        raise ReleaseError(f"{tag!r} is no release tag: it must be like v1.2.3.")
    return tag[1:]


def major_of(tag: str) -> str:
    """Return the tag that moves with every release: `v1` for `v1.2.3`."""
    return f"v{version_of(tag).split('.')[0]}"


def is_newest(tag: str, tags: list[str]) -> bool:
    """Tell whether no tag is a later release of the same major version."""
    same = [other for other in tags if _TAG.fullmatch(other) and major_of(other) == major_of(tag)]
    return all(_numbers(other) <= _numbers(tag) for other in same)


def stated(name: str, text: str) -> str:
    """Find the version that this file states."""
    found = STATED[name].search(text)
    if found is None:
        raise ReleaseError(f"{name} states no version.")
    return found[2]


def restated(name: str, text: str, version: str) -> str:
    """Replace the version in the file's text."""
    stated(name, text)
    return STATED[name].sub(rf"\g<1>{version}\g<3>", text)


def section_of(heading: str, changelog: str) -> str:
    """Return the text under `## HEADING`, which a date may follow; empty if there is none."""
    for part in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]:
        first, _, text = part.partition("\n")
        if first.split()[:1] == [heading]:
            return text.strip()
    return ""


def notes_of(tag: str, changelog: str) -> str:
    """Return this version's part of CHANGELOG.md."""
    version = version_of(tag)
    text = section_of(version, changelog)
    if not text:
        raise ReleaseError(f"CHANGELOG.md has nothing under '## {version}': scripts/release.py prepare moves it there.")
    return text + "\n"


def dated(changelog: str, version: str, day: str) -> str:
    """Move what is under *Unreleased* under this version; leave a changelog that was moved already."""
    unreleased, own = section_of("Unreleased", changelog), section_of(version, changelog)
    if own and not unreleased:
        return changelog
    if own:
        raise ReleaseError(f"CHANGELOG.md has a section {version} already, and news above it: take the next version.")
    if not unreleased:
        raise ReleaseError("CHANGELOG.md has nothing under '## Unreleased': there is nothing to release.")
    return re.sub(
        r"^## Unreleased\n", f"## Unreleased\n\n## {version} ({day})\n", changelog, count=1, flags=re.MULTILINE
    )


def next_version(version: str, changelog: str) -> str:
    """Return the version of the next release: this one, until the changelog has news above its section."""
    if not section_of(version, changelog) or not section_of("Unreleased", changelog):
        return version
    major, minor, patch = _numbers(f"v{version}")
    return f"{major}.{minor}.{patch + 1}"


def _numbers(tag: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version_of(tag).split("."))
