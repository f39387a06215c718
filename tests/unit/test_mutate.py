"""scripts/mutate: every room is there with its tests, and its verdict counts what no test noticed."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType

import pytest

from tests.rig.command import ROOT


@pytest.fixture(scope="module")
def mutate() -> ModuleType:
    spec = spec_from_loader("mutate", SourceFileLoader("mutate", str(ROOT / "scripts/mutate")))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_room_has_code_and_tests(mutate: ModuleType) -> None:
    for code, tests in mutate.ROOMS.values():
        assert all(list((ROOT / "lib").glob(pattern)) for pattern in code)
        assert all(list(ROOT.glob(pattern)) for pattern in tests)


def test_what_no_test_noticed_is_listed_and_makes_it_red(
    mutate: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mutate.verdict({"a.x_f__mutmut_1": 1, "a.x_f__mutmut_2": None}) == 0
    assert "1 mutants, 1 noticed, 0 survived" in capsys.readouterr().out
    assert mutate.verdict({"a": 1, "b": 0, "c": 33}) == 1
    assert capsys.readouterr().out.splitlines() == [
        "survived: b",
        "survived: c (no test reaches it)",
        "3 mutants, 1 noticed, 2 survived",
    ]
