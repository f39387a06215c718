"""Notebooks as programs: how they are called, what is installed for them, and which cannot be run."""

import json
from pathlib import Path

import pytest

from model_dockerize.errors import InputError, ProgramError
from model_dockerize.program import render_dockerfile

from .folder import SERVER, Heard, fill, look

EXECUTE = ("python", "-m", "papermill")
OPTIONS = ("/dev/null", "--kernel", "python3", "--log-output", "--no-progress-bar")


def notebook(*cells: str, tag: str = "", language: str = "python", **more: object) -> str:
    """Write a notebook, whose first cell has the tag."""
    listed = [
        {"cell_type": "code", "source": cell.splitlines(keepends=True), "metadata": {"tags": tags}}
        for cell, tags in zip(cells, [[tag], *[[]] * len(cells)], strict=False)
    ]
    return json.dumps({"cells": listed, "metadata": {"kernelspec": {"language": language}}, "nbformat": 4, **more})


USES_BOTH = notebook("input = 'a'\noutput = 'b'", "open(output, 'w').write(open(input).read())", tag="parameters")


def test_the_only_notebook_is_the_program(tmp_path: Path) -> None:
    program = look(fill(tmp_path, {"score.ipynb": USES_BOTH, "requirements.txt": "six\n"}))
    both = ("-r", "input", "{input}", "-r", "output", "{output}")
    assert program.command == (*EXECUTE, "score.ipynb", *OPTIONS, *both)
    assert program.entry == "score.ipynb"
    text = render_dockerfile(program, SERVER)
    assert text.index("model_installer -r ./requirements.txt") < text.index(
        "model_installer --keep-installed 'papermill>=2.4' ipykernel"
    )


def test_a_script_comes_before_a_notebook(tmp_path: Path) -> None:
    program = look(fill(tmp_path, {"explore.ipynb": "{}", "score.py": ""}))
    assert program.command[1] == "score.py"
    assert "papermill" not in render_dockerfile(program, SERVER)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("b.ipynb", ("b.ipynb", *OPTIONS, "-r", "input", "{input}", "-r", "output", "{output}")),
        ("b.ipynb -p x {input} -p y {output}", ("b.ipynb", *OPTIONS, "-p", "x", "{input}", "-p", "y", "{output}")),
    ],
)
def test_a_notebook_may_be_named(tmp_path: Path, command: str, words: tuple[str, ...]) -> None:
    content = USES_BOTH if " " not in command else notebook("run(x, y)")
    folder = fill(tmp_path, {"a.ipynb": USES_BOTH, "b.ipynb": content})
    assert look(folder, command=command).command == (*EXECUTE, *words)


@pytest.mark.parametrize(
    ("cells", "tag", "command", "fixed"),
    [
        (("input = 'a'\noutput = 'b'", "run(input, output)"), "", "", "input and output"),
        (("input = 'a'\noutput = 'b'", "output = 'c'"), "parameters", "", "output"),
        (("input = 'a'\noutput = 'b'", "input = 'a'"), "injected-parameters", "./a.ipynb", "input"),
        (("x = 'a'", "run(x, y)"), "", "a.ipynb -r x {input}.csv -r y {output}", "x"),
        (("input = 'input.csv'; print(output)",), "", "", "input"),
        (("output = f'{output}.x'; print(input)",), "", "", ""),
        (("input = Path(input)\noutput == 'b'", "if not input:\n    input = 'a'"), "", "", ""),
        (("# input\nprint(input, output)", "output = 'spare'"), "", "", ""),
        (("x = input\nrun(x, output)",), "", "", ""),
    ],
)
def test_a_notebook_does_not_overwrite_the_paths_of_the_job(
    tmp_path: Path, cells: tuple[str, ...], tag: str, command: str, fixed: str
) -> None:
    folder = fill(tmp_path, {"a.ipynb": notebook(*cells, tag=tag)})
    if not fixed:
        look(folder, command=command)
        return
    with pytest.raises(ProgramError) as caught:
        look(folder, command=command)
    assert f"a.ipynb sets {fixed} after a job's own paths are set" in str(caught.value)


@pytest.mark.parametrize("arguments", ["-p x {input}", "-p n 3"])
def test_a_command_names_both_files(tmp_path: Path, arguments: str) -> None:
    with pytest.raises(InputError, match=r"does not name .*\{output\}"):
        look(fill(tmp_path, {"a.ipynb": USES_BOTH}), command=f"a.ipynb {arguments}")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.ipynb": notebook("print(output)")}, "a.ipynb uses no variable input: it gets the paths"),
        ({"a.ipynb": notebook("1")}, "a.ipynb uses no variable input and no output"),
        (
            {"a.ipynb": notebook("input; output", language="R")},
            "a.ipynb is a notebook in R; those in Python can be run",
        ),
        ({"a.ipynb": "{"}, "a.ipynb is no notebook of Jupyter"),
        ({"a.ipynb": "[]"}, "a.ipynb is no notebook of Jupyter"),
        ({"a.ipynb": "{}"}, "a.ipynb is no notebook of Jupyter"),
        ({"a.ipynb": '{"nbformat": 4, "cells": [{"cell_type": "code"}]}'}, "a.ipynb is no notebook of Jupyter"),
        ({"-a.ipynb": USES_BOTH}, "'-a.ipynb' is a name that papermill reads otherwise: rename it"),
        ({"{a}.ipynb": USES_BOTH}, "'{a}.ipynb' is a name that papermill reads otherwise: rename it"),
        ({"a.ipynb": notebook(nbformat=3)}, "a.ipynb is no notebook of Jupyter"),
        ({"a.ipynb": USES_BOTH, "b.ipynb": USES_BOTH}, "several notebooks could be it: a.ipynb, b.ipynb"),
    ],
)
def test_what_cannot_be_run_is_refused(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    with pytest.raises(ProgramError) as caught:
        look(fill(tmp_path, files))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("said", "warns"), [("true", True), ("0", False)])
def test_a_build_without_an_index_is_told_what_it_must_bring(tmp_path: Path, said: str, warns: bool) -> None:
    heard, config = Heard(), tmp_path / "pip.conf"
    config.write_text(f"[install]\nno-index = {said}\nfind-links = /wheels\n")
    look(fill(tmp_path / "program", {"score.ipynb": USES_BOTH}), heard, pip_config=config)
    assert "The build fetches papermill and ipykernel from the package index, for executing score.ipynb." in heard.infos
    warning = "pip-config says no-index: papermill and ipykernel must be where find-links points, for executing"
    assert any(text.startswith(warning) for text in heard.warnings) == warns
