#!/usr/bin/env python3
"""What a release needs beside git and docker: the version checked, the Action's image named by digest, the notes.

    scripts/release.py check v1.2.3      the tag, pyproject.toml, the package and CHANGELOG.md say the same version
    scripts/release.py rewrite IMAGE     action.yml names IMAGE (registry/name@sha256:...) and no longer the Dockerfile
    scripts/release.py major v1.2.3      v1
    scripts/release.py notes v1.2.3      that version's part of CHANGELOG.md

Standard library only: it runs before anything is installed.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_TAG = re.compile(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_PINNED = re.compile(r"[a-z0-9.-]+(?::\d+)?(?:/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")


class ReleaseError(Exception):
    """The release cannot be made; the text says why."""


def version_of(tag: str) -> str:
    """`1.2.3` of `v1.2.3`."""
    if not _TAG.fullmatch(tag):
        raise ReleaseError(f"{tag!r} is no release tag: it must be like v1.2.3.")
    return tag[1:]


def major_of(tag: str) -> str:
    """The tag that moves: `v1` of `v1.2.3`, but `v0.2` of `v0.2.3`, because before 1.0 a minor version may break."""
    major, minor, _ = version_of(tag).split(".")
    return f"v{major}" if major != "0" else f"v0.{minor}"


def problems(tag: str, pyproject: str, package: str, changelog: str) -> list[str]:
    """Where another version is said than the tag's; each a sentence."""
    version = version_of(tag)
    said = re.search(r'^__version__ = "(.*)"$', package, re.MULTILINE)
    found = {
        "pyproject.toml": tomllib.loads(pyproject)["project"]["version"],
        "lib/model_dockerize/__init__.py": said[1] if said else "no version",
    }
    wrong = [f"{where} says {other}, the tag {version}." for where, other in found.items() if other != version]
    try:
        notes_of(tag, changelog)
    except ReleaseError as error:
        wrong.append(str(error))
    return wrong


def notes_of(tag: str, changelog: str) -> str:
    """The part of CHANGELOG.md under `## 1.2.3`, which may be followed by a date."""
    version = version_of(tag)
    parts = re.split(r"^## ", changelog, flags=re.MULTILINE)
    for part in parts[1:]:
        heading, _, text = part.partition("\n")
        if heading.split()[:1] == [version] and text.strip():
            return text.strip() + "\n"
    raise ReleaseError(f"CHANGELOG.md has nothing under '## {version}'.")


def rewritten(action: str, image: str) -> str:
    """action.yml with the image that was built, pulled by digest, in place of the Dockerfile."""
    if not _PINNED.fullmatch(image):
        raise ReleaseError(f"{image!r} is not pinned: it must be registry/name@sha256:DIGEST.")
    text, count = re.subn(r"^  image: Dockerfile$", f"  image: docker://{image}", action, flags=re.MULTILINE)
    if count != 1:
        raise ReleaseError(f"action.yml names the Dockerfile {count} times, not once.")
    return text


def check(tag: str) -> None:
    """Raises ReleaseError with everything that is wrong in this checkout."""
    files = (_read(name) for name in ("pyproject.toml", "lib/model_dockerize/__init__.py", "CHANGELOG.md"))
    wrong = problems(tag, *files)
    if wrong:
        raise ReleaseError("\n".join(wrong))


def main(arguments: list[str]) -> int:
    """The exit code: 0 done, 1 the release cannot be made, 2 called wrongly."""
    if len(arguments) != 2 or arguments[0] not in ("check", "rewrite", "major", "notes"):
        print(__doc__, file=sys.stderr)
        return 2
    command, argument = arguments
    try:
        if command == "major":
            print(major_of(argument))
        elif command == "notes":
            print(notes_of(argument, _read("CHANGELOG.md")), end="")
        elif command == "rewrite":
            (ROOT / "action.yml").write_text(rewritten(_read("action.yml"), argument), encoding="utf-8")
        else:
            check(argument)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
