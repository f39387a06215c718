"""Work beside a build is waited for where it is needed, and left where the build has failed."""

import threading
import time
from collections.abc import Callable

import pytest

from model_dockerize.pipeline.aside import Aside, LeftError


def test_its_result_and_its_error_are_whoever_asks() -> None:
    assert Aside(lambda _: 7).result() == 7

    def fail(_: Callable[[float], None]) -> None:
        raise ValueError("no")

    failing = Aside(fail)
    with pytest.raises(ValueError, match="no"):
        failing.result()
    with pytest.raises(ValueError, match="no"):
        failing.check()


def test_while_it_goes_on_there_is_nothing_to_be_told() -> None:
    going = threading.Event()
    aside = Aside(lambda _: going.wait(30))
    aside.check()
    going.set()
    assert aside.result()


def test_who_leaves_does_not_wait_for_its_end() -> None:
    aside = Aside(lambda pause: pause(3600))
    began = time.monotonic()
    aside.leave()
    with pytest.raises(LeftError):
        aside.result()
    assert time.monotonic() - began < 60
