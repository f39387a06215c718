"""The words of a job's command, and which file is its result."""

import errno
import os
from pathlib import Path

import pytest

from model_runner.call import LINK, NOTHING, Call, settle

from .conftest import tree


@pytest.mark.parametrize(
    ("command", "argv", "links", "place"),
    [
        (["p", "{input}", "{output}"], ["p", "F/in", "F/out"], [], "o"),
        (["p", "{input}.csv", "{output}.tar.gz"], ["p", "F/out-input.csv", "F/out.tar.gz"], [".csv"], "o.tar.gz"),
        (["--in={input}.a", "{input}.b", "{input}.a", "{input}"],
         ["--in=F/out-input.a", "F/out-input.b", "F/out-input.a", "F/in"], [".a", ".b"], "o"),
        (["{output}.png", "{output}.log"], ["F/out.png", "F/out.log"], [], "o.png"),
        (["{output}.png", "{output}"], ["F/out.png", "F/out"], [], "o"),
        (["{output}.é", "{output}.", "{inputs}", "{Output}"], ["F/out.é", "F/out.", "{inputs}", "{Output}"], [], "o"),
        (["a{input}b{output}.c d"], ["aF/inbF/out.c d"], [], "o.c"),
        (["p"], ["p"], [], "o"),
    ],
)  # fmt: skip
def test_the_words_of_a_command_are_filled_with_paths(
    command: list[str], argv: list[str], links: list[str], place: str, tmp_path: Path
) -> None:
    call = Call(command)
    for _ in range(2):  # what is linked already is linked anew
        found = call.fill({"input": f"{tmp_path}/in", "output": f"{tmp_path}/out"})
        assert found == [word.replace("F/", f"{tmp_path}/") for word in argv]
        assert tree(tmp_path) == {f"out-input{ending}": f"-> {tmp_path}/in" for ending in links}
    assert call.place("o") == place


def test_a_link_leads_to_an_input_wherever_the_runner_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Call(["{input}.csv"]).fill({"input": "in", "output": "out"}) == ["out-input.csv"]
    assert tree(tmp_path) == {"out-input.csv": f"-> {tmp_path}/in"}


def make(folder: Path, files: list[str]) -> None:
    for name in files:
        path = folder / name.rstrip("/@")
        if name.endswith("/"):
            path.mkdir()
        elif name.endswith("@"):
            path.symlink_to("elsewhere")
        else:
            path.write_text(name, encoding="utf-8")


@pytest.mark.parametrize(
    ("files", "left"),
    [
        (["out"], {"out": "out"}),
        (["out.png"], {"out": "out.png"}),
        (["out", "out.png"], {"out": "out.png"}),
        (["out", "out.log"], {"out": "out", "out.log": "out.log"}),
        (["out.npz"], {"out": "out.npz"}),
        (["out.npz", "out.d/", "out.l@", "other.npz", "output"],
         {"out": "out.npz", "out.d/": "", "out.l": "-> elsewhere", "other.npz": "other.npz", "output": "output"}),
        (["out@", "out.npz"], {"out": "out.npz"}),
        (["out/", "out.npz"], {"out": "out.npz"}),
    ],
)  # fmt: skip
def test_the_result_is_moved_to_where_it_is_expected(files: list[str], left: dict[str, str], tmp_path: Path) -> None:
    make(tmp_path, files)
    assert settle(f"{tmp_path}/out", f"{tmp_path}/out.png") is None
    assert tree(tmp_path) == left


FOLDER = "The program made a folder at its output path. A result is one file: let the program pack the folder."
SEVERAL = "The program wrote no output file, but several beside it: {}. Name the one that is the result in the command."


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ([], NOTHING),
        (["out.l@", "output"], NOTHING),
        (["out@"], LINK),
        (["out.png@"], LINK),
        (["out@", "out.a", "out.b"], LINK),
        (["out.b", "out.a"], SEVERAL.format("{output}.a, {output}.b")),
        (["out/", "out.b", "out.a"], SEVERAL.format("{output}.a, {output}.b")),
        ([f"out.{n}" for n in range(10, 21)], SEVERAL.format(", ".join(f"{{output}}.{n}" for n in range(10, 20)))),
        (["out/"], FOLDER),
    ],
)  # fmt: skip
def test_what_is_no_result_is_told_and_stays(files: list[str], error: str, tmp_path: Path) -> None:
    make(tmp_path, files)
    before = tree(tmp_path)
    assert settle(f"{tmp_path}/out", f"{tmp_path}/out.png") == error
    assert tree(tmp_path) == before


def test_a_result_that_cannot_be_renamed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_source: str, _target: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    make(tmp_path, ["out.png"])
    monkeypatch.setattr(os, "rename", refused)
    assert settle(f"{tmp_path}/out", f"{tmp_path}/out.png") == (
        "The program's output cannot be kept: Permission denied."
    )
