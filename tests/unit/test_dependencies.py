"""docs/dependencies.md names every package that we chose, and none that is gone; each says what it saves us."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
PARTS = {
    "main": "## model_dockerize",
    "server": "## model_server",
    "server-build": "## model_server",
    "uv": "## model_installer",
    "rattler": "## model_installer",
    "sandbox": "## The sandbox",
    "dev": "## Development",
    "build": "## Development",
}
#: Two lists that have one section.
TOGETHER = {"server-build": "server", "uv": "rattler"}
#: Not packages: files that are kept in the repository.
VENDORED = {"swagger-ui"}
#: Chosen with another one, as its extra.
EXTRAS = {"cryptography"}


def plain(name: str) -> str:
    """Return the one form of a name (PyPA, "Names and normalization"); stubs count as what they are for."""
    return re.sub(r"[-_.]+", "-", name).lower()


def chosen(part: str) -> set[str]:
    if part == "sandbox":
        return declared(ROOT / "lib/model_sandbox/pyproject.toml")
    lines = (ROOT / f"requirements/{part}.in").read_text(encoding="utf-8").splitlines()
    return {named(line) for line in lines if line and not line.startswith(("#", "-r"))}


def declared(project: Path) -> set[str]:
    return set(map(named, tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]))


def named(requirement: str) -> str:
    return plain(re.split(r"[\[;=<> ]", requirement)[0])


def section(part: str) -> str:
    return PAGE.split(PARTS[part])[1].split("\n## ")[0]


@pytest.mark.parametrize("part", PARTS)
def test_every_chosen_package_is_on_the_page(part: str) -> None:
    words = set(map(plain, re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]", section(part))))
    types = {name for name in chosen(part) if name.startswith("types-") or name.endswith("-stubs")}
    assert chosen(part) - types - words == set()
    assert not types or "stubs" in words


@pytest.mark.parametrize("part", ["main", "server-build", "uv", "sandbox"])
def test_the_page_names_nothing_that_is_gone_and_says_what_each_saves(part: str) -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section(part), re.MULTILINE)
    known = chosen(part) | chosen(TOGETHER.get(part, part)) | EXTRAS | VENDORED
    for names, saves in rows:
        if names not in ("package", "---"):
            listed = {plain(re.sub(r"\(.*\)", "", name).strip()) for name in names.split(",")}
            assert listed <= known, names
            assert len(saves.split()) >= 1


def test_the_package_declares_what_is_pinned() -> None:
    assert declared(ROOT / "pyproject.toml") == chosen("main")
