"""scripts/mutate: the copy of a checkout that it makes."""

import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.test_mutate import mutate

__all__ = ["mutate"]


def test_the_copy_has_the_layout_that_mutmut_knows(
    mutate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lib/model_dockerize/settings/a.py", "tests/unit/settings/test_a.py", "docs/a.md", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    for words in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(mutate, "ROOT", tmp_path)
    work = mutate.prepare("settings")
    assert (work / "src/model_dockerize/settings/a.py").is_file()
    assert not (work / "lib").exists()
    assert (work / "mutants/lib").readlink() == Path("src")
    said = (work / "pyproject.toml").read_text(encoding="utf-8")
    assert 'only_mutate = ["src/model_dockerize/settings/*"]' in said
    assert 'pytest_add_cli_args_test_selection = ["-n0", "tests/unit/settings"]' in said
    assert 'also_copy = ["docs"]' in said
