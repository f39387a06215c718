"""docs/using-containers.md: its commands exist, the script makes its pictures, the console's ways are there."""

import html
import re
from pathlib import Path

import pytest

from model_dockerize.cli import cli

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "using-containers.md").read_text(encoding="utf-8")
SCRIPT = (ROOT / "scripts" / "pictures").read_text(encoding="utf-8")
# What the reference's eight screenshots show -> where it is to be seen here, and by which words.
SHOWN = {
    "the repository is made": ("walk-push.svg", "repository tutorial-repo: made"),
    "the image is there": ("walk-push.svg", "tutorial-repo@sha256:"),
    "a VPC": ("walk-network.svg", "Vpc (AWS::EC2::VPC): made"),
    "a task definition": ("walk-task-definition.svg", "iris-classifier:1: registered"),
    "a cluster": ("walk-task-definition.svg", "EcsCluster (AWS::ECS::Cluster): made"),
    "a service": ("walk-service.svg", "service iris-classifier: made"),
    "its steady state": ("walk-service.svg", "has reached a steady state"),
}


def section(title: str) -> str:
    """Return the text under a heading, to the next one."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def words(picture: str) -> str:
    text = (ROOT / "docs" / "pictures" / picture).read_text(encoding="utf-8")
    return html.unescape(re.sub(r"<[^>]+>", "", text)).replace("\xa0", " ")


def test_every_command_of_the_page_is_one() -> None:
    named = re.findall(r"model-dockerize ([a-z-]+)((?: --[a-z-]+)*)", PAGE)
    assert {name for name, _ in named} >= {
        "load",
        "serve",
        "doctor",
        "login",
        "push",
        "network",
        "task-definition",
        "deploy",
    }
    for line in re.findall(r"model-dockerize ([a-z][^\n`|]*)", PAGE):
        name, *rest = line.split()
        command = cli.commands.get(name)
        assert command, line
        flags = {flag for parameter in command.params for flag in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= flags, line


def test_the_six_steps_stand_in_their_order() -> None:
    steps = re.findall(r"^### (\d)\. (.+)$", PAGE, re.MULTILINE)
    assert [number for number, _ in steps] == list("123456")
    for (_, title), word in zip(
        steps, ("command line", "ECR", "Push", "VPC", "task definition", "service"), strict=True
    ):
        assert word in title


@pytest.mark.parametrize(
    ("title", "route"),
    [
        ("3. Push the image", "Private repositories > Create repository"),
        ("4. A VPC", "Your VPCs > Create VPC"),
        ("5. A task definition", "Task definitions > Create new task definition"),
        ("6. Cluster and service", "Clusters > Create cluster"),
        ("6. Cluster and service", "Services > Create"),
        ("6. Cluster and service", "*Events*"),
    ],
)
def test_the_consoles_way_stands_beside_ours(title: str, route: str) -> None:
    assert route in section(title)


def test_setting_up_aws_is_left_to_aws_and_linked() -> None:
    assert "https://docs.aws.amazon.com/cli/latest/userguide/cli-chap-getting-started.html" in section(
        "1. Set up the AWS command line and the account"
    )
    assert "aws ecr get-login-password --region" in section("2. Log in to ECR")
    assert "--password-stdin" in section("2. Log in to ECR")


def test_the_warning_of_volumes_is_bold() -> None:
    assert "**Important: every model needs a volume of its own.**" in PAGE


def test_every_picture_is_made_by_the_script() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(pictures/([^)]+)\)", PAGE)
    assert len(pictures) == len(set(pictures)) == 7
    for picture in pictures:
        assert (ROOT / "docs" / "pictures" / picture).is_file(), picture
        name = picture.removeprefix("walk-").split(".")[0]
        assert f'"{name}":' in SCRIPT or f'"walk-{name}"' in SCRIPT, picture


@pytest.mark.parametrize("what", SHOWN)
def test_what_the_references_screenshots_show_is_seen(what: str) -> None:
    picture, text = SHOWN[what]
    assert f"pictures/{picture}" in PAGE
    assert text in words(picture)


def test_the_local_run_and_the_web_page_are_seen() -> None:
    shown = words("walk-local.svg")
    tag = re.search(r"Loaded image: (gx-images:t-[0-9a-f]{32})", shown)
    assert tag and f"serving {tag[1]}" in shown and "http://127.0.0.1:9090" in shown
    assert (ROOT / "docs" / "pictures" / "walk-page.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
