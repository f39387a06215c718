"""The installer starts pip, and what stands in for uv."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model_installer import install
from model_installer.install import main
from tests.unit.installer.test_installer import NOWHERE, elsewhere, settings

__all__ = ["elsewhere"]

LIB = Path(__file__).resolve().parents[2] / "lib"


def test_the_settings_are_pips_own_answer(tmp_path: Path) -> None:
    text = (
        "[global]\nindex-url = https://a:b@i.example/simple\nfind-links =\n    /one\n    /two\n[install]\npre = true\n"
    )
    found = settings(text, tmp_path)
    said = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env={
            "HOME": "/dev/null/nowhere",
            "XDG_CONFIG_DIRS": "/dev/null/nowhere",
            "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = dict(line.partition(".")[2].split("=", 1) for line in said.splitlines())
    assert found.keys() == {"index-url", "find-links", "pre"}
    assert {name: lines[name] for name in found} == {name: repr(value) for name, value in found.items()}


@pytest.mark.parametrize(("code", "said"), [(0, "Installing by uv."), (1, "uv could not install this: pip tries")])
def test_pip_tries_what_uv_could_not(code: int, said: str, tmp_path: Path) -> None:
    folder = tmp_path / "installer"
    folder.mkdir()
    (folder / "model_installer").symlink_to(LIB / "model_installer")
    (folder / "uv").write_text(f'#!/bin/sh\n[ -d "$TMPDIR" ] && touch "$TMPDIR/lock"\nexit {code}\n')
    (folder / "uv").chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(folder / "model_installer"), "--no-index", "nothing-of-this-name"],
        env={"PATH": os.defpath, **NOWHERE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stdout
    assert done.returncode == code
    assert ("No matching distribution found for nothing-of-this-name" in done.stderr) == bool(code)


def test_pips_exit_code_is_the_installers(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert main(["--prefer-binary", "nothing-of-this-name"], {**os.environ, "PIP_PREFER_BINARY": "1"}) == 1
    assert "Installing by pip, because" in capfd.readouterr().out


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stand in for uv: note the arguments, and keep the file of constraints."""
    uv, said = tmp_path / "uv", tmp_path / "said"
    script = 'echo "$@" > SAID/arguments; for word in "$@"; do case $word in *.txt) cp "$word" SAID/ ;; esac; done\n'
    uv.write_text("#!/bin/sh\n" + script.replace("SAID", str(said)))
    uv.chmod(0o755)
    said.mkdir()
    monkeypatch.setattr(install, "UV", str(uv))
    return said


def test_what_is_installed_keeps_its_version(spy: Path) -> None:
    assert main(["--keep-installed", "papermill>=2.4"], NOWHERE) == 0
    assert (spy / "arguments").read_text().endswith(".txt papermill>=2.4\n")
    (constraints,) = spy.glob("*.txt")
    assert f"pytest=={pytest.__version__}" in constraints.read_text().split()


def test_of_two_packages_of_a_name_the_one_that_is_imported_keeps_its_version(
    spy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for place, name, version in (("first", "zope.x", "2"), ("second", "Zope_X", "1")):
        folder = tmp_path / place / f"zope_x-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second"), *sys.path])
    assert main(["--keep-installed", "papermill"], NOWHERE) == 0
    (constraints,) = spy.glob("*.txt")
    assert [line for line in constraints.read_text().splitlines() if "ope" in line and "x=" in line] == ["zope.x==2"]


def test_a_notebook_needs_a_python_that_lists_its_packages(
    spy: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "OLDEST_PYTHON", (9, 0))
    assert main(["--keep-installed", "papermill"], NOWHERE) == 1
    assert "A notebook needs Python 3.8" in capfd.readouterr().out
    assert not list(spy.iterdir())


def test_py_rattler_is_there_for_the_step_only(
    spy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pins = tmp_path / "rattler.txt"
    pins.write_text(f"py-rattler==0.1 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(install, "_RATTLER", str(pins))
    assert main(["--conda", "--channel", "c", "numpy"], NOWHERE) == 1  # what it fetched is nothing
    words = (spy / "arguments").read_text().split()
    assert words[-2:] == ["--requirement", str(pins)]
    assert "--require-hashes" in words
    tools = Path(words[words.index("--target") + 1])
    assert not tools.exists()
    assert "No module named 'rattler'" in capfd.readouterr().err


def test_it_is_said_if_py_rattler_cannot_be_had(
    spy: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "UV", str(spy / "none"))
    monkeypatch.setattr(install, "_RATTLER", str(spy / "none.txt"))
    assert main(["--conda", "numpy"], {**os.environ, **NOWHERE}) == 1
    assert "py-rattler, which installs packages of conda, could not be had" in capfd.readouterr().out
