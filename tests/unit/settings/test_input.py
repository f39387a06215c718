"""An input is one field: everything else is made from it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
import yaml

from model_dockerize.patterns import TAG
from model_dockerize.settings import INPUTS, Given, Input, Kind, Settings, Source, document, to_settings
from model_dockerize.settings.input import inputs_of
from model_dockerize.settings.model import BY_NAME, GROUPS
from model_dockerize.settings.values import read
from model_dockerize.settings.variables import Pairs


@dataclass(frozen=True)
class More:
    """A base class."""

    TITLE: ClassVar = "More"

    last_word: Annotated[str, Input("Something.", rule=TAG)] = ""


@dataclass(frozen=True)
class Group(More):
    """A group of inputs."""

    TITLE: ClassVar = "A group"

    where_to: Annotated[Path | None, Input("A path.", caller_only=True)] = None
    many: Annotated[int, Input("A number.", most=9, common=True)] = 3
    perhaps: Annotated[int | None, Input("A number, or none.", least=0)] = None
    yes: Annotated[bool, Input("A flag.")] = True
    three: Annotated[bool | Literal["half"], Input("A flag with a word.", choices=("half",))] = False
    words: Annotated[tuple[str, ...], Input("Words.", choices=("a", "b"))] = ("a", "b")
    names: Annotated[Pairs, Input("Names.")] = ()
    soon: Annotated[int, Input("Seconds.", kind=Kind.SECONDS)] = 5
    follows: Annotated[bool, Input("As yes when empty.", requires="yes")] = True
    no_input: str = ""


DECLARED = inputs_of({"group": Group})
NAMED: Mapping[str, Input] = {each.name: each for each in DECLARED}


def test_name_kind_default_and_title_are_those_of_the_field() -> None:
    assert [(each.name, each.kind, each.default, each.title) for each in DECLARED] == [
        ("where-to", Kind.PATH, "", "A group"),
        ("many", Kind.INTEGER, "3", "A group"),
        ("perhaps", Kind.INTEGER, "", "A group"),
        ("yes", Kind.FLAG, "true", "A group"),
        ("three", Kind.FLAG, "false", "A group"),
        ("words", Kind.LIST, "a,b", "A group"),
        ("names", Kind.PAIRS, "", "A group"),
        ("soon", Kind.SECONDS, "5", "A group"),
        ("follows", Kind.FLAG, "", "A group"),
        ("last-word", Kind.TEXT, "", "More"),
    ]
    assert {(each.field, each.group) for each in DECLARED} == {
        (each.name.replace("-", "_"), "group") for each in DECLARED
    }


def test_the_files_begin_with_what_most_people_need() -> None:
    action = yaml.safe_load(document.action_yml(DECLARED, ()))
    assert list(action["inputs"])[:2] == ["many", "where-to"]
    assert action["inputs"]["many"]["description"] == "A number. Default: 3"
    page = document.inputs_md(DECLARED, ())
    assert page.index("## What most people need") < page.index("`many`") < page.index("## A group")
    assert page.index("`words`") < page.index("## More") < page.index("`last-word`")
    schema = json.loads(document.file_schema(DECLARED))["properties"]
    assert "where-to" not in schema
    assert schema["three"]["enum"] == [True, False, "half", None]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("many", "9", 9),
        ("perhaps", "0", 0),
        ("perhaps", "", None),
        ("yes", "FALSE", False),
        ("three", "Half", "half"),
        ("words", "b a", ("b", "a")),
        ("names", "a=1\nb=2", (("a", "1"), ("b", "2"))),
        ("last-word", " v1 ", "v1"),
    ],
)
def test_a_value_is_read_as_its_field_says(name: str, text: str, value: Any) -> None:
    assert read(NAMED[name], Given(text, "here", Path())) == value


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("many", "10", "'10' is not a whole number from 1 to 9"),
        ("soon", "0", "'0' is not a whole number of at least 1"),
        ("three", "maybe", "'maybe' is neither true nor false, nor half"),
        ("words", "a,c,d,c", "'c' is not valid: a or b; 'd' is not valid: a or b"),
        ("last-word", ".x", "'.x' is not valid: letters, digits, . _ - (at most 128, not starting with . or -)"),
        ("names", "a", "line 1 is not NAME=VALUE, with a name of letters, digits and _"),
    ],
)
def test_what_is_wrong_is_said_as_its_field_says(name: str, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        read(NAMED[name], Given(text, "here", Path()))


def test_only_its_sources_may_set_it() -> None:
    with pytest.raises(ValueError, match="may not set it"):
        read(NAMED["where-to"], Given("x", "there", Path(), Source.FOLDER))


def test_the_inputs_of_a_run() -> None:
    assert len({each.name for each in INPUTS}) == len(INPUTS)
    assert 10 <= sum(each.common for each in INPUTS) <= 15
    for each in INPUTS:
        assert each.group in GROUPS
        assert each.group in Settings.__dataclass_fields__
        assert not each.requires or list(BY_NAME).index(each.requires) < list(BY_NAME).index(each.name)
        assert not (each.rule and each.choices)


def test_keys_are_kept_out_of_logs_and_words() -> None:
    keys = {"license-key": f"eyJ{'a' * 20}.b.c", "smoke-api-key": "k" * 20}
    public = "p" * 43
    settings = to_settings(
        [{name: Given(text, name, Path()) for name, text in {**keys, "license-public-key": public}.items()}]
    )
    assert set(settings.secrets) == set(keys.values())
    assert {each.name for each in INPUTS if each.key and each.private} == keys.keys()
    assert not [text for text in keys.values() if text in repr(settings)]
    assert public in repr(settings)
