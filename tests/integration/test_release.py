"""A release from a clean clone to tags, with a git remote in a folder and a registry that is not ours."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from releasing import ReleaseError, images
from releasing.rehearsal import REPOSITORY, Rehearsal, rehearsed, take
from releasing.shell import run
from tests.rig import registry


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry.running(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, public: str) -> Iterator[Rehearsal]:
    with rehearsed(tmp_path_factory.mktemp("release"), public) as rehearsal:
        yield rehearsal


def at(made: Rehearsal, *arguments: str) -> str:
    """Run git in the remote."""
    return run("git", *arguments, cwd=made.remote)


def fresh(made: Rehearsal, folder: Path) -> Path:
    """Make the checkout of another job of the same run."""
    checkout = folder / "job"
    run("git", "clone", "--quiet", "--depth=1", f"--branch=release/{made.tag}", made.remote.as_uri(), str(checkout))
    return checkout


def test_the_tags_differ_from_what_was_tested_in_one_line(made: Rehearsal) -> None:
    branch = at(made, "rev-parse", f"release/{made.tag}")
    assert at(made, "rev-parse", f"{made.tag}^") == branch == at(made, "rev-parse", "main")
    changed = at(made, "diff", "--unified=0", branch, made.tag).splitlines()
    assert [line for line in changed if line[0] in "+-" and line[:3] not in ("+++", "---")] == [
        "-  image: Dockerfile",
        f"+  image: docker://{made.image}",
    ]
    assert at(made, "rev-parse", "v1") == at(made, "rev-parse", made.tag)


def test_the_reusable_workflow_runs_its_own_release(made: Rehearsal) -> None:
    workflow = at(made, "show", f"{made.tag}:.github/workflows/model.yml")
    assert f"uses: {REPOSITORY}@{made.tag} " in workflow
    assert f"uses: {REPOSITORY}@v1\n" in at(made, "show", f"{made.tag}:README.md")
    served = at(
        made,
        "grep",
        "--no-color",
        "-ohE",
        "uses: [^ ]*[Mm]odel-[Dd]ockerize[^ ]*@v[^ ]*",
        made.tag,
        "--",
        "*.md",
        "*.yml",
    )
    assert {line.strip("`") for line in served.splitlines()} == {
        f"uses: {REPOSITORY}@{made.tag}",
        f"uses: {REPOSITORY}/.github/workflows/model.yml@{made.tag}",
        f"uses: {REPOSITORY}/.github/workflows/model.yml@v1",
        f"uses: {REPOSITORY}@v1",
    }


def test_the_image_that_action_yml_names_is_this_version(made: Rehearsal) -> None:
    assert made.image.partition("/")[2].startswith("rehearsal/model-dockerize@sha256:")
    script = "import sys; sys.path.insert(0, '/app/lib'); import model_dockerize as it; print(it.__version__)"
    version = run("docker", "run", "--rm", "--entrypoint=/usr/local/bin/python", made.image, "-I", "-c", script)
    assert f"v{version}" == made.tag
    source = run("docker", "image", "inspect", made.image, "--format", "{{json .Config.Labels}}")
    assert at(made, "rev-parse", f"{made.tag}^") in source
    assert f"https://github.com/{REPOSITORY}" in source


def test_the_wheel_is_the_same_whenever_it_is_built(made: Rehearsal, tmp_path: Path) -> None:
    (first,) = (made.checkout / "dist").glob("*.whl")
    again = fresh(made, tmp_path)
    take(again, "localhost:1", made.tag, "wheel")
    (second,) = (again / "dist").glob("*.whl")
    assert first.name == second.name == f"model_dockerize-{made.tag[1:]}-py3-none-any.whl"
    assert first.read_bytes() == second.read_bytes()


def test_a_job_that_is_run_again_changes_nothing(made: Rehearsal, public: str, tmp_path: Path) -> None:
    before = at(made, "for-each-ref")
    take(fresh(made, tmp_path), public, made.tag, "publish", made.image)
    assert at(made, "for-each-ref") == before


def small_image(folder: Path, name: str) -> str:
    """Push an image of a few bytes as a release does; return its name by digest."""
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nLABEL of=test\n")
    images.build_and_push(folder, f"{name}-amd64", {})
    run("docker", "image", "rm", f"{name}-amd64")
    return images.join(name, [f"{name}-amd64"])


def test_a_release_is_never_moved(made: Rehearsal, public: str, tmp_path: Path) -> None:
    before = at(made, "for-each-ref")
    other = small_image(tmp_path / "image", f"{public}/other:1")
    job = fresh(made, tmp_path)
    for step in (("check",), ("publish", other)):
        with pytest.raises(ReleaseError, match=f"{made.tag} exists already, and a release is never moved"):
            take(job, public, made.tag, *step)
    run("docker", "image", "rm", other)
    assert at(made, "for-each-ref") == before


def test_an_image_that_needs_a_login(
    made: Rehearsal, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refuse it in a public repository before a tag moves; in a private one keep the Dockerfile in the tag."""
    tag = "v2.0.0"
    at(made, "branch", f"release/{tag}", "main")
    before = at(made, "for-each-ref", "refs/tags")
    job = fresh(replace(made, tag=tag), tmp_path)
    with registry.running(tmp_path_factory.mktemp("private"), private=True) as address:
        with pytest.raises(ReleaseError, match="no basic auth credentials"):
            small_image(tmp_path / "refused", f"{address}/ours:1")
        monkeypatch.setenv("TOKEN", registry.PASSWORD)
        monkeypatch.setenv("GITHUB_ACTOR", registry.USER)
        image = small_image(tmp_path / "image", f"{address}/ours:1")
        login = Path.home() / ".docker/config.json"
        assert not login.exists() or address not in login.read_text()
        with pytest.raises(ReleaseError, match="cannot be pulled without a login") as refused:
            take(job, address, tag, "publish", image)
        assert f"https://github.com/{REPOSITORY}" in str(refused.value)
        assert "Change visibility" in str(refused.value)
        assert at(made, "for-each-ref", "refs/tags") == before
        take(job, address, tag, "publish", image, PRIVATE="true")
    for name in (tag, "v2"):
        assert at(made, "rev-parse", name) == at(made, "rev-parse", "main")
    assert at(made, "show", f"{tag}:action.yml").endswith("  image: Dockerfile")


def test_a_registry_that_is_gone_is_no_private_package(made: Rehearsal, tmp_path: Path) -> None:
    tag = "v3.0.0"
    at(made, "branch", f"release/{tag}", "main")
    job = fresh(replace(made, tag=tag), tmp_path)
    image = f"localhost:1/ours@sha256:{'a' * 64}"
    with pytest.raises(ReleaseError, match="docker pull"):
        take(job, "localhost:1", tag, "publish", image, PRIVATE="true")
    assert f"refs/tags/{tag}" not in at(made, "for-each-ref")
