"""The program in a folder has the same words wherever its repository is checked out."""

import subprocess
import time
from pathlib import Path

import pytest

from model_dockerize.pipeline.origin import origin

ACTIONS = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "Org/Models"}


def checkout(root: Path, url: str, inside: str = "price/src") -> Path:
    folder = root / inside
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    subprocess.run(["git", "-C", str(root), "remote", "add", "origin", url], check=True)
    subprocess.run(["git", "-C", str(root), "remote", "add", "other", "https://x.example/y"], check=True)
    return folder


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/org/models",
        "https://github.com/Org/Models.git/",
        "https://x-access-token:ghs_secret@github.com/org/models.git",
        "git@github.com:org/models.git",
        "ssh://git@github.com:22/org/models.git",
    ],
)
def test_a_checkout_is_known_by_its_remote_however_that_is_written(tmp_path: Path, url: str) -> None:
    assert origin(checkout(tmp_path, url), {}) == "github.com/org/models//price/src"
    assert origin(tmp_path, {}) == "github.com/org/models"


def test_a_malformed_address_of_the_server_is_no_host(tmp_path: Path) -> None:
    environment = ACTIONS | {"GITHUB_SERVER_URL": "https://[", "GITHUB_WORKSPACE": str(tmp_path)}
    assert origin(tmp_path, environment) == "github.com/org/models"


def test_in_actions_the_repository_is_known_without_git(tmp_path: Path) -> None:
    folder = tmp_path / "price/src"
    folder.mkdir(parents=True)
    there = {**ACTIONS, "GITHUB_WORKSPACE": str(tmp_path)}
    assert origin(folder, there) == "github.com/org/models//price/src"
    assert origin(tmp_path, there) == "github.com/org/models"
    assert origin(checkout(tmp_path / "other", "git@ghe.example:a/b"), there) == "ghe.example/a/b//price/src"


@pytest.mark.parametrize("url", ["/srv/git/models.git", "../models", "file:///srv/models"])
def test_without_a_repository_the_names_of_two_folders_tell_programs_apart(tmp_path: Path, url: str) -> None:
    assert origin(checkout(tmp_path / "a", url), {}) == "price/src"
    assert origin(tmp_path / "b/demand/src", {}) == "demand/src"
    assert origin(Path("/"), {}) in ("/", "")


def test_a_line_of_blanks_costs_nothing(tmp_path: Path) -> None:
    folder = checkout(tmp_path, "git@github.com:org/models.git")
    config = tmp_path / ".git/config"
    config.write_text(f"[{' ' * 1900}\n" * 50 + config.read_text(encoding="utf-8"), encoding="utf-8")
    begin = time.process_time()
    assert origin(folder, {}) == "github.com/org/models//price/src"
    assert time.process_time() - begin < 2  # it took four seconds a line


def test_a_config_that_is_a_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    outside = checkout(tmp_path / "a", "git@github.com:org/secret.git")
    folder = tmp_path / "b/price"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git/config").symlink_to(outside.parents[1] / ".git/config")
    assert origin(folder, {}) == "b/price"
