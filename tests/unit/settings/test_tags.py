"""Tags of what is made: read line by line, refused where AWS or we would not take them."""

from pathlib import Path

import pytest

from model_dockerize.errors import InputError
from model_dockerize.settings import Given, to_settings


def read(text: str) -> tuple[tuple[str, str], ...]:
    return to_settings([{"tags": Given(text, "tags", Path())}]).aws.tags


def test_lines_become_pairs_in_their_order() -> None:
    assert read("cost-center = 42\n\nteam:name=A and B\nempty=") == (
        ("cost-center", "42"),
        ("team:name", "A and B"),
        ("empty", ""),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("team", "line 1 is not NAME=VALUE"),
        ("a=1\nb=$HOME", "line 2 is not NAME=VALUE"),
        ("=x", "line 1 is not NAME=VALUE"),
        ("aws:x=1", "are taken"),
        ("Model-Dockerize-stack=1", "are taken"),
        ("a=1\na=2", "stands there twice"),
        ("\n".join(f"t{n}=1" for n in range(41)), "room for 40"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert says in caught.value.details[0]
