#!/usr/bin/env python3
"""Make a release: what a person prepares, the steps of .github/workflows/release.yml, and a rehearsal of both.

    scripts/release.py prepare 1.2.3 OWNER/REPO   write the version and the repository's name into this checkout
    scripts/release.py rehearse HOST:PORT         release the last commit to a local git remote and this registry

On a branch release/v1.2.3, in this order:

    scripts/release.py check                      version, names and changelog agree, and the tag is new
    scripts/release.py image MACHINE              build and push the Action's image for this computer's processor
    scripts/release.py index MACHINE...           one name for these images; outputs image, name and digest
    scripts/release.py wheel                      dist/*.whl
    scripts/release.py publish IMAGE@DIGEST       pull without a login, commit action.yml, push v1.2.3 and v1
    scripts/release.py notes                      this version's part of CHANGELOG.md

Environment: GITHUB_REPOSITORY, GITHUB_REF_NAME; TOKEN (password of the registry, if it wants one), REGISTRY (ghcr.io),
PRIVATE (true: the repository is not public). Standard library only: it runs before anything is installed.
"""

import datetime
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from releasing import ROOT, ReleaseError, images, references, tags, versions, wheels
from releasing.rehearsal import rehearse
from releasing.shell import run

_BRANCH = "release/"
_REMOTE = "origin"
_VISIBILITY = """\
Make the package public, once: https://github.com/{repository}, "Packages", the package, "Package settings",
"Change visibility". Where that is grayed out, an owner of the organization allows public packages first: "Settings",
"Packages". Then re-run the failed jobs of this run."""


@dataclass(frozen=True)
class Release:
    """Names the release that this job is a part of."""

    repository: str
    tag: str
    registry: str

    @property
    def branch(self) -> str:
        """Return the branch that started the release and holds its commit until it is over."""
        return f"{_BRANCH}{self.tag}"

    @property
    def image(self) -> str:
        """Return the image's name; owners may have capitals, images may not."""
        return f"{self.registry}/{self.repository.lower()}:{self.tag}"


def release() -> Release:
    """Read the release from the job's environment."""
    ref = os.environ.get("GITHUB_REF_NAME", "")
    if not ref.startswith(_BRANCH):
        raise ReleaseError(f"GITHUB_REF_NAME is {ref!r}: a release runs on a branch like release/v1.2.3.")
    tag = ref.removeprefix(_BRANCH)
    versions.version_of(tag)
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    references.check(repository)
    return Release(repository, tag, os.environ.get("REGISTRY") or "ghcr.io")


def prepare(version: str, repository: str) -> None:
    """Write a version and the repository's name into this checkout."""
    tag = f"v{version}"
    day = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    new = {name: versions.restated(name, _read(name), versions.version_of(tag)) for name in versions.STATED}
    new["CHANGELOG.md"] = versions.dated(_read("CHANGELOG.md"), version, day)
    new |= references.renamed(references.read_all(ROOT), repository, tag)
    for name, text in new.items():
        (ROOT / name).write_text(text, encoding="utf-8")


def problems(this: Release) -> list[str]:
    """Find what this release needs otherwise in the checkout; each a sentence."""
    version = versions.version_of(this.tag)
    stated = {name: versions.stated(name, _read(name)) for name in versions.STATED}
    found = [f"{name} says {other}, the branch {version}." for name, other in stated.items() if other != version]
    found += references.problems(references.read_all(ROOT), this.repository, this.tag)
    try:
        versions.notes_of(this.tag, _read("CHANGELOG.md"))
    except ReleaseError as error:
        found.append(str(error))
    return found


def check() -> None:
    """Fail before anything is built if the release could not be finished."""
    this = release()
    found = tags.refs(_REMOTE, ROOT)
    tags.must_be_new(this.tag, found)
    tags.must_be_held(this.branch, _commit(), found)
    if wrong := problems(this):
        remedy = f"scripts/release.py prepare {versions.version_of(this.tag)} {this.repository}"
        raise ReleaseError("\n".join([*wrong, f"Run `{remedy}`, commit, and push the branch again."]))


def image(machine: str) -> None:
    """Build and push the image for one processor."""
    this = release()
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    # The source is how GitHub knows whose package it is, and that this repository's token may write to it.
    labels = {"source": f"{server}/{this.repository}", "revision": _commit(), "version": this.tag}
    images.build_and_push(ROOT, f"{this.image}-{machine}", labels)


def index(*machines: str) -> None:
    """Join the images of several processors, and give the workflow the result's name."""
    this = release()
    joined = images.join(this.image, [f"{this.image}-{machine}" for machine in machines])
    name, _, digest = joined.partition("@")
    _output(image=joined, name=name, digest=digest)


def wheel() -> None:
    """Build the wheel into dist."""
    print(wheels.build(ROOT, ROOT / "dist"))


def publish(built: str) -> None:
    """Publish the release: pull the image as users will, then commit, then move the tags."""
    this = release()
    source = _commit()
    found = tags.refs(_REMOTE, ROOT)
    tags.must_be_held(this.branch, source, found)
    try:
        images.pull_as_anybody(built)
        commit = tags.commit_image(ROOT, built, this.tag)
    except images.NotPublicError as error:
        if os.environ.get("PRIVATE") != "true":
            raise ReleaseError(f"{error}\n{_VISIBILITY.format(repository=this.repository)}") from error
        commit = source
        print(
            f"::warning::This repository is private, and so is {built}: no runner could pull it. {this.tag} keeps "
            "`image: Dockerfile`, and every job that uses it builds the image itself."
        )
    moved = tags.push(ROOT, _REMOTE, commit, this.tag, found)
    print(f"{' and '.join(moved)}: {commit}")


def notes() -> None:
    """Print this version's part of the changelog."""
    print(versions.notes_of(release().tag, _read("CHANGELOG.md")), end="")


#: Command -> what it does, and the fewest and most arguments it takes.
COMMANDS: dict[str, tuple[Callable[..., None], int, int]] = {
    "prepare": (prepare, 2, 2),
    "rehearse": (rehearse, 1, 1),
    "check": (check, 0, 0),
    "image": (image, 1, 1),
    "index": (index, 1, 9),
    "wheel": (wheel, 0, 0),
    "publish": (publish, 1, 1),
    "notes": (notes, 0, 0),
}


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 done, 1 the release cannot be made, 2 wrong usage."""
    name, *given = arguments or [""]
    command, fewest, most = COMMANDS.get(name, (None, 0, 0))
    if command is None or not fewest <= len(given) <= most:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        command(*given)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _commit() -> str:
    return run("git", "rev-parse", "HEAD", cwd=ROOT)


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _output(**values: str) -> None:
    lines = "".join(f"{name}={value}\n" for name, value in values.items())
    print(lines, end="")
    if target := os.environ.get("GITHUB_OUTPUT"):
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
