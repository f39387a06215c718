"""A release says one version everywhere, and its action.yml names one image."""

from pathlib import Path

import pytest
import yaml

from release import ReleaseError, main, major_of, notes_of, problems, rewritten, version_of

ROOT = Path(__file__).resolve().parents[3]
IMAGE = f"ghcr.io/org/model-dockerize@sha256:{'a' * 64}"
CHANGELOG = "# Changelog\n\n## Unreleased\n\n## 1.2.3 (2026-01-02)\n\n### Added\n- One.\n\n## 1.2.2\n\n- Old.\n"


@pytest.mark.parametrize(("tag", "version", "major"), [("v1.2.3", "1.2.3", "v1"), ("v0.4.1", "0.4.1", "v0.4")])
def test_versions(tag: str, version: str, major: str) -> None:
    assert (version_of(tag), major_of(tag)) == (version, major)


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v1.2.3-rc1", "v01.2.3", "v1.2.3\n", ""])
def test_what_is_no_release(tag: str) -> None:
    with pytest.raises(ReleaseError, match="no release tag"):
        version_of(tag)


def test_the_notes_are_of_this_version_only() -> None:
    assert notes_of("v1.2.3", CHANGELOG) == "### Added\n- One.\n"
    for tag in ("v1.2.4", "v2.0.0"):
        with pytest.raises(ReleaseError, match="nothing under"):
            notes_of(tag, CHANGELOG)


def test_all_disagreements_are_told_at_once() -> None:
    package = '"""x"""\n\n__version__ = "1.2.3"\n'
    assert problems("v1.2.3", '[project]\nversion = "1.2.3"\n', package, CHANGELOG) == []
    assert len(problems("v1.2.4", '[project]\nversion = "1.2.3"\n', package, CHANGELOG)) == 3


def test_the_real_action_is_rewritten_in_one_place() -> None:
    before = (ROOT / "action.yml").read_text(encoding="utf-8")
    after = rewritten(before, IMAGE)
    changed = [(old, new) for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert changed == [("  image: Dockerfile", f"  image: docker://{IMAGE}")]
    assert yaml.safe_load(after)["runs"] == {"using": "docker", "image": f"docker://{IMAGE}"}
    with pytest.raises(ReleaseError, match="0 times"):
        rewritten(after, IMAGE)


@pytest.mark.parametrize(
    "image", ["ghcr.io/org/x:v1", "ghcr.io/org/x@sha256:abc", f"x@sha256:{'a' * 64}", f"{IMAGE}\n"]
)
def test_an_image_that_is_not_pinned_is_refused(image: str) -> None:
    with pytest.raises(ReleaseError, match="not pinned"):
        rewritten("runs:\n  image: Dockerfile\n", image)


def test_the_versions_of_this_checkout_agree() -> None:
    package = (ROOT / "lib/model_dockerize/__init__.py").read_text(encoding="utf-8")
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = package.split('__version__ = "')[1].split('"')[0]
    assert problems(f"v{version}", pyproject, package, f"## {version}\n\n- x\n") == []


def test_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["major", "v1.2.3"]) == 0
    assert capsys.readouterr().out == "v1\n"
    assert main(["check", "v99.0.0"]) == 1
    assert "pyproject.toml says" in capsys.readouterr().err
    assert main(["build"]) == 2
