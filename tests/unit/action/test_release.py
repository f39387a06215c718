"""A release: one version and one name everywhere, tags that never move but one, the same steps here and on GitHub."""

import re
from pathlib import Path

import pytest
import yaml

import release
from releasing import ReleaseError, rehearsal, tags, versions
from releasing.references import WORKFLOW, named, pinned, problems, read_all, renamed
from releasing.shell import run

ROOT = Path(__file__).resolve().parents[3]
IMAGE = f"ghcr.io/org/model-dockerize@sha256:{'a' * 64}"
CHANGELOG = (
    "# Changelog\n\n## Unreleased\n\n- New.\n\n## 1.2.3 (2026-01-02)\n\n### Added\n- One.\n\n## 1.2.2\n\n- Old.\n"
)


@pytest.mark.parametrize(("tag", "version", "major"), [("v1.2.3", "1.2.3", "v1"), ("v12.0.1", "12.0.1", "v12")])
def test_versions(tag: str, version: str, major: str) -> None:
    assert (versions.version_of(tag), versions.major_of(tag)) == (version, major)


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v1.2.3-rc1", "v01.2.3", "v1.2.3\n", ""])
def test_what_is_no_release(tag: str) -> None:
    with pytest.raises(ReleaseError, match="no release tag"):
        versions.version_of(tag)


@pytest.mark.parametrize(
    ("tags_there", "newest"), [([], True), (["v1.2.3", "v1", "v2.0.0", "v1.1.9"], True), (["v1.10.0"], False)]
)
def test_the_major_tag_moves_forward_only(tags_there: list[str], newest: bool) -> None:
    assert versions.is_newest("v1.2.3", tags_there) is newest


def test_the_notes_are_of_this_version_only() -> None:
    assert versions.notes_of("v1.2.3", CHANGELOG) == "### Added\n- One.\n"
    for tag in ("v1.2.4", "v2.0.0"):
        with pytest.raises(ReleaseError, match="nothing under"):
            versions.notes_of(tag, CHANGELOG)


def test_the_changelog_of_the_next_version() -> None:
    dated = versions.dated(CHANGELOG, "1.3.0", "2026-02-03")
    assert dated.startswith("# Changelog\n\n## Unreleased\n\n## 1.3.0 (2026-02-03)\n\n- New.\n\n## 1.2.3")
    assert versions.dated(dated, "1.3.0", "2026-05-06") == dated
    with pytest.raises(ReleaseError, match=r"a section 1\.2\.3 already"):
        versions.dated(CHANGELOG, "1.2.3", "2026-02-03")
    with pytest.raises(ReleaseError, match="nothing to release"):
        versions.dated(dated, "1.3.1", "2026-02-03")
    assert [versions.next_version(version, CHANGELOG) for version in ("1.2.3", "1.3.0")] == ["1.2.4", "1.3.0"]
    assert versions.next_version("1.3.0", dated) == "1.3.0"


def test_the_real_action_is_pinned_in_one_place() -> None:
    before = (ROOT / "action.yml").read_text(encoding="utf-8")
    after = pinned(before, IMAGE)
    changed = [(old, new) for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert changed == [("  image: Dockerfile", f"  image: docker://{IMAGE}")]
    assert yaml.safe_load(after)["runs"] == {"using": "docker", "image": f"docker://{IMAGE}"}
    with pytest.raises(ReleaseError, match="0 times"):
        pinned(after, IMAGE)


@pytest.mark.parametrize(
    "image", ["ghcr.io/org/x:v1", "ghcr.io/org/x@sha256:abc", f"x@sha256:{'a' * 64}", f"{IMAGE}\n", IMAGE.upper()]
)
def test_an_image_that_is_not_pinned_is_refused(image: str) -> None:
    with pytest.raises(ReleaseError, match="not pinned"):
        pinned("runs:\n  image: Dockerfile\n", image)


def test_the_versions_of_this_checkout_agree() -> None:
    stated = {versions.stated(name, (ROOT / name).read_text(encoding="utf-8")) for name in versions.STATED}
    assert len(stated) == 1
    assert versions.version_of(f"v{stated.pop()}")


def test_every_tag_that_a_page_names_is_one_that_this_version_moves() -> None:
    """And every one in the reusable workflow is this version's own."""
    files = read_all(ROOT)
    name = named(files[WORKFLOW])
    tag = f"v{versions.stated('pyproject.toml', (ROOT / 'pyproject.toml').read_text(encoding='utf-8'))}"
    assert problems(files, name, tag) == []
    every = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.yml"), *(ROOT / ".github").rglob("*.yml")]
    every += [ROOT / page for page in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "action.yml")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in every)
    refs = re.findall(rf"{re.escape(name)}(/\.github/workflows/model\.yml)?@(v[\w.]*\w)", text)
    assert {ref for _, ref in refs} == {versions.major_of(tag), tag}
    assert len(refs) >= 20
    # No file that is not read names the repository: `prepare` would leave the old name there.
    assert text.count(name) == sum(content.count(name) for content in files.values())


