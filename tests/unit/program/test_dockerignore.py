"""A .dockerignore leaves out the files that the engine left out by random ones, and those that a person expects."""

import json
from pathlib import Path

import pytest

from model_dockerize.errors import ProgramError
from model_dockerize.program.dockerignore import DockerIgnore, PatternError, patterns_of

from .folder import fill, look, paths

# Made by bench/dockerignore.py, against BuildKit.
RECORD = json.loads((Path(__file__).parent / "dockerignore.json").read_text(encoding="utf-8"))


def left_out(text: str) -> list[str] | None:
    """Return the files that stay out; None: the .dockerignore is refused."""
    try:
        ignore = DockerIgnore(patterns_of(text))
        return sorted(name for name in RECORD["files"] if ignore.ignores(name))
    except PatternError:
        return None


def test_as_the_engine_does() -> None:
    assert len(RECORD["cases"]) >= 300
    assert [(text, left) for text, left in RECORD["cases"] if left_out(text) != left] == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("**/*.csv\n!src", ["main.py", "src/app.py"]),
        ("data/*\n!data", ["main.py", "src/app.py", "src/patients.csv"]),
        ("data/**\n!data/keep.csv", ["data/keep.csv", "main.py", "src/app.py", "src/patients.csv"]),
        ("*\n!src", ["src/app.py", "src/patients.csv"]),
        ("[^m]*", ["main.py"]),
        ("[m[:space:]]*", ["data/keep.csv", "data/x.csv", "src/app.py", "src/patients.csv"]),
        ("../data", ["data/keep.csv", "data/x.csv", "main.py", "src/app.py", "src/patients.csv"]),
        ("#data\n #src", ["data/keep.csv", "data/x.csv", "main.py", "src/app.py", "src/patients.csv"]),
        ("\\#data\ndata/", ["main.py", "src/app.py", "src/patients.csv"]),
        ("! src\n/src\r\ndata\r", ["main.py"]),
    ],
)
def test_the_files_of_a_folder(tmp_path: Path, text: str, left: list[str]) -> None:
    names = ("main.py", "data/x.csv", "data/keep.csv", "src/app.py", "src/patients.csv")
    folder = fill(tmp_path, {**dict.fromkeys(names, ""), ".dockerignore": text})
    assert paths(look(folder, command="sh -c true", requirements_file="none")) == left


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("alnum", "07azAXZ"),
        ("alpha", "azAXZ"),
        ("ascii", "07azAXZ_- ~"),
        ("blank", " "),
        ("digit", "07"),
        ("graph", "07azAXZ_-~"),
        ("lower", "az"),
        ("print", "07azAXZ_- ~"),
        ("punct", "_-~"),
        ("space", " "),
        ("upper", "AXZ"),
        ("word", "07azAXZ_"),
        ("xdigit", "07aA"),
    ],
)
def test_the_characters_of_a_class(tmp_path: Path, name: str, members: str) -> None:
    files = {f"{character}.csv": "" for character in "07azAXZ_- ~é"}
    folder = fill(tmp_path, {**files, "main.py": "", ".dockerignore": f"[[:{name}:]].csv"})
    left = paths(look(folder, command="sh -c true", requirements_file="none"))
    assert set(left) == {*files, "main.py"} - {f"{character}.csv" for character in members}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("!", "a lone '!'"),
        ("data\n[", "'['"),
        ("a[", "'a['"),
        ("[z-a]", "'[z-a]'"),
        ("[[:letter:]]", "'[:letter:]'"),
        ("a\\", r"'a\\'"),
    ],
)
def test_what_docker_refuses_is_refused(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ProgramError) as caught:
        look(fill(tmp_path, {"main.py": "", ".dockerignore": text}), command="sh -c true")
    assert caught.value.details[0].startswith(f".dockerignore: {named} is no pattern")
