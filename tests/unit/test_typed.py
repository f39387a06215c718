"""Commands in what is said can be typed as they stand."""

from pathlib import Path

import click
import pytest

from model_dockerize.cli import cli
from model_dockerize.cli.execute import as_typed

FLAGS = {"sandbox": "True"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Make it first: model-dockerize batch FOLDER", "Make it first: model-dockerize batch my-model --sandbox"),
        ("`model-dockerize smoke FOLDER --keep` writes", "`model-dockerize smoke my-model --sandbox --keep` writes"),
        ("model-dockerize init FOLDER makes one.", "model-dockerize init my-model makes one."),
        ("See: model-dockerize logs --service iris", "See: model-dockerize logs --sandbox --service iris"),
        ("model-dockerize run FOLDER --sandbox", "model-dockerize run my-model --sandbox"),
        ("model-dockerize logs shows more", "model-dockerize logs my-model --sandbox shows more"),
        ("model-dockerize rollback --to 3", "model-dockerize rollback my-model --sandbox --to 3"),
        ("model-dockerize list shows all", "model-dockerize list --sandbox shows all"),
        ("This is a defect of model-dockerize: x", "This is a defect of model-dockerize: x"),
        ("a model-dockerize.yml in FOLDER", "a model-dockerize.yml in FOLDER"),
        ("model-dockerize license new-key", "model-dockerize license new-key"),
        ("model-dockerize nothing FOLDER", "model-dockerize nothing FOLDER"),
    ],
)
def test_what_was_typed_is_put_in(text: str, shown: str) -> None:
    with click.Context(cli):
        assert as_typed(FLAGS, Path("my-model"))(text) == shown


def test_of_a_model_by_name_its_name_and_in_its_own_folder_nothing() -> None:
    batch, logs = "model-dockerize batch FOLDER", "model-dockerize logs FOLDER"
    with click.Context(cli):
        by_name = as_typed({"service": "iris"}, "")
        assert [by_name(batch), by_name(logs)] == [batch, "model-dockerize logs --service iris"]
        own = as_typed({}, "")
        assert [own(batch), own(logs)] == ["model-dockerize batch", "model-dockerize logs"]
        assert as_typed({}, Path("two words"))(batch) == "model-dockerize batch 'two words'"


#: Of a service that neither its folder nor its settings name.
ELSEWHERE = {"cluster": "prod", "service": "iris-b", "aws_region": "eu-central-1", "memory": "4096", "sandbox": "true"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "model-dockerize rollback --to 3",
            "model-dockerize rollback iris --service iris-b --cluster prod --aws-region eu-central-1 --sandbox --to 3",
        ),
        (
            "model-dockerize batch FOLDER",
            "model-dockerize batch iris --service iris-b --cluster prod --aws-region eu-central-1 --sandbox",
        ),
        (
            "model-dockerize logs --service b",
            "model-dockerize logs --cluster prod --aws-region eu-central-1 --sandbox --service b",
        ),
        ("model-dockerize list", "model-dockerize list --aws-region eu-central-1 --sandbox"),
        ("model-dockerize serve FOLDER", "model-dockerize serve iris --sandbox"),
        ("model-dockerize bootstrap", "model-dockerize bootstrap --aws-region eu-central-1 --sandbox"),
    ],
)
def test_flags_that_name_another_model_than_the_folder_go_with_it(text: str, shown: str) -> None:
    with click.Context(cli):
        assert as_typed(ELSEWHERE, "iris")(text) == shown


def test_of_a_model_by_name_the_cluster_goes_with_it() -> None:
    with click.Context(cli):
        typed = as_typed({"service": "a b", "cluster": "two words"}, "")
        assert typed("model-dockerize status") == "model-dockerize status --service 'a b' --cluster 'two words'"


@pytest.mark.parametrize(
    ("name", "role"), [("list", " --role-to-assume r"), ("status", " --role-to-assume r"), ("bootstrap", "")]
)
def test_what_was_done_by_a_role_is_about_its_account_but_for_what_an_administrator_does(name: str, role: str) -> None:
    with click.Context(cli):
        typed = as_typed({"role_to_assume": "r", "aws_region": "eu-west-1"}, "")
        assert typed(f"model-dockerize {name}") == f"model-dockerize {name}{role} --aws-region eu-west-1"


def test_a_long_line_comes_to_its_end() -> None:
    with click.Context(cli):
        shown = as_typed(FLAGS, "x")("model-dockerize logs " * 20_000)
    assert shown.startswith("model-dockerize logs x --sandbox model-dockerize logs")