def test_a_fork_with_capitals_names_itself() -> None:
    files = {
        WORKFLOW: "# uses: org/it/.github/workflows/model.yml@v1.0.0\n- uses: org/it@v1.0.0 # why\n",
        "README.md": "git+https://github.com/org/it@v1, org/it-else@v1, ghcr.io/org/it@sha256:DIGEST --repo org/it.\n",
        "docs/x.md": "- uses: org/it@v1.\n",
    }
    ours = renamed(files, "AcmeCorp/It", "v2.3.4")
    assert ours == {
        WORKFLOW: "# uses: AcmeCorp/It/.github/workflows/model.yml@v2.3.4\n- uses: AcmeCorp/It@v2.3.4 # why\n",
        "README.md": "git+https://github.com/AcmeCorp/It@v2, org/it-else@v1, ghcr.io/acmecorp/it@sha256:DIGEST"
        " --repo AcmeCorp/It.\n",
        "docs/x.md": "- uses: AcmeCorp/It@v2.\n",
    }
    assert renamed(ours, "AcmeCorp/It", "v2.3.4") == ours
    assert renamed(ours, "org/it", "v1.0.0") == files
    assert problems(files, "org/it", "v1.0.0") == []
    assert problems(files, "org/it", "v1.0.1") == [
        f"{WORKFLOW} names '# uses: org/it/.github/workflows/model.yml@v1.0.0', and this release would serve "
        "'# uses: org/it/.github/workflows/model.yml@v1.0.1'."
    ]
    assert len(problems(files, "AcmeCorp/It", "v2.3.4")) == 3
    for wrong in ("it", "org/it/x", "org/it\n", "org/../it"):
        with pytest.raises(ReleaseError, match="no repository"):
            renamed(files, wrong, "v1.0.0")
    assert release.Release("AcmeCorp/It", "v2.3.4", "ghcr.io").image == "ghcr.io/acmecorp/it:v2.3.4"


def test_an_owner_may_have_an_underscore() -> None:
    files = {WORKFLOW: "- uses: org/it@v1.0.0\n"}
    theirs = renamed(files, "mona_acme/it", "v1.0.0")
    assert theirs == {WORKFLOW: "- uses: mona_acme/it@v1.0.0\n"}
    assert renamed(theirs, "org/it", "v1.0.0") == files


def test_a_program_that_is_missing_or_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # a folder that may not be read would be another error
    with pytest.raises(ReleaseError, match="`no-such-program` cannot be run: No such file"):
        run("no-such-program", "x")
    with pytest.raises(ReleaseError, match=r"`sleep 9 \.\.\.` did not end within 0 s"):
        run("sleep", "9", seconds=0.1)


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a bare repository with one commit on main."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "somebody@localhost")
    bare, work = tmp_path / "remote.git", tmp_path / "work"
    run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    run("git", "clone", "--quiet", str(bare), str(work))
    (work / "action.yml").write_text("runs:\n  image: Dockerfile\n")
    run("git", "add", ".", cwd=work)
    run("git", "commit", "--quiet", "--message", "First", cwd=work, env={"GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"})
    run("git", "push", "--quiet", "origin", "HEAD:main", "HEAD:release/v1.2.3", cwd=work)
    return work


def test_a_fix_of_an_older_release_leaves_the_major_tag(remote: Path) -> None:
    source = run("git", "rev-parse", "HEAD", cwd=remote)
    commit = tags.commit_image(remote, IMAGE, "v1.2.3")
    assert tags.push(remote, "origin", commit, "v1.3.0", {}) == ["v1.3.0", "v1"]
    found = tags.refs("origin", remote)
    assert tags.push(remote, "origin", source, "v1.2.3", found) == ["v1.2.3"]
    found = tags.refs("origin", remote)
    assert [found[f"refs/tags/{tag}"] for tag in ("v1", "v1.3.0", "v1.2.3")] == [commit, commit, source]


