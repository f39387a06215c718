"""Makes a whole release on this computer: with a git remote in a folder, a local registry, and the workflow's steps.

It cannot show what only GitHub knows: that the job's token may push the tags and the package, that the package is
public, attestations, the release's page, and the image for the other processor.
"""

import contextlib
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from releasing import ROOT, images, versions
from releasing.shell import run

REPOSITORY = "Rehearsal/Model-Dockerize"
#: The commands of release.yml in their order. {machine} is this computer's processor, {image} what `index` answers.
STEPS = (
    ("check",),
    ("image", "{machine}"),
    ("wheel",),
    ("index", "{machine}"),
    ("publish", "{image}"),
    ("notes",),
)


@dataclass(frozen=True)
class Rehearsal:
    """Describes a release that was made here. `image` is what its action.yml names."""

    remote: Path
    checkout: Path
    tag: str
    image: str


def rehearse(registry: str) -> None:
    """Make the next release and throw it away.

    Args:
        registry: HOST:PORT of a registry on this computer that takes and gives images without a login.
    """
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder, rehearsed(Path(folder), registry) as made:
        print(f"{made.tag} of {REPOSITORY} names {made.image}, which can be pulled without a login.")


@contextlib.contextmanager
def rehearsed(folder: Path, registry: str) -> Iterator[Rehearsal]:
    """Make the next release in an empty folder; remove its images when the block ends."""
    remote = _remote(folder)
    tag = _prepare(folder, remote)
    checkout = folder / "job"
    run("git", "clone", "--quiet", "--depth=1", f"--branch=release/{tag}", remote.as_uri(), str(checkout))
    words = {"machine": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())}
    name = f"{registry}/{REPOSITORY.lower()}"
    try:
        for step in STEPS:
            words |= take(checkout, registry, tag, *(word.format(**words) for word in step))
        action = run("git", "show", f"{tag}:action.yml", cwd=remote)
        image = next(line for line in action.splitlines() if "  image: docker://" in line).partition("docker://")[2]
        images.pull_as_anybody(image)
        yield Rehearsal(remote, checkout, tag, image)
    finally:
        for made in {f"{name}:{tag}-{words['machine']}", words.get("image", f"{name}:{tag}")}:
            with contextlib.suppress(Exception):
                run("docker", "image", "rm", "--force", made)


def take(checkout: Path, registry: str, tag: str, *step: str, **env: str) -> dict[str, str]:
    """Run one step as the workflow does, in a job's checkout; return its outputs."""
    print(f"release.py {' '.join(step)}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "output")
        output.touch()
        job = {
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_REF_NAME": f"release/{tag}",
            "GITHUB_OUTPUT": str(output),
            "REGISTRY": registry,
        }
        run(sys.executable, "scripts/release.py", *step, cwd=checkout, env={**job, **env})
        return dict(line.split("=", 1) for line in output.read_text(encoding="utf-8").splitlines())


def _remote(folder: Path) -> Path:
    """Make a bare repository whose main is this checkout's last commit."""
    remote = folder / "remote.git"
    run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    run("git", "fetch", "--quiet", "--no-tags", "--update-shallow", str(ROOT), "HEAD:refs/heads/main", cwd=remote)
    return remote


def _prepare(folder: Path, remote: Path) -> str:
    """Do what a person does: prepare, commit, push the release's branch. Return the tag."""
    clone = folder / "clone"
    run("git", "clone", "--quiet", str(remote), str(clone))
    pyproject, changelog = ((clone / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "CHANGELOG.md"))
    version = versions.next_version(versions.stated("pyproject.toml", pyproject), changelog)
    run(sys.executable, "scripts/release.py", "prepare", version, REPOSITORY, cwd=clone)
    who = ("-c", "user.name=rehearsal", "-c", "user.email=rehearsal@localhost")
    options = ("--quiet", "--all", "--allow-empty", "--no-gpg-sign")
    run("git", *who, "commit", *options, "--message", f"Prepare {version}", cwd=clone)
    tag = f"v{version}"
    run("git", "push", "--quiet", "origin", "main", f"main:release/{tag}", cwd=clone)
    return tag
