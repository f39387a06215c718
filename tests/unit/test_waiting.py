"""A wait ends with the first true answer, or fails with the last one."""

from collections.abc import Iterator

import pytest

from tests.rig.waiting import eventually


def test_the_first_true_answer_is_returned() -> None:
    answers: Iterator[object] = iter(["", None, [], "there", "later"])
    assert eventually(lambda: next(answers), pause=0) == "there"


def test_in_vain_it_fails_with_the_last_answer_and_what_is_to_be_told() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.01 s; last: \[\]\nthe log"):
        eventually(list, 0.01, tell=lambda: "the log", pause=0)


def test_what_is_raised_while_looking_ends_the_wait() -> None:
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 1 / 0)
