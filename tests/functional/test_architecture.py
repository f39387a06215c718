"""docs/architecture.md names the code as it is, and no modules import each other in a circle."""

import pkgutil
import re
from graphlib import TopologicalSorter

import grimp
import pytest

from tests.rig.command import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`(model_(?:server|runner)(?:\.\w+)+)`", PAGE)))


def test_the_page_names_the_way_of_an_upload() -> None:
    assert len(NAMES) > 20


@pytest.mark.parametrize("name", NAMES)
def test_what_the_page_names_is_there(name: str) -> None:
    assert callable(pkgutil.resolve_name(name))


def test_no_modules_import_each_other_in_a_circle_not_even_for_types() -> None:
    programs = sorted(path.parent.name for path in (ROOT / "lib").glob("*/__init__.py"))
    graph = grimp.build_graph(*programs, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert imports["model_server.jobs.member"]
    TopologicalSorter(imports).prepare()
