"""Commands in what is said can be typed as they stand."""

from pathlib import Path

import click
import pytest

from model_dockerize.cli import cli
from model_dockerize.cli.execute import as_typed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Make it first: model-dockerize batch FOLDER", "Make it first: model-dockerize batch my-model --sandbox"),
        ("`model-dockerize smoke FOLDER --keep` writes", "`model-dockerize smoke my-model --sandbox --keep` writes"),
        ("model-dockerize init FOLDER makes one.", "model-dockerize init my-model makes one."),
        ("See: model-dockerize logs --service iris", "See: model-dockerize logs --sandbox --service iris"),
        ("model-dockerize run FOLDER --sandbox", "model-dockerize run my-model --sandbox"),
        ("This is a defect of model-dockerize: x", "This is a defect of model-dockerize: x"),
        ("a model-dockerize.yml in FOLDER", "a model-dockerize.yml in FOLDER"),
    ],
)
def test_what_was_typed_is_put_in(text: str, shown: str) -> None:
    with click.Context(cli):
        assert as_typed(Path("my-model"), is_sandbox=True)(text) == shown


def test_without_a_folder_or_a_sandbox_a_text_stays(tmp_path: Path) -> None:
    text = "Make it first: model-dockerize batch FOLDER"
    with click.Context(cli):
        assert as_typed("", is_sandbox=False)(text) == text
        assert as_typed(tmp_path / "two words", is_sandbox=False)(text).endswith("two words'")