def test_the_same_image_makes_the_same_commit(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A person's own git may sign every commit, with a key that asks for a password.
    settings = {"commit.gpgSign": "true", "gpg.program": "false"}
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (name, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    source = run("git", "rev-parse", "HEAD", cwd=remote)
    first = tags.commit_image(remote, IMAGE, "v1.2.3")
    run("git", "reset", "--quiet", "--hard", source, cwd=remote)
    assert tags.commit_image(remote, IMAGE, "v1.2.3") == first != source
    assert run("git", "show", "--no-patch", "--format=%at %ct", cwd=remote) == "1767323045 1767323045"


def test_a_tag_is_not_moved_and_not_pushed_when_the_branch_moved(remote: Path) -> None:
    source = run("git", "rev-parse", "HEAD", cwd=remote)
    found = tags.refs("origin", remote)
    tags.must_be_held("release/v1.2.3", source, found)
    tags.must_be_new("v1.2.3", found)
    for branch, commit in (("release/v1.2.4", source), ("release/v1.2.3", "0" * 40)):
        with pytest.raises(ReleaseError, match=f"git push --force origin {commit}:refs/heads/{branch}"):
            tags.must_be_held(branch, commit, found)
    tags.push(remote, "origin", source, "v1.2.3", found)
    other = tags.commit_image(remote, IMAGE, "v1.2.3")
    with pytest.raises(ReleaseError, match="never moved"):
        tags.push(remote, "origin", other, "v1.2.3", tags.refs("origin", remote))


def test_the_workflow_takes_the_steps_that_are_rehearsed() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))["jobs"]
    scripts = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    called = [command for script in scripts for command in re.findall(r"python3 scripts/release\.py (\w+)", script)]
    assert called == [step[0] for step in rehearsal.STEPS]
    assert set(called) | {"prepare", "rehearse"} == set(release.COMMANDS)


def test_what_is_published_was_attested_before() -> None:
    """And the tags move after that: nobody is served what cannot be verified."""
    steps = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))["jobs"]["publish"][
        "steps"
    ]
    did = [f"{step.get('uses', '')} {step.get('run', '')} {step.get('with', '')}" for step in steps]
    marks = ("release.py index", "'subject-name'", "dist/*.whl'", "release.py publish", "gh release create")
    order = [next(number for number, text in enumerate(did) if mark in text) for mark in marks]
    assert order == sorted(set(order))
    assert [did[number].split("@")[0] for number in order[1:3]] == ["actions/attest"] * 2


def test_nothing_unpinned_runs_in_a_job_with_rights() -> None:
    """Find actions by commit only, and pip only in the wheel's environment, by hash."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    assert not any("pip" in step.get("run", "") for step in steps)
    assert re.findall(r"^[a-z]\S*==\S+ \\$", (ROOT / "requirements/build.txt").read_text("utf-8"), re.MULTILINE)


def test_what_builds_the_wheel_may_publish_nothing() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))["jobs"]
    (builder,) = [job for job in jobs.values() if "release.py wheel" in str(job["steps"])]
    assert builder["permissions"] == {"contents": "read"}


def test_from_the_command_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "org/model-dockerize")
    for ref, told in (("main", "a branch like release/v1.2.3"), ("release/1.2", "no release tag")):
        monkeypatch.setenv("GITHUB_REF_NAME", ref)
        assert release.main(["notes"]) == 1
        assert told in capsys.readouterr().err
    monkeypatch.setenv("GITHUB_REF_NAME", "release/v99.0.0")
    monkeypatch.delenv("GITHUB_REPOSITORY")
    assert release.main(["check"]) == 1
    assert "'' is no repository" in capsys.readouterr().err
    monkeypatch.setenv("GITHUB_REPOSITORY", "org/model-dockerize")
    assert release.main(["notes"]) == 1
    assert "CHANGELOG.md has nothing under '## 99.0.0'" in capsys.readouterr().err
    for wrong in ([], ["build"], ["prepare", "1.2.3"], ["index"]):
        assert release.main(wrong) == 2
        assert "scripts/release.py prepare" in capsys.readouterr().err


def test_all_disagreements_are_told_at_once() -> None:
    wrong = release.problems(release.Release("AcmeCorp/Models", "v99.0.0", "ghcr.io"))
    assert {line.split(" ")[0] for line in wrong} >= {*versions.STATED, WORKFLOW, "README.md", "CHANGELOG.md"}
