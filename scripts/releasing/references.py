"""Finds and changes OWNER/REPO@TAG in the files that users read or run."""

import re
from collections.abc import Mapping
from pathlib import Path

from releasing import ReleaseError
from releasing.versions import major_of

WORKFLOW = ".github/workflows/model.yml"
ACTION = "action.yml"
# An owner who is a managed user of GitHub Enterprise has an underscore in the name.
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]*[A-Za-z0-9_]")
_OWN_STEP = re.compile(rf"uses: ({_REPOSITORY.pattern})@(v\S+)")
_PINNED = re.compile(r"[a-z0-9.-]+(?::\d+)?(?:/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")


def read_all(root: Path) -> dict[str, str]:
    """Read the files that name the repository: what a reader copies from, and the reusable workflow."""
    found = [root / "README.md", root / "SECURITY.md", root / WORKFLOW]
    found += [*sorted((root / "docs").glob("*.md")), *sorted((root / "docs/workflows").glob("*.yml"))]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in found}


def check(repository: str) -> None:
    """Raise ReleaseError unless this is the name of a repository."""
    if not _REPOSITORY.fullmatch(repository):
        raise ReleaseError(f"{repository!r} is no repository: it must be like OWNER/REPO.")


def named(workflow: str) -> str:
    """Find OWNER/REPO in the reusable workflow; the other files use the same name."""
    found = _OWN_STEP.search(workflow)
    if found is None:
        raise ReleaseError(f"{WORKFLOW} has no step `uses: OWNER/REPO@vX.Y.Z`.")
    return found[1]


def renamed(files: Mapping[str, str], repository: str, tag: str) -> dict[str, str]:
    """Write this repository's name into the files. Pages name the tag that moves, the workflow its own release."""
    check(repository)
    old = re.escape(named(files[WORKFLOW]))

    def changed(name: str, text: str) -> str:
        # The name of an image has no capitals.
        text = re.sub(rf"ghcr\.io/{old}(?![\w-])", f"ghcr.io/{repository.lower()}", text, flags=re.IGNORECASE)
        text = re.sub(rf"(?<!ghcr\.io/){old}(?![\w-])", repository, text)
        ref = tag if name == WORKFLOW else major_of(tag)
        return re.sub(rf"({re.escape(repository)}(?:/{re.escape(WORKFLOW)})?)@v\d+(?:\.\d+)*", rf"\1@{ref}", text)

    return {name: changed(name, text) for name, text in files.items()}


def problems(files: Mapping[str, str], repository: str, tag: str) -> list[str]:
    """Find the files that name another repository or tag than this release."""
    wanted = renamed(files, repository, tag)
    return [
        f"{name} names {_first_difference(text, wanted[name])}." for name, text in files.items() if text != wanted[name]
    ]


def pinned(action: str, image: str) -> str:
    """Replace the Dockerfile in action.yml by the image that was built, by digest."""
    if not _PINNED.fullmatch(image):
        raise ReleaseError(f"{image!r} is not pinned: it must be registry/name@sha256:DIGEST.")
    text, count = re.subn(r"^  image: Dockerfile$", f"  image: docker://{image}", action, flags=re.MULTILINE)
    if count != 1:
        raise ReleaseError(
            f"action.yml names the Dockerfile {count} times, not once. A fix of v1.2.3 starts at v1.2.3^, its parent."
        )
    return text


def _first_difference(text: str, wanted: str) -> str:
    pairs = zip(text.splitlines(), wanted.splitlines(), strict=True)
    old, new = next((old, new) for old, new in pairs if old != new)
    return f"{old.strip()!r}, and this release would serve {new.strip()!r}"
