"""docs/architecture.md names the code as it is."""

import pkgutil
import re

import pytest

from tests.rig.command import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`(model_(?:server|runner)(?:\.\w+)+)`", PAGE)))


def test_the_page_names_the_way_of_an_upload() -> None:
    assert len(NAMES) > 20


@pytest.mark.parametrize("name", NAMES)
def test_what_the_page_names_is_there(name: str) -> None:
    assert callable(pkgutil.resolve_name(name))
