"""Makes the commit that users get, and its tags."""

from pathlib import Path

from releasing import ReleaseError, versions
from releasing.references import ACTION, pinned
from releasing.shell import run

_BOT = {"NAME": "github-actions[bot]", "EMAIL": "41898282+github-actions[bot]@users.noreply.github.com"}


def refs(remote: str, root: Path) -> dict[str, str]:
    """List every branch and tag of the remote with its commit."""
    lines = run("git", "ls-remote", "--heads", "--tags", remote, cwd=root).splitlines()
    return {name: commit for commit, name in (line.split("\t") for line in lines)}


def must_be_new(tag: str, found: dict[str, str]) -> None:
    """Raise ReleaseError if the tag exists: nobody's `v1.2.3` ever changes."""
    if f"refs/tags/{tag}" in found:
        raise ReleaseError(
            f"{tag} exists already, and a release is never moved. If its run ended late, re-run only the failed jobs; "
            "else take the next version: scripts/release.py prepare."
        )


def must_be_held(branch: str, commit: str, found: dict[str, str]) -> None:
    """Raise ReleaseError unless the release's branch is at this commit.

    GitHub takes a tag from a workflow's token only if some branch has the same workflow files as the tagged commit.
    main moves on while a release is tested and waits for its approval; this branch does not.
    """
    if found.get(f"refs/heads/{branch}") != commit:
        raise ReleaseError(
            f"The branch {branch} is not at {commit} any more, so GitHub would refuse the tag. Push it there again, "
            f"which starts the release anew: git push --force origin {commit}:refs/heads/{branch}"
        )


def commit_image(root: Path, image: str, tag: str) -> str:
    """Commit an action.yml that names the image. The same image always gives the same commit."""
    action = root / ACTION
    action.write_text(pinned(action.read_text(encoding="utf-8"), image), encoding="utf-8")
    said = {**_BOT, "DATE": run("git", "show", "--no-patch", "--format=%cI", "HEAD", cwd=root)}
    env = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in said.items()}
    message = f"Release {tag}: the image by its digest"
    run("git", "commit", "--quiet", "--no-gpg-sign", "--message", message, "--", ACTION, cwd=root, env=env)
    return run("git", "rev-parse", "HEAD", cwd=root)


def push(root: Path, remote: str, commit: str, tag: str, found: dict[str, str]) -> list[str]:
    """Push the release's tag, and move the major version's unless a later release has it. Return both."""
    names = [tag]
    existing = [name.removeprefix("refs/tags/") for name in found if name.startswith("refs/tags/")]
    if versions.is_newest(tag, existing):
        names.append(versions.major_of(tag))
    if found.get(f"refs/tags/{tag}", commit) != commit:
        must_be_new(tag, found)
    # v1 moves; it is a bare tag, never a release of its own, so that immutable releases do not forbid it.
    moved = [f"{'+' if name != tag else ''}{commit}:refs/tags/{name}" for name in names]
    run("git", "push", "--quiet", "--atomic", remote, *moved, cwd=root)
    return names
